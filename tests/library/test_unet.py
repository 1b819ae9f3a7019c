"""The network: exact parameter counts, DDPM's initialisation, the count of t, its arguments.

That its outputs are those of diffusers' UNet2DModel is tested in interop/test_diffusers_layout.py,
through both directions of the conversion.
"""

import math

import pytest
import torch
from helpers.networks import TINY, randomised, tiny
from torch import nn

from ddim.unet import SelfAttention, UNet


@pytest.mark.parametrize(
    ("size", "multipliers", "parameters"),
    [
        (32, [1, 2, 2, 2], 35_746_307),  # CIFAR-10
        (64, [1, 2, 2, 2, 4], 78_700_803),  # CelebA
        (256, [1, 1, 2, 2, 4, 4], 113_673_219),  # LSUN
    ],
)
def test_the_papers_networks_have_their_parameters(size, multipliers, parameters):
    with torch.device("meta"):
        unet = UNet(
            image_size=size,
            in_channels=3,
            channels=128,
            multipliers=multipliers,
            blocks=2,
            attention=[16],
            dropout=0.1,
            groups=32,
        )
    assert sum(p.numel() for p in unet.parameters()) == parameters


def test_the_first_guess_is_zero_and_gradients_reach_the_last_layer_first():
    unet = tiny()
    x, t = torch.randn(3, 1, 8, 8), torch.tensor([1, 500, 1000])
    eps = unet(x, t)
    assert eps.shape == x.shape
    assert torch.equal(eps, torch.zeros_like(x))
    (eps - 1).square().mean().backward()
    moved = {name for name, p in unet.named_parameters() if p.grad is not None and p.grad.any()}
    assert moved == {"conv_out.weight", "conv_out.bias"}


def test_initialisation_is_fan_avg_uniform_with_zeros_at_the_end_of_each_branch():
    torch.manual_seed(0)
    unet = tiny()
    for name, module in unet.named_modules():
        if not isinstance(module, nn.Conv2d | nn.Linear):
            continue
        assert not module.bias.any(), name
        if name.endswith(("conv2", "proj_out", "conv_out")):
            assert not module.weight.any(), name
            continue
        fan_out, fan_in = module.weight.shape[:2]
        area = math.prod(module.weight.shape[2:])
        bound = math.sqrt(3 / ((fan_in + fan_out) * area / 2))  # variance 1 / fan_avg
        assert module.weight.abs().max() <= bound, name
        assert module.weight.abs().max() > 0.9 * bound, name
        # uniform: E w^2 = bound^2 / 3, with relative standard deviation sqrt(0.8 / n)
        second = module.weight.square().mean() / (bound**2 / 3)
        assert abs(second - 1) < 5 * math.sqrt(0.8 / module.weight.numel()), name


def test_t_is_counted_from_one():
    """t = 1 is the published networks' 0: its sines are 0 and its cosines 1."""
    unet = randomised(tiny())
    seen = []
    unet.temb.dense[0].register_forward_hook(lambda module, args, output: seen.append(args[0]))
    unet(torch.zeros(2, 1, 8, 8), torch.tensor([1, 1000]))
    half = TINY["channels"] // 2
    assert torch.equal(seen[0][0], torch.tensor([0.0] * half + [1.0] * half))
    frequencies = [10_000 ** (-i / (half - 1)) for i in range(half)]  # from 1 to 1/10000
    want = [math.sin(999 * f) for f in frequencies] + [math.cos(999 * f) for f in frequencies]
    torch.testing.assert_close(seen[0][1], torch.tensor(want), atol=1e-4, rtol=0)


def test_every_image_has_its_own_t():
    unet = randomised(tiny())
    x, t = torch.randn(4, 1, 8, 8), torch.tensor([1, 10, 100, 1000])
    together = unet(x, t)
    alone = torch.cat([unet(x[i : i + 1], t[i : i + 1]) for i in range(4)])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)
    assert (unet(x, t.flip(0)) - together).abs().max() > 1e-2


def test_any_image_size_that_the_levels_divide():
    for size, attention in ((12, [6]), (20, []), (28, [14, 7])):
        multipliers = [1, 2, 2] if size == 28 else [1, 2]
        unet = randomised(tiny(image_size=size, attention=attention, multipliers=multipliers))
        x = torch.randn(2, 1, size, size)
        assert unet(x, torch.tensor([3, 4])).shape == x.shape


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image_size": 9}, "data.image_size must be divisible by 2 .*got 9"),
        ({"image_size": 0}, "image_size .*at least 1, got 0"),
        ({"channels": 15}, "model.channels must be even and at least 4 .*got 15"),
        ({"channels": 2}, "model.channels must be even and at least 4 .*got 2"),
        ({"groups": 5}, "model.groups must be a divisor .*got 5"),
        ({"multipliers": []}, "model.multipliers .*got"),
        ({"attention": [5]}, r"model.attention must list image sizes of the levels \[8, 4\]"),
        ({"dropout": 1.0}, "model.dropout must be in"),
    ],
)
def test_arguments_that_make_no_network(changes, message):
    with pytest.raises(ValueError, match=message):
        tiny(**changes)


def test_images_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"takes images \[N, 1, 8, 8\], got \[2, 3, 8, 8\]"):
        tiny()(torch.zeros(2, 3, 8, 8), torch.ones(2, dtype=torch.int64))


def test_its_arguments_make_it_again():
    unet = tiny(dropout=0.25, attention=(8, 4), multipliers=(1, 2))
    again = UNet(**unet.arguments)
    assert again.arguments == unet.arguments
    shapes = [{k: v.shape for k, v in u.state_dict().items()} for u in (unet, again)]
    assert shapes[0] == shapes[1]


def test_dropout_acts_in_training_only():
    unet = randomised(tiny(dropout=0.5))
    x, t = torch.randn(2, 1, 8, 8), torch.tensor([3, 4])
    assert torch.equal(unet(x, t), unet(x, t))
    unet.train()
    assert not torch.equal(unet(x, t), unet(x, t))


def test_eps_comes_in_the_dtype_of_x():
    unet = randomised(tiny())
    x, t = torch.randn(2, 1, 8, 8), torch.tensor([3, 4])
    assert unet(x.double(), t).dtype == torch.float64
    with torch.autocast("cpu", torch.bfloat16):
        rounded = unet(x, t)
    assert rounded.dtype == torch.float32
    exact = unet(x, t)
    assert 0 < (rounded - exact).abs().max() < 0.1 * exact.abs().max()


def test_it_compiles_as_one_graph():
    """No Python depends on the data: a break in the graph would be an error here."""
    unet = randomised(tiny())
    x, t = torch.randn(2, 1, 8, 8), torch.tensor([3, 4])
    compiled = torch.compile(unet, fullgraph=True, backend="eager")
    with torch.no_grad():
        torch.testing.assert_close(compiled(x, t), unet(x, t), atol=1e-6, rtol=1e-6)


def test_memory_format_changes_no_result():
    unet = randomised(tiny())
    x, t = torch.randn(2, 1, 8, 8), torch.tensor([3, 4])
    eps = unet(x, t)
    plain = unet.to(memory_format=torch.contiguous_format)(x, t)
    torch.testing.assert_close(eps, plain, atol=1e-5, rtol=1e-5)


def test_attention_stands_where_it_is_asked_for():
    places = {}
    for attention in ([], [4], [8, 4]):
        modules = tiny(attention=attention).named_modules()
        places[len(attention)] = [n for n, m in modules if isinstance(m, SelfAttention)]
    assert places[0] == ["mid.attn_1"]
    assert places[1] == ["down.1.attn.0", "mid.attn_1", "up.1.attn.0", "up.1.attn.1"]
    assert len(places[2]) == 7
    assert places[2][0] == "down.0.attn.0"


def test_every_parameter_matters():
    unet = randomised(tiny(dropout=0.1, in_channels=3))
    x = torch.randn(2, 3, 8, 8)
    unet(x, torch.tensor([3, 700])).square().sum().backward()
    idle = [n for n, p in unet.named_parameters() if p.grad is None or not p.grad.any()]
    # A constant added to every key shifts all scores of a pixel alike, which softmax ignores.
    assert all(name.endswith(".k.bias") for name in idle)

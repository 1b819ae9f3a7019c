"""A trained network as samplers call it: its dtype, its precision, its device."""

import copy

import pytest
import torch
from helpers import tiny
from helpers.networks import randomised

from ddim.config import schema
from ddim.runtime.device import torch_device
from ddim.sampling.network import EpsModel
from ddim.unet import UNet

SMALL = {"channels": 8, "multipliers": [1, 2], "blocks": 1, "dropout": 0.0, "groups": 4}
SMALL |= {"attention": [4]}


def test_it_casts_and_turns_dropout_off():
    network = tiny.net().train()
    model, x, t = EpsModel(network), torch.randn(2, 1, 8, 8), torch.tensor([1, 1000])
    inside = network(x, t)
    assert model(x, t).dtype == torch.float32
    assert model(x.double(), t).dtype == torch.float64
    assert torch.equal(model(x.double(), t), model(x, t).double())
    assert torch.equal(model(x, t), inside)
    assert not model(x, t).requires_grad


def test_half_precision_is_another_number_nearby():
    x, t = torch.randn(2, 1, 8, 8), torch.tensor([1, 1000])
    full = EpsModel(tiny.net())(x, t)
    half = EpsModel(tiny.net(), precision="bf16-mixed")(x, t)
    assert half.dtype == torch.float32
    assert 0 < float((full - half).abs().max()) < 0.05


def test_weights_that_are_cast_once_give_the_numbers_of_autocast() -> None:
    """Bit for bit; what autocast leaves in float32, the normalisations, stays so."""
    network = randomised(UNet(image_size=8, in_channels=1, **SMALL))
    x, t = torch.randn(4, 1, 8, 8), torch.tensor([1, 200, 500, 1000])
    same = copy.deepcopy(network).to(memory_format=torch.contiguous_format)
    autocast = EpsModel(same, precision="bf16-mixed")(x, t)
    placed = EpsModel(network, precision="bf16-mixed").place(torch.device("cpu"))
    assert torch.equal(placed(x, t), autocast)
    dtypes = {type(m): p.dtype for m in network.modules() for p in m.parameters(recurse=False)}
    assert dtypes[torch.nn.Conv2d] == dtypes[torch.nn.Linear] == torch.bfloat16
    assert dtypes[torch.nn.GroupNorm] == torch.float32


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_an_absent_device_is_named():
    with pytest.raises(ValueError, match=r"trainer.accelerator is cuda, which this machine"):
        torch_device(schema.Accelerator.cuda)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_float32_on_a_gpu_is_float32() -> None:
    """No TF32: encoding and decoding (Table 2) would drown in its rounding."""
    x, t = torch.randn(4, 1, 8, 8), torch.tensor([1, 200, 500, 1000])
    cpu = EpsModel(tiny.net())(x, t)
    device = torch.device("cuda")
    gpu = EpsModel(tiny.net()).place(device)(x.to(device), t.to(device))
    torch.testing.assert_close(gpu.cpu(), cpu, rtol=1e-4, atol=1e-5)

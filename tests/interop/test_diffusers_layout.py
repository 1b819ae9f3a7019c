"""Our network and diffusers' UNet2DModel are one: same outputs, both ways, and what is refused."""

import re

import pytest
import safetensors.torch
import torch
from helpers.networks import CIFAR10, TINY, randomised, reads, same, tiny, write_diffusers

from ddim.interop import diffusers_layout
from ddim.runtime import files


@pytest.fixture(scope="module")
def diffusers():
    return pytest.importorskip("diffusers")


def their_network(diffusers, arguments: dict):
    """UNet2DModel in the configuration of the published DDPM folders, random everywhere."""
    sizes = [arguments["image_size"] >> i for i in range(len(arguments["multipliers"]))]
    attends = [s in arguments["attention"] for s in sizes]
    torch.manual_seed(1)
    model = diffusers.UNet2DModel(
        sample_size=arguments["image_size"],
        in_channels=arguments["in_channels"],
        out_channels=arguments["in_channels"],
        block_out_channels=[arguments["channels"] * m for m in arguments["multipliers"]],
        layers_per_block=arguments["blocks"],
        down_block_types=["AttnDownBlock2D" if a else "DownBlock2D" for a in attends],
        up_block_types=["AttnUpBlock2D" if a else "UpBlock2D" for a in reversed(attends)],
        attention_head_dim=None,
        norm_num_groups=arguments["groups"],
        norm_eps=1e-6,
        downsample_padding=0,
        flip_sin_to_cos=False,
        freq_shift=1,
        dropout=arguments["dropout"],
    )
    return randomised(model)


@pytest.mark.parametrize(
    "arguments",
    [TINY, {**TINY, "attention": [8], "multipliers": [1, 2, 3], "blocks": 3}, CIFAR10],
    ids=["tiny", "odd", "cifar10"],
)
def test_diffusers_network_and_ours_agree_both_ways(diffusers, tmp_path, arguments):
    """Their folder is read as our network, and that is exported as a folder that is theirs."""
    theirs = their_network(diffusers, arguments)
    theirs.save_pretrained(tmp_path / "unet")
    sha256 = files.sha256(tmp_path / "unet" / diffusers_layout.WEIGHTS)
    ours = reads(tmp_path / "unet", arguments=arguments, sha256=sha256)

    size, channels = arguments["image_size"], arguments["in_channels"]
    x, t = torch.randn(3, channels, size, size), torch.tensor([1, 437, 1000])
    with torch.no_grad():
        eps, their_eps = ours(x, t), theirs(x, t - 1).sample
        assert 0.1 < their_eps.std() < 10
        torch.testing.assert_close(eps, their_eps, atol=1e-5, rtol=1e-5)
        assert (theirs(x, t).sample - eps).abs().max() > 1e-4  # the other count of t is seen

    write_diffusers(tmp_path / "back", ours)
    back = diffusers.UNet2DModel.from_pretrained(tmp_path / "back").eval()
    with torch.no_grad():
        torch.testing.assert_close(back(x, t - 1).sample, eps, atol=1e-5, rtol=1e-5)
    state = theirs.state_dict()
    assert set(back.state_dict()) == set(state)
    assert all(torch.equal(tensor, state[name]) for name, tensor in back.state_dict().items())


def test_attention_names_before_diffusers_015(tmp_path):
    unet = randomised(tiny())
    path = write_diffusers(tmp_path / "unet", unet)
    old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    tensors = safetensors.torch.load_file(path)
    pattern = re.compile("|".join(re.escape(f".{name}.") for name in old))
    renamed = {
        pattern.sub(lambda m: f".{old[m[0].strip('.')]}.", name): t for name, t in tensors.items()
    }
    assert "mid_block.attentions.0.proj_attn.weight" in renamed
    safetensors.torch.save_file(renamed, path)
    assert same(reads(path), unet)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"downsample_padding": 1}, "downsample_padding is 1, .* has 0"),
        ({"downsample_padding": "absent"}, "downsample_padding is 1, .* has 0"),
        ({"attention_head_dim": 8}, "attention_head_dim is 8, .* has None"),
        ({"attention_head_dim": "absent"}, "attention_head_dim is 8, .* has None"),
        ({"flip_sin_to_cos": True}, "flip_sin_to_cos is True, .* has False"),
        ({"norm_eps": 1e-5}, "norm_eps is 1e-05, .* has 1e-06"),
        ({"block_out_channels": [16, 48]}, r"block_out_channels is \[16, 48\], .* has \[16, 32\]"),
        ({"_class_name": "UNet2DConditionModel"}, "_class_name is 'UNet2DConditionModel'"),
        ({"sample_size": 32}, "sample_size is 32, .* has 8"),
    ],
)
def test_diffusers_settings_of_another_network(tmp_path, changes, message):
    path = write_diffusers(tmp_path / "unet", randomised(tiny()), **changes)
    with pytest.raises(ValueError, match=rf"^train.import_from: .*config.json: {message}"):
        reads(path)


def test_diffusers_settings_that_do_not_matter(tmp_path):
    unet = randomised(tiny())
    # One head everywhere: attention stands at 4 pixels and in the middle, both 32 wide.
    changes = {"attention_head_dim": 32, "dropout": 0.3, "sample_size": None}
    assert same(reads(write_diffusers(tmp_path / "unet", unet, **changes)), unet)


def test_diffusers_folders_that_are_refused(tmp_path):
    path = write_diffusers(tmp_path / "unet", randomised(tiny()))
    tensors = safetensors.torch.load_file(path)
    name = "down_blocks.0.resnets.0.conv1.weight"
    safetensors.torch.save_file({k: v for k, v in tensors.items() if k != name}, path)
    with pytest.raises(ValueError, match=rf"lacks the tensor {name}"):
        reads(path)
    safetensors.torch.save_file({**tensors, "class_embedding.weight": torch.zeros(10, 64)}, path)
    with pytest.raises(ValueError, match=r"has the tensor class_embedding.weight, which"):
        reads(path)
    safetensors.torch.save_file({**tensors, "attentions": torch.zeros(1)}, path)
    with pytest.raises(ValueError, match=r"has the tensor attentions, which"):
        reads(path)
    config = tmp_path / "unet" / diffusers_layout.CONFIG
    config.write_text("<html>")
    with pytest.raises(ValueError, match=r"^train.import_from: .*config.json is invalid JSON"):
        reads(path)
    for text in ("[1]", "null"):
        config.write_text(text)
        with pytest.raises(
            ValueError, match=r"^train.import_from: .*config.json must hold .*a JSON object, got"
        ):
            reads(path)
    config.unlink()
    with pytest.raises(FileNotFoundError, match=r"^train.import_from: there is no .*config.json"):
        reads(path)

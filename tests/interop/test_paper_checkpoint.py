"""Checkpoints of the paper's public code: names, both sets of weights, and what is refused."""

import copy
from pathlib import Path

import pytest
import torch
from helpers.networks import CIFAR10, randomised, reads, same, tiny, write_diffusers

from ddim.interop import diffusers_layout
from ddim.runtime.errors import one_line
from ddim.unet import UNet

# torch wrote no zip files before 1.6, of July 2020: published weights may be either.
FORMATS = pytest.mark.parametrize("zipped", [True, False], ids=["zip", "before-1.6"])


def save_as(content: object, path: Path, zipped: bool) -> None:
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    assert (path.read_bytes()[:2] == b"PK") == zipped


@FORMATS
def test_a_state_dict_is_read_as_it_is(tmp_path, zipped):
    unet = randomised(tiny())
    save_as(unet.state_dict(), tmp_path / "ema_digits.ckpt", zipped)
    assert same(reads(tmp_path / "ema_digits.ckpt"), unet)


def test_the_published_names_and_shapes():
    """Names of the converted CIFAR-10 checkpoint, as its own code defines them."""
    with torch.device("meta"):
        unet = UNet(**CIFAR10)
    shapes = {name: tuple(t.shape) for name, t in unet.state_dict().items()}
    expected = {
        "temb.dense.0.weight": (512, 128),
        "temb.dense.1.bias": (512,),
        "conv_in.weight": (128, 3, 3, 3),
        "down.0.block.0.norm1.weight": (128,),
        "down.0.block.1.temb_proj.weight": (128, 512),
        "down.0.downsample.conv.weight": (128, 128, 3, 3),
        "down.1.block.0.nin_shortcut.weight": (256, 128, 1, 1),
        "down.1.attn.1.norm.bias": (256,),
        "down.1.attn.0.q.weight": (256, 256, 1, 1),
        "mid.block_1.conv2.weight": (256, 256, 3, 3),
        "mid.attn_1.proj_out.weight": (256, 256, 1, 1),
        "mid.block_2.norm2.bias": (256,),
        "up.0.block.0.conv1.weight": (128, 384, 3, 3),
        "up.0.block.2.nin_shortcut.weight": (128, 256, 1, 1),
        "up.1.attn.2.v.bias": (256,),
        "up.3.upsample.conv.weight": (256, 256, 3, 3),
        "norm_out.weight": (128,),
        "conv_out.weight": (3, 128, 3, 3),
    }
    assert {name: shapes[name] for name in expected} == expected
    assert not {"down.3.downsample.conv.weight", "up.0.upsample.conv.weight"} & set(shapes)


def training_states(raw: UNet, ema: UNet) -> list:
    """What the paper's code saves: DataParallel's names in the first entry, not in the last."""
    optimizer = torch.optim.Adam(copy.deepcopy(raw).parameters())
    parallel = {f"module.{name}": tensor for name, tensor in raw.state_dict().items()}
    return [parallel, optimizer.state_dict(), 3, 500_000, dict(ema.named_parameters())]


@FORMATS
def test_the_training_list_holds_raw_and_ema_weights(tmp_path, zipped):
    raw, ema = randomised(tiny()), tiny()
    save_as(training_states(raw, ema), tmp_path / "ckpt.pth", zipped)
    assert same(reads(tmp_path / "ckpt.pth", "ema"), ema)
    assert same(reads(tmp_path / "ckpt.pth", "raw"), raw)
    torch.save(training_states(raw, ema)[:4], tmp_path / "ckpt.pth")
    with pytest.raises(ValueError, match=r"ckpt.pth holds no EMA weights: .*import_weights=raw"):
        reads(tmp_path / "ckpt.pth", "ema")


def test_checkpoints_that_are_refused(tmp_path):
    state = randomised(tiny()).state_dict()
    path = tmp_path / "w.ckpt"

    torch.save({k: v for k, v in state.items() if k != "up.1.block.0.conv1.bias"}, path)
    with pytest.raises(ValueError, match=r"w.ckpt lacks the tensor up.1.block.0.conv1.bias \[32\]"):
        reads(path)
    torch.save({**state, "logvar": torch.zeros(1000)}, path)
    with pytest.raises(ValueError, match=r"w.ckpt has the tensor logvar, which"):
        reads(path)
    torch.save({**state, "conv_in.weight": torch.zeros(16, 3, 3, 3)}, path)
    with pytest.raises(ValueError, match=r"conv_in.weight is \[16, 3, 3, 3\] .*\[16, 1, 3, 3\]"):
        reads(path)
    torch.save({"model": state}, path)
    with pytest.raises(ValueError, match=r"w.ckpt holds neither a state dict nor"):
        reads(path)


@pytest.mark.parametrize(
    "content",
    [b"", b"hello", b"<html>quota exceeded</html>", b"\x80\x02", b"PK\x03\x04"],
    ids=["empty", "text", "page", "pickle", "zip"],
)
@pytest.mark.parametrize("name", ["w.ckpt", diffusers_layout.WEIGHTS])
def test_a_file_that_is_no_checkpoint_is_named_in_one_line(tmp_path, content, name):
    write_diffusers(tmp_path, randomised(tiny()))
    (tmp_path / name).write_bytes(content)
    with pytest.raises(
        ValueError, match=rf"^train.import_from: .*{name} is truncated or no \w+"
    ) as caught:
        reads(tmp_path / name)
    line = one_line(caught.value)
    assert line.count(name) == 1
    assert len(line.replace(str(tmp_path), "")) < 200


@FORMATS
def test_a_checkpoint_that_is_cut_short_is_named(tmp_path, zipped):
    path = tmp_path / "w.ckpt"
    save_as(randomised(tiny()).state_dict(), path, zipped)
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(
        ValueError, match=r"^train.import_from: .*w.ckpt is truncated or no PyTorch file"
    ):
        reads(path)


@pytest.mark.parametrize("value", [float("nan"), float("-inf")])
def test_weights_that_are_not_finite_are_refused(tmp_path, value):
    unet = randomised(tiny())
    with torch.no_grad():
        unet.up[1].block[0].conv1.bias[3] = value
    torch.save(unet.state_dict(), tmp_path / "w.ckpt")
    with pytest.raises(
        ValueError,
        match=r"^train.import_from: .*w.ckpt: the tensor up.1.block.0.conv1.bias holds NaN or inf",
    ):
        reads(tmp_path / "w.ckpt")
    theirs = "up_blocks.0.resnets.0.conv1.bias"
    with pytest.raises(
        ValueError,
        match=rf"^train.import_from: .*{diffusers_layout.WEIGHTS}: the tensor {theirs} holds",
    ):
        reads(write_diffusers(tmp_path / "unet", unet))


@FORMATS
def test_no_code_in_a_checkpoint_runs(tmp_path, zipped):
    save_as({"conv_in.weight": Trap(tmp_path / "ran")}, tmp_path / "w.ckpt", zipped)
    with pytest.raises(
        ValueError,
        match=r"w.ckpt is truncated or no PyTorch file of plain tensors \(.*Unsupported global",
    ) as caught:
        reads(tmp_path / "w.ckpt")
    assert not (tmp_path / "ran").exists()
    assert "weights_only" not in one_line(caught.value)  # torch's hint at how to let it run


class Trap:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)

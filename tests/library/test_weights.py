"""Our own weights files: exact, the same bytes for the same weights, and what is refused."""

from pathlib import Path

import pytest
import safetensors.torch
import torch
from helpers.networks import TINY, randomised, same, tiny

from ddim import weights
from ddim.runtime import files

INFO = {"trained_steps": 7, "source": "trained here"}


@pytest.fixture
def saved(tmp_path):
    unet = randomised(tiny())
    weights.save(tmp_path / "ema.safetensors", unet, kind="ema", info=INFO)
    return tmp_path / "ema.safetensors", unet


def test_round_trip_is_exact_to_the_bit(saved):
    path, unet = saved
    state = torch.get_rng_state()
    loaded, metadata = weights.load(path, expect=TINY)
    assert torch.equal(torch.get_rng_state(), state)  # reading a file draws no random numbers
    assert metadata == {"kind": "ema", "arguments": unet.arguments, "info": INFO}
    assert same(loaded, unet)
    assert not loaded.training
    assert loaded.arguments == unet.arguments
    x, t = torch.randn(2, 1, 8, 8), torch.tensor([1, 900])
    assert torch.equal(loaded(x, t), unet(x, t))
    assert all(p.requires_grad for p in loaded.parameters())


def test_the_same_weights_are_the_same_file(saved, tmp_path):
    path, unet = saved
    weights.save(tmp_path / "again" / "w.safetensors", unet, kind="ema", info=dict(INFO))
    assert files.sha256(tmp_path / "again" / "w.safetensors") == files.sha256(path)
    weights.save(tmp_path / "raw.safetensors", unet, kind="raw", info=INFO)
    assert files.sha256(tmp_path / "raw.safetensors") != files.sha256(path)


def test_sha256_is_sha256(tmp_path):
    (tmp_path / "abc").write_bytes(b"abc")
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert files.sha256(tmp_path / "abc") == known


def test_saving_is_atomic(saved, monkeypatch):
    path, _ = saved
    before = path.read_bytes()

    def fails(self: Path, target: Path) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(Path, "replace", fails)
    with pytest.raises(OSError, match="disk full"):
        weights.save(path, tiny(), kind="ema", info={})
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_kind_is_ema_or_raw(tmp_path):
    with pytest.raises(ValueError, match=r"kind .*'best'"):
        weights.save(tmp_path / "w", tiny(), kind="best", info={})


def test_missing_and_damaged_files(saved, tmp_path):
    path, _ = saved
    with pytest.raises(FileNotFoundError, match=r"no weights file .*absent"):
        weights.load(tmp_path / "absent.safetensors")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"ema.safetensors is truncated or no safetensors"):
        weights.load(path)
    path.write_bytes(b"<html>quota exceeded</html>")
    with pytest.raises(ValueError, match=r"ema.safetensors is truncated or no safetensors"):
        weights.load(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"channels": 32}, r"^model.channels is 32, the weights in .*ema.safetensors have 16$"),
        ({"multipliers": (1, 2, 2)}, r"^model.multipliers is \[1, 2, 2\], .*have \[1, 2\]$"),
        ({"image_size": 16}, r"^data.image_size is 16, .*have 8$"),
        ({"in_channels": 3}, r"^data.channels is 3, .*have 1$"),
    ],
)
def test_weights_of_another_configuration(saved, change, message):
    with pytest.raises(ValueError, match=message):
        weights.load(saved[0], expect={**TINY, **change})


def tamper(path: Path, tensors: dict, *, metadata: bool = True) -> None:
    header = safetensors.safe_open(path, "pt").metadata()
    safetensors.torch.save_file(tensors, path, header if metadata else None)


def test_weights_of_another_network_name_the_tensor(saved):
    path, unet = saved
    whole = {k: v.contiguous() for k, v in unet.state_dict().items()}

    tamper(path, {k: v for k, v in whole.items() if k != "mid.attn_1.q.weight"})
    with pytest.raises(ValueError, match=r"lacks the tensor mid.attn_1.q.weight \[32, 32, 1, 1\]"):
        weights.load(path)
    tamper(path, {**whole, "extra.weight": torch.zeros(1)})
    with pytest.raises(ValueError, match=r"has the tensor extra.weight, which this network lacks"):
        weights.load(path)
    tamper(path, {**whole, "conv_in.bias": torch.zeros(15)})
    with pytest.raises(ValueError, match=r"conv_in.bias is \[15\] .*needs \[16\]"):
        weights.load(path)
    tamper(path, {**whole, "conv_in.bias": torch.zeros(16, dtype=torch.int64)})
    with pytest.raises(ValueError, match=r"conv_in.bias is \[16\] of torch.int64"):
        weights.load(path)
    tamper(path, whole, metadata=False)
    with pytest.raises(ValueError, match=r"was not written by ddim: .*train.import_from"):
        weights.load(path)


def test_import_published_reads_somebody_elses_weights(tmp_path):
    """The name that is promised to users; tests/interop has the layouts."""
    unet, path = randomised(tiny()), tmp_path / "w.ckpt"
    torch.save(unet.state_dict(), path)
    options = {"arguments": TINY, "kind": "ema", "cache": tmp_path}
    assert same(weights.import_published(path, sha256=files.sha256(path), **options), unet)

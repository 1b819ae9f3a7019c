"""Where published weights come from: paths, URLs, checksums, and the stage that imports them."""

import shutil
from pathlib import Path

import pytest
import torch
from helpers.networks import TINY, randomised, reads, same, tiny, write_diffusers

from ddim import weights
from ddim.config import params, paths
from ddim.config.schema import checked
from ddim.interop import diffusers_layout, published
from ddim.runtime import files
from ddim.stages import train
from ddim.unet import UNet


def test_checksums_and_paths(tmp_path):
    torch.save(randomised(tiny()).state_dict(), tmp_path / "w.ckpt")
    good = files.sha256(tmp_path / "w.ckpt")
    reads(tmp_path / "w.ckpt", sha256=good.upper())
    with pytest.raises(ValueError, match=rf"w.ckpt has SHA-256 {good}, train.import_sha256 is 000"):
        reads(tmp_path / "w.ckpt", sha256="0" * 64)
    for sha256 in (None, "abc"):
        with pytest.raises(ValueError, match=r"train.import_sha256 must be the SHA-256 of"):
            reads(tmp_path / "w.ckpt", sha256=sha256)
    with pytest.raises(ValueError, match=r"train.import_weights must be one of .*'best'"):
        reads(tmp_path / "w.ckpt", kind="best")
    with pytest.raises(FileNotFoundError, match=r"train.import_from: there is no file .*absent"):
        reads(tmp_path / "absent.ckpt")
    with pytest.raises(FileNotFoundError, match=r"there is no file .*diffusion_pytorch_model"):
        reads(tmp_path)


def test_downloads_are_kept_only_when_right(tmp_path):
    unet, cache = randomised(tiny()), tmp_path / "cache"
    source = tmp_path / "site" / "w.ckpt"
    source.parent.mkdir()
    torch.save(unet.state_dict(), source)
    url, sha256 = source.as_uri(), files.sha256(source)

    def get(sha256: str) -> UNet:
        options = {"arguments": TINY, "kind": "ema", "cache": cache}
        return published.import_published(url, sha256=sha256, **options)

    with pytest.raises(ValueError, match=r"^train.import_sha256: .*w.ckpt has another SHA-256"):
        get("1" * 64)
    assert not [p for p in cache.rglob("*") if p.is_file()]
    assert same(get(sha256), unet)
    source.unlink()
    assert same(get(sha256), unet)  # from the cache
    (kept,) = [p for p in cache.rglob("*") if p.is_file()]
    kept.write_bytes(b"damaged")
    with pytest.raises(FileNotFoundError, match=r"cannot be downloaded .*set train.import_from"):
        get(sha256)


def test_a_file_of_ours_is_taken_as_what_it_says_that_it_is(tmp_path):
    unet, source = randomised(tiny()), tmp_path / "ema.safetensors"
    weights.save(source, unet, kind="ema", info={"source": "trained here", "trained_steps": 3})
    options = {"sha256": files.sha256(source), "arguments": TINY, "cache": tmp_path}
    assert same(published.import_published(source, kind="ema", **options), unet)
    with pytest.raises(ValueError, match=r"ema\.safetensors holds ema weights, train\.import_weig"):
        published.import_published(source, kind="raw", **options)
    wider = options | {"arguments": TINY | {"channels": 2 * TINY["channels"]}}
    with pytest.raises(ValueError, match=r"model\.channels is .*, the weights in .* have"):
        published.import_published(source, kind="ema", **wider)


def test_the_stage_keeps_downloads_apart_from_the_images(tmp_path, monkeypatch):
    """data.root may be a zip, or a folder in which every file is taken for an image."""
    unet, source = randomised(tiny()), tmp_path / "w.ckpt"
    torch.save(unet.state_dict(), source)
    sha256 = files.sha256(source)
    archive = tmp_path / "images.zip"
    archive.write_bytes(b"PK")
    shutil.copytree(Path(__file__).parents[2] / "conf", tmp_path / "conf")
    monkeypatch.chdir(tmp_path)
    changes = {"data.root": archive, "train.import_from": source.as_uri()}
    changes |= {"train.import_sha256": sha256, "model.dropout": TINY["dropout"]}
    changes |= {f"model.{key}": TINY[key] for key in ("channels", "multipliers", "blocks")}
    changes |= {f"model.{key}": TINY[key] for key in ("attention", "groups")}
    cfg = checked(params.from_conf([f"{key}={value}" for key, value in changes.items()]))
    train.run(cfg)
    assert same(weights.load(paths.weights(cfg) / "ema.safetensors")[0], unet)
    assert (tmp_path / "data" / "weights" / sha256[:16] / "w.ckpt").is_file()
    assert archive.read_bytes() == b"PK"


def test_diffusers_by_url_brings_its_configuration(tmp_path):
    unet = randomised(tiny())
    path = write_diffusers(tmp_path / "site", unet)
    options = {"arguments": TINY, "kind": "raw", "cache": tmp_path / "cache"}
    sha256 = files.sha256(path)
    assert same(published.import_published(path.as_uri(), sha256=sha256, **options), unet)
    names = {p.name for p in (tmp_path / "cache").rglob("*") if p.is_file()}
    assert names == {diffusers_layout.WEIGHTS, diffusers_layout.CONFIG}

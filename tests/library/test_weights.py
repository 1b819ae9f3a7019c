"""Weights as files: ours, the paper's code's, diffusers'; parity of the network with diffusers'."""

import copy
import json
import re
import runpy
import shutil
import sys
from pathlib import Path

import pytest
import safetensors.torch
import torch
from test_unet import TINY, randomised, tiny

from ddim import weights
from ddim.config import params, paths
from ddim.config.schema import checked
from ddim.interop import pipeline_folder, published
from ddim.runtime import files
from ddim.runtime.errors import one_line
from ddim.sampler import sample
from ddim.schedule import alpha_bar, trajectory
from ddim.stages import train
from ddim.unet import UNet

INFO = {
    "trained_steps": 7,
    "source": "trained here",
    "diffusion": {"T": 1000, "beta_start": 1e-4, "beta_end": 0.02},
}

CIFAR10 = {
    "image_size": 32,
    "in_channels": 3,
    "channels": 128,
    "multipliers": [1, 2, 2, 2],
    "blocks": 2,
    "attention": [16],
    "dropout": 0.1,
    "groups": 32,
}


@pytest.fixture
def saved(tmp_path):
    unet = randomised(tiny())
    weights.save(tmp_path / "ema.safetensors", unet, kind="ema", info=INFO)
    return tmp_path / "ema.safetensors", unet


def same(a: UNet, b: UNet) -> bool:
    pairs = [a.state_dict(), b.state_dict()]
    return list(pairs[0]) == list(pairs[1]) and all(
        torch.equal(pairs[0][name], pairs[1][name]) for name in pairs[0]
    )


# --- our own format ------------------------------------------------------------------------------


def test_round_trip_is_exact_to_the_bit(saved):
    path, unet = saved
    state = torch.get_rng_state()
    loaded, about = weights.load(path, expect=TINY)
    assert torch.equal(torch.get_rng_state(), state)  # reading a file draws no random numbers
    assert about == {"kind": "ema", "arguments": unet.arguments, "info": INFO}
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


def test_saving_is_whole_or_not_at_all(saved, monkeypatch):
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
    about = safetensors.safe_open(path, "pt").metadata()
    safetensors.torch.save_file(tensors, path, about if metadata else None)


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


# --- the paper's public code ---------------------------------------------------------------------


def reads(path: Path, kind: str = "ema", arguments: dict = TINY, **options: object) -> UNet:
    options = {"sha256": files.sha256(path) if path.is_file() else "0" * 64, **options}
    cache = path.parent / "cache"
    return published.import_published(path, arguments=arguments, kind=kind, cache=cache, **options)


# torch wrote no zip files before 1.6, of July 2020: published weights may be either.
FORMATS = pytest.mark.parametrize("zipped", [True, False], ids=["zip", "before-1.6"])


def save_as(content: object, path: Path, zipped: bool) -> None:
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    assert (path.read_bytes()[:2] == b"PK") == zipped


@FORMATS
def test_a_state_dict_is_taken_as_it_is(tmp_path, zipped):
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
@pytest.mark.parametrize("name", ["w.ckpt", published.WEIGHTS])
def test_a_file_that_is_no_checkpoint_is_named_in_one_line(tmp_path, content, name):
    write_diffusers(tmp_path, randomised(tiny()))
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=rf"^train.import_from: .*{name} is .*no \w+") as caught:
        reads(tmp_path / name)
    line = one_line(caught.value)
    assert line.count(name) == 1
    assert len(line.replace(str(tmp_path), "")) < 200


@FORMATS
def test_a_checkpoint_that_is_cut_short_is_named(tmp_path, zipped):
    path = tmp_path / "w.ckpt"
    save_as(randomised(tiny()).state_dict(), path, zipped)
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(ValueError, match=r"^train.import_from: .*w.ckpt is no whole PyTorch file"):
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
        ValueError, match=rf"^train.import_from: .*{published.WEIGHTS}: the tensor {theirs} holds"
    ):
        reads(write_diffusers(tmp_path / "unet", unet))


@FORMATS
def test_no_code_in_a_checkpoint_runs(tmp_path, zipped):
    save_as({"conv_in.weight": Trap(tmp_path / "ran")}, tmp_path / "w.ckpt", zipped)
    with pytest.raises(
        ValueError, match=r"w.ckpt is no whole PyTorch file of plain tensors \(.*Unsupported global"
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


# --- fetching ------------------------------------------------------------------------------------


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

    with pytest.raises(ValueError, match=r"w.ckpt has SHA-256"):
        get("1" * 64)
    assert not [p for p in cache.rglob("*") if p.is_file()]
    assert same(get(sha256), unet)
    source.unlink()
    assert same(get(sha256), unet)  # from the cache
    (kept,) = [p for p in cache.rglob("*") if p.is_file()]
    kept.write_bytes(b"damaged")
    with pytest.raises(FileNotFoundError, match=r"cannot be downloaded .*set train.import_from"):
        get(sha256)


def test_the_stage_keeps_downloads_apart_from_the_images(tmp_path, monkeypatch):
    """data.root may be a zip, or a folder in which every file is taken for an image."""
    unet, source = randomised(tiny()), tmp_path / "w.ckpt"
    torch.save(unet.state_dict(), source)
    sha256 = files.sha256(source)
    archive = tmp_path / "images.zip"
    archive.write_bytes(b"PK")
    shutil.copytree(Path(__file__).parent.parent.parent / "conf", tmp_path / "conf")
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


# --- diffusers -----------------------------------------------------------------------------------


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
    sha256 = files.sha256(tmp_path / "unet" / published.WEIGHTS)
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


def write_diffusers(folder: Path, unet: UNet, **changes: object) -> Path:
    """A UNet2DModel folder; `changes` of its configuration, None removes the key."""
    config = published.diffusers_config(unet.arguments) | changes
    folder.mkdir(exist_ok=True)
    text = json.dumps({k: v for k, v in config.items() if v != "absent"})
    (folder / published.CONFIG).write_text(text)
    tensors = published.to_diffusers(unet.state_dict(), levels=len(unet.up))
    safetensors.torch.save_file(tensors, folder / published.WEIGHTS)
    return folder / published.WEIGHTS


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
    config = tmp_path / "unet" / published.CONFIG
    config.write_text("<html>")
    with pytest.raises(ValueError, match=r"^train.import_from: .*config.json is no JSON"):
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


def test_diffusers_by_url_brings_its_configuration(tmp_path):
    unet = randomised(tiny())
    path = write_diffusers(tmp_path / "site", unet)
    options = {"arguments": TINY, "kind": "raw", "cache": tmp_path / "cache"}
    sha256 = files.sha256(path)
    assert same(published.import_published(path.as_uri(), sha256=sha256, **options), unet)
    names = {p.name for p in (tmp_path / "cache").rglob("*") if p.is_file()}
    assert names == {published.WEIGHTS, published.CONFIG}


# --- export --------------------------------------------------------------------------------------


def test_export_is_a_pipeline_that_samples_what_we_sample(diffusers, saved, tmp_path):
    path, unet = saved
    folder = tmp_path / "pipeline"
    pipeline_folder.export(path, folder)
    pipeline = diffusers.DDIMPipeline.from_pretrained(folder)
    assert type(pipeline.scheduler).__name__ == "DDIMScheduler"
    abar = alpha_bar()
    theirs = pipeline.scheduler.alphas_cumprod.double()
    torch.testing.assert_close(theirs, abar[1:], atol=1e-6, rtol=1e-5)

    pipeline.set_progress_bar_config(disable=True)
    for S, eta in ((10, 0.0), (5, 1.0)):
        options = {"eta": eta, "num_inference_steps": S, "output_type": "np"}
        images = pipeline(2, torch.Generator().manual_seed(3), **options).images
        generator = torch.Generator().manual_seed(3)
        x_T = torch.randn(2, 1, 8, 8, generator=generator)

        def randn_like(x, generator=generator):
            return torch.randn(x.shape, generator=generator, dtype=x.dtype)

        with torch.no_grad():
            tau = trajectory(1000, S, "linear")
            x_0 = sample(unet, x_T, abar, tau, eta, randn_like=randn_like)
        ours = (x_0 / 2 + 0.5).clamp(0, 1).permute(0, 2, 3, 1)
        assert ours.std() > 0.05
        torch.testing.assert_close(ours, torch.from_numpy(images), atol=1e-4, rtol=0)


def test_export_and_import_are_inverse(saved, tmp_path):
    path, unet = saved
    pipeline_folder.export(path, tmp_path / "pipeline")
    sha256 = files.sha256(tmp_path / "pipeline" / "unet" / published.WEIGHTS)
    assert same(reads(tmp_path / "pipeline", sha256=sha256), unet)


def test_export_command(saved, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "pipeline"
    monkeypatch.setattr(sys, "argv", ["ddim.export", str(saved[0]), str(folder)])
    monkeypatch.delitem(sys.modules, "ddim.export")
    runpy.run_module("ddim.export", run_name="__main__")
    assert "DDIMPipeline.from_pretrained" in capsys.readouterr().out
    scheduler = json.loads((folder / "scheduler/scheduler_config.json").read_text())
    assert not scheduler["clip_sample"]
    assert scheduler["set_alpha_to_one"]
    with pytest.raises(SystemExit, match=r"^error: .*/pipeline exists already: name a new folder"):
        runpy.run_module("ddim.export", run_name="__main__")
    assert {p.name for p in tmp_path.iterdir()} == {"ema.safetensors", "pipeline"}


def test_export_needs_the_schedule(tmp_path):
    weights.save(tmp_path / "w.safetensors", tiny(), kind="ema", info={})
    with pytest.raises(ValueError, match=r"w.safetensors does not say its schedule .*lacks T"):
        pipeline_folder.export(tmp_path / "w.safetensors", tmp_path / "pipeline")
    assert not (tmp_path / "pipeline").exists()

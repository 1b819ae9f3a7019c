"""`ddim own`: what it finds, chooses and says of a folder of images, and what it refuses."""

import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from helpers.pipeline import ROOT
from PIL import Image

from ddim.commandline import costs, own
from ddim.compose import record
from ddim.config import params, paths
from ddim.config.schema import as_dict
from ddim.records.experiment import Experiment
from ddim.runtime.errors import USER_ERRORS, one_line


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project with the real conf/, on a machine of a thousand evaluations a second."""
    folder = tmp_path / "project"
    shutil.copytree(ROOT / "conf", folder / "conf")
    monkeypatch.chdir(folder)
    monkeypatch.setattr(costs, "rate", lambda network, device, batch: 1000.0)
    return folder


def images(root: Path, n: int, *, side: int = 40, mode: str = "RGB", classes: int = 0) -> Path:
    noise = np.random.default_rng(0)
    for i in range(n):
        folder = root / f"class {i % classes}" if classes else root
        folder.mkdir(parents=True, exist_ok=True)
        pixels = noise.integers(0, 256, (side, side + 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).convert(mode).save(folder / f"{i}.png")
    return root


def chosen(root: Path, *settings: str) -> dict[str, str]:
    found = own.look(str(root), settings)
    overrides, cfg, seconds = own.choose(found, str(root), settings)
    assert params.from_conf(overrides)
    assert seconds > 0
    return dict(override.split("=", 1) for override in overrides) | {"-": cfg.name}


def test_the_settings_fit_the_images(tmp_path: Path) -> None:
    got = chosen(images(tmp_path / "My photos", 90, mode="L"))
    assert got["-"] == "My-photos"
    assert got["data.channels"] == "1"
    assert float(got["data.held_out"]) == pytest.approx(20 / 90)  # 10 % would be 9
    assert got["train.batch_size"] == "70"
    assert got["evaluate.kid_subset_size"] == "10"
    assert got["reconstruct.num_images"] == got["analysis.num_images"] == "20"
    assert got["features.epochs"] == "100"


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("2024", "images-2024"),
        ("con", "images-con"),
        ("Null", "images-Null"),
        ("true", "images-true"),
        ("v1.5 cats", "v1-5-cats"),
        ("x" * 80, "x" * 64),
        ("-", "images"),
    ],
)
def test_the_name_after_the_folder_is_one_that_there_can_be(
    tmp_path: Path, folder: str, name: str
) -> None:
    root = tmp_path / folder
    root.mkdir()
    assert own._composed(own._start(str(root), ())).name == name


def test_a_zip_is_named_without_its_ending(tmp_path: Path) -> None:
    assert own._composed(own._start(str(tmp_path / "cats.zip"), ())).name == "cats"


def test_what_the_user_sets_is_kept(tmp_path: Path) -> None:
    root = images(tmp_path / "photos", 80)
    given = ("data.image_size=16", "data.channels=1", "name=mine", "train.batch_size=8")
    got = chosen(root, *given)
    assert [got[key] for key in ("data.image_size", "data.channels", "name")] == ["16", "1", "mine"]
    assert got["train.batch_size"] == "8"


@pytest.mark.parametrize(("rate", "size"), [(1e5, "32"), (10.0, "16")])
def test_the_size_is_the_largest_that_is_there_and_that_can_be_paid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rate: float, size: str
) -> None:
    monkeypatch.setattr(costs, "rate", lambda network, device, batch: rate)
    assert chosen(images(tmp_path / "photos", 60))["data.image_size"] == size


def test_a_size_that_does_not_compose_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compose, refused = own._composed, {"data.image_size=32"}

    def composed(overrides):
        if bad := refused.intersection(overrides):
            raise ValueError(f"no {bad}")
        return compose(overrides)

    monkeypatch.setattr(own, "_composed", composed)
    root = images(tmp_path / "photos", 60)
    assert chosen(root)["data.image_size"] == "16"
    refused.add("data.image_size=16")
    with pytest.raises(ValueError, match=r"no \{.data.image_size=16.\}"):
        chosen(root)


def fifo(path: Path) -> None:
    os.mkfifo(path)


def link(path: Path) -> None:
    path.symlink_to("0.png")


@pytest.mark.parametrize(("make", "kind"), [(fifo, "a FIFO, socket or device"), (link, "a link")])
def test_what_dvc_would_open_while_it_hashes_is_refused(
    tmp_path: Path, make: Callable[[Path], None], kind: str
) -> None:
    root = images(tmp_path / "photos", 60)
    (root / ".more").mkdir()
    make(root / ".more" / "notes")
    with pytest.raises(ValueError, match=rf"notes is {kind}, .* data.watch=out/config.ok"):
        own.look(str(root), ())
    own.look(str(root), ("data.watch=out/config.ok",))


def test_files_that_cannot_be_read_are_passed_over_in_the_survey(tmp_path: Path) -> None:
    root = images(tmp_path / "photos", 60)
    path = tmp_path / "bad.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for image in sorted(root.iterdir()):
            archive.write(image, image.name)
    content = bytearray(path.read_bytes())
    at = content.index(b"PK\x01\x02") + 16  # the CRC of the first member
    content[at] ^= 1
    path.write_bytes(content)
    assert len(own.look(str(path), ()).sizes) == 59


def test_the_plan_says_what_is_there_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = images(tmp_path / "photos", 300, classes=3)
    (root / "notes.txt").write_text("x")
    assert own.main([str(root), "--plan", "name=mine"]) is None
    plan = dict(line.split(None, 1) for line in capsys.readouterr().out.splitlines())
    assert plan["images"] == f"{'300'} in {root}, 3 classes: 270 to train on, 30 held out"
    assert plan["left"] == "out   1 file of other kinds (1 .txt)"
    assert plan["looked"] == "at  150 of them: 48x40 to 48x40 pixels, colour"
    assert plan["features"] == "of a classifier of the 3 classes"
    assert plan["cost"].startswith("here  about ")
    assert plan["writes"] == "params.yaml, out/mine, reports/mine"
    assert not Path("params.yaml").exists()


def test_without_the_plan_alone_the_pipeline_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own, "_repro", lambda: 7)
    assert own.main([str(images(tmp_path / "photos", 60))]) == 7
    cfg, _ = params.check()
    assert (cfg.name, cfg.data.watch) == ("photos", str(tmp_path / "photos"))


def test_images_without_classes_are_named_as_such(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own.main([str(images(tmp_path / "photos", 60)), "--plan"])
    said = capsys.readouterr().out
    assert "no classes" in said
    assert "a network that learns to tell turned images apart" in said


@pytest.mark.parametrize(
    ("n", "settings", "message"),
    [
        (59, (), "holds 59 images: a report takes at least 60"),
        (60, ("data.held_out=0.1",), "6 are held out for test, at least 20 are needed"),
        (60, ("train.stpes=1",), "train.stpes is no setting; did you mean train.steps?"),
    ],
)
def test_what_cannot_be_is_refused(
    tmp_path: Path, n: int, settings: tuple[str, ...], message: str
) -> None:
    with pytest.raises(USER_ERRORS) as caught:
        own.look(str(images(tmp_path / "photos", n)), settings)
    assert message in one_line(caught.value)


def test_two_folders_never_share_a_report(tmp_path: Path) -> None:
    """Neither by this command nor by hand, where the stage config refuses."""
    first, second = (images(tmp_path / name / "photos", 60) for name in ("a", "b"))
    cfg = own._composed(own._start(str(first), ()))
    write = Experiment(name=cfg.name, compose=None, config=as_dict(cfg)).write
    write(paths.experiment_record(cfg))
    own.look(str(first), ())
    message = rf"reports/photos is the report of other images .*{first}\): give this one another"
    with pytest.raises(ValueError, match=message):
        own.look(str(second), ())
    own.look(str(second), ("name=others",))
    params.write(["data=image_folder", f"data.root={second}", "name=photos"])
    with pytest.raises(ValueError, match=message):
        record()

"""Arrays: images, samples, features, statistics, influences, shards. As written, or refused."""

import io
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import damage
from helpers.cells import cfg as cfg
from helpers.cells import planned, sample
from helpers.gaussians import gaussian

from ddim.config import paths, schema
from ddim.data.arrays import write_array
from ddim.evaluation.influences import Influences
from ddim.evaluation.reference import Reference, load_statistics
from ddim.records import prepared, samples
from ddim.records.cell import Sampled
from ddim.records.prepared import PreparedData
from ddim.records.reference_files import FEATURES, RADII, STATISTICS, Source
from ddim.sampling import cell
from ddim.sampling.shards import Shards

SHARDS = {"n": 10, "size": 5, "shape": (1, 4, 4)}
SOURCE = Source(images="1" * 64, network="2" * 64)


@dataclass(frozen=True)
class Kept:
    """A file, how it is read, and whether what was read is what was written."""

    path: Path
    read: Callable[[], Any]
    same: Callable[[Any], bool]


def equal(one: Any, other: Any) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def prepare(folder: Path, highest: int = 9) -> None:
    """Noise as the stage `data` leaves images; highest: of the labels, of ten classes."""
    rng, files = np.random.default_rng(0), {}
    for split, n in (("train", 40), ("test", 20)):
        images = rng.integers(0, 256, (n, 1, 8, 8)).astype(np.uint8)
        labels = np.arange(n, dtype=np.int64) % 10
        labels[-1] = highest
        for name, rows in ((f"{split}.npy", images), (f"{split}_labels.npy", labels)):
            files[name] = write_array(folder / name, rows.shape, rows.dtype.type, [rows])
    PreparedData(
        name="noise",
        description="",
        note="",
        image_size=8,
        channels=1,
        train_n=40,
        test_n=20,
        train_sha256=files["train.npy"].sha256,
        classes=tuple("0123456789"),
        preprocessing=prepared.Preprocessing(),
        files=files,
    ).write(folder / prepared.FILE)


def kept(path: Path, read: Callable[[], tuple[Any, ...]]) -> Kept:
    """`read` returns arrays or numbers."""
    whole = [np.array(part) for part in read()]
    return Kept(path, read, lambda parts: equal(parts, whole))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Kept]:
    """One file of every kind but samples."""
    data, reference = (tmp_path_factory.mktemp(name) for name in ("data", "reference"))
    prepare(data)
    np.save(reference / FEATURES, gaussian(40, 4, seed=0))
    Reference.of(gaussian(40, 4, seed=0), neighbours=3).save(reference, SOURCE)

    def split(name: str) -> tuple[Any, ...]:
        read = prepared.load(data, name)
        return read.images, read.labels

    def whole_reference() -> tuple[Any, ...]:
        read = Reference.load(reference, neighbours=3, source=SOURCE)
        return read.features, read.statistics.mean, read.statistics.factor, read.radii

    made = {
        "images": kept(data / "test.npy", lambda: split("test")),
        "labels": kept(data / "train_labels.npy", lambda: split("train")),
    }
    for name in (FEATURES, STATISTICS, RADII):
        made[name] = kept(reference / name, whole_reference)
    return made | {"influences": influences(reference.parent), "shard": shard(reference.parent)}


def influences(folder: Path) -> Kept:
    path = folder / "S10_eta0.0_seed0.npz"
    rng = np.random.default_rng(0)
    parts = {("fid", 30): (rng.normal(size=30),), ("kid", 30): (rng.normal(size=30), rng.random(9))}
    Influences(cell=path.stem, seed=0, reference="r", fingerprint="f", parts=parts).save(path)

    def read() -> tuple[Any, ...]:
        found = Influences.load(path)
        return tuple(part for place in sorted(parts) for part in found.parts[place])

    return kept(path, read)


def shard(folder: Path) -> Kept:
    shards = Shards(folder=folder / "cell-1", **SHARDS)
    for indices in shards.all():
        noise = np.random.default_rng(indices.start).integers(0, 256, (5, 1, 4, 4))
        shards.save(indices, noise.astype(np.uint8), 1.5)

    def read() -> tuple[Any, ...]:
        seconds = shards.merge(folder / "samples.npy")
        return np.load(folder / "samples.npy"), seconds

    return kept(shards.file(shards.all()[0]), read)


KINDS = ("images", "labels", FEATURES, STATISTICS, RADII, "influences", "shard")


@pytest.mark.parametrize("kind", KINDS)
def test_an_array_is_read_as_it_was_written_or_refused(files: dict[str, Kept], kind: str) -> None:
    """Harmless: what no reader looks at, in the directory of a zip file."""
    one = files[kind]
    damages = damage.everything(one.path.stat().st_size, count=80)
    harmless = damage.check(one.path, one.read, one.same, damages)
    assert one.path.suffix == ".npz" or harmless == 0


def saved(array: Any, **options: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


def zipped(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def compressed(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def absurd(shape: tuple[int, ...]) -> bytes:
    """The header of an array of any size, without the array."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        file, {"descr": "|u1", "fortran_order": False, "shape": shape}
    )
    return file.getvalue() + bytes(100)


OBJECTS = np.array([{"a": 1}], dtype=object)
FOREIGN = {
    "an array of objects": saved(OBJECTS, allow_pickle=True),
    "objects in a zip": zipped(about=OBJECTS),
    "fewer rows": saved(np.zeros((3, 1, 8, 8), np.uint8)),
    "float64": saved(np.zeros((360, 1, 8, 8))),
    "one number": saved(np.array(3)),
    "no rows": saved(np.zeros((0, 1, 8, 8), np.uint8)),
    "32 TB": absurd((2**45,)),
    "more than any memory": absurd((2**60,)),
    "NaN": saved(np.full((40, 4), np.nan, np.float32)),
    "several arrays": zipped(a=np.zeros(3), b=np.ones(2)),
    "about as a number": zipped(about=np.array(3)),
    "about as null": zipped(about=np.array("null")),
    "about as a list": zipped(about=np.array("[1]")),
    "about without keys": zipped(about=np.array("{}")),
    "about nested": zipped(about=np.array("[" * 100_000)),
    "a bomb": compressed(about=np.zeros(10**7, np.uint8)),
    "other keys": zipped(about=np.array(json.dumps({"file": "shard", "version": 2}))),
}


@pytest.mark.parametrize("kind", KINDS)
def test_another_array_under_its_name_is_refused(files: dict[str, Kept], kind: str) -> None:
    one = files[kind]
    others = [(name, other.path.read_bytes()) for name, other in files.items() if name != kind]
    replaced = [
        (name, lambda _, content=content: content) for name, content in [*FOREIGN.items(), *others]
    ]
    assert damage.check(one.path, one.read, one.same, replaced) == 0


@pytest.mark.parametrize("kind", [FEATURES, STATISTICS, RADII])
def test_files_of_two_references_are_not_mixed(files: dict[str, Kept], kind: str) -> None:
    one = files[kind]
    folder = one.path.parent / f"other-{kind}"
    folder.mkdir()
    np.save(folder / FEATURES, gaussian(40, 4, seed=1))
    Reference.of(gaussian(40, 4, seed=1), neighbours=3).save(folder, SOURCE)
    whole = one.path.read_bytes()
    one.path.write_bytes((folder / one.path.name).read_bytes())
    try:
        line = damage.refused(one.read, one.path.parent, "of another reference")
    finally:
        one.path.write_bytes(whole)
    assert line is not None


def test_a_reference_of_other_images_or_another_network_is_refused(files: dict[str, Kept]) -> None:
    folder = files[STATISTICS].path.parent
    for what in ("images", "network"):
        source = replace(SOURCE, **{what: "3" * 64})
        with pytest.raises(ValueError, match=rf"the reference is of other {what} than those here"):
            Reference.load(folder, neighbours=3, source=source)
    assert load_statistics(folder).n == 40


def test_a_shard_of_another_cell_is_sampled_again(
    files: dict[str, Kept], capsys: pytest.CaptureFixture[str]
) -> None:
    """Of as many images of the same shape, and whole."""
    path = files["shard"].path
    other = Shards(folder=path.parent.parent / "cell-2", **SHARDS)
    for indices in other.all():
        other.save(indices, np.zeros((5, 1, 4, 4), np.uint8), 1.0)
    place = other.file(other.all()[0])
    place.write_bytes(path.read_bytes())
    assert other.missing() == [range(5)]
    assert not place.exists()
    told = capsys.readouterr().out
    assert told.count("\n") == 1
    assert f"{place} is damaged (it holds other images than its name says)" in told


# Samples, of one cell and another


@pytest.mark.parametrize("damages", ["bytes", "arrays"])
def test_samples_are_read_as_they_were_written_or_refused(
    cfg: schema.Config, damages: str, capsys: pytest.CaptureFixture[str]
) -> None:
    plan, path = sample(cfg), paths.samples_file(cfg)
    whole = np.array(samples.load(cfg)[1])
    done = damage.everything(path.stat().st_size, count=50)
    if damages == "arrays":
        done = [(name, lambda _, content=content: content) for name, content in FOREIGN.items()]
    harmless = damage.check(
        path, lambda: samples.load(cfg), lambda read: np.array_equal(read[1], whole), done
    )
    assert harmless == 0
    capsys.readouterr()
    path.write_bytes(b"")
    assert not cell.is_sampled(cfg, plan)  # counts as absent: the stage samples it again
    assert capsys.readouterr().out.count("\n") == 1


def test_fewer_images_than_asked_are_not_measured(cfg: schema.Config) -> None:
    fewer = replace(cfg, sample=replace(cfg.sample, num_images=4))
    sample(fewer)
    with pytest.raises(ValueError, match=r"holds 4 images of 6: run `python -m ddim\.stages\.sam"):
        samples.load(cfg)


def test_a_record_of_other_samples_is_refused(cfg: schema.Config) -> None:
    sample(cfg)
    record = Sampled.read(paths.sampled_record(cfg), "")
    np.save(paths.samples_file(cfg), np.zeros((6, 1, 8, 8), np.uint8))
    with pytest.raises(ValueError, match=r"samples\.npy was changed after it was written"):
        samples.load(cfg)
    assert cell.is_sampled(cfg, planned(cfg)) is False
    assert record.n == 6


# The prepared images


def test_labels_out_of_range_are_refused(tmp_path: Path) -> None:
    """Written so, with the right checksum."""
    prepare(tmp_path, highest=2**42)
    with pytest.raises(ValueError, match=r"labels 0\.\.4398046511104 of 10 classes, 0\.\.9: make"):
        prepared.load(tmp_path, "train")


def test_images_of_another_size_than_configured_are_refused(files: dict[str, Kept]) -> None:
    folder = files["images"].path.parent
    with pytest.raises(ValueError, match=r"images of \[1, 8, 8\], the configuration of \[3, 16, 1"):
        prepared.load(folder, "test", (3, 16, 16))

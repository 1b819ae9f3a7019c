"""Records and pictures of a report: what is not as it was written is refused, or harmless."""

import json
from pathlib import Path
from typing import Any

import pytest
from helpers import damage
from helpers import report_fixture as fixture

from ddim.records.base import Record
from ddim.records.cell import Cell, CellKey
from ddim.records.covariances import Covariances
from ddim.records.experiment import Experiment
from ddim.records.features import FeatureSpace
from ddim.records.prepared import PreparedData
from ddim.records.reconstruction import Reconstruction
from ddim.records.reference import Reference
from ddim.records.results import load
from ddim.records.section import Section
from ddim.records.timing import Timing
from ddim.records.training import Training

KEY = CellKey(steps=10, eta="0.0", seed=0)
FILES: dict[str, type[Record]] = {
    "experiment.json": Experiment,
    "reference.json": Reference,
    "train.json": Training,
    "covariances.json": Covariances,
    f"cells/{KEY.name}.json": Cell,
    "reconstruct/S10.json": Reconstruction,
    "analysis/ode/section.json": Section,
    f"timings/{KEY.name}.json": Timing,
    "sampled.json": type(fixture.cell(KEY).sampled),
    "data.json": PreparedData,
    "features.json": FeatureSpace,
}
BESIDE = (
    f"cells/{KEY.name}.png",
    "reconstruct/S100.png",
    "analysis/ode/grid.png",
    "analysis/ode/grid.csv",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of four cells and a section, and a record of every kind that lies elsewhere."""
    folder = tmp_path_factory.mktemp("damaged") / "reports" / "digits"
    cfg = fixture.config(*fixture.SMALL, "analysis.sections=[ode]")
    fixture.experiment(folder, cfg)
    fixture.cell(KEY).sampled.write(folder / "sampled.json")
    fixture.data().write(folder / "data.json")
    fixture.reference().features.write(folder / "features.json")
    return folder


@pytest.mark.parametrize("name", FILES)
def test_a_record_is_read_as_it_was_written_or_refused(folder: Path, name: str) -> None:
    path, kind = folder / name, FILES[name]
    whole = kind.read(path, "make it")
    damages = damage.everything(path.stat().st_size, count=120)
    harmless = damage.check(
        path, lambda: kind.read(path, "dvc repro"), lambda read: read == whole, damages
    )
    assert harmless <= 3  # an exponent's e as E, say


def paths_of(node: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every value inside a JSON document, its lists' first two entries only."""
    here = [at] if at else []
    if isinstance(node, dict):
        return here + [way for key, value in node.items() for way in paths_of(value, (*at, key))]
    if isinstance(node, list):
        return here + [w for i, value in enumerate(node[:2]) for w in paths_of(value, (*at, i))]
    return here


@pytest.mark.parametrize("name", FILES)
def test_no_value_of_a_record_can_be_edited_retyped_or_left_out(folder: Path, name: str) -> None:
    path, kind = folder / name, FILES[name]
    whole = path.read_text()
    values = (None, [], {}, "x", -5, 0.001, True, 10**30, [[]])
    try:
        ways = paths_of(json.loads(whole))
        for way in ways[:: 1 + len(ways) // 25]:
            for value in (*values, "gone"):
                content = json.loads(whole)
                node = content
                for step in way[:-1]:
                    node = node[step]
                if value == "gone":
                    del node[way[-1]]
                elif node[way[-1]] == value and type(node[way[-1]]) is type(value):
                    continue
                else:
                    node[way[-1]] = value
                path.write_text(json.dumps(content))
                line = damage.refused(lambda: kind.read(path, "dvc repro"), path, f"{way}: {value}")
                assert line is not None, (way, value)
    finally:
        path.write_text(whole)


@pytest.mark.parametrize("other", FILES)
def test_a_record_of_another_kind_is_none(folder: Path, other: str) -> None:
    for name, kind in FILES.items():
        if name != other:
            with pytest.raises(ValueError, match=r"a record of .*, not of"):
                kind.read(folder / other, "dvc repro")


@pytest.mark.parametrize("name", [*BESIDE, *list(FILES)[:7]])
def test_a_report_of_a_damaged_file_is_not_made(folder: Path, name: str) -> None:
    path = folder / name
    size = path.stat().st_size
    damages = [*damage.cuts(size), *damage.flips(size, 40)][::6]
    whole = load(folder)
    damage.check(path, lambda: load(folder), lambda read: read == whole, damages)


def test_files_of_a_report_that_are_swapped_are_named(folder: Path) -> None:
    for one, other in (
        (f"cells/{KEY.name}.json", "cells/S100_eta0.0_seed0.json"),
        ("reconstruct/S10.json", "reconstruct/S100.json"),
        ("analysis/ode/grid.png", "analysis/ode/more.png"),
    ):
        first, second = folder / one, folder / other
        contents = first.read_bytes(), second.read_bytes()
        if one.endswith(".png"):  # the two of the fixture are alike
            contents = contents[0], (folder / BESIDE[0]).read_bytes()
        first.write_bytes(contents[1])
        line = damage.refused(lambda: load(folder), first, "swapped")
        first.write_bytes(contents[0])
        assert line is not None, one


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"measured__fid": -1.0}, "fid"),
        ({"measured__precision": 1.5}, "precision"),
        ({"measured__n_reference": 0}, "n_reference"),
        ({"measured__fid": float("nan")}, "fid is nan"),
        ({"measured__kid": float("inf")}, "kid is inf"),
        ({"measured__fid_interval": (3.0, 1.0)}, "fid_interval runs from 3"),
        ({"measured__n_generated": 20}, "360 images were sampled, 20 of them measured"),
    ],
)
def test_a_number_that_cannot_be_is_not_written(
    tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    path = tmp_path / "cell.json"
    with pytest.raises(ValueError, match=reason):
        fixture.changed(fixture.cell(KEY), **changes).write(path)
    assert not path.exists()


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "cell.json"
    with path.open("wb") as file:
        file.truncate(2**30)  # a hole: it takes no room
    assert "1073741824 bytes" in str(damage.refused(lambda: Cell.read(path, "dvc"), path, "huge"))


def test_what_is_no_file_is_named(tmp_path: Path) -> None:
    for path in (tmp_path, Path("/dev/zero")):
        with pytest.raises(FileNotFoundError, match="no regular file: make it with `dvc repro`"):
            Cell.read(path, "dvc repro")


def test_the_checksum_is_of_the_content_not_of_its_layout(folder: Path) -> None:
    path = folder / f"cells/{KEY.name}.json"
    whole, record = path.read_text(), Cell.read(path, "")
    try:
        content = json.loads(whole)
        path.write_text(json.dumps(dict(reversed(content.items())), indent=7))
        assert Cell.read(path, "") == record
    finally:
        path.write_text(whole)

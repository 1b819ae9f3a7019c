"""Records are strict: what was written is read back, anything else is one line with the file."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddim.records.cell import Cell, CellKey, Measured, Sampled, Trajectory, Weights
from ddim.records.timing import Timing

MADE_BY = "python -m ddim.stages.evaluate cell.steps=10"
shares = st.floats(0, 1)
numbers = st.floats(0, 1e9)
counts = st.integers(0, 10**9)
positive = st.integers(1, 10**9)
ends = st.floats(-1e6, 1e6)
intervals = st.tuples(ends, ends).map(lambda pair: (min(pair), max(pair)))
hashes = st.text("0123456789abcdef", min_size=64, max_size=64)

CELLS = st.builds(
    Cell,
    fingerprint=st.text(min_size=1),
    sampled=st.builds(
        Sampled,
        cell=st.builds(
            CellKey, steps=counts, eta=st.sampled_from(["0.0", "1.0", "hat"]), seed=counts
        ),
        n=st.just(360),
        nfe=positive,
        batch_size=positive,
        precision=st.text(),
        weights=st.builds(
            Weights,
            kind=st.sampled_from(["ema", "raw"]),
            sha256=hashes,
            trained_steps=st.none() | counts,
            source=st.text(),
        ),
        trajectory=st.none()
        | st.builds(
            Trajectory,
            spacing=st.text(),
            tau=st.lists(positive).map(tuple),
            repeats_dropped=counts,
        ),
        clip_x0=st.none() | st.booleans(),
        options=st.none(),
        sha256=hashes,
        fingerprint=st.text(),
    ),
    measured=st.builds(
        Measured,
        n_generated=st.just(360),  # all that were sampled
        n_reference=positive,
        fid=numbers,
        fid_interval=intervals,
        fid_infinite=st.none() | st.floats(-1e6, 1e6),
        kid=st.floats(-1e6, 1e6),
        kid_interval=intervals,
        precision=shares,
        recall=shares,
        n_paired=st.tuples(positive, positive),
        inception_score=st.none() | numbers,
        engine=st.text(),
        interval=st.text(),
        precision_interval=intervals,
        recall_interval=intervals,
    ),
)


@given(cell=CELLS)
def test_what_is_written_is_read_back(cell: Cell, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("record") / "cell.json"
    cell.write(path)
    assert Cell.read(path, MADE_BY) == cell


@pytest.fixture
def timing(tmp_path: Path) -> Path:
    path = tmp_path / "timing.json"
    Timing(
        seconds=1.5, images=3, processes=1, device="cpu", date="2026-01-01", revision="abc"
    ).write(path)
    return path


def changed(path: Path, change: Any) -> str:
    """The one line that a reader gets after `change` of the file's content."""
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match="make it again") as refusal:
        Timing.read(path, MADE_BY)
    line = str(refusal.value)
    assert line.startswith(f"{path}: ")
    assert line.endswith(f": make it again with `{MADE_BY}`")
    assert "\n" not in line
    return line.removeprefix(f"{path}: ").partition(": make it again")[0]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda c: c.pop("seconds"), "Object missing required field `seconds`"),
        (lambda c: c.update(second=1), "Object contains unknown field `second`"),
        (lambda c: c.update(images="3"), "Expected `int`, got `str` at images"),
        (lambda c: c.update(images=3.5), "Expected `int`, got `float` at images"),
        (lambda c: c.update(seconds=-1), "Expected `float` >= 0.0 at seconds"),
        (lambda c: c.update(seconds=None), "Expected `float`, got `null` at seconds"),
        (lambda c: c.update(record="cell"), "a record of 'cell', not of 'timing'"),
        (lambda c: c.update(version=1), "version 1 of 'timing', this ddim reads 2"),
        (lambda c: c.update(images=4), "it was changed after it was written"),
        (lambda c: c.update(checksum=c["checksum"][::-1]), "it was changed after it was written"),
        (lambda c: c.pop("checksum"), "it was changed after it was written"),
        (lambda c: c.pop("version"), "no record of this version of ddim"),
    ],
)
def test_anything_else_is_one_line(timing: Path, change: Any, reason: str) -> None:
    assert changed(timing, change) == reason


def test_not_a_number_is_refused_when_read_and_when_written(timing: Path) -> None:
    reason = changed(timing, lambda c: c.update(seconds=float("nan")))
    assert "NaN is no number" in reason
    bad = Timing(seconds=float("nan"), images=1, processes=1, device="", date="", revision="")
    with pytest.raises(ValueError, match=r"other\.json was not written: seconds is nan"):
        bad.write(timing.with_name("other.json"))
    assert not timing.with_name("other.json").exists()


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", '{"seconds": 1}', "\x00"])
def test_a_damaged_file_is_named(timing: Path, text: str) -> None:
    timing.write_text(text)
    with pytest.raises(ValueError, match=str(timing)):
        Timing.read(timing, MADE_BY)


def test_a_missing_file_is_named_with_the_command_that_makes_it(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=rf"a\.json is missing: make it with `{MADE_BY}`"):
        Timing.read(tmp_path / "a.json", MADE_BY)

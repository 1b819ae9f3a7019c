"""A resume point that is damaged: put aside with a line, and the one before it, or the start, used.

Nothing of it is ever exported.
"""

import errno
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers import damage, tiny
from torch import Tensor

from ddim.training.checkpoint import (
    DAMAGED_FILE,
    PREVIOUS_FILE,
    RESUME_FILE,
    load_resume_point,
    usable_resume_point,
)
from ddim.training.fit import TrainingResult, load_result

Checkpoint = dict[str, Any]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[TrainingResult, Path]:
    """A training of 30 steps, saved at 7, 14, 21, 28 and 30: its result and its folder."""
    work = tmp_path_factory.mktemp("whole")
    return tiny.fit(tiny.net(), work), work


def copied(whole: tuple[TrainingResult, Path], folder: Path, *names: str) -> Path:
    """The folder with these files of the training alone; the first of them."""
    for name in names:
        shutil.copyfile(whole[1] / name, folder / name)
    return folder / names[0]


def with_nan(key: str) -> Callable[[Checkpoint], Checkpoint]:
    def edit(checkpoint: Checkpoint) -> Checkpoint:
        checkpoint[key]["network.b.bias"][0] = torch.nan
        return checkpoint

    return edit


def weights_as(make: Callable[[Tensor], Any]) -> Callable[[Checkpoint], Checkpoint]:
    """The averaged weights as something else."""

    def edit(checkpoint: Checkpoint) -> Checkpoint:
        state = {name: make(value) for name, value in checkpoint["state_dict"].items()}
        return checkpoint | {"state_dict": state}

    return edit


def optimizer_with_nan(checkpoint: Checkpoint) -> Checkpoint:
    checkpoint["optimizer_states"][0]["state"][0]["exp_avg"][0] = torch.inf
    return checkpoint


def history(points: list[Any]) -> Callable[[Checkpoint], Checkpoint]:
    """The points of the loss's curve as something else."""

    def edit(checkpoint: Checkpoint) -> Checkpoint:
        checkpoint["callbacks"]["LossMonitor"]["history"] = points
        return checkpoint

    return edit


EDITS: dict[str, tuple[Callable[[Checkpoint], Any], str]] = {
    "a list": (lambda checkpoint: [checkpoint], "it holds a list"),
    "a tensor": (lambda _: torch.ones(3), "it holds a Tensor"),
    "another dictionary": (lambda _: {"weights": torch.ones(3)}, "it holds no global_step"),
    "a step as text": (lambda c: c | {"global_step": "12"}, "it holds no global_step"),
    "weights as a list": (lambda c: c | {"state_dict": [1]}, "it holds no state_dict"),
    "no losses": (lambda c: c | {"callbacks": {}}, "it holds no losses"),
    "losses as text": (
        lambda c: c | {"callbacks": {"LossMonitor": {"history": "", "pending": [], "seconds": 1}}},
        "it holds no losses",
    ),
    "no weights": (lambda c: c | {"state_dict": {}}, "weights have other names"),
    "no tensors": (weights_as(lambda _: None), "its averaged weights are no tensors"),
    "sparse": (weights_as(Tensor.to_sparse), "its averaged weights are not finite"),
    "without values": (weights_as(lambda t: t.to("meta")), "its averaged weights are not finite"),
    "NaN in the average": (with_nan("state_dict"), "its averaged weights are not finite"),
    "NaN in the weights": (with_nan("current_model_state"), "its raw weights are not finite"),
    "optimizer as text": (lambda c: c | {"optimizer_states": ["x"]}, "no optimizer's state"),
    "optimizer's parts as lists": (
        lambda c: c | {"optimizer_states": [{"state": {0: []}}]},
        "it holds no optimizer's state",
    ),
    "a loss without its step": (history([1.5]), "its losses are no pairs"),
    "a loss of three": (history([(1, 2.0, 3.0)]), "its losses are no pairs"),
    "infinity in Adam": (optimizer_with_nan, "its optimizer's state is not finite"),
}


@pytest.mark.filterwarnings("ignore:Validating sparse tensor")
@pytest.mark.parametrize("edit", EDITS)
def test_a_resume_point_that_was_edited_is_put_aside_and_never_exported(
    whole: tuple[TrainingResult, Path],
    tmp_path: Path,
    edit: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    change, reason = EDITS[edit]
    path = tmp_path / RESUME_FILE
    torch.save(change(torch.load(whole[1] / RESUME_FILE, weights_only=True)), path)
    with pytest.raises(ValueError, match=rf"{RESUME_FILE} is damaged \(.*run the stage train"):
        load_result(tmp_path)
    capsys.readouterr()
    assert usable_resume_point(tmp_path, is_first=True) is None
    told = capsys.readouterr().out
    assert told.count("\n") == 1
    assert reason in told
    assert told.endswith(f"put aside as {DAMAGED_FILE}\n")
    assert [file.name for file in tmp_path.iterdir()] == [DAMAGED_FILE]


def test_a_resume_point_is_read_as_it_was_written_or_refused(
    whole: tuple[TrainingResult, Path], tmp_path: Path
) -> None:
    """Harmless: padding, and the times in the directory of the zip file."""
    path = copied(whole, tmp_path, RESUME_FILE)
    found = load_resume_point(tmp_path)
    assert found is not None
    before = {key: {n: v.clone() for n, v in found[key].items()} for key in WEIGHTS}
    del found

    def unchanged(read: Any) -> bool:
        return all(tiny.same(read[key], before[key]) for key in WEIGHTS)

    damages = damage.everything(path.stat().st_size, count=60)
    harmless = damage.check(path, lambda: load_resume_point(tmp_path), unchanged, damages)
    assert harmless < len(damages) // 2


WEIGHTS = ("state_dict", "current_model_state")


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flipped(path: Path) -> None:
    content = path.read_bytes()
    weights = load_resume_point(path.parent)
    assert weights is not None
    needle = weights["state_dict"]["network.b.bias"].numpy().tobytes()
    del weights
    path.write_bytes(damage.flipped(content, content.index(needle), 3))


@pytest.mark.parametrize("hurt", [truncated, flipped, lambda path: path.write_bytes(b"")])
def test_training_goes_on_from_the_one_before(
    whole: tuple[TrainingResult, Path], tmp_path: Path, hurt: Callable[[Path], None]
) -> None:
    """A finished one, too: it is not exported, and two steps are done again, bit for bit."""
    hurt(copied(whole, tmp_path, RESUME_FILE, PREVIOUS_FILE))
    network = tiny.net()
    result = tiny.fit(network, tmp_path)
    assert network.calls == 30 - 28
    assert_same(result, whole[0])
    names = {file.name for file in tmp_path.iterdir()}
    assert names == {RESUME_FILE, PREVIOUS_FILE, DAMAGED_FILE}


def test_training_starts_anew_where_both_are_damaged(
    whole: tuple[TrainingResult, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copied(whole, tmp_path, RESUME_FILE, PREVIOUS_FILE)
    for name in (RESUME_FILE, PREVIOUS_FILE):
        truncated(tmp_path / name)
    network = tiny.net()
    assert_same(tiny.fit(network, tmp_path), whole[0])
    assert network.calls == 30
    assert capsys.readouterr().out.count("put aside") == 2
    aside = {path.name for path in tmp_path.glob("damaged*")}
    assert aside == {DAMAGED_FILE, "damaged-2.ckpt"}  # the newest is not lost to the one before it


@pytest.mark.parametrize(
    "error",
    [PermissionError(errno.EACCES, "no"), OSError(errno.EIO, "no"), MemoryError()],
    ids=repr,
)
def test_what_cannot_be_read_is_neither_damaged_nor_moved(
    whole: tuple[TrainingResult, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
) -> None:
    copied(whole, tmp_path, RESUME_FILE, PREVIOUS_FILE)

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(torch, "load", fail)
    with pytest.raises(type(error)) as caught:
        usable_resume_point(tmp_path, is_first=True)
    assert caught.value is error
    assert {file.name for file in tmp_path.iterdir()} == {RESUME_FILE, PREVIOUS_FILE}


def test_a_kill_between_the_two_moves_loses_nothing(
    whole: tuple[TrainingResult, Path], tmp_path: Path
) -> None:
    """The last one has just become the one before, and the new one has no name yet."""
    shutil.copyfile(whole[1] / RESUME_FILE, tmp_path / PREVIOUS_FILE)
    network = tiny.net()
    assert_same(tiny.fit(network, tmp_path), whole[0])
    assert network.calls == 0


def test_of_several_processes_the_first_alone_moves_files(
    whole: tuple[TrainingResult, Path], tmp_path: Path
) -> None:
    truncated(copied(whole, tmp_path, RESUME_FILE, PREVIOUS_FILE))
    found = usable_resume_point(tmp_path, is_first=False)
    assert found is not None
    assert found["global_step"] == 28
    assert {file.name for file in tmp_path.iterdir()} == {RESUME_FILE, PREVIOUS_FILE}


def assert_same(got: TrainingResult, expected: TrainingResult) -> None:
    assert tiny.same(got.raw, expected.raw)
    assert tiny.same(got.ema, expected.ema)
    assert got.loss == expected.loss

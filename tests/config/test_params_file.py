"""params.yaml itself: damaged, or composed by DVC without what was set before."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from helpers.params_file import DAMAGED, damaged
from helpers.pipeline import ROOT

from ddim import compose
from ddim.config import last_compose, params
from ddim.config.paths import WORK


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("damage", "line"), DAMAGED)
def test_a_damaged_params_yaml_is_one_line_in_check(damage: str, line: str) -> None:
    params.PARAMS.write_text(damaged(damage))
    with pytest.raises(ValueError) as error:  # noqa: PT011
        compose.main(["--check"])
    assert line in str(error.value)
    assert "\n" not in str(error.value)
    assert not Path("out").exists()


def test_compose_mends_it() -> None:
    params.PARAMS.write_text(damaged("tab"))
    compose.main([])
    compose.main(["--check"])


# --- what the last compose set -------------------------------------------------------------------


def composed_by_dvc(*options: str) -> None:
    """params.yaml as `dvc exp run -S ...` writes it: from conf/, without compose's first line."""
    compose.params.write(list(options))
    text = params.PARAMS.read_text().split("\n", 1)[1]
    params.PARAMS.write_text(text)


def kept(*set_last: str, then: tuple[str, ...]) -> str | None:
    """What --check says of a run of DVC's with `then` after a compose; None if nothing."""
    composed_by_dvc(*then)
    last_compose.remember(set_last)
    try:
        params.check()
    except ValueError as error:
        return str(error)
    return None


def test_a_run_of_dvcs_that_lost_what_was_set_is_refused_with_the_options_that_restore_it() -> None:
    line = kept("experiment=mnist", "train.lr=0.01", then=("evaluate.kid_subsets=50",))
    assert line is not None
    assert "lacks experiment=mnist" in line
    assert "give dvc exp run -S experiment=mnist -S train.lr=0.01 too" in line
    assert "\n" not in line


@pytest.mark.parametrize(
    "then",
    [
        ("experiment=mnist", "train.lr=0.01"),  # restored
        ("experiment=mnist", "train.lr=0.03"),  # restored, and another value chosen
        ("experiment=cifar10",),  # another experiment altogether
    ],
)
def test_what_was_kept_or_chosen_anew_passes(then: tuple[str, ...]) -> None:
    assert kept("experiment=mnist", "train.lr=0.01", then=then) is None


@pytest.mark.parametrize("given", ["experiment=cifar10_16", "name=x"])
def test_what_sets_the_name_is_missed_too(given: str) -> None:
    """Whose value without it is "${data.name}" in conf/ and "digits" in what DVC writes."""
    line = kept(given, then=("seed=1",))
    assert line is not None
    assert f"lacks {given} of the last" in line
    assert kept(given, then=(given,)) is None
    assert kept("name=digits", then=()) is None  # it changes nothing


def test_a_single_value_that_was_lost_is_named() -> None:
    line = kept("experiment=mnist", "train.lr=0.01", then=("experiment=mnist",))
    assert line is not None
    assert "lacks train.lr=0.01 of the last" in line


def test_after_a_compose_without_overrides_nothing_is_missed() -> None:
    assert kept(then=("train.lr=0.01",)) is None


def git(*arguments: str) -> None:
    author = ("-c", "user.name=test", "-c", "user.email=test@example.org")
    subprocess.run(["git", *author, *arguments], check=True, capture_output=True)


def test_in_a_clone_the_committed_file_tells_and_another_commit_outdates_work() -> None:
    git("init", "-q")
    compose.main(["experiment=mnist"])
    git("add", "params.yaml")
    git("commit", "-q", "-m", "mnist")
    assert last_compose.overrides() == ["experiment=mnist"]
    shutil.rmtree(WORK)
    assert last_compose.overrides() == ["experiment=mnist"]
    compose.main(["train.lr=0.01"])
    assert last_compose.overrides() == ["train.lr=0.01"]
    git("commit", "-q", "--allow-empty", "-m", "another commit, whose file is mnist's")
    assert last_compose.overrides() == ["experiment=mnist"]


def test_a_damaged_note_of_the_last_compose_counts_as_none() -> None:
    compose.main(["train.lr=0.01"])
    (WORK / "composed.json").write_text("{")
    assert last_compose.overrides() == []
    (WORK / "composed.json").write_text(json.dumps([1]))
    assert last_compose.overrides() == []

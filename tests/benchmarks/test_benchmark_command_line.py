"""`python -m benchmarks`: the parts, what they accept, and how a mistake ends."""

import ast
import importlib
import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from helpers.pipeline import ROOT

from benchmarks.__main__ import chosen, main
from benchmarks.findings import Findings
from benchmarks.goals import GOALS
from benchmarks.parts import PARTS, Options, Part


def test_without_arguments_the_parts_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    output = capsys.readouterr().out
    for name, part in PARTS.items():
        assert f"  {name} " in output
        assert part.about in output


@pytest.mark.parametrize("name", PARTS)
def test_every_part_has_a_module(name: str) -> None:
    assert callable(importlib.import_module(f"benchmarks.parts.{name}").run)


def test_every_goal_belongs_to_a_part() -> None:
    """The parts' sources have its key, or what several keys begin with."""
    texts = set()
    for name in PARTS:
        tree = ast.parse((ROOT / f"benchmarks/parts/{name}.py").read_text(encoding="utf-8"))
        values = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
        texts |= {value for value in values if isinstance(value, str)}
    rooms = {goal.partition(".")[0] for goal in GOALS}
    keys = {text for text in texts if re.fullmatch(rf"({'|'.join(rooms)})\.[\w.]+", text)}
    keys |= texts & GOALS.keys()
    assert [key for key in keys if not any(goal.startswith(key) for goal in GOALS)] == []
    assert [goal for goal in GOALS if not any(goal.startswith(key) for key in keys)] == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["samplng"], r"^there is no part 'samplng': did you mean sampling\?"),
        (["xyz"], r"^there is no part 'xyz': did you mean \w+\?"),
        (
            ["sampling", "--against", "difusers"],
            "one of forwards, sequential, diffusers, plain, got 'difusers'",
        ),
        (["scaling", "--against", "plain"], "^--against of scaling is not taken, got 'plain'"),
        (["all", "--against", "plain"], "^--against of all is not taken, got 'plain'"),
        (["network", "experiment=mnist"], "^network takes no settings, got experiment=mnist"),
        (["profile", "mnist"], "^settings are key=value, as experiment=mnist; got 'mnist'"),
        (["startup", "--device", "cuda"], "^startup does not run on a GPU"),
        (["sampling", "--device", "tpu"], "invalid choice: 'tpu'"),
        (["sampling", "--fast"], "--fast"),
    ],
)
def test_a_mistake_is_one_line_before_anything_is_measured(
    arguments: list[str], message: str
) -> None:
    with pytest.raises(ValueError, match=message) as error:
        main(arguments)
    assert "\n" not in str(error.value)


def test_the_program_ends_in_one_line() -> None:
    command = [sys.executable, "-m", "benchmarks", "trainnig"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: there is no part 'trainnig': did you mean training?")


def test_all_leaves_out_what_takes_long_or_has_no_gpu() -> None:
    assert chosen("all", Options()) == [name for name in PARTS if name not in ("load", "whole")]
    on_cuda = ["network", "sampling", "training", "profile"]
    assert chosen("all", Options(device="cuda")) == on_cuda


def test_the_experiments_of_a_part() -> None:
    defaults, named = ("cifar10", "digits"), ("train.lr=1", "experiment=mnist")
    assert Options().experiments(defaults) == defaults
    assert Options(quick=True).experiments(defaults) == ("digits",)
    assert Options(quick=True, overrides=named).experiments(defaults) == ("mnist",)


@pytest.fixture
def two_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of the real ones: a part that fails, and one that measures a second."""

    def fails(options: Options, findings: Findings) -> None:
        raise ValueError("no network\nhere")

    def works(options: Options, findings: Findings) -> None:
        findings.add("a step", [1.0], "s")

    for name in list(PARTS):
        monkeypatch.delitem(PARTS, name)
    for run in (fails, works):
        module = ModuleType(run.__name__)
        module.run = run  # type: ignore[attr-defined]
        monkeypatch.setitem(PARTS, run.__name__, Part("for a test"))
        monkeypatch.setitem(sys.modules, f"benchmarks.parts.{run.__name__}", module)


def test_results_are_written(two_parts: None, tmp_path: Path) -> None:
    file = tmp_path / "all.json"
    assert main(["works", "--quick", "--json", str(file), "--out", str(tmp_path / "pages")]) == 0
    (result,) = json.loads(file.read_text())
    assert result["part"] == "works"
    assert result["settings"]["quick"] is True
    assert result["settings"]["command"].startswith("python -m benchmarks works --quick")
    assert {"date", "revision", "cpu", "threads", "versions"} <= result["machine"].keys()
    assert json.loads((tmp_path / "pages/works.json").read_text()) == result
    assert (tmp_path / "pages/works.md").read_text().startswith("# works\n")


def test_a_part_that_fails_costs_the_others_nothing(
    two_parts: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["all", "--out", str(tmp_path)]) == 1
    assert capsys.readouterr().err == "error: fails: no network here\n"
    assert {path.name for path in tmp_path.iterdir()} == {"works.md", "works.json"}
    with pytest.raises(ValueError, match="no network"):
        main(["fails"])

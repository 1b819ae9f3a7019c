"""The entry of every stage and command: what it composes, and how a mistake ends."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from helpers.imports import modules
from helpers.params_file import DAMAGED, damaged
from helpers.pipeline import ROOT

from ddim.config.schema import Config
from ddim.runtime import arguments
from ddim.runtime.cli import Parser, command, on_weights, stage, take_words

SOURCES = [["experiment=mnist"], ["-cn", "stage"]]  # conf/, and the committed params.yaml


@pytest.fixture
def called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Config]:
    """The configurations that a stage was called with, in a folder with conf/ and params.yaml."""
    for name in ("conf", "params.yaml"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    return []


def run(called: list[Config], monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["stage", *arguments])
    stage(called.append)


@pytest.mark.parametrize(("source", "name"), zip(SOURCES, ["mnist", "digits"], strict=True))
def test_a_stage_gets_the_checked_configuration(
    called: list[Config], monkeypatch: pytest.MonkeyPatch, source: list[str], name: str
) -> None:
    with pytest.raises(SystemExit) as end:
        run(called, monkeypatch, *source, "cell.steps=20", "sample.num_images_at={20: 9}")
    assert end.value.code == 0
    (cfg,) = called
    assert isinstance(cfg, Config)
    assert (cfg.name, cfg.cell.steps, cfg.sample.count(20)) == (name, 20, 9)


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.stpes=10", "error: train.stpes is no setting; did you mean train.steps?"),
        ("+foo=1", "error: foo is no setting; conf/config.yaml and its groups have them all"),
        ("sample.n=8", "error: sample.n is called sample.num_images now"),
        ("lecture=default", "error: lecture is called analysis now"),
        ("train.lr=0", "error: train.lr must be greater than 0, got 0.0"),
        ("train.lr=fast", "error: train.lr must be a number, got 'fast'"),
        ("train.lr=nan", "error: train.lr must be finite, got nan"),
        (
            "cell.steps=3,4",
            "error: cell.steps=3,4 has several values, which only a stage's -m takes",
        ),
        ("cell.steps", "error: 'cell.steps' is no setting: key=value"),
        ("--mutirun", "error: unrecognized arguments: --mutirun; did you mean --multirun?"),
        ("model=digit", "error: model=digit is no choice; did you mean model=digits? There are: "),
    ],
)
def test_a_mistake_ends_a_stage_with_one_line(
    called: list[Config], monkeypatch: pytest.MonkeyPatch, source: Any, override: str, message: str
) -> None:
    with pytest.raises(SystemExit) as end:
        run(called, monkeypatch, *source, override)
    if source == SOURCES[1] and override.startswith("model="):  # params.yaml chooses from no group
        message = "error: model=digit chooses from conf/, but -cn stage has all settings already: "
    assert str(end.value.code).startswith(message)
    assert "\n" not in str(end.value.code)
    assert called == []


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["cell.stpes=10,20"], "error: cell.stpes is no setting; did you mean cell.steps?"),
        (["cell.steps=10,x"], "error: cell.steps must be a whole number, got 'x'"),
        (["cell.steps=10,2000"], "error: cell.steps must be at most diffusion.T = 1000, got 2000"),
        (["train.lr=0", "cell.steps=10,20"], "error: train.lr must be greater than 0, got 0.0"),
        (["cell.steps=5,10", "cell.eta=0.0,1.0,2.0"], "error: cell.eta must be a number in [0, 1]"),
        (["hydra/launcher=joblb", "cell.steps=1,2"], "error: hydra/launcher=joblb is no choice"),
    ],
)
def test_a_mistake_ends_a_multirun_before_its_first_job(
    called: list[Config],
    monkeypatch: pytest.MonkeyPatch,
    source: list[str],
    overrides: list[str],
    message: str,
) -> None:
    with pytest.raises(SystemExit) as end:
        run(called, monkeypatch, *source, "-m", *overrides)
    assert str(end.value.code).startswith(message)
    assert called == []
    assert not Path("out").exists()


@pytest.mark.parametrize("multirun", [[], ["-m"]])
@pytest.mark.parametrize(("damage", "line"), DAMAGED)
def test_a_damaged_params_yaml_ends_a_stage_with_one_line(
    called: list[Config],
    monkeypatch: pytest.MonkeyPatch,
    multirun: list[str],
    damage: str,
    line: str,
) -> None:
    Path("params.yaml").unlink()
    Path("params.yaml").write_text(damaged(damage))
    with pytest.raises(SystemExit) as end:
        run(called, monkeypatch, "-cn", "stage", *multirun, "cell.steps=10")
    assert line in str(end.value.code)
    assert "\n" not in str(end.value.code)
    assert called == []


def test_another_file_of_conf_is_named() -> None:
    line = "conf/ has no stag.yaml for -cn; did you mean stage?; there are: config, stage"
    with pytest.raises(ValueError, match=re.escape(line)):
        arguments.read(["-cn", "stag"], ROOT / "conf")


@pytest.mark.parametrize("name", ["config", "stage"])
def test_the_ending_of_a_file_of_conf_may_be_given(name: str) -> None:
    read = arguments.read(["-cn", f"{name}.yaml"], ROOT / "conf")
    assert read.config == name
    with pytest.raises(ValueError, match=rf"conf/ has no {name}\.yaml\.yaml for -cn"):
        arguments.read(["-cn", f"{name}.yaml.yaml"], ROOT / "conf")


@pytest.mark.parametrize(
    "spelling",
    [["-cn", "stage"], ["-cn=stage"], ["--config-name", "stage"], ["--config-name=stage"]],
)
def test_a_file_of_conf_beside_a_reports_weights_is_refused(spelling: list[str]) -> None:
    line = "-cn stage does not go with weights=digits, whose report has chosen everything"
    with pytest.raises(ValueError, match=line):
        on_weights(["weights=digits", *spelling], lambda name: {}, ROOT / "conf")


def test_words_are_no_values_of_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    flags = ["-cd", "more", "--config-path", "other", "-cn", "stage", "--config-dir", "more"]
    monkeypatch.setattr(sys, "argv", ["program", *flags, "a.png", "cell.steps=2"])
    assert take_words() == ["a.png"]
    assert sys.argv == ["program", *flags, "cell.steps=2"]


def test_flags_and_settings_may_be_mixed() -> None:
    read = arguments.read(["cell.steps=1,2", "-cn", "stage", "-m", "cell.eta=0.0"], ROOT / "conf")
    assert read.for_hydra == ["-cn", "stage", "-m", "cell.steps=1,2", "cell.eta=0.0"]
    assert (read.config, read.multirun) == ("stage", True)


def test_what_a_stage_needs_is_asked_before_it_runs(
    called: list[Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    def ready(cfg: Config) -> None:
        raise ValueError("no room")

    monkeypatch.setattr(sys, "argv", ["stage"])
    with pytest.raises(SystemExit, match="error: no room"):
        stage(called.append, ready=ready)
    assert called == []


def test_outside_the_project_one_line_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=r"^error: no folder conf/ in .*: run this from the pro"):
        run([], monkeypatch)


def test_a_bug_keeps_its_trace(called: list[Config], monkeypatch: pytest.MonkeyPatch) -> None:
    def bug(cfg: Config) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(sys, "argv", ["stage"])
    with pytest.raises(RuntimeError, match="a bug"):
        stage(bug)


@pytest.mark.parametrize(("status", "expected"), [(None, 0), (0, 0), (3, 3)])
def test_a_command_exits_with_its_status(
    monkeypatch: pytest.MonkeyPatch, status: int | None, expected: int
) -> None:
    monkeypatch.setattr(sys, "argv", ["command", "a", "b"])
    seen: list[Any] = []

    def main(arguments: Any) -> int | None:
        seen.append(list(arguments))
        return status

    with pytest.raises(SystemExit) as end:
        command(main)
    assert (end.value.code, seen) == (expected, [["a", "b"]])


def test_a_commands_parser_says_what_is_wrong_without_the_usage() -> None:
    parser = Parser(prog="x")
    parser.add_argument("folder")
    with pytest.raises(ValueError, match="the following arguments are required: folder"):
        parser.parse_args([])


def test_every_program_imports_where_there_is_no_fcntl() -> None:
    """As on Windows: a module that only POSIX has must not stand at the top of any program."""
    programs = [name for name, path in modules().items() if "__main__" in path.read_text()]
    assert {"ddim.stages.train", "ddim.compose", "ddim.report.compare"} <= set(programs)
    imports = "\n".join(f"import {name}" for name in programs)
    program = f"import sys\nsys.modules['fcntl'] = None\n{imports}\nprint('fine')"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "fine\n", done.stderr

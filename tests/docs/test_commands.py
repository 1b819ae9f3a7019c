"""Every command of the documents is run, or its settings are checked, or the table says why not."""

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from helpers import documents, pipeline
from helpers.command_ways import REASONS, WAYS
from omegaconf import OmegaConf
from PIL import Image

from ddim.config import conf
from ddim.runtime import overrides

ROOT = documents.ROOT
SHOWN = {document: documents.commands(document) for document in documents.DOCUMENTS}
NAMED = {"GIT_AUTHOR_NAME": "test", "GIT_AUTHOR_EMAIL": "test@example.org"}
NAMED |= {name.replace("AUTHOR", "COMMITTER"): value for name, value in NAMED.items()}


def of_kind(*kinds: str) -> list[str]:
    return [command for command, way in WAYS.items() if way.kind in kinds]


@pytest.mark.parametrize("document", SHOWN, ids=lambda path: path.name)
def test_every_command_has_its_way_of_being_tested(document: Path) -> None:
    missing = [command for command in SHOWN[document] if command not in WAYS]
    assert not missing, "say in tests/helpers/command_ways.py how these are tested"


def test_every_entry_is_a_command_of_some_document() -> None:
    shown = {command for commands in SHOWN.values() for command in commands}
    assert [command for command in WAYS if command not in shown] == []


def test_what_is_not_run_has_a_known_reason_and_what_runs_elsewhere_a_test() -> None:
    for command in of_kind("composes", "cannot"):
        assert WAYS[command].detail in REASONS, command
    for command in of_kind("elsewhere"):
        file, _, name = WAYS[command].detail.partition("::")
        assert f"def {name}(" in (ROOT / file).read_text(), command


def test_the_error_of_a_command_that_fails_stands_below_it() -> None:
    texts = [documents.text(document) for document in SHOWN]
    for command in of_kind("fails"):
        assert any(f"$ {command}\n{WAYS[command].detail}\n" in text for text in texts), command


def settings(command: str) -> list[str]:
    """The key=value of a command of ours or of `dvc exp run -S`, shell variables filled in."""
    command = re.sub(r"\$\(sha256sum [^)]*\)", "0" * 64, command)
    words = shlex.split(command)
    if words[:3] == ["dvc", "exp", "run"]:
        return [words[i + 1] for i, word in enumerate(words) if word == "-S"]
    start = next(i for i, word in enumerate(words) if word.startswith("ddim"))
    return [word for word in words[start + 1 :] if re.match(r"[+\w./]+=", word)]


@pytest.mark.parametrize("command", of_kind("composes"))
def test_the_settings_compose(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    given = settings(command)
    assert given
    if " -m " in command:  # a job for each value
        overrides.for_hydra(given, conf.CONF.absolute(), sweeps=True)
    else:
        conf.composed(given)


@pytest.mark.parametrize("command", of_kind("benchmark"))
def test_the_benchmarks_take_the_arguments(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks import __main__ as program
    from benchmarks.parts import Options

    args = program.parsed(shlex.split(command)[3:])
    if args.part is not None:
        options = Options(args.quick, args.device, args.against, tuple(args.overrides), args.out)
        names = program.chosen(args.part, options)
        program.check(names, options, alone=args.part != program.ALL)


# --- the small project ----------------------------------------------------------------------------


def small_experiment() -> str:
    """conf/experiment/digits.yaml with small amounts: what all commands find as the default."""
    dotted = [pair for pair in pipeline.TINY if "/" not in pair and "model." not in pair]
    settings = OmegaConf.from_dotlist([*dotted, "analysis.sections=[speed,sigma]"])
    given = OmegaConf.merge(OmegaConf.load(ROOT / "conf/experiment/digits.yaml"), settings)
    given.defaults.append({"override /analysis/solvers": "none"})
    return f"# @package _global_\n{OmegaConf.to_yaml(given)}"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone whose default experiment takes seconds, with committed reports and some images."""
    folder = tmp_path_factory.mktemp("small") / "project"
    folder.mkdir()
    pipeline.copy(folder)
    (folder / "conf/experiment/digits.yaml").write_text(small_experiment())
    discrete = folder / "conf/experiment/discrete_digits.yaml"
    text = discrete.read_text().replace("steps: 2000", "steps: 50")
    discrete.write_text(text.replace("num_shown: 10", "num_shown: 2"))
    for name in ("digits", "cifar10_16"):
        shutil.copytree(ROOT / f"reports/{name}", folder / f"reports/{name}")
    rng = np.random.default_rng(0)
    for i in range(60):
        file = folder / f"my/images/{'ab'[i % 2]}/{i}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (32, 40, 3), dtype=np.uint8)).save(file)
    (folder / "bin").mkdir()
    (folder / "bin/ddim").write_text('#!/bin/sh\nexec python -m ddim.main "$@"\n')
    (folder / "bin/ddim").chmod(0o755)
    pipeline.run(folder, "python", "-m", "ddim.compose")
    pipeline.commit(folder, "small")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("command", of_kind("run", "fails"))
def test_the_command_runs(project: Path, command: str) -> None:
    way = WAYS[command]
    line = command if way.kind == "fails" else way.detail or command
    environment = pipeline.environment() | NAMED
    environment["PATH"] = f"{project / 'bin'}{os.pathsep}{environment['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", line],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    output = done.stdout + done.stderr
    assert "Traceback" not in output, output
    assert (done.returncode != 0) == (way.kind == "fails"), output
    if way.kind == "fails":
        assert way.detail in output

"""The console command: its list, its helps, its mistakes, what a shell completes, the doctor."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from helpers.pipeline import ROOT

from ddim.commandline import costs, doctor
from ddim.commandline.completion import candidates
from ddim.commandline.programs import BY_NAME, WITH_SETTINGS, WITH_WEIGHTS
from ddim.config import params, schema
from ddim.runtime.declared import keys
from ddim.runtime.usage import MEANINGS, MOST_USED, WIDTH
from ddim.unet import UNet

pytestmark = pytest.mark.filterwarnings("ignore:.*found in sys.modules after import")  # of these

STAGES = {path.stem for path in (ROOT / "src/ddim/stages").glob("[a-z]*.py")} - {"ready"}
# Prints every program's help, each after a line with its name, then what heavy things it took.
HELPS = """
import os, sys
from ddim.main import main
for name in sys.argv[1:]:
    print("#", name)
    sys.argv = ["ddim", name, "--help"]
    try:
        main()
    except SystemExit as end:
        assert not end.code, end.code
heavy = ("torch", "matplotlib", "bokeh", "wandb", "sklearn", "scipy", "diffusers")
print("# heavy", [name for name in heavy if name in sys.modules])
"""


@pytest.fixture(scope="module")
def helps() -> dict[str, str]:
    """What each program answers to --help; under "heavy", what was imported for that."""
    environment = {"PYTHONPATH": "src", "COLUMNS": "80", "PATH": "/usr/bin:/bin"}
    program = [sys.executable, "-c", HELPS, *BY_NAME]
    done = subprocess.run(
        program, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    texts = done.stdout.split("# ")[1:]
    return {text.split(maxsplit=1)[0]: text for text in texts}


def test_every_program_is_a_module_that_runs() -> None:
    for name, program in BY_NAME.items():
        spec = importlib.util.find_spec(program.module)
        assert spec is not None, name
        assert spec.origin is not None, name
        assert '__name__ == "__main__"' in Path(spec.origin).read_text(encoding="utf-8"), name
    assert set(BY_NAME) >= STAGES
    assert WITH_WEIGHTS <= WITH_SETTINGS <= set(BY_NAME)
    assert set(MOST_USED) == WITH_SETTINGS


def test_the_list_and_the_version(ddim) -> None:
    listed = ddim()
    assert listed == ddim("--help")
    assert all(f"  {name} " in listed for name in BY_NAME)
    assert max(map(len, listed.splitlines())) <= WIDTH
    assert ddim("--version").startswith("ddim 0.")


def test_an_unknown_program_is_told_the_nearest(ddim) -> None:
    said = ddim("smaple", "weights=tiny", fails=True)
    assert said.startswith("error: ddim has no program 'smaple'; did you mean `ddim sample`? There")
    assert "did you mean" not in ddim("xyzzy", fails=True)


@pytest.mark.parametrize("name", list(BY_NAME))
def test_every_help_says_how_it_is_called_in_80_columns(helps: dict[str, str], name: str) -> None:
    lines = helps[name].splitlines()
    assert lines[1].startswith(f"usage: ddim {name}")
    assert max(map(len, lines)) <= WIDTH
    assert "powered by" not in helps[name]
    if name in WITH_SETTINGS:
        table = helps[name].split("settings most used here:\n")[1].split("\n\n")[0]
        listed = [line.split()[0] for line in table.splitlines() if line[2] != " "]
        assert listed == list(MOST_USED[name])
        assert 1 <= len(listed) <= 10
    groups = "sampler    " in helps[name] and "ddim, diffusers" in helps[name]
    assert groups == (name in WITH_SETTINGS - {"track", "dashboard"})


def test_help_takes_nothing_heavy(helps: dict[str, str]) -> None:
    assert helps["heavy"].strip() == "heavy []"


def test_the_settings_of_the_helps_are_settings() -> None:
    assert set(MEANINGS) <= set(keys(schema.Config))
    assert {key for used in MOST_USED.values() for key in used} == set(MEANINGS)


def test_a_stage_by_hand_leaves_its_settings_and_no_empty_log(ddim, project: Path) -> None:
    ddim("data")
    (left,) = project.glob("out/hydra/*/*/.hydra/config.yaml")
    assert "name: digits" in left.read_text()
    assert list(project.glob("out/**/*.log")) == []


@pytest.mark.parametrize(
    ("program", "prefix", "expected"),
    [
        ("sample", "cell.", ["cell.eta=", "cell.seed=", "cell.steps="]),
        ("sample", "weights=", ["weights=tiny"]),
        ("train", "trainer.acc", ["trainer.accelerator="]),
        ("train", "weights=", []),
        ("compose", "features=", ["features=classifier", "features=inception"]),
        ("sample", "sampl", ["sample.batch_size=", "sampler="]),
    ],
)
def test_settings_are_completed(
    project: Path, program: str, prefix: str, expected: list[str]
) -> None:
    found = candidates(program, prefix)
    assert all(each.startswith(prefix) for each in found)
    assert (set(expected) <= set(found)) if prefix == "sampl" else (found == expected)


def test_bash_completes(project: Path) -> None:
    """With the shell's own protocol, as argcomplete's script speaks it."""
    line = "ddim sample weights=t"
    script = (
        f"export _ARGCOMPLETE=1 COMP_LINE='{line}' COMP_POINT={len(line)} _ARGCOMPLETE_IFS=$'\\n' "
        f"_ARGCOMPLETE_COMP_WORDBREAKS=' ='; {sys.executable} -m ddim.main 8>&1 9>/dev/null"
    )
    environment = {"PYTHONPATH": str(ROOT / "src"), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        ["bash", "-c", script], env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "tiny", done.stderr


def test_a_shell_is_told_what_to_run(ddim) -> None:
    assert "complete -o nospace -o default" in ddim("completion", "bash")
    assert "invalid choice: 'ksh'" in ddim("completion", "ksh", fails=True)


def test_the_doctor_says_what_is_there(ddim) -> None:
    said = ddim("doctor", "--quick")
    for name in ("ddim", "torch", "device", "processor", "bfloat16", "disk", "Chromium", "Incep"):
        assert f"\n{name}" in f"\n{said}"
    assert "data sets         digits; not here: mnist, cifar10" in said
    assert "with weights: tiny" in said
    assert "evaluations/s" not in said


def test_costs_are_images_times_steps_over_a_rate(project: Path) -> None:
    few = ["sweep.steps=[10,20]", "sweep.eta=[0.0,1.0]", "sample.num_images_at={20: 150}"]
    cfg = schema.checked(params.from_conf([*few, "sample.num_images=200", "train.steps=300"]))
    work = costs.Work.of(cfg)
    assert work.sampling == 2 * (200 * 10 + 150 * 20)
    assert work.training == 3 * 300 * 128
    assert work.reconstruction == 2 * 128 * sum(cfg.reconstruct.steps)
    assert work.total == work.sampling + work.training + work.reconstruction


@pytest.mark.slow  # imports torch's compiler
def test_multiply_adds_are_those_of_the_document() -> None:
    """docs/scaling.md: 6.22 x 10^9 for CIFAR-10's network."""
    arguments = {
        **{"image_size": 32, "in_channels": 3, "channels": 128, "multipliers": [1, 2, 2, 2]},
        **{"blocks": 2, "attention": [16], "dropout": 0.1, "groups": 32},
    }
    assert costs.multiply_adds(arguments) == pytest.approx(6.22e9, rel=0.01)


def test_a_network_that_is_too_large_is_scaled_from_the_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(costs, "rate", lambda *_, **__: 100.0)
    networks = {"small": (10, {}), "same": (10, {}), "large": (10_000, {})}
    rates = costs._rates(networks, torch.device("cpu"))
    assert rates == {10: (100.0, True), 10_000: (0.1, False)}


def test_the_rate_is_of_evaluations_of_one_image(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network that takes a known time."""
    monkeypatch.setattr(costs, "SECONDS", 0.2)
    calls: list[int] = []
    monkeypatch.setattr(UNet, "forward", lambda _, x, t: calls.append(len(x)) or x)
    monkeypatch.setattr(costs.time, "monotonic", lambda: 0.01 * len(calls))
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    arguments = {
        **{"image_size": 8, "in_channels": 1, "channels": 8, "multipliers": [1]},
        **{"blocks": 1, "attention": [], "dropout": 0.0, "groups": 4},
    }
    assert costs.rate(arguments, torch.device("cpu"), batch=5) == pytest.approx(500)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(40, "40 s"), (1560, "26 min"), (4300, "72 min"), (7200, "2.0 h"), (9e5, "10 days")],
)
def test_a_time_is_an_estimate(seconds: float, text: str) -> None:
    assert doctor.span(seconds) == text
    assert doctor.digits(1221.4) == "1,221"
    assert doctor.digits(0.0432) == "0.043"

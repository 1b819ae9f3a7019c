"""Every mistake in a setting is one line that names the key; nothing unknown passes.

The rows are in mistakes.txt: what is wrong, and what the line must say about it.
"""

import re
import shutil
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

from ddim.config import conf, params
from ddim.config.schema import checked
from ddim.runtime.declared import keys, registered
from ddim.runtime.errors import USER_ERRORS, one_line

ROOT = Path(__file__).parent.parent.parent
HYDRAS_COMPOSE = conf.compose


def rows() -> list[tuple[list[str], list[str]]]:
    """(overrides, fragments of the line) of mistakes.txt."""
    read = []
    for line in (Path(__file__).parent / "mistakes.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            left, right = line.split(" => ", 1)
            overrides = [override.replace("\\n", "\n") for override in left.split("  ")]
            read.append((overrides, [fragment.strip() for fragment in right.split(" | ")]))
    return read


ROWS = rows()
ROW = pytest.mark.parametrize(
    ("overrides", "fragments"), ROWS, ids=[" ".join(overrides) for overrides, _ in ROWS]
)


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """conf/ is the real one."""
    monkeypatch.chdir(ROOT)


@cache
def composed(*choices: str) -> DictConfig:
    """Hydra's composition of the groups' choices: a tenth of a second, so once for all rows."""
    return HYDRAS_COMPOSE("config", overrides=list(choices))


def compose_by_hand(config: str, overrides: list[str]) -> DictConfig:
    """As Hydra does, but the single settings are put into a copy of what the choices give."""
    parser = OverridesParser.create()
    read = [parser.parse_override(override) for override in overrides]
    is_choice = [(Path("conf") / override.key_or_group).is_dir() for override in read]
    if any("hydra" in override.key_or_group or override.is_delete() for override in read):
        return HYDRAS_COMPOSE(config, overrides=overrides)
    pairs = zip(overrides, is_choice, strict=True)
    cfg = deepcopy(composed(*(override for override, choice in pairs if choice)))
    for override, choice in zip(read, is_choice, strict=True):
        if not choice:
            add = override.is_force_add()
            OmegaConf.update(cfg, override.key_or_group, override.value(), force_add=add)
    return cfg


def refusal(*overrides: str) -> str:
    """The line about `overrides`."""
    with pytest.raises(USER_ERRORS) as error:
        params.from_conf(overrides)
    return one_line(error.value)


def check_line(line: str, fragments: list[str]) -> None:
    """It is one line, says what it must, and never advises to add the wrong key with a plus."""
    assert "\n" not in line
    for fragment in fragments:
        assert fragment in line, line
    assert not re.search(r"use \+|append", line)


@ROW
def test_a_wrong_setting_is_one_line(
    monkeypatch: pytest.MonkeyPatch, overrides: list[str], fragments: list[str]
) -> None:
    monkeypatch.setattr(conf, "compose", compose_by_hand)
    check_line(refusal(*overrides), fragments)


@pytest.mark.slow
@ROW
def test_and_so_it_is_when_hydra_composes(overrides: list[str], fragments: list[str]) -> None:
    check_line(refusal(*overrides), fragments)


def test_the_table_is_long_and_has_every_key_of_the_schema() -> None:
    assert len(ROWS) >= 250
    text = "\n".join(" ".join(overrides) for overrides, _ in ROWS)
    missing = [key for key in keys(registered()) if not re.search(rf"{re.escape(key)}\b", text)]
    assert missing == []


@pytest.mark.parametrize("plus", ["", "+", "++"])
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("sample.n", "sample.num_images"),
        ("sample.n_at", "sample.num_images_at"),
        ("sample.shard", "sample.shard_size"),
        ("reconstruct.n", "reconstruct.num_images"),
        ("solvers.n", "analysis.solvers.num_images"),
        ("solvers", "analysis/solvers"),
        ("analysis.draws", "analysis.invert.draws"),
        ("lecture.draws", "analysis.invert.draws"),
        ("lecture", "analysis"),
        ("lecture.n", "analysis.num_images"),
        ("lecture.simulations", "analysis.family.num_simulations"),
        ("lecture.ode_steps", "analysis.ode.steps"),
    ],
)
def test_an_old_key_is_told_its_new_name(old: str, new: str, plus: str) -> None:
    assert refusal(f"{plus}{old}=8") == f"{old} is called {new} now"


# --- what is accepted ----------------------------------------------------------------------------


ACCEPTED = [
    "sample.num_images_at={1000: 200}",
    "+sample.num_images_at={1000: 200}",
    "++sample.num_images_at.1000=200",
    "+model=digits",
    "seed='5'",
    "train.lr=1e-3",
    "data.note='a, b'",
    "data.note=3",
    "data.root=../elsewhere",
    "data.root=out-of-here",
    "sampler.trajectory=quadratic",
    "analysis.sections=[]",
    "~analysis.solvers.rows.PNDM",
    "analysis.solvers.rows.Mine={scheduler: DDIMScheduler}",
    "analysis.solvers.rows.Mine.scheduler=UniPCMultistepScheduler",
    "analysis.solvers.rows.UniPC.options.solver_type=bh1",
    "logger.tags=[a,b]",
    "name=mine_2-x",
    "seed=9223372036854775807",
    "evaluate.kid_subset_size=250",
]


@pytest.mark.parametrize("override", ACCEPTED)
def test_a_right_setting_passes(monkeypatch: pytest.MonkeyPatch, override: str) -> None:
    monkeypatch.setattr(conf, "compose", compose_by_hand)
    params.from_conf([override])


def test_a_setting_of_an_open_mapping_arrives() -> None:
    cfg = checked(params.from_conf(["sample.num_images_at={1000: 200}"]))
    assert cfg.sample.num_images_at == {1000: 200}
    row = "analysis.solvers.rows.Mine.scheduler=UniPCMultistepScheduler"
    solvers = checked(params.from_conf([row, "~analysis.solvers.rows.PNDM"])).analysis.solvers
    assert solvers.rows["Mine"].scheduler == "UniPCMultistepScheduler"
    assert "PNDM" not in solvers.rows


def test_a_number_of_images_for_an_s_outside_the_grid_is_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is for cells by hand, or a slip: the line says what it does not do."""
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    monkeypatch.chdir(tmp_path)
    params.write(["sample.num_images_at={1000: 250, 30: 200}"])
    assert capsys.readouterr().err == (
        "note: sample.num_images_at has S = 30, which sweep.steps [10, 20, 50, 100, 1000] lacks: "
        "no cell of the grid has 200 images\n"
    )


def files(tmp_path: Path, experiment: str) -> None:
    """A copy of conf/ with one more experiment."""
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    (tmp_path / "conf/experiment/mine.yaml").write_text(f"# @package _global_\n{experiment}")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("sample:\n  n: 5\n", "sample.n is called sample.num_images now"),
        ("sample:\n  num_imags: 5\n", "sample.num_imags is no setting; did you mean sample.num_"),
        ("train:\n  lr: fast\n", "train.lr must be a number, got 'fast'"),
        ("trainer:\n  accelerator: gpu\n", "trainer.accelerator must be one of auto, cpu, cuda"),
    ],
)
def test_a_mistake_in_a_file_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, line: str
) -> None:
    files(tmp_path, text)
    monkeypatch.chdir(tmp_path)
    assert refusal("experiment=mine").startswith(f"conf/experiment/mine.yaml: {line}")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("sweep:\n  steps: [[10]]\n", "sweep.steps must be a list of whole numbers"),
        ("train:\n\tlr: 1\n", "mine.yaml, line 3: found character '\\t' that cannot start any"),
        ('data:\n  note: "a\\nb"\n', "data.note must be one line of printable characters"),
        ("train:\n  lr: .nan\n", "train.lr must be finite, got nan"),
    ],
)
def test_what_hydra_lets_pass_in_a_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, line: str
) -> None:
    files(tmp_path, text)
    monkeypatch.chdir(tmp_path)
    assert line in refusal("experiment=mine")


def test_the_nearest_name_is_offered_for_the_start_of_one() -> None:
    from ddim.runtime.refusals import nearest

    options: Any = ("UniPCMultistepScheduler", "DDIMScheduler")
    assert nearest("unipc", options) == "; did you mean UniPCMultistepScheduler?"
    assert nearest("x", options) == ""

"""What of the sweep a section reads: one more cell runs those sections again, and no other."""

from pathlib import Path

import pytest
from helpers.report_fixture import config

from ddim.config import paths
from ddim.config.schema import Config
from ddim.records import section_inputs
from ddim.records.results import grid

READERS = {"speed", "consistency", "solvers"}


@pytest.fixture(autouse=True)
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def inputs(*overrides: str, changed: str = "") -> dict[str, str]:
    """The input of every section for this grid; the cell `changed` is of something else."""
    cfg = config(*overrides)
    cells = {key: "other" if key.name == changed else "one" for key in grid(cfg)}
    section_inputs.write(cfg, cells)
    return {name: read(cfg, name) for name in cfg.analysis.sections}


def read(cfg: Config, name: str) -> str:
    return paths.section_input(cfg, name).read_text()


def moved(*overrides: str, changed: str = "") -> set[str]:
    before, after = inputs("sweep.steps=[10,100]"), inputs(*overrides, changed=changed)
    assert before.keys() == after.keys() > READERS
    return {name for name in before if before[name] != after[name]}


def test_one_more_cell_runs_the_sections_that_look_at_it() -> None:
    assert moved("sweep.steps=[10,100]") == set()
    assert moved("sweep.steps=[10,100]", "sweep.eta=[0.0,0.2,0.3,0.5,1.0,hat]") == {"speed"}
    assert moved("sweep.steps=[10,20,100]") == {"speed", "consistency", "sigma"}
    assert moved("sweep.steps=[10,100,1000]") == READERS | {"sigma"}


def test_a_cell_that_was_sampled_anew_runs_them_too() -> None:
    same = "sweep.steps=[10,100]"
    assert moved(same, changed="S10_etahat_seed0") == {"speed"}
    assert moved(same, changed="S10_eta1.0_seed0") == {"speed", "consistency"}
    assert moved(same, changed="S100_eta0.0_seed0") == READERS

"""What each section reads: what moves there runs those sections again, and no other."""

from types import SimpleNamespace

import pytest
from helpers.report_fixture import config

from ddim.records import fingerprints, results, section_inputs
from ddim.records.results import grid

READERS = {"speed", "consistency", "solvers"}


def of_all(*overrides: str, changed: str = "", files: str = "same") -> dict[str, str]:
    """The fingerprint of every section for this grid; the cell `changed` is of something else."""
    cfg = config(*overrides)
    cells = {
        key: SimpleNamespace(fingerprint="other" if key.name == changed else "one")
        for key in grid(cfg)
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(results, "read_cells", lambda *_: cells)
        patch.setattr(fingerprints, "analysed", lambda _: {"data": files})
        reads = section_inputs.Fingerprints(cfg)
        return {name: reads.of(name) for name in cfg.analysis.sections}


def moved(*overrides: str, changed: str = "", files: str = "same") -> set[str]:
    before, after = of_all("sweep.steps=[10,100]"), of_all(*overrides, changed=changed, files=files)
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


def test_a_setting_of_one_section_moves_that_one_and_a_shared_one_all() -> None:
    same = "sweep.steps=[10,100]"
    assert moved(same, "analysis.edit.per_class=8") == {"edit"}
    assert moved(same, "evaluate.kid_subsets=50", "logger.mode=online") == set()
    everything = set(of_all(same))
    assert moved(same, "analysis.num_images=32") == everything
    assert moved(same, "sampler.trajectory=quadratic") == everything
    assert moved(same, files="other") == everything - {"speed"}  # which reads records alone


def test_the_order_of_rows_is_a_sections_too() -> None:
    assert moved("sweep.steps=[10,100]", "sweep.eta=[1.0,0.0,0.2,0.5,hat]") == {"speed"}


def test_a_section_asks_for_nothing_that_it_does_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A record or file that is missing or damaged does not stop those that need none."""

    def missing(*_: object) -> None:
        raise FileNotFoundError("missing")

    monkeypatch.setattr(results, "read_cells", missing)
    monkeypatch.setattr(fingerprints, "analysed", lambda _: {})
    reads = section_inputs.Fingerprints(config())
    assert reads.of("invert")
    with pytest.raises(FileNotFoundError, match="missing"):
        reads.of("consistency")
    monkeypatch.setattr(results, "read_cells", lambda *_: {})
    monkeypatch.setattr(fingerprints, "analysed", missing)
    reads = section_inputs.Fingerprints(config())
    assert reads.of("speed")
    with pytest.raises(FileNotFoundError, match="missing"):
        reads.of("invert")

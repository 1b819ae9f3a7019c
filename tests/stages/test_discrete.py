"""The program of Appendix A: it never replaces the report of a training."""

from pathlib import Path

import pytest
from helpers import report_fixture

from ddim.config import paths
from ddim.stages import discrete


def test_it_refuses_the_name_of_a_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cfg = report_fixture.config()
    monkeypatch.chdir(tmp_path)
    paths.reports(cfg).mkdir(parents=True)
    paths.training_record(cfg).write_text("{}")
    (paths.reports(cfg) / "README.md").write_text("the report")
    with pytest.raises(ValueError, match=r"^reports/digits holds the report of a training .*disc"):
        discrete.run(cfg)
    assert [path.name for path in tmp_path.iterdir()] == ["reports"]
    assert (paths.reports(cfg) / "README.md").read_text() == "the report"

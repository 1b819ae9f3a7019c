"""Reports of a fabricated experiment: a whole one to look at, a small one to change."""

from pathlib import Path

import pytest
from helpers import report_fixture as fixture

from ddim.records.results import Results, load
from ddim.report import build


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """A whole report: the full grid and every section but one. Not to be changed."""
    folder = tmp_path_factory.mktemp("built") / "reports" / "digits"
    fixture.experiment(folder, fixture.config(fixture.SECTIONS))
    results = load(folder)
    build.build(results)
    return results


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """The records of four cells, in a folder that a test may change."""
    folder = tmp_path / "reports" / "digits"
    fixture.experiment(folder, fixture.config(*fixture.SMALL))
    return folder

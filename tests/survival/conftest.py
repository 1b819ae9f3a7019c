"""Programs of ddim without their seconds of imports: see helpers.survival."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.survival import Server, new_project, server, with_weights


@pytest.fixture(scope="session")
def light() -> Iterator[Server]:
    """Of programs that need no Lightning."""
    with server("light") as served:
        yield served


@pytest.fixture(scope="session")
def full() -> Iterator[Server]:
    """Of all programs."""
    with server("all") as served:
        yield served


@pytest.fixture
def project(light: Server, tmp_path: Path) -> Path:
    """A tiny project with an untrained network: `sample` has all that it needs."""
    return with_weights(new_project(light, tmp_path))

"""One Slurm for all tests of this folder, and a tiny project that has what its cells need."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import one_node_slurm
import pytest
from helpers import pipeline
from helpers.cluster import Cluster


@pytest.fixture(scope="session")
def slurm() -> Iterator[dict[str, str]]:
    if reason := one_node_slurm.missing():
        pytest.skip(reason)
    with one_node_slurm.running() as environment:
        yield environment


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data and features, no weights."""
    folder = pipeline.copy(tmp_path_factory.mktemp("cluster"))
    pipeline.compose(folder, "train.steps=200", "train.checkpoint_every=50")
    pipeline.run(folder, "dvc", "repro", "data", "features")
    return folder


@pytest.fixture(scope="session")
def trained(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights and reference too, by the pipeline."""
    folder = tmp_path_factory.mktemp("trained") / "project"
    shutil.copytree(prepared, folder, symlinks=True)
    pipeline.run(folder, "dvc", "repro", "train", "reference")
    return folder


@pytest.fixture
def untrained_cluster(slurm: dict[str, str], prepared: Path, tmp_path: Path) -> Cluster:
    shutil.copytree(prepared, tmp_path / "project", symlinks=True)
    return Cluster(slurm, tmp_path / "project")


@pytest.fixture
def cluster(slurm: dict[str, str], trained: Path, tmp_path: Path) -> Cluster:
    shutil.copytree(trained, tmp_path / "project", symlinks=True)
    return Cluster(slurm, tmp_path / "project")

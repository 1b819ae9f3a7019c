"""The reference's files: what was saved is loaded, and what does not belong together is named."""

from pathlib import Path

import numpy as np
import pytest
from helpers.gaussians import gaussian

from ddim.evaluation.reference import Reference, load_statistics
from ddim.records.reference_files import FEATURES, RADII, STATISTICS


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save(tmp_path)
    return tmp_path


def save(folder: Path, n: int = 50) -> Reference:
    folder.mkdir(exist_ok=True)
    features = gaussian(n, 4, seed=0)
    np.save(folder / FEATURES, features)
    reference = Reference.of(features, neighbours=3)
    reference.save(folder)
    return reference


def test_a_reference_survives_its_files(tmp_path: Path) -> None:
    saved, loaded = save(tmp_path), Reference.load(tmp_path, neighbours=3)
    assert loaded.statistics.n == 50
    np.testing.assert_array_equal(loaded.features, saved.features)
    np.testing.assert_array_equal(loaded.statistics.mean, saved.statistics.mean)
    np.testing.assert_array_equal(loaded.statistics.factor, saved.statistics.factor)
    np.testing.assert_array_equal(loaded.radii, saved.radii)
    assert isinstance(loaded.features, np.memmap)
    np.testing.assert_array_equal(load_statistics(tmp_path).mean, saved.statistics.mean)


def test_the_same_features_give_the_same_bytes(tmp_path: Path) -> None:
    save(tmp_path / "a")
    save(tmp_path / "b")
    for name in (STATISTICS, RADII):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


@pytest.mark.parametrize("name", [FEATURES, STATISTICS, RADII])
def test_a_file_that_is_missing_or_broken_is_named(folder: Path, name: str) -> None:
    path = folder / name
    content = path.read_bytes()
    for broken in (b"", content[: len(content) // 2], b"not an array"):
        path.write_bytes(broken)
        with pytest.raises(ValueError, match=rf"{name} is .*stages\.reference -cn stage"):
            Reference.load(folder, neighbours=3)
    path.unlink()
    with pytest.raises(FileNotFoundError, match=rf"{name} is missing: make it again with"):
        Reference.load(folder, neighbours=3)


def test_radii_for_another_number_of_neighbours_are_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"radii\.npz is for evaluate\.neighbours=3, .* has 5"):
        Reference.load(folder, neighbours=5)


def test_statistics_of_other_features_are_refused(folder: Path) -> None:
    np.save(folder / FEATURES, gaussian(60, 4, seed=0))
    with pytest.raises(ValueError, match=r"train\.npy holds float32 \[60, 4\] where"):
        Reference.load(folder, neighbours=3)

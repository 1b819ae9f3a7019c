"""CellEvaluator: every number of a cell, of any number of cells in one process."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from helpers.extractors import Pixels, pixel_images

from ddim.config.schema import Evaluate
from ddim.evaluation.fid import ReferenceStatistics, fid, fid_infinite
from ddim.evaluation.inception_score import inception_score
from ddim.evaluation.kid import kid
from ddim.evaluation.measure import CellEvaluator, Measured
from ddim.evaluation.precision_recall import precision_recall
from ddim.evaluation.reference import Reference

D = 8
REAL = pixel_images(300, D, seed=2).reshape(300, D).astype(np.float32)
CELL = pixel_images(150, D, seed=1, top=200)


def evaluator(work: Path, **changes: Any) -> CellEvaluator:
    """With every detail as in the tests below, but for `changes`."""
    evaluate = Evaluate(10, 100, changes.pop("neighbours", 3), changes.pop("engine", "ours"))
    extractor = Pixels(D, has_inception_logits=changes.pop("has_inception_logits", False))
    reference = Reference.of(REAL, neighbours=3)
    settings = {"seed": 0, "batch_size": 64, "device": "cpu", "work": work}
    return CellEvaluator(extractor, reference, evaluate, **(settings | changes))


def test_a_cell_has_the_numbers_of_its_features(tmp_path: Path) -> None:
    np.save(tmp_path / "samples.npy", CELL)
    images = np.load(tmp_path / "samples.npy", mmap_mode="r")
    measured, estimates = evaluator(tmp_path, has_inception_logits=True).measure(images)
    features = CELL.reshape(150, D).astype(np.float32)
    distance = fid(features, ReferenceStatistics.of(REAL))
    kernel = kid(features, REAL, subsets=10, subset_size=100, seed=0)
    assert (measured.fid, measured.fid_interval) == (distance.value, distance.interval)
    assert (measured.kid, measured.kid_interval) == (kernel.value, kernel.interval)
    precision, recall = precision_recall(features, REAL, neighbours=3)
    assert (measured.precision, *measured.precision_interval) == precision
    assert (measured.recall, *measured.recall_interval) == recall
    assert measured.fid_infinite == fid_infinite(features, ReferenceStatistics.of(REAL))
    assert {place: parts.value for place, parts in estimates.items()} == {
        ("fid", 150): distance.value,
        ("kid", 150): kernel.value,
    }
    assert measured.inception_score == inception_score(features, lambda x: x, seed=0)
    assert (measured.n_generated, measured.n_reference) == (150, 300)
    assert measured.n_paired == (150, 300)
    assert measured.engine == "ours"
    assert [file.name for file in tmp_path.iterdir()] == ["samples.npy"]  # no scratch file is left


def test_a_cell_does_not_depend_on_the_cells_measured_before_it(tmp_path: Path) -> None:
    used = evaluator(tmp_path)
    first, other = used.measure(CELL)[0], used.measure(pixel_images(120, D, seed=3))[0]
    assert used.measure(CELL)[0] == first
    assert other.fid != first.fid
    assert evaluator(tmp_path).measure(CELL)[0] == first


def test_the_first_images_have_numbers_of_their_own(tmp_path: Path) -> None:
    used = evaluator(tmp_path)
    measured, estimates = used.measure(CELL, counts=[120, 150])
    (subset,), (first, _) = measured.subsets, used.measure(CELL[:120])
    assert sorted(estimates) == [("fid", 120), ("fid", 150), ("kid", 120), ("kid", 150)]
    assert estimates["fid", 120].parts[0].shape == (120,)
    assert (subset.n, subset.fid, subset.fid_interval) == (120, first.fid, first.fid_interval)
    assert (subset.kid, subset.kid_interval) == (first.kid, first.kid_interval)


def test_features_give_what_their_images_give(tmp_path: Path) -> None:
    used = evaluator(tmp_path)
    features = CELL.reshape(150, D).astype(np.float32)
    assert used.measure_features(features)[0] == used.measure(CELL)[0]


def test_only_kid_depends_on_the_seed(tmp_path: Path) -> None:
    one, other = (
        msgspec.to_builtins(evaluator(tmp_path, seed=seed).measure(CELL)[0]) for seed in (0, 1)
    )
    assert {key for key in one if one[key] != other[key]} == {"kid", "kid_interval"}


def test_repeats_differ_in_the_subsets_of_kid_alone(tmp_path: Path) -> None:
    """Which their pooled interval takes as independent; a cell's repeat is its seed."""
    one, other = (
        msgspec.to_builtins(evaluator(tmp_path).measure(CELL, repeat=repeat)[0])
        for repeat in (0, 1)
    )
    assert {key for key in one if one[key] != other[key]} == {"kid", "kid_interval"}


def test_only_inceptions_logits_have_an_inception_score(tmp_path: Path) -> None:
    assert evaluator(tmp_path).measure(CELL)[0].inception_score is None


@pytest.mark.parametrize("engine", ["torch-fidelity", "torchmetrics"])
def test_the_engine_is_recorded_and_intervals_stay_ours(tmp_path: Path, engine: str) -> None:
    ours, theirs = (evaluator(tmp_path, engine=name).measure(CELL)[0] for name in ("ours", engine))
    assert theirs.engine == engine
    assert theirs.fid == pytest.approx(ours.fid, rel=1e-6)
    assert theirs.fid_interval == pytest.approx(ours.fid_interval, rel=1e-6)
    width = ours.kid_interval[1] - ours.kid_interval[0]
    assert theirs.kid_interval[1] - theirs.kid_interval[0] == pytest.approx(width)


def test_a_measurement_has_a_score_where_the_features_are_inceptions(tmp_path: Path) -> None:
    measured, _ = evaluator(tmp_path, has_inception_logits=True).measure(CELL)
    assert measured.inception_score is not None
    assert measured.inception_score >= 1
    assert msgspec.convert(msgspec.to_builtins(measured), Measured, strict=True) == measured


def test_progress_is_told_in_images(tmp_path: Path) -> None:
    seen: list[int] = []
    evaluator(tmp_path).measure(CELL, seen.append)
    assert seen == [64, 64, 22]


def test_a_feature_that_is_not_finite_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it arises, before anything is computed of it."""

    def broken(self: Pixels, images: torch.Tensor) -> torch.Tensor:
        features = images.flatten(1).float()
        return torch.where(images.flatten(1) == 201, torch.nan, features)

    monkeypatch.setattr(Pixels, "__call__", broken)
    images = CELL.copy()
    images[70, 0, 0, 3] = 201
    with pytest.raises(ValueError, match="the features of image 70 are not finite: check the"):
        evaluator(tmp_path).measure(images)

"""From images to features: the choice by configuration, the loop over images, both libraries."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.digits import RECIPE, digits
from helpers.fidelity import metrics_of_images, register

from ddim.config.schema import Evaluate, Features
from ddim.evaluation import features
from ddim.evaluation.classifier import Classifier, train_classifier
from ddim.evaluation.features import create_feature_space, extract, load_extractor, logits
from ddim.evaluation.fid import ReferenceStatistics, fid
from ddim.evaluation.inception_score import inception_score
from ddim.evaluation.measure import CellEvaluator
from ddim.evaluation.reference import Reference
from ddim.records.features import FeatureSpace
from ddim.records.prepared import Split

TRAIN, TEST = digits()
SMALL = Features(name="classifier", dim=8, epochs=1, batch_size=64)


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return train_classifier(TRAIN.images, TRAIN.labels, RECIPE)


@pytest.fixture
def noisy() -> np.ndarray:
    return with_noise(20)


def with_noise(level: float) -> np.ndarray:
    """The held-out digits with Gaussian noise of `level` grey values."""
    noise = np.random.default_rng(0).standard_normal(TEST.images.shape)
    return (TEST.images + level * noise).clip(0, 255).astype(np.uint8)


@pytest.fixture
def _few_images(monkeypatch: pytest.MonkeyPatch) -> None:
    few = Split(TRAIN.images[:200], TRAIN.labels[:200])
    monkeypatch.setattr(features, "load", lambda _, split: few if split == "train" else TEST)


# The configured feature space


@pytest.mark.usefixtures("_few_images")
def test_prepare_trains_saves_and_describes(tmp_path: Path) -> None:
    space = create_feature_space(SMALL, tmp_path, tmp_path, seed=0, device="cpu")
    assert (space.name, space.dim) == ("classifier", 8)
    assert space.training is not None
    assert space.training.train_n == 200
    assert space.test_accuracy is not None
    assert FeatureSpace.read(tmp_path / "about.json", "") == space
    extractor = load_extractor(SMALL, tmp_path)
    assert extractor.num_features == 8
    assert not extractor.has_inception_logits


@pytest.mark.usefixtures("_few_images")
def test_preparing_twice_leaves_the_same_bytes(tmp_path: Path) -> None:
    """No wall time, no order of a hash table: who repeats it gets the same checksums."""
    for folder in ("a", "b"):
        create_feature_space(SMALL, tmp_path, tmp_path / folder, seed=0, device="cpu")
    written = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert written == ["about.json", "classifier.safetensors"]
    for name in written:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


# Extraction


def test_features_do_not_depend_on_the_batch_size(classifier: Classifier, tmp_path: Path) -> None:
    np.save(tmp_path / "images.npy", TEST.images)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    seen: list[int] = []
    one, many = (extract(classifier, mapped, size, "cpu", seen.append) for size in (7, 360))
    assert one.dtype == np.float32
    assert one.shape == (360, 64)
    assert seen == [7] * 51 + [3] + [360]
    np.testing.assert_allclose(one, many, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("images", [np.zeros((2, 1, 8, 8)), np.zeros((2, 64), np.uint8)])
def test_only_uint8_images_are_extracted(classifier: Classifier, images: np.ndarray) -> None:
    with pytest.raises(ValueError, match="uint8 images"):
        extract(classifier, images, 2, "cpu")


def test_features_notice_noise_as_it_grows(classifier: Classifier) -> None:
    """What FID is for here: noisier digits are farther from real ones."""
    reference = ReferenceStatistics.of(extract(classifier, TEST.images, 360, "cpu"))
    distances = [
        fid(extract(classifier, with_noise(level), 360, "cpu"), reference).value
        for level in (0, 16, 32, 64, 128)
    ]
    assert distances[0] < 1e-6
    assert all(a < b for a, b in pairwise(distances)), distances


# torch-fidelity and torchmetrics on the same images


def test_torch_fidelity_gives_the_same_numbers_of_the_same_images(
    classifier: Classifier, noisy: np.ndarray, tmp_path: Path
) -> None:
    reference = Reference.of(extract(classifier, TRAIN.images, 100, "cpu"), neighbours=3)
    evaluate = Evaluate(kid_subsets=10, kid_subset_size=200, neighbours=3, engine="ours")
    evaluator = CellEvaluator(
        classifier, reference, evaluate, seed=5, batch_size=100, device="cpu", work=tmp_path
    )
    ours, _ = evaluator.measure(noisy)
    register(classifier, "ddim-digits-test")
    theirs = metrics_of_images(
        noisy,
        TRAIN.images,
        feature_extractor="ddim-digits-test",
        kid_subset_size=200,
        batch_size=64,
    )
    assert ours.fid == pytest.approx(theirs["frechet_inception_distance"], rel=1e-4)
    assert ours.kid == pytest.approx(theirs["kernel_inception_distance_mean"], rel=1e-4)
    assert ours.precision == pytest.approx(theirs["precision"], abs=1e-6)
    assert ours.recall == pytest.approx(theirs["recall"], abs=1e-6)
    assert ours.inception_score is None
    score = inception_score(
        extract(classifier, noisy, 100, "cpu"),
        lambda part: logits(classifier, part, "cpu"),
        seed=5,
    )
    assert score == pytest.approx(theirs["inception_score_mean"], rel=1e-4)


def test_torchmetrics_takes_an_extractor_as_it_is(
    classifier: Classifier, noisy: np.ndarray
) -> None:
    from torchmetrics.image.fid import FrechetInceptionDistance

    metric = FrechetInceptionDistance(feature=classifier)
    with torch.inference_mode():
        metric.update(torch.from_numpy(TRAIN.images), real=True)
        metric.update(torch.from_numpy(noisy), real=False)
    reference = ReferenceStatistics.of(extract(classifier, TRAIN.images, 100, "cpu"))
    ours = fid(extract(classifier, noisy, 100, "cpu"), reference).value
    assert ours == pytest.approx(float(metric.compute()), rel=1e-4)  # it returns float32

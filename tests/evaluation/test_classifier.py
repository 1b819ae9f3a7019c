"""The classifier trained on the data itself: what it learns, its file, what it refuses."""

from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.digits import RECIPE, digits

from ddim.evaluation.classifier import (
    Classifier,
    ClassifierRecipe,
    load_classifier,
    save_classifier,
    train_classifier,
)
from ddim.evaluation.features import accuracy, extract

TRAIN, TEST = digits()


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return train_classifier(TRAIN.images, TRAIN.labels, RECIPE)


def test_the_classifier_knows_digits(classifier: Classifier) -> None:
    assert accuracy(classifier, TEST, batch_size=128, device="cpu") >= 0.97
    assert not classifier.training


def train_quickly(seed: int) -> Classifier:
    recipe = ClassifierRecipe(dim=8, epochs=2, batch_size=50, seed=seed)
    return train_classifier(TRAIN.images[:128], TRAIN.labels[:128], recipe)


def features(network: Classifier) -> np.ndarray:
    return extract(network, TRAIN.images[:16], 16, "cpu")


def test_training_is_a_function_of_its_seed_alone() -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = features(train_quickly(seed=0))
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    np.testing.assert_array_equal(features(train_quickly(seed=0)), first)
    assert np.abs(features(train_quickly(seed=1)) - first).max() > 1e-3


def test_two_equal_trainings_leave_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save_classifier(tmp_path / name, train_quickly(seed=0))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_training_says_how_far_it_is() -> None:
    seen: list[int] = []
    recipe = ClassifierRecipe(dim=8, epochs=3, batch_size=32, seed=0)
    train_classifier(TRAIN.images[:70], TRAIN.labels[:70], recipe, progress=seen.append)
    assert sum(seen) == 3 * 70


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [8, 16, 28, 32, 64])
def test_one_architecture_serves_all_sizes(size: int, channels: int) -> None:
    network = Classifier(in_channels=channels, image_size=size, classes=5, dim=12).eval()
    images = torch.zeros(2, channels, size, size, dtype=torch.uint8)
    assert network(images).shape == (2, 12)
    assert network.logits(images).shape == (2, 5)


@pytest.mark.parametrize("size", [4, 128])
def test_other_sizes_are_refused(size: int) -> None:
    with pytest.raises(ValueError, match=rf"data\.image_size={size}; use features=inception"):
        Classifier(in_channels=3, image_size=size, classes=5)


def test_images_of_another_shape_or_type_are_refused(classifier: Classifier) -> None:
    for images in (torch.zeros(1, 3, 8, 8, dtype=torch.uint8), torch.zeros(1, 1, 8, 8)):
        with pytest.raises(ValueError, match=r"takes uint8 images \[N,1,8,8\]"):
            classifier(images)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros(10, np.int64), r"got 10 labels in 0\.\.0 for 10 images"),
        (np.arange(9), "got 9 labels"),
        (np.arange(10) - 1, r"in -1\.\.8"),
    ],
)
def test_unusable_labels_are_refused(labels: np.ndarray, message: str) -> None:
    images = np.zeros((10, 1, 8, 8), np.uint8)
    with pytest.raises(ValueError, match=message):
        train_classifier(images, labels, ClassifierRecipe(dim=8, epochs=1, batch_size=5, seed=0))


def test_a_saved_classifier_is_loaded_as_it_was(classifier: Classifier, tmp_path: Path) -> None:
    path = tmp_path / "classifier.safetensors"
    save_classifier(path, classifier)
    loaded = load_classifier(path)
    assert not loaded.training
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    expected = extract(classifier, TEST.images[:20], 20, "cpu")
    np.testing.assert_array_equal(extract(loaded, TEST.images[:20], 20, "cpu"), expected)


def test_a_file_that_is_missing_truncated_or_not_a_classifiers_is_named(
    classifier: Classifier, tmp_path: Path
) -> None:
    from safetensors.torch import save_file

    path = tmp_path / "classifier.safetensors"
    with pytest.raises(FileNotFoundError, match=r"classifier\.safetensors is missing"):
        load_classifier(path)
    save_classifier(path, classifier)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"classifier\.safetensors holds no classifier, or a"):
        load_classifier(path)
    tensors = {"weight": torch.zeros(3)}
    for arguments in (None, "no JSON", "[1, 2]", '{"layers": 3}', '{"in_channels": 1}'):
        save_file(tensors, path, metadata=arguments and {"arguments": arguments})
        with pytest.raises(ValueError, match=r"classifier\.safetensors holds no classifier, or a"):
            load_classifier(path)

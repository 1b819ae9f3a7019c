"""Images without classes: the task of telling turns, and the feature space that it gives."""

from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.datasets import config
from helpers.digits import digits

from ddim.config.schema import Features
from ddim.data.prepare import prepare
from ddim.evaluation import turns
from ddim.evaluation.classifier import ClassifierRecipe, train_classifier
from ddim.evaluation.features import create_feature_space, load_extractor
from ddim.records.features import FeatureSpace, knows_little
from ddim.records.prepared import Split

TRAIN, _ = digits()
RECIPE = ClassifierRecipe(dim=16, epochs=3, batch_size=64, seed=0)


def test_each_image_is_turned_by_its_own_number_of_quarters() -> None:
    images = np.random.default_rng(0).integers(0, 256, (9, 3, 4, 4), dtype=np.uint8)
    quarters = np.array([0, 1, 2, 3, 3, 2, 1, 0, 1])
    got = turns.turned(torch.from_numpy(images), torch.from_numpy(quarters)).numpy()
    for one, before, quarter in zip(got, images, quarters, strict=True):
        assert np.array_equal(one, np.rot90(before, quarter, axes=(1, 2)))


def test_a_split_becomes_a_task_of_four_labels() -> None:
    split = turns.labelled(Split(TRAIN.images[:10], None))
    assert split.labels is not None
    assert split.labels.tolist() == [0, 1, 2, 3, 0, 1, 2, 3, 0, 1]
    assert np.array_equal(split.images[5], np.rot90(TRAIN.images[5], 1, axes=(1, 2)))


def test_without_labels_a_network_learns_to_tell_turns() -> None:
    network = train_classifier(TRAIN.images[:900], None, RECIPE)
    held_out = turns.labelled(Split(TRAIN.images[-400:], None))
    with torch.inference_mode():
        right = network.logits(torch.from_numpy(held_out.images)).argmax(1).numpy()
    assert (right == held_out.labels).mean() > 0.4  # chance is 0.25
    few = [train_classifier(TRAIN.images[:64], None, RECIPE) for _ in range(2)]
    for one, other in zip(*(network.parameters() for network in few), strict=True):
        assert torch.equal(one, other)


def test_images_without_classes_get_a_feature_space_that_says_what_it_is(tmp_path: Path) -> None:
    from PIL import Image

    (tmp_path / "images").mkdir()
    for i, image in enumerate(TRAIN.images[:80]):
        Image.fromarray(image[0]).save(tmp_path / "images" / f"{i}.png")
    prepare(config("image_folder", tmp_path / "images", 8, 1), tmp_path / "data")
    settings = Features(name="classifier", dim=8, epochs=1, batch_size=16, weights=None)
    space = create_feature_space(
        settings, tmp_path / "data", tmp_path / "features", seed=0, device="cpu"
    )
    assert space.description == (
        "8 features of a network trained here, as the data has no classes, to tell turned images "
        "apart"
    )
    assert space.chance == 0.25
    extractor = load_extractor(settings, tmp_path / "features")
    assert extractor(torch.from_numpy(TRAIN.images[:3])).shape == (3, 8)


@pytest.mark.parametrize(
    ("accuracy", "chance", "little"),
    [
        (0.12, 0.1, True),
        (0.27, 0.1, True),
        (0.29, 0.1, False),
        (0.97, 0.9, False),
        (None, None, False),
    ],
)
def test_features_near_chance_know_little(
    accuracy: float | None, chance: float | None, little: bool
) -> None:
    space = FeatureSpace("classifier", "d", 8, "0" * 64, accuracy, chance)
    assert knows_little(space) is little

"""The Inception score of logits whose score is known."""

import numpy as np
import pytest

from ddim.evaluation.inception_score import inception_score


def identity(features: np.ndarray) -> np.ndarray:
    """A head whose logits are the features."""
    return features


def test_inception_score_is_the_number_of_classes_seen_with_certainty() -> None:
    certain = 50 * np.eye(4, dtype=np.float32)[np.arange(4000) % 4]
    assert inception_score(certain, identity, seed=0) == pytest.approx(4, rel=0.01)
    blank = np.zeros((100, 4), np.float32)
    assert inception_score(blank, identity, seed=0) == pytest.approx(1)


def test_fewer_images_than_splits_are_refused() -> None:
    with pytest.raises(ValueError, match=r"at least 10 images, got 9: raise sample\.num_images"):
        inception_score(np.zeros((9, 4), np.float32), identity, seed=0)

"""scikit-learn's digits as this project prepares them, and the recipe of a classifier of them."""

import numpy as np
from sklearn.datasets import load_digits

from ddim.evaluation.classifier import ClassifierRecipe
from ddim.records.prepared import Split

RECIPE = ClassifierRecipe(dim=64, epochs=20, batch_size=128, seed=0)


def digits() -> tuple[Split, Split]:
    """uint8 [N,1,8,8], shuffled: 1,437 to train on and 360 held out."""
    bunch = load_digits()
    order = np.random.default_rng(0).permutation(len(bunch.target))
    images = np.round(bunch.images[order, None] * (255 / 16)).astype(np.uint8)
    labels = bunch.target[order].astype(np.int64)
    return Split(images[:1437], labels[:1437]), Split(images[1437:], labels[1437:])

"""uint8 images [N,C,H,W] to float32 features [N,D], whichever the feature space.

Owns the extractor's interface, the choice by configuration, and the one loop over images.
`classifier` and `inception` own the networks.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from ddim.config.schema import Features
from ddim.evaluation import inception_file, turns
from ddim.evaluation.classifier import (
    Classifier,
    ClassifierRecipe,
    load_classifier,
    save_classifier,
    train_classifier,
)
from ddim.evaluation.inception import Inception
from ddim.records import features as records
from ddim.records.features import ClassifierTraining, FeatureSpace
from ddim.records.prepared import Split, load
from ddim.runtime.files import sha256
from ddim.runtime.progress import track

CLASSIFIER_FILE = "classifier.safetensors"


class Extractor(Protocol):
    """A feature space: an nn.Module in eval mode, in float32, with these."""

    num_features: int  # D
    has_inception_logits: bool  # whether the logits are Inception's, which its score is defined by

    def __call__(self, images: Tensor, /) -> Tensor:
        """Features, float32 [N,D], of uint8 images [N,C,H,W]."""

    def head(self, features: Tensor, /) -> Tensor:
        """Logits, float32 [N,K], of features [N,D]: what the Inception score reads."""


def create_feature_space(
    features: Features, data: Path, folder: Path, *, seed: int, device: torch.device | str
) -> FeatureSpace:
    """Train the configured classifier, or check that the configured Inception can be loaded.

    Args:
        data: folder of the prepared images, see ddim.records.prepared.
        folder: receives the classifier, if that is the choice, and the record as about.json.
        seed: of the classifier's training.

    Raises:
        ValueError: no classifier can be trained on the data's labels.
        FileNotFoundError: Inception's weights cannot be had.
    """
    if features.is_inception:
        record = _describe_inception(features.name, Inception(features.weights))
    else:
        recipe = ClassifierRecipe(
            dim=features.dim, epochs=features.epochs, batch_size=features.batch_size, seed=seed
        )
        record = _train_classifier(features.name, recipe, data, folder / CLASSIFIER_FILE, device)
    record.write(folder / records.FILE)
    return record


def _describe_inception(name: str, network: Inception) -> FeatureSpace:
    known = network.sha256.startswith(inception_file.SHA256)
    weights = "TensorFlow's FID weights" if known else "other weights than the published ones"
    return FeatureSpace(
        name=name,
        description=f"2,048 features of torch-fidelity's Inception ({weights})",
        dim=network.num_features,
        sha256=network.sha256,
    )


def _train_classifier(
    name: str, recipe: ClassifierRecipe, data: Path, path: Path, device: torch.device | str
) -> FeatureSpace:
    """Train the classifier on the training split and save it at `path`."""
    train, test = load(data, "train"), load(data, "test")
    task = "a classifier trained here on the same data"
    if train.labels is None:
        task = "a network trained here, as the data has no classes, to tell turned images apart"
    held_out = turns.labelled(test) if test.labels is None else test
    with track(recipe.epochs * len(train.images), "classifier") as advance:
        classifier = train_classifier(
            train.images, train.labels, recipe, device=device, progress=advance
        )
    save_classifier(path, classifier)
    return FeatureSpace(
        name=name,
        description=f"{recipe.dim} features of {task}",
        dim=recipe.dim,
        sha256=sha256(path),
        test_accuracy=accuracy(classifier, held_out, batch_size=recipe.batch_size, device=device),
        chance=_commonest(held_out),
        training=ClassifierTraining(
            epochs=recipe.epochs, train_n=len(train.images), seed=recipe.seed
        ),
    )


def _commonest(split: Split) -> float:
    """The share of right answers of who always names the commonest label."""
    assert split.labels is not None
    return float(np.bincount(split.labels).max() / len(split.labels))


def load_extractor(
    features: Features, folder: Path, device: torch.device | str = "cpu"
) -> Classifier | Inception:
    """The configured extractor on `device`; `folder` is where `create_feature_space` put its file.

    Raises FileNotFoundError or ValueError naming the file that is missing or wrong.
    """
    recorded = records.read(folder).sha256
    if features.is_inception:
        network = Inception(features.weights)
        if network.sha256 != recorded:
            raise ValueError(
                f"features.weights={features.weights} is not the file that the reference was "
                "measured with: run the stages features and reference again"
            )
        return network.to(device).eval()
    path = folder / CLASSIFIER_FILE
    classifier = load_classifier(path, device)
    if sha256(path) != recorded:
        what = f"{path} is another classifier than {records.FILE} describes"
        raise ValueError(f"{what}: run the features stage again")
    return classifier


@torch.inference_mode()
def extract(
    extractor: Extractor,
    images: np.ndarray,
    batch_size: int,
    device: torch.device | str,
    progress: Callable[[int], None] | None = None,
    *,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """Features, float32 [N,D], of uint8 images [N,C,H,W]; one batch is in memory at a time.

    A GPU computes in full float32 here (no TF32), so the features agree with the CPU's, and those
    of other batch sizes, to float rounding.

    Args:
        extractor: on `device`, in eval mode.
        images: may be a memory map.
        progress: called with the number of images just done.
        out: where they go, float32 [N,D], such as a memory map; an array of its own if None.

    Raises ValueError for images of another kind, and for features that are not finite.
    """
    if images.dtype != np.uint8 or images.ndim != 4:
        raise ValueError(f"features need uint8 images [N,C,H,W], got {images.dtype} {images.shape}")
    shape = (len(images), extractor.num_features)
    features = np.empty(shape, np.float32) if out is None else out
    assert features.shape == shape, (features.shape, shape)
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        for start in range(0, len(images), batch_size):
            batch = np.array(images[start : start + batch_size])
            extracted = extractor(torch.from_numpy(batch).to(device)).cpu().numpy()
            assert extracted.shape == (len(batch), extractor.num_features), extracted.shape
            _check_finite(extracted, start)
            features[start : start + batch_size] = extracted
            if progress is not None:
                progress(len(batch))
    return features


def _check_finite(features: np.ndarray, first: int) -> None:
    """Of images `first` and those after it: [N,D]."""
    bad = np.flatnonzero(~np.isfinite(features).all(1))
    if len(bad):
        raise ValueError(
            f"the features of image {first + bad[0]} are not finite: check the extractor's weights "
            "(run the features stage again)"
        )


@torch.inference_mode()
def logits(extractor: Extractor, features: np.ndarray, device: torch.device | str) -> np.ndarray:
    """Logits, float32 [N,K], of the features [N,D] that `extractor`, on `device`, gave."""
    return extractor.head(torch.tensor(features, device=device)).cpu().numpy()


def accuracy(
    classifier: Classifier, split: Split, *, batch_size: int, device: torch.device | str
) -> float:
    """Share of a labelled split that `classifier`, on `device`, classifies correctly."""
    features = extract(classifier, split.images, batch_size, device)
    predicted = logits(classifier, features, device).argmax(1)
    return float((predicted == split.labels).mean())

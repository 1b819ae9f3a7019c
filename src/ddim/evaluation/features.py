"""uint8 images [N,C,H,W] to float32 features [N,D], whichever the feature space.

Owns the extractor's interface, the choice by configuration, the one loop over images, and the
door through which torch-fidelity sees an extractor. (torchmetrics takes one as it is:
`FrechetInceptionDistance(feature=extractor)`.) `classifier` and `inception` own the networks.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from ddim.config.schema import Features
from ddim.evaluation.classifier import (
    Classifier,
    load_classifier,
    save_classifier,
    train_classifier,
)
from ddim.evaluation.inception import Inception
from ddim.records.arrays import Split, load
from ddim.runtime.files import read_json, sha256, write_json
from ddim.runtime.progress import track

__all__ = [
    "Classifier",
    "Extractor",
    "Inception",
    "accuracy",
    "extract",
    "load_extractor",
    "logits",
    "prepare",
    "register",
    "train_classifier",
]

CLASSIFIER_FILE = "classifier.safetensors"


class Extractor(Protocol):
    """A feature space: an nn.Module in eval mode, in float32, with these."""

    num_features: int  # D

    def __call__(self, images: Tensor, /) -> Tensor:
        """Features, float32 [N,D], of uint8 images [N,C,H,W]."""

    def head(self, features: Tensor, /) -> Tensor:
        """Logits, float32 [N,K], of features [N,D]: what the Inception score reads."""


def prepare(
    features: Features, data: Path, folder: Path, *, seed: int, device: torch.device | str
) -> dict[str, Any]:
    """Make the configured feature space ready in `folder`: trained, or checked to be loadable.

    Args:
        data: folder of the prepared images, see ddim.records.arrays.
        folder: receives the classifier, if that is the choice, and about.json.
        seed: of the classifier's training.

    Returns:
        what about.json holds: name, description, dim, sha256 of the weights, test_accuracy (None
        where there is none).

    Raises:
        ValueError: the classifier is asked for and the data has no labels.
        FileNotFoundError: Inception's weights cannot be had.
    """
    if features.name == "inception":
        about = _about_inception(Inception(features.weights))
    else:
        path = folder / CLASSIFIER_FILE
        about = _fit_classifier(features, data, path, seed=seed, device=device)
        about["sha256"] = sha256(path)
    write_json(folder / "about.json", about)
    return about


def _about_inception(network: Inception) -> dict[str, Any]:
    return {
        "name": "inception",
        "description": "2,048 features of torch-fidelity's Inception (TensorFlow's FID weights)",
        "dim": network.num_features,
        "sha256": network.sha256,
        "test_accuracy": None,
    }


def _fit_classifier(
    features: Features, data: Path, path: Path, *, seed: int, device: torch.device | str
) -> dict[str, Any]:
    """Train the classifier on the training split and save it at `path` with its description."""
    train, test = load(data, "train"), load(data, "test")
    start = time.perf_counter()
    with track(features.epochs * len(train.images), "classifier") as advance:
        classifier = train_classifier(
            train.images,
            train.labels,
            dim=features.dim,
            epochs=features.epochs,
            batch_size=features.batch_size,
            seed=seed,
            device=device,
            progress=advance,
        )
    about = {
        "name": "classifier",
        "description": f"{features.dim} features of a classifier trained here on the same data",
        "dim": features.dim,
        "test_accuracy": accuracy(classifier, test, batch_size=features.batch_size, device=device),
        "epochs": features.epochs,
        "train_n": len(train.images),
        "seed": seed,
        "seconds": round(time.perf_counter() - start, 1),
    }
    save_classifier(path, classifier, about=about)
    return about


def load_extractor(
    features: Features, folder: Path, device: torch.device | str = "cpu"
) -> Classifier | Inception:
    """The configured extractor on `device`; `folder` is where `prepare` put its file.

    Raises FileNotFoundError or ValueError naming the file that is missing or wrong.
    """
    if features.name == "inception":
        network = Inception(features.weights)
        if network.sha256 != read_json(folder / "about.json")["sha256"]:
            raise ValueError(
                f"features.weights={features.weights} is not the file that the reference was "
                "measured with: run the stages features and reference again"
            )
        return network.to(device).eval()
    classifier, _ = load_classifier(folder / CLASSIFIER_FILE, device)
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
    """
    if images.dtype != np.uint8 or images.ndim != 4:
        raise ValueError(f"features need uint8 images [N,C,H,W], got {images.dtype} {images.shape}")
    shape = (len(images), extractor.num_features)
    features = np.empty(shape, np.float32) if out is None else out
    assert features.shape == shape, (features.shape, shape)
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        for start in range(0, len(images), batch_size):
            batch = np.array(images[start : start + batch_size])
            found = extractor(torch.from_numpy(batch).to(device))
            assert found.shape == (len(batch), extractor.num_features), found.shape
            features[start : start + batch_size] = found.cpu().numpy()
            if progress is not None:
                progress(len(batch))
    return features


@torch.inference_mode()
def logits(extractor: Extractor, features: np.ndarray, device: torch.device | str) -> np.ndarray:
    """Logits, float32 [N,K], of the features [N,D] that `extractor`, on `device`, gave."""
    return extractor.head(torch.tensor(features, device=device)).cpu().numpy()


def accuracy(
    classifier: Classifier, split: Split, *, batch_size: int, device: torch.device | str
) -> float:
    """Share of a labelled split that `classifier`, on `device`, names right."""
    features = extract(classifier, split.images, batch_size, device)
    guess = logits(classifier, features, device).argmax(1)
    return float((guess == split.labels).mean())


def register(extractor: Extractor, name: str) -> None:
    """Make `extractor` known to torch_fidelity.calculate_metrics(feature_extractor=name).

    No stage needs it: it is for comparing. The tests hold our metrics against torch-fidelity's in
    any feature space with it, and you can have torch-fidelity measure a sampled cell yourself.
    torch-fidelity caches by name: let `name` carry a hash of the weights. A name can be taken
    once per process (ValueError otherwise).
    """
    import torch_fidelity

    class Registered(torch_fidelity.FeatureExtractorBase):
        """`extractor` as torch-fidelity wants it: a tuple of the requested layers."""

        def __init__(self, name: str, features_list: list[str], **_: Any) -> None:
            super().__init__(name, features_list)
            self.extractor = extractor

        @staticmethod
        def get_provided_features_list() -> tuple[str, ...]:
            return ("features", "logits")

        @staticmethod
        def get_default_feature_layer_for_metric(metric: str) -> str:
            return "logits" if metric == "isc" else "features"

        @staticmethod
        def can_be_compiled() -> bool:
            return False

        def forward(self, images: Tensor) -> tuple[Tensor, ...]:
            features = self.extractor(images)
            layers = {"features": features, "logits": self.extractor.head(features)}
            return tuple(layers[layer] for layer in self.features_list)

    torch_fidelity.register_feature_extractor(name, Registered)

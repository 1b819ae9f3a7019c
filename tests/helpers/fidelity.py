"""torch-fidelity on images, with any extractor of ours as its feature space."""

from typing import Any

import numpy as np
import torch
import torch_fidelity
from torch import Tensor

from ddim.evaluation.features import Extractor


class Images(torch.utils.data.Dataset):
    """As torch-fidelity wants them: items are uint8 tensors [C,H,W]."""

    def __init__(self, images: np.ndarray) -> None:
        self.images = torch.from_numpy(np.array(images))

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, i: int) -> Tensor:
        return self.images[i]


def metrics_of_images(
    generated: np.ndarray, real: np.ndarray, **options: object
) -> dict[str, float]:
    """Every metric of torch-fidelity, of uint8 images [N,C,H,W], on the CPU and without a cache."""
    return torch_fidelity.calculate_metrics(
        input1=Images(generated),
        input2=Images(real),
        cuda=False,
        cache=False,
        save_cpu_ram=True,  # no worker processes
        isc=True,
        fid=True,
        kid=True,
        prc=True,
        kid_subsets=10,
        rng_seed=5,
        verbose=False,
        **options,
    )


def register(extractor: Extractor, name: str) -> None:
    """Make `extractor` known to torch-fidelity as feature_extractor=name; once per process."""

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

"""torch-fidelity's Inception, the feature space of published FIDs, as an extractor of ours.

Owns where its weights come from, and the errors when they are missing or are other weights.
"""

from pathlib import Path

import torch
from torch import Tensor, nn

from ddim.evaluation.inception_file import FILE, SHA256
from ddim.runtime import torch_file
from ddim.runtime.download import download
from ddim.runtime.files import sha256

LAYER = "2048"  # torch-fidelity's name of it


class Inception(nn.Module):
    """FID's Inception, TensorFlow's weights and resize: uint8 images to 2,048 features.

    Args:
        weights: a local file of torch-fidelity's weights, or None for its own download (kept in
            torch's hub folder).

    Raises:
        FileNotFoundError: no such file, or it cannot be downloaded.
        ValueError: the file holds other weights.
    """

    num_features = 2048
    has_inception_logits = True

    def __init__(self, weights: str | None = None) -> None:
        super().__init__()
        path = Path(weights) if weights is not None else _published_weights()
        self.sha256 = _checked_sha256(path)
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

        try:
            self.network = FeatureExtractorInceptionV3(
                "inception-v3-compat", [LAYER], feature_extractor_weights_path=str(path)
            )
        except (RuntimeError, TypeError, AttributeError) as error:  # others, or none by name
            first = " ".join(str(error).split())[:120]
            raise ValueError(f"features.weights: {path} holds other weights: {first}...") from None

    def forward(self, images: Tensor) -> Tensor:
        """Features, float32 [N,2048], of uint8 images [N,C,H,W]; grey ones are repeated to RGB."""
        if images.shape[1] == 1:
            images = images.expand(-1, 3, -1, -1)
        features: Tensor = self.network(images)[0]
        return features

    def head(self, features: Tensor) -> Tensor:
        """Logits, float32 [N,1008], of features [N,2048]: torch-fidelity's logits_unbiased."""
        return features @ self.network.fc.weight.T


def _published_weights() -> Path:
    """Where torch-fidelity's weights lie in torch's hub folder; fetched on first use."""
    from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3

    path = Path(torch.hub.get_dir()) / "checkpoints" / FILE
    if not path.is_file():
        try:
            download(URL_INCEPTION_V3, path, sha256=SHA256)
        except (OSError, ValueError) as error:
            raise FileNotFoundError(
                f"Inception's weights could not be downloaded ({error}): get {FILE} from "
                "torch-fidelity's release v0.2.0 and set features.weights to its path"
            ) from None
    elif not sha256(path).startswith(SHA256):
        what = f"its SHA-256 does not begin with {SHA256}"
        raise ValueError(f"{path} is damaged ({what}): delete it, and it is downloaded again")
    return path


def _checked_sha256(path: Path) -> str:
    """The file's sha256; ValueError if it is truncated or holds more than plain tensors.

    torch-fidelity loads it with pickle's full powers, which other people's files must not get.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"features.weights: no file {path}; expected torch-fidelity's {FILE}, or null to "
            "let it be downloaded"
        )
    try:
        content = torch_file.load(path)
    except ValueError as error:
        raise ValueError(f"features.weights: {error}; expected torch-fidelity's {FILE}") from None
    for name, tensor in content.items() if isinstance(content, dict) else ():
        if isinstance(tensor, Tensor) and not torch_file.is_finite(tensor):
            what = f"{path}: the tensor {name} holds NaN, infinity or no values"
            raise ValueError(f"features.weights: {what}; expected torch-fidelity's {FILE}")
    return sha256(path)

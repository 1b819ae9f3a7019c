"""A small classifier trained on the data itself: a feature space where Inception has no meaning.

Of the data's classes; where it has none, of quarter turns (ddim.evaluation.turns).

Owns its architecture, its training and its file. Its features are the mean-pooled activations of
the last block, which the final linear layer reads, as Inception's 2,048 are.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ddim.evaluation import turns
from ddim.runtime import tensor_file

MIN_SIZE, MAX_SIZE = 8, 64  # of images, in pixels
BASE_WIDTH = 32  # channels of the first stage; they double with every halving of the image
LEARNING_RATE = 3e-3
WEIGHT_DECAY = 0.05
KEY, VERSION = "classifier", 2  # of its file; version 1 had no checksum
ARGUMENTS = "arguments"


class Classifier(nn.Module):
    """A residual network that halves the image until it is 4 pixels wide, or a little less.

    Args:
        in_channels: 1 for grey images, 3 for RGB.
        image_size: side of the square images in pixels, 8..64. Above 16, the first convolution
            halves the image already: that keeps MNIST within two minutes on two cores.
        classes: how many labels there are.
        dim: width D of the features.
    """

    has_inception_logits = False

    def __init__(self, *, in_channels: int, image_size: int, classes: int, dim: int = 64) -> None:
        super().__init__()
        if not MIN_SIZE <= image_size <= MAX_SIZE:
            raise ValueError(
                f"features.name=classifier takes images of {MIN_SIZE}..{MAX_SIZE} pixels, got "
                f"data.image_size={image_size}; use features=inception"
            )
        self.arguments = {
            "in_channels": in_channels,
            "image_size": image_size,
            "classes": classes,
            "dim": dim,
        }
        self.num_features = dim
        widths, halve_first = _widths(image_size, dim)
        stages: list[nn.Module] = [*_convolution(in_channels, widths[0], stride=1 + halve_first)]
        for narrow, wide in pairwise(widths):
            stages += [*_convolution(narrow, wide, stride=2), Residual(wide)]
        self.body = nn.Sequential(*stages)
        self.head = nn.Linear(dim, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Features, float32 [N,D], of uint8 images [N,C,H,W]."""
        channels, size = self.arguments["in_channels"], self.arguments["image_size"]
        if images.dtype != torch.uint8 or images.shape[1:] != (channels, size, size):
            raise ValueError(
                f"this classifier takes uint8 images [N,{channels},{size},{size}], got "
                f"{images.dtype} {list(images.shape)}: run the features stage on this data"
            )
        x = images.float() / 127.5 - 1
        return self.body(x.to(memory_format=torch.channels_last)).mean((2, 3)).float()

    def logits(self, images: Tensor) -> Tensor:
        """Unnormalised log-probabilities, float32 [N,K], of uint8 images [N,C,H,W]."""
        logits: Tensor = self.head(self(images))
        return logits


class Residual(nn.Module):
    """y = relu(x + f(x)) with two 3x3 convolutions in f."""

    def __init__(self, width: int) -> None:
        super().__init__()
        first, second = _convolution(width, width), _convolution(width, width)
        self.branch = nn.Sequential(*first, *second[:-1])  # the last ReLU comes after the sum

    def forward(self, x: Tensor) -> Tensor:
        """Activations [N,width,H,W] of activations of the same shape."""
        return F.relu(x + self.branch(x))


def _convolution(narrow: int, wide: int, *, stride: int = 1) -> list[nn.Module]:
    convolution = nn.Conv2d(narrow, wide, 3, stride=stride, padding=1, bias=False)
    return [convolution, nn.BatchNorm2d(wide), nn.ReLU()]


def _widths(image_size: int, dim: int) -> tuple[list[int], bool]:
    """Channels of each stage, and whether the first convolution halves the image."""
    halve_first = image_size > 16
    size = image_size // (1 + halve_first)
    widths = [BASE_WIDTH]
    while size > 4:
        size //= 2
        widths.append(widths[-1] * 2)
    return [*widths[:-1], dim], halve_first


@dataclass(frozen=True, kw_only=True)
class ClassifierRecipe:
    """What determines a trained classifier besides images and labels.

    dim: width D of the features. seed: of the initial weights, the order and the shifts.
    """

    dim: int
    epochs: int
    batch_size: int
    seed: int


def train_classifier(
    images: np.ndarray,
    labels: np.ndarray | None,
    recipe: ClassifierRecipe,
    *,
    device: torch.device | str = "cpu",
    progress: Callable[[int], None] | None = None,
) -> Classifier:
    """Train a Classifier: cross-entropy, AdamW, one cycle of the learning rate, random shifts.

    A function of its arguments and the device: the global random state is neither read nor
    changed. bfloat16 on a GPU, float32 elsewhere; the returned weights are float32, in eval mode.

    Args:
        images: uint8 [N,C,H,W] with H = W.
        labels: int64 [N] in 0..K-1; None: the task is to tell turned images apart
            (ddim.evaluation.turns), K = 4.
        recipe: see there.
        device: where it is trained, and where the classifier stays.
        progress: called with the number of images just seen, `epochs` x N in all.

    Raises:
        ValueError: unusable labels, or a loss that is not finite.
    """
    classes = turns.QUARTERS if labels is None else _num_classes(images, labels)
    device, generator = torch.device(device), torch.Generator().manual_seed(recipe.seed)
    network = _initial(images.shape, classes, recipe.dim, generator).to(device)
    x = torch.from_numpy(np.array(images)).to(device)
    y = None if labels is None else torch.from_numpy(labels.astype(np.int64)).to(device)
    with torch.backends.cudnn.flags(enabled=True, deterministic=True):
        _optimize(network, x, y, recipe, generator, progress or (lambda _: None))
    return network.eval()


def _optimize(
    network: Classifier,
    images: Tensor,
    labels: Tensor | None,
    recipe: ClassifierRecipe,
    generator: torch.Generator,
    progress: Callable[[int], None],
) -> None:
    """Train `network` in place; `generator` draws the order of the images and their shifts."""
    optimizer = torch.optim.AdamW(network.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    steps = recipe.epochs * -(-len(images) // recipe.batch_size)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps)
    for _ in range(recipe.epochs):
        order = torch.randperm(len(images), generator=generator).to(images.device)
        for batch in order.split(recipe.batch_size):
            x, y = images[batch], None if labels is None else labels[batch]
            loss = _loss(network, x, y, generator)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            cycle.step()
            progress(len(batch))
        if not loss.isfinite():
            raise ValueError(f"the classifier's loss became {loss.item()}: check the images")


def _loss(
    network: Classifier, images: Tensor, labels: Tensor | None, generator: torch.Generator
) -> Tensor:
    """Cross-entropy of randomly shifted images, turned ones without labels; bfloat16 on a GPU."""
    if labels is None:
        images, labels = turns.drawn(images, generator)
    shifted = _shift(images, network.arguments["image_size"] // 8, generator)
    kind = images.device.type
    with torch.autocast(kind, torch.bfloat16, enabled=kind == "cuda"):
        return F.cross_entropy(network.logits(shifted), labels)


def _num_classes(images: np.ndarray, labels: np.ndarray) -> int:
    """K; ValueError for labels that no classifier can be trained on."""
    # More classes than images: no data set, but a damaged file that would take any memory.
    if len(labels) != len(images) or labels.min() < 0 or not 1 <= labels.max() < len(labels):
        raise ValueError(
            f"the classifier needs one label in 0..K-1 per image and K of at least 2, got "
            f"{len(labels)} labels in {labels.min()}..{labels.max()} for {len(images)} images"
        )
    return int(labels.max()) + 1


def _initial(shape: tuple[int, ...], classes: int, dim: int, g: torch.Generator) -> Classifier:
    """He et al.'s initialisation drawn from `g`; a zero head starts from equal probabilities."""
    with torch.random.fork_rng(devices=[]):  # the constructors draw from the global state
        network = Classifier(in_channels=shape[1], image_size=shape[2], classes=classes, dim=dim)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=g)
    nn.init.zeros_(network.head.weight)
    nn.init.zeros_(network.head.bias)
    return network.to(memory_format=torch.channels_last)


def _shift(images: Tensor, most: int, generator: torch.Generator) -> Tensor:
    """Each image [N,C,H,W] shifted by up to `most` pixels along each axis, padded with black."""
    n, _, height, width = images.shape
    corner = torch.randint(2 * most + 1, (2, n, 1), generator=generator).to(images.device)
    rows = corner[0] + torch.arange(height, device=images.device)  # [N,H]
    columns = corner[1] + torch.arange(width, device=images.device)  # [N,W]
    which = torch.arange(n, device=images.device)[:, None, None]
    padded = F.pad(images, (most,) * 4).movedim(1, -1)  # [N,H+2p,W+2p,C]
    return padded[which, rows[:, :, None], columns[:, None, :]].movedim(-1, 1)


def save_classifier(path: Path, classifier: Classifier) -> None:
    """Write weights and constructor arguments as one safetensors file, atomically.

    The same classifier gives the same bytes.
    """
    about = {ARGUMENTS: classifier.arguments}
    tensor_file.write(path, KEY, VERSION, about, classifier.state_dict())


def load_classifier(path: Path, device: torch.device | str = "cpu") -> Classifier:
    """The classifier of `save_classifier` on `device`, in eval mode.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file is damaged (its checksum tells), or it is not a classifier's.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: run the features stage")
    try:
        tensors, entries = tensor_file.read(path)
        if KEY not in entries:
            raise ValueError(f"its metadata lacks {KEY}")
        about = tensor_file.read_about(entries, KEY)
        tensor_file.check(about, VERSION, tensors)
        tensor_file.check_finite(tensors)
        with torch.random.fork_rng(devices=[]):  # the constructor draws from the global state
            classifier = Classifier(**about[ARGUMENTS])
        classifier.load_state_dict(tensors)
    except Exception as error:  # a file's arguments and tensors may be anything
        reason = " ".join(str(error).split())[:200]
        what = f"{path} holds no classifier, or a damaged one ({reason})"
        raise ValueError(f"{what}: run the features stage again") from None
    return classifier.to(device).eval()

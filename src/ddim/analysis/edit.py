"""Editing: encode a real image, move its latent from its class's mean towards another's, decode.

Whether an edit worked is for the classifier to say, and a random direction of the same length is
the control: what it achieves is chance.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ddim.analysis.context import DRAWS, Context, pixels
from ddim.analysis.section_content import FigureContent, SectionContent, table
from ddim.evaluation import intervals
from ddim.evaluation.reconstruction import squared_errors
from ddim.images import to_float
from ddim.plotting import canvas

TITLE = "Editing"
CLAIM = "A unique latent makes an image editable: encode it, change the latent, decode."
TOWARDS, CONTROL = "towards the target", "random direction"


@dataclass(frozen=True)
class Edited:
    """One direction and strength: what the classifier sees in the edited images."""

    direction: str
    strength: float
    as_target: tuple[float, float, float]  # share, low, high
    as_itself: float  # share
    pixel_change: float  # mean squared, on [0, 1]

    @property
    def row(self) -> tuple[str | float, ...]:
        """Its line of the table and of the CSV."""
        return (self.direction, self.strength, *self.as_target, self.as_itself, self.pixel_change)


@dataclass(frozen=True)
class EditResult:
    """Every direction and strength; nothing where there are no classes."""

    num_images: int
    edits: tuple[Edited, ...]
    labels: tuple[int, ...]  # of the images shown
    targets: tuple[int, ...]
    images: np.ndarray  # uint8 [num_shown,1 + strengths,C,H,W]: the real image, then its edits

    def of(self, direction: str) -> list[Edited]:
        """The edits in one direction, by rising strength as configured."""
        return [edit for edit in self.edits if edit.direction == direction]


def measure(context: Context) -> EditResult:
    """Edit held-out images at every strength and ask the classifier."""
    if not context.has_classes:
        return EditResult(0, (), (), (), np.empty(0, np.uint8))
    context.require_images()
    analysis = context.cfg.analysis
    images, labels = _held_out(context)
    latents = context.encode(images, analysis.steps)
    means = _class_means(context)
    targets = choose_targets(labels, len(means))
    towards = means[torch.from_numpy(targets)] - means[torch.from_numpy(labels)]
    directions = {TOWARDS: towards, CONTROL: _random_like(context, towards)}
    edits, columns = [], [pixels(images[: analysis.num_shown])]
    for strength in analysis.edit.strengths:
        for name, direction in directions.items():
            moved = context.decode(latents + strength * direction, analysis.steps)
            predicted = context.classify(pixels(moved))
            change = float(squared_errors(moved, images).mean())
            edits.append(_judge(name, strength, predicted, labels, targets, change))
            if name == TOWARDS:
                columns.append(pixels(moved[: analysis.num_shown]))
    return EditResult(
        num_images=len(images),
        edits=tuple(edits),
        labels=tuple(map(int, labels[: analysis.num_shown])),
        targets=tuple(map(int, targets[: analysis.num_shown])),
        images=np.stack(columns, axis=1),
    )


def _held_out(context: Context) -> tuple[Tensor, np.ndarray]:
    n = context.cfg.analysis.num_images
    assert context.test.labels is not None
    return context.held_out(n), np.array(context.test.labels[:n])


def _class_means(context: Context) -> Tensor:
    """The mean latent of each class over its first per_class training images: [K,C,H,W]."""
    labels, analysis = context.train.labels, context.cfg.analysis
    assert labels is not None
    means = []
    for k in range(int(labels.max()) + 1):
        where = np.flatnonzero(labels == k)[: analysis.edit.per_class]
        if len(where) == 0:
            raise ValueError(f"class {k} has no training image: edit needs every class")
        images = to_float(torch.from_numpy(np.array(context.train.images[where])))
        means.append(context.encode(images, analysis.steps).mean(0))
    return torch.stack(means)


def choose_targets(labels: np.ndarray, classes: int) -> np.ndarray:
    """Another class for every image [N]; all of them take turns."""
    return (labels + 1 + np.arange(len(labels)) % (classes - 1)) % classes


def _random_like(context: Context, towards: Tensor) -> Tensor:
    """A random direction for each image, as long as its real one."""
    z = context.noise(DRAWS, len(towards))
    length = towards.flatten(1).norm(dim=1) / z.flatten(1).norm(dim=1)
    return z * length.reshape(-1, 1, 1, 1)


def _judge(
    direction: str,
    strength: float,
    predicted: np.ndarray,
    labels: np.ndarray,
    targets: np.ndarray,
    change: float,
) -> Edited:
    """From the predicted classes [N] of the edited images."""
    return Edited(
        direction=direction,
        strength=strength,
        as_target=intervals.of_share(int((predicted == targets).sum()), len(predicted)),
        as_itself=float((predicted == labels).mean()),
        pixel_change=change,
    )


# --- presentation ---------------------------------------------------------------------------------


def present(result: EditResult) -> SectionContent:
    """Shares against strength, and edits to look at."""
    if not result.edits:
        return SectionContent(finding="Not measured here: it needs labels and features=classifier.")
    n = result.num_images
    best = max(result.of(TOWARDS), key=lambda edit: edit.as_target[0])
    chance = next(edit for edit in result.of(CONTROL) if edit.strength == best.strength)
    columns = ["direction", "strength", "seen as target", "low", "high"]
    return SectionContent(
        finding=(
            f"Moved by {best.strength:g} times the difference of two class means, "
            f"{best.as_target[0]:.0%} of {n} held-out images are recognised as the other class; a "
            f"random direction of the same length gives {chance.as_target[0]:.0%}."
        ),
        text=(
            "The direction from one class's mean latent to another's comes from encoded training "
            "images; the edited ones are held out. All other classes take turns as the target."
        ),
        numbers={
            **{f"target_at_{e.strength:g}": e.as_target[0] for e in result.of(TOWARDS)},
            **{f"control_at_{e.strength:g}": e.as_target[0] for e in result.of(CONTROL)},
        },
        figures=(_shares(result), _strips(result)),
        tables=(
            table(
                f"What the classifier sees in {n} edited images",
                [*columns, "seen as itself", "change of the pixels"],
                [edit.row for edit in result.edits],
            ),
        ),
    )


def _shares(result: EditResult) -> FigureContent:
    with canvas.canvas() as figure:
        (axes,) = figure.axes
        for i, direction in enumerate((TOWARDS, CONTROL)):
            edits = result.of(direction)
            x = [edit.strength for edit in edits]
            share, low, high = (list(c) for c in zip(*(e.as_target for e in edits), strict=True))
            canvas.curve(axes, i + 1, x, share, f"{direction}: seen as target")
            canvas.band(axes, i + 1, x, low, high)
        edits = result.of(TOWARDS)
        x, itself = [e.strength for e in edits], [e.as_itself for e in edits]
        canvas.curve(axes, 0, x, itself, f"{TOWARDS}: still seen as itself")
        axes.set(xlabel="strength", ylabel="share of the images", ylim=(-0.03, 1.03))
        axes.legend()
    columns = ["direction", "strength", "seen as target", "low", "high"]
    return FigureContent(
        file="shares.png",
        content=figure.png,
        caption="Share of edits that the classifier recognises, against strength. "
        "Bands: 95 % intervals.",
        alt="; ".join(
            f"{e.direction}, strength {e.strength:g}: {e.as_target[0]:.0%} seen as target"
            for e in result.edits
        ),
        columns=[*columns, "seen_as_itself", "pixel_change"],
        rows=[edit.row for edit in result.edits],
    )


def _strips(result: EditResult) -> FigureContent:
    changes = list(zip(result.labels, result.targets, strict=True))
    strengths = [edit.strength for edit in result.of(TOWARDS)]
    return FigureContent(
        file="strips.png",
        content=canvas.picture(
            np.concatenate(list(result.images)),
            len(strengths) + 1,
            row_labels=[f"{label} to {target}" for label, target in changes],
            column_labels=["real", *(f"{strength:g}" for strength in strengths)],
        ),
        caption="One edit per row: the real image, then its edits with growing strength.",
        alt="; ".join(
            f"row {i + 1}: a {label}, edited towards {target}"
            for i, (label, target) in enumerate(changes)
        ),
        columns=["row", "label", "target"],
        rows=[(i, *change) for i, change in enumerate(changes)],
    )

"""Editing: encode a real image, move its latent from its class's mean towards another's, decode.

Whether an edit worked is for the classifier to say. Two controls say what it owes to what: the same
latent moved in a random direction of the same length, and a latent of DDPM's forward process
(Eq. 4) moved in the same direction and decoded by the same sampler.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ddim.analysis import invert
from ddim.analysis.context import DRAWS, Context, pixels
from ddim.analysis.section_content import FigureContent, SectionContent, table
from ddim.config.checks import UNIT_STRENGTH
from ddim.evaluation import hypotheses, intervals
from ddim.evaluation.reconstruction import squared_errors
from ddim.images import to_float
from ddim.plotting import canvas
from ddim.records.verdict import Verdict

TITLE = "Editing"
CLAIM = "A unique latent makes an image editable: encode it, change the latent, decode."
SOURCE = "lecture, limitation 2 (02:01) and practical advantages"
TOWARDS = "DDIM latent, to target"
ASTRAY = "DDIM latent, random"
DIFFUSED = "DDPM latent, to target"
KINDS = (TOWARDS, ASTRAY, DIFFUSED)


@dataclass(frozen=True)
class Edited:
    """One kind of edit at one strength."""

    kind: str  # one of KINDS
    strength: float  # in differences of two class means
    predicted: np.ndarray  # int64 [N], what the classifier sees
    distances: np.ndarray  # float64 [N], root mean squared difference to the original, on [0, 1]
    images: np.ndarray  # uint8 [num_shown,C,H,W]

    @property
    def distance(self) -> tuple[float, float, float]:
        """Mean, low and high of the distance to the original."""
        return intervals.of_mean(self.distances)


@dataclass(frozen=True)
class EditResult:
    """Every kind and strength; nothing where there are no classes."""

    labels: np.ndarray  # int64 [N]
    targets: np.ndarray  # int64 [N]
    originals: np.ndarray  # uint8 [num_shown,C,H,W]
    predicted: np.ndarray  # int64 [N], what the classifier sees in the originals
    edits: tuple[Edited, ...]

    def of(self, kind: str) -> list[Edited]:
        """The edits of one kind, by strength as configured."""
        return [edit for edit in self.edits if edit.kind == kind]

    def at(self, kind: str, strength: float) -> Edited:
        """The edit of one kind at one of the configured strengths."""
        return next(edit for edit in self.of(kind) if edit.strength == strength)

    def hits(self, edit: Edited) -> np.ndarray:
        """Whether the classifier sees the target, bool [N]."""
        return edit.predicted == self.targets

    def as_target(self, edit: Edited) -> tuple[float, float, float]:
        """The share that is seen as the target, low, high."""
        hits = self.hits(edit)
        return intervals.of_share(int(hits.sum()), len(hits))

    def as_itself(self, edit: Edited) -> float:
        """The share that is seen as the class that it had."""
        return float((edit.predicted == self.labels).mean())

    def row(self, edit: Edited) -> tuple[str | float, ...]:
        """Its line of the table and of the CSV."""
        seen = (*self.as_target(edit), self.as_itself(edit))
        return (edit.kind, edit.strength, *seen, *edit.distance)


COLUMNS = ("edit", "strength", "seen as target", "low", "high", "seen as itself")
DISTANCE_COLUMNS = ("distance to the original", "its low", "its high")


def measure(context: Context) -> EditResult:
    """Edit held-out images at every strength and ask the classifier."""
    if not context.has_classes:
        nothing = np.empty(0, np.int64)
        return EditResult(nothing, nothing, nothing, nothing, ())
    context.require_images()
    analysis = context.cfg.analysis
    images, labels = _held_out(context)
    means = _class_means(context)
    targets = choose_targets(labels, len(means))
    towards = means[torch.from_numpy(targets)] - means[torch.from_numpy(labels)]
    encoded = context.encode(images, analysis.steps)
    diffused = invert.diffuse(context, images, analysis.steps, seed=DRAWS + 1)
    moves = {
        TOWARDS: (encoded, towards),
        ASTRAY: (encoded, _random_like(context, towards)),
        DIFFUSED: (diffused, towards),
    }
    return EditResult(
        labels=labels,
        targets=targets,
        originals=pixels(images[: analysis.num_shown]),
        predicted=context.classify(pixels(images)),
        edits=tuple(
            _edit(context, images, kind, strength, latents + strength * direction)
            for strength in analysis.edit.strengths
            for kind, (latents, direction) in moves.items()
        ),
    )


def _edit(context: Context, images: Tensor, kind: str, strength: float, moved: Tensor) -> Edited:
    """Decode the moved latents of images [N,C,H,W] and judge them."""
    analysis = context.cfg.analysis
    decoded = context.decode(moved, analysis.steps)
    return Edited(
        kind=kind,
        strength=strength,
        predicted=context.classify(pixels(decoded)),
        distances=np.sqrt(squared_errors(decoded.clamp(-1, 1), images)),  # as they are shown
        images=pixels(decoded[: analysis.num_shown]),
    )


def _held_out(context: Context) -> tuple[Tensor, np.ndarray]:
    n = context.cfg.analysis.num_images
    assert context.test.labels is not None
    return context.held_out(n), np.array(context.test.labels[:n])


def _class_means(context: Context) -> Tensor:
    """The mean latent of each class: [K,C,H,W]."""
    assert context.train.labels is not None
    classes = range(int(context.train.labels.max()) + 1)
    return torch.stack([class_mean(context, k) for k in classes])


def class_mean(context: Context, k: int) -> Tensor:
    """The mean latent of class k over its first per_class training images: [C,H,W]."""
    labels, analysis = context.train.labels, context.cfg.analysis
    assert labels is not None
    where = np.flatnonzero(labels == k)[: analysis.edit.per_class]
    if len(where) == 0:
        raise ValueError(f"class {k} has no training image: edit needs every class")
    images = to_float(torch.from_numpy(np.array(context.train.images[where])))
    return context.encode(images, analysis.steps).mean(0)


def choose_targets(labels: np.ndarray, classes: int) -> np.ndarray:
    """Another class for every image [N]; all of them take turns."""
    return (labels + 1 + np.arange(len(labels)) % (classes - 1)) % classes


def _random_like(context: Context, towards: Tensor) -> Tensor:
    """A random direction for each image, as long as its real one."""
    z = context.noise(DRAWS, len(towards))
    length = towards.flatten(1).norm(dim=1) / z.flatten(1).norm(dim=1)
    return z * length.reshape(-1, 1, 1, 1)


# --- presentation ---------------------------------------------------------------------------------


def present(result: EditResult) -> SectionContent:
    """Edits at strength 1 to look at, then shares and distances against strength."""
    if not result.edits:
        return SectionContent(finding="Not measured here: it needs labels and features=classifier.")
    ours, astray, diffused = (result.at(kind, UNIT_STRENGTH) for kind in KINDS)
    return SectionContent(
        finding=(
            f"Moved by one difference of class means, {result.as_target(ours)[0]:.0%} of "
            f"{len(result.labels)} held-out images are seen as the other class (random direction: "
            f"{result.as_target(astray)[0]:.0%}), at a distance of {ours.distance[0]:.2f} from the "
            f"original; through DDPM's latent it is {diffused.distance[0]:.2f}."
        ),
        text=_text(result),
        numbers=_numbers(result),
        verdicts=_verdicts(result),
        figures=(_unit_strips(result), _curves(result), _strips(result)),
        tables=(
            table(
                f"What the classifier sees in {len(result.labels)} edited images",
                [*COLUMNS, *DISTANCE_COLUMNS],
                [result.row(edit) for edit in result.edits],
            ),
        ),
    )


def _text(result: EditResult) -> str:
    best = max(result.of(TOWARDS), key=lambda edit: result.as_target(edit)[0])
    kept, lost = result.at(TOWARDS, 0.0), result.at(DIFFUSED, 0.0)
    moved = result.at(DIFFUSED, UNIT_STRENGTH)
    return (
        "The direction is the difference of two classes' mean latents, from encoded training "
        "images; strength 1 is the whole of it. The edited images are held out, and all other "
        "classes take turns as the target. The distance to the original is the root of the mean "
        "squared difference of the pixels, on [0, 1] and clipped to it.\n\n"
        "The first control moves the same latent as far in a random direction. The second one "
        "replaces the encoder: a draw of DDPM's forward process q(x_T | x_0), moved in the same "
        "direction and decoded by the same sampler. Not moved at all, it is still seen as its own "
        f"class in {result.as_itself(lost):.0%} of the images, at a distance of "
        f"{lost.distance[0]:.2f}; DDIM's latent in {result.as_itself(kept):.0%}, at "
        f"{kept.distance[0]:.2f}. At strength 1, {result.as_target(moved)[0]:.0%} of what DDPM's "
        "latents give are seen as the target: an image of the class, whether or not it resembles "
        "the original.\n\n"
        f"The largest share is {result.as_target(best)[0]:.0%}, at strength {best.strength:g}, at "
        f"a distance of {best.distance[0]:.2f}."
    )


def _numbers(result: EditResult) -> dict[str, float]:
    numbers: dict[str, float] = {}
    for kind, key in zip(KINDS, ("target", "control", "ddpm"), strict=True):
        for edit in result.of(kind):
            numbers[f"{key}_at_{edit.strength:g}"] = result.as_target(edit)[0]
            numbers[f"{key}_distance_at_{edit.strength:g}"] = edit.distance[0]
    return numbers


def _verdicts(result: EditResult) -> tuple[Verdict, Verdict]:
    """Both about strength 1; images are paired with themselves."""
    ours, astray, diffused = (result.at(kind, UNIT_STRENGTH) for kind in KINDS)
    less = hypotheses.paired_shares("random - ours", result.hits(astray), result.hits(ours))
    changed = hypotheses.decide([less])
    nearer = ours.distances - diffused.distances
    kept = hypotheses.decide([hypotheses.paired("distance: DDIM - DDPM", nearer)])
    return (
        Verdict(
            claim="Moving DDIM's latent by a difference of class means edits the image",
            source=SOURCE,
            paper="",
            ours=f"seen as target: {result.as_target(ours)[0]:.0%}, random direction "
            f"{result.as_target(astray)[0]:.0%}",
            test=f"exact sign test, paired images: {changed.summary}",
            word=changed.word,
        ),
        Verdict(
            claim="Edited through DDIM's latent, an image stays nearer to itself than through "
            "DDPM's",
            source=SOURCE,
            paper="",
            ours=f"distance to the original: {ours.distance[0]:.2f} (DDIM), "
            f"{diffused.distance[0]:.2f} (DDPM)",
            test=f"paired: {kept.summary}",
            word=kept.word,
        ),
    )


def _captions(predicted: np.ndarray, wanted: np.ndarray) -> list[str]:
    """What the classifier sees, with a cross where it is not what is wanted."""
    return [
        f"{seen}" if seen == right else f"{canvas.CROSS} {seen}"
        for seen, right in zip(predicted.tolist(), wanted.tolist(), strict=True)
    ]


def _unit_strips(result: EditResult) -> FigureContent:
    """Columns are images; rows the original and its edits of every kind at strength 1."""
    edits = [result.at(kind, UNIT_STRENGTH) for kind in KINDS]
    n = len(result.originals)
    labels, targets = result.labels[:n], result.targets[:n]
    shares = [f"{result.as_target(edit)[0]:.0%} as target" for edit in edits]
    return FigureContent(
        file="strength_1.png",
        content=canvas.strips(
            np.stack([result.originals, *(edit.images for edit in edits)]),
            row_labels=[
                "original",
                *(f"{e.kind}\n{s}" for e, s in zip(edits, shares, strict=True)),
            ],
            column_labels=[f"{a} to {b}" for a, b in zip(labels, targets, strict=True)],
            captions=[
                _captions(result.predicted[:n], labels),
                *(_captions(edit.predicted[:n], targets) for edit in edits),
            ],
        ),
        caption="Originals and their edits at strength 1; below each image the class that the "
        f"classifier sees, {canvas.CROSS} where it is the wrong one.",
        alt="Columns of images. From above: originals; DDIM latents moved towards the target "
        "class; DDIM latents moved in a random direction; DDPM latents moved towards the target.",
        columns=[*COLUMNS, *DISTANCE_COLUMNS],
        rows=[result.row(edit) for edit in edits],
    )


def _curves(result: EditResult) -> FigureContent:
    with canvas.canvas(2, width=7.4) as figure:
        left, right = figure.axes
        for i, kind in enumerate(KINDS):
            edits = result.of(kind)
            x = [edit.strength for edit in edits]
            for axes, points in (
                (left, [result.as_target(edit) for edit in edits]),
                (right, [edit.distance for edit in edits]),
            ):
                value, low, high = (list(column) for column in zip(*points, strict=True))
                canvas.curve(axes, i, x, value, kind)
                canvas.band(axes, i, x, low, high)
        left.set(
            xlabel="strength of the edit",
            ylabel="share of images seen as target",
            ylim=(-0.03, 1.03),
        )
        right.set(xlabel="strength of the edit", ylabel="distance to the original")
        right.set_ylim(bottom=0)
        canvas.legend_above(figure.axes)
    return FigureContent(
        file="shares.png",
        content=figure.png,
        is_chart=True,
        caption="Against the strength of the edit: share of images seen as the target (left), "
        "distance to the original (right). Bands: 95 % intervals.",
        alt="Two panels of curves against strength, each for DDIM latents moved towards the "
        "target, DDIM latents moved in a random direction, and DDPM latents moved towards it.",
        columns=[*COLUMNS, *DISTANCE_COLUMNS],
        rows=[result.row(edit) for edit in result.edits],
    )


def _strips(result: EditResult) -> FigureContent:
    """Rows are images, edited with growing strength."""
    edits, n = result.of(TOWARDS), len(result.originals)
    labels, targets = result.labels[:n], result.targets[:n]
    seen = [_captions(result.predicted[:n], labels)]
    for edit in edits:  # not moved, an image should be seen as what it is
        seen.append(_captions(edit.predicted[:n], targets if edit.strength else labels))
    changes = list(zip(labels.tolist(), targets.tolist(), strict=True))
    return FigureContent(
        file="strips.png",
        content=canvas.strips(
            np.stack([result.originals, *(edit.images for edit in edits)], axis=1),
            row_labels=[f"{label} to {target}" for label, target in changes],
            column_labels=["original", *(f"{edit.strength:g}" for edit in edits)],
            captions=list(zip(*seen, strict=True)),
        ),
        caption="One edit per row, with growing strength; below each image the class that the "
        f"classifier sees, {canvas.CROSS} where it is the wrong one.",
        alt="Rows of images: the original, then its edits with growing strength, from its own "
        "class towards another one; a cross marks those that are not seen as the target.",
        columns=["row", "label", "target"],
        rows=[(i, *change) for i, change in enumerate(changes)],
    )

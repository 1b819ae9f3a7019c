"""Editing: encode a real image, move its latent from its class's mean towards another's, decode.

Whether an edit worked is the classifier's word, and a random direction of the same length is the
control: what it achieves is chance.
"""

import numpy as np
import torch
from torch import Tensor

from ddim.analysis.context import DRAWS, Bench, pixels
from ddim.evaluation import intervals
from ddim.images import squared_errors, to_float
from ddim.plotting import canvas
from ddim.records.section import Section

CLAIM = "A unique latent makes an image editable: encode it, change the latent, decode."
KINDS = ("towards the target", "random direction")


def section(bench: Bench) -> Section:
    """Edit held-out images at every strength and ask the classifier."""
    made = Section("edit", 6, "Editing", CLAIM)
    if not bench.has_classes:
        made.finding = "Not measured here: it needs labels and features=classifier."
        return made
    images, labels = _held_out(bench)
    latents = bench.encode(images, bench.cfg.analysis.steps)
    means = _class_means(bench)
    targets = _targets(labels, len(means))
    towards = means[torch.from_numpy(targets)] - means[torch.from_numpy(labels)]
    control = _random_like(bench, towards)
    rows, decoded = [], {}
    for strength in bench.cfg.analysis.strengths:
        for kind, direction in zip(KINDS, (towards, control), strict=True):
            moved = bench.decode(latents + strength * direction, bench.cfg.analysis.steps)
            decoded[kind, strength] = moved
            rows.append([kind, strength, *_judge(bench, moved, images, labels, targets)])
    _shares(rows, len(images), made)
    _strips(bench, images, decoded, labels, targets, made)
    return made


def _held_out(bench: Bench) -> tuple[Tensor, np.ndarray]:
    n = bench.cfg.analysis.num_images
    assert bench.test.labels is not None
    return bench.held_out(n), np.array(bench.test.labels[:n])


def _class_means(bench: Bench) -> Tensor:
    """The mean latent of each class over its first per_class training images: [K,C,H,W]."""
    assert bench.train.labels is not None
    found = []
    for k in range(int(bench.train.labels.max()) + 1):
        where = np.flatnonzero(bench.train.labels == k)[: bench.cfg.analysis.per_class]
        if len(where) == 0:
            raise ValueError(f"class {k} has no training image: edit needs every class")
        images = to_float(torch.from_numpy(np.array(bench.train.images[where])))
        found.append(bench.encode(images, bench.cfg.analysis.steps).mean(0))
    return torch.stack(found)


def _targets(labels: np.ndarray, classes: int) -> np.ndarray:
    """Another class for every image; all of them take turns."""
    return (labels + 1 + np.arange(len(labels)) % (classes - 1)) % classes


def _random_like(bench: Bench, towards: Tensor) -> Tensor:
    """A random direction for each image, as long as its real one."""
    z = bench.noise(DRAWS, len(towards))
    length = towards.flatten(1).norm(dim=1) / z.flatten(1).norm(dim=1)
    return z * length.reshape(-1, 1, 1, 1)


def _judge(
    bench: Bench, moved: Tensor, images: Tensor, labels: np.ndarray, targets: np.ndarray
) -> list[float]:
    """[share seen as the target, low, high, share still seen as itself, change of the pixels]."""
    seen = bench.classify(pixels(moved))
    reached = intervals.of_share(int((seen == targets).sum()), len(seen))
    return [*reached, float((seen == labels).mean()), float(squared_errors(moved, images).mean())]


def _shares(rows: list[list], n: int, made: Section) -> None:
    best = max((row for row in rows if row[0] == KINDS[0]), key=lambda row: row[2])
    chance = next(row for row in rows if row[0] == KINDS[1] and row[1] == best[1])
    made.numbers |= {
        **{f"target_at_{row[1]:g}": row[2] for row in rows if row[0] == KINDS[0]},
        **{f"control_at_{row[1]:g}": row[2] for row in rows if row[0] == KINDS[1]},
    }
    made.finding = (
        f"Moved by {best[1]:g} times the difference of two class means, {best[2]:.0%} of {n} "
        f"held-out images are recognised as the other class; a random direction of the same "
        f"length gives {chance[2]:.0%}."
    )
    made.text = (
        "The direction from one class's mean latent to another's comes from encoded training "
        "images; the edited ones are held out. All other classes take turns as the target."
    )
    columns = ["direction", "strength", "seen as target", "low", "high"]
    made.table(
        f"What the classifier sees in {n} edited images",
        [*columns, "seen as itself", "change of the pixels"],
        rows,
    )
    with canvas.canvas() as drawn:
        (axes,) = drawn.axes
        for i, kind in enumerate(KINDS):
            mine = [row for row in rows if row[0] == kind]
            x = [row[1] for row in mine]
            canvas.curve(axes, i + 1, x, [row[2] for row in mine], f"{kind}: seen as target")
            canvas.band(axes, i + 1, x, [row[3] for row in mine], [row[4] for row in mine])
        mine = [row for row in rows if row[0] == KINDS[0]]
        still = [row[5] for row in mine]
        canvas.curve(axes, 0, [row[1] for row in mine], still, f"{KINDS[0]}: still seen as itself")
        axes.set(xlabel="strength", ylabel="share of the images", ylim=(-0.03, 1.03))
        axes.legend()
    made.figure(
        "shares.png",
        drawn.png,
        caption="Share of edits that the classifier recognises, against strength. "
        "Bands: 95 % intervals.",
        alt="; ".join(
            f"{row[0]}, strength {row[1]:g}: {row[2]:.0%} seen as target" for row in rows
        ),
        columns=[*columns, "seen_as_itself", "pixel_change"],
        rows=rows,
    )


def _strips(
    bench: Bench,
    images: Tensor,
    decoded: dict[tuple[str, float], Tensor],
    labels: np.ndarray,
    targets: np.ndarray,
    made: Section,
) -> None:
    shown, strengths = range(bench.cfg.analysis.num_shown), bench.cfg.analysis.strengths
    rows = [
        torch.stack([images[i], *(decoded[KINDS[0], strength][i] for strength in strengths)])
        for i in shown
    ]
    made.figure(
        "strips.png",
        canvas.picture(
            pixels(torch.cat(rows)),
            len(strengths) + 1,
            row_labels=[f"{labels[i]} to {targets[i]}" for i in shown],
            column_labels=["real", *(f"{strength:g}" for strength in strengths)],
        ),
        caption="One edit per row: the real image, then its edits with growing strength.",
        alt="; ".join(f"row {i + 1}: a {labels[i]}, edited towards {targets[i]}" for i in shown),
        columns=["row", "label", "target"],
        rows=[(i, int(labels[i]), int(targets[i])) for i in shown],
    )

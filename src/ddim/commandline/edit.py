"""ddim edit IMAGE [FROM] TO: move an image's latent from its class's mean towards another's.

`python -m ddim.commandline.edit IMAGE [FROM] TO [weights=<report>] [key=value ...]`. IMAGE is a
file, or the number of a held-out image, whose class is known; FROM and TO are classes by name or
number. The means are of analysis.edit.per_class encoded training images each. Writes a picture of
growing strength to `out/<name>/edited/`.
"""

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ddim.config import paths
from ddim.config.schema import Config
from ddim.records import prepared, published
from ddim.runtime.cli import stage, take_words

if TYPE_CHECKING:
    from ddim.analysis.context import Context

STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5)  # 1: one whole difference of the class means


def run(cfg: Config, words: Sequence[str]) -> None:
    """Encode, move by STRENGTHS, decode: all with cell.steps steps of eta = 0."""
    if len(words) not in (2, 3):
        got = f", got {' '.join(words)}" if words else ""
        raise ValueError(f"name an image and the class to move it to (IMAGE [FROM] TO){got}")
    import torch

    from ddim.analysis.context import pixels
    from ddim.analysis.edit import class_mean
    from ddim.commandline import inputs

    context, S = inputs.context(cfg), cfg.cell.steps
    inputs.with_data(context)
    classes = _classes(context)
    (image,) = inputs.read_images(context, [words[0]])
    source, target = _ends(classes, words[1:], image.label)
    print(f"encoding {cfg.analysis.edit.per_class} images of each of two classes", flush=True)
    direction = class_mean(context, target) - class_mean(context, source)
    latent = inputs.to_latents(context, [image])[0]
    moved = torch.stack([latent + strength * direction for strength in STRENGTHS])
    assert image.image is not None
    shown = np.concatenate([image.image[None], pixels(context.decode(moved, S))])
    names = f"{classes[source]} to {classes[target]}"
    file = f"{image.name}_{inputs.short(names.replace(' ', '_'))}_S{S}.png"
    path = paths.out(cfg) / "edited" / file
    _draw(path, shown, names)
    print(f"{image.name}, {names}, strengths 0 to {STRENGTHS[-1]:g}, S = {S}: {path}")


def _classes(context: "Context") -> tuple[str, ...]:
    """The names of the data set's classes; ValueError if there are none."""
    data = prepared.read(paths.data(context.cfg))
    if context.train.labels is None or data.classes is None:
        raise ValueError(f"{data.name} has no classes: an edit moves from one class to another")
    return data.classes


def _ends(classes: Sequence[str], words: Sequence[str], label: int | None) -> tuple[int, int]:
    """(source, target) as class numbers."""
    target = _class(classes, words[-1])
    if len(words) == 2:
        source = _class(classes, words[0])
    elif label is None:
        raise ValueError("of an image file, say what it is too: IMAGE FROM TO, such as x.png 3 8")
    else:
        source = label
    if source == target:
        raise ValueError(f"the image is of class {classes[target]} already: name another one")
    return source, target


def _class(classes: Sequence[str], word: str) -> int:
    """The number of the class that `word` names; names go before numbers."""
    if word in classes:
        return classes.index(word)
    if word.isascii() and word.isdigit() and int(word) < len(classes):
        return int(word)
    near = difflib.get_close_matches(word, classes, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    raise ValueError(f"{word} is no class; {hint}There are: {', '.join(classes)}")


def _draw(path: Path, images: np.ndarray, names: str) -> None:
    from ddim.plotting.canvas import strips
    from ddim.runtime.files import replacing

    picture = strips(
        images[None],
        row_labels=[names],
        column_labels=["image", "strength\n0", *(f"{strength:g}" for strength in STRENGTHS[1:])],
    )
    with replacing(path) as temporary:
        temporary.write_bytes(picture)


if __name__ == "__main__":
    given = take_words()
    stage(lambda cfg: run(cfg, given), published.settings)

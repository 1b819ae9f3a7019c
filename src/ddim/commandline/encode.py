"""ddim encode IMAGE...: an image's latent x_T, what it decodes to, and the error of that.

`python -m ddim.commandline.encode IMAGE... [weights=<report>] [key=value ...]`. IMAGE is a file, or
the number of a held-out image. Writes `out/<name>/encoded/<image>_S<steps>.npy`, float32 [C,H,W],
and one picture of image, latent, decoded image and difference.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ddim.config import paths
from ddim.config.schema import Config
from ddim.records import published
from ddim.runtime.cli import stage, take_words

if TYPE_CHECKING:
    from torch import Tensor

    from ddim.commandline.inputs import Input

SHOWN = 3.0  # a latent's values from -SHOWN to SHOWN are drawn from black to white
MAGNIFIED = 4  # times that differences are drawn


def run(cfg: Config, words: Sequence[str]) -> None:
    """Encode the images that `words` name with cell.steps steps of eta = 0, and decode them."""
    if not words:
        raise ValueError("name an image to encode: a file, or a held-out image by its number")
    from ddim.commandline import inputs
    from ddim.evaluation.reconstruction import SCALE, squared_errors

    context, S = inputs.context(cfg), cfg.cell.steps
    images = inputs.read_images(context, list(words))
    files = [f"{image.name}_S{S}.npy" for image in images]
    _require_own_files(words, files)
    x_0 = inputs.as_float(images)
    x_T = context.encode(x_0, S)
    decoded = context.decode(x_T, S)
    folder = paths.out(cfg) / "encoded"
    errors = squared_errors(x_0, decoded)
    for image, file, latent, error in zip(images, files, x_T, errors, strict=True):
        path = _save(folder / file, latent)
        print(
            f"{image.name}: latent {path} (mean {latent.mean():+.2f}, standard deviation "
            f"{latent.std():.2f}); mean squared error of the round trip {error:.2g} on {SCALE}, "
            f"S = {S}"
        )
    together = inputs.short("_".join(image.name for image in images))
    print(_draw(folder / f"{together}_S{S}.png", images, x_T, decoded))


def _require_own_files(words: Sequence[str], files: Sequence[str]) -> None:
    """Raise ValueError where the latents of two images would be written to one file."""
    first: dict[str, str] = {}
    for word, file in zip(words, files, strict=True):
        if file in first:
            raise ValueError(
                f"{first[file]} and {word} would both be written to {file}: rename one"
            )
        first[file] = word


def _save(path: Path, latent: "Tensor") -> Path:
    from ddim.runtime.files import replacing

    with replacing(path) as temporary, temporary.open("wb") as file:
        np.save(file, latent.numpy())
    return path


def _draw(path: Path, images: "list[Input]", x_T: "Tensor", decoded: "Tensor") -> Path:
    """Rows are images; columns the image, its latent, the decoded image and the difference."""
    from ddim.analysis.context import pixels
    from ddim.plotting.canvas import strips
    from ddim.runtime.files import replacing

    originals = np.stack([each.image for each in images if each.image is not None])
    shown = pixels(decoded)
    difference = np.abs(shown.astype(np.int64) - originals) * MAGNIFIED
    columns = {
        "image": originals,
        f"$x_T$\n−{SHOWN:g} to {SHOWN:g}": pixels(x_T / SHOWN),
        "decoded": shown,
        f"difference\n×{MAGNIFIED}": difference.clip(0, 255).astype(np.uint8),
    }
    picture = strips(
        np.stack(list(columns.values()), axis=1),
        row_labels=[each.title for each in images],
        column_labels=list(columns),
    )
    with replacing(path) as temporary:
        temporary.write_bytes(picture)
    return path


if __name__ == "__main__":
    given = take_words()
    stage(lambda cfg: run(cfg, given), published.settings)

"""What a person names on the command line, as the network takes it: images, and noise by its seed.

photo.png     an image file: cropped and resized to the network's size
7             held-out image 7 of the data set
seed:7        the noise that image 0 of a cell with seed 7 starts from
"""

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ddim.analysis.context import Context
from ddim.config import paths
from ddim.config.schema import Config, as_dict
from ddim.records import prepared, published

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor

SEED = "seed:"
LONGEST = 80  # bytes of a name in a file's name, which has two of them and at most 255
SETTINGS = "data.json"  # beside prepared images: data.* that they were prepared with


@dataclass(frozen=True)
class Input:
    """One image or noise, and what it is called: `name` in files, `title` in pictures."""

    name: str
    title: str
    image: np.ndarray | None  # uint8 [C,H,W]; None: noise
    seed: int | None = None  # of the noise
    label: int | None = None  # the class of a held-out image, where there are classes


def context(cfg: Config) -> Context:
    """The network and its surroundings, every trajectory of cell.steps steps.

    FileNotFoundError if there are no weights, before anything is loaded.
    """
    published.require(cfg)
    return Context(replace(cfg, analysis=replace(cfg.analysis, steps=cfg.cell.steps)))


def read(context: Context, word: str) -> Input:
    """What `word` names (see above). ValueError or FileNotFoundError in one line."""
    if word.startswith(SEED):
        digits = word.removeprefix(SEED)
        if not re.fullmatch(r"\d{1,18}", digits):
            raise ValueError(f"{word}: a seed is a whole number, 0 or more, as in seed:7")
        return Input(f"seed{int(digits)}", f"seed {int(digits)}", None, seed=int(digits))
    if re.fullmatch(r"\d{1,9}", word):
        return _held_out(context, int(word))
    return _from_file(context.cfg, Path(word))


def read_images(context: Context, words: list[str]) -> list[Input]:
    """The same of images alone: ValueError for noise."""
    for word in words:
        if word.startswith(SEED):
            raise ValueError(f"{word} is noise: name an image file, or a held-out image by number")
    return [read(context, word) for word in words]


def to_latents(context: Context, inputs: list[Input]) -> "Tensor":
    """x_T float32 [N,C,H,W]: images encoded with cell.steps steps of eta = 0, or noise as it is."""
    import torch

    S = context.cfg.cell.steps
    latents = []
    for each in inputs:
        if each.seed is not None:
            latents.append(context.noise(each.seed, 1))
        else:
            latents.append(context.encode(as_float([each]), S))
    return torch.cat(latents)


def as_float(inputs: list[Input]) -> "Tensor":
    """The images on [-1, 1], float32 [N,C,H,W]."""
    import torch

    from ddim.images import to_float

    images = [each.image for each in inputs if each.image is not None]
    return to_float(torch.from_numpy(np.stack(images)))


def with_data(context: Context) -> None:
    """Have the data set's images there: those of a report's weights are prepared when needed.

    They are prepared again where data.* has become another one.
    """
    cfg = context.cfg
    folder = paths.data(cfg)
    if cfg.weights is None:
        return
    asked, kept = settings(cfg), folder / SETTINGS
    is_there = (folder / prepared.FILE).is_file() and kept.is_file()
    if is_there and kept.read_text(encoding="utf-8", errors="replace") == asked:
        return
    from ddim.data.prepare import prepare
    from ddim.runtime.files import write_text

    print(f"preparing {cfg.data.name} in {folder}, once", flush=True)
    kept.unlink(missing_ok=True)
    prepare(cfg.data, folder)
    write_text(kept, asked)


def settings(cfg: Config) -> str:
    """data.* as SETTINGS has it."""
    return json.dumps(as_dict(cfg)["data"], indent=1) + "\n"


def short(name: str) -> str:
    """The first LONGEST bytes of `name`, whole characters."""
    return name.encode()[:LONGEST].decode(errors="ignore")


def _held_out(context: Context, i: int) -> Input:
    with_data(context)
    test = context.test
    if i >= len(test.images):
        last = len(test.images) - 1
        raise ValueError(f"{i}: the held-out images are 0 to {last} ({context.cfg.data.name})")
    label = None if test.labels is None else int(test.labels[i])
    return Input(f"{i}", f"image {i}", np.array(test.images[i]), label=label)


def _from_file(cfg: Config, path: Path) -> Input:
    from ddim.data.decode import ImageFile, decode, resize_and_crop
    from ddim.data.image_folder import FOLDER

    if not path.is_file():
        raise FileNotFoundError(
            f"{path} is no file: name an image, a held-out image by its number, or seed:<number>"
        )
    size, seen = cfg.data.image_size, []

    def shape(image: "Image.Image") -> "Image.Image":
        seen.append(image.size)
        return resize_and_crop(image, size, FOLDER)

    image = decode(ImageFile(str(path), path.read_bytes), shape, cfg.data.channels)
    (width, height), colour = seen[0], "grey" if cfg.data.channels == 1 else "RGB"
    how = "as it is" if (width, height) == (size, size) else "shorter side resized, centre cropped"
    print(f"{path}: {width}x{height} pixels, taken as {size}x{size} {colour} ({how})")
    name = re.sub(r"[^\w-]+", "-", path.stem).strip("-") or "image"
    return Input(short(name), path.stem[:20], image)

"""ddim own FOLDER [key=value ...] [--plan]: from a folder or zip of your own images to a report.

Looks at the images, says what it found and left out, which settings it chose and what they cost on
this machine, writes params.yaml and runs `dvc repro`, which reads the folder again whenever that
has changed. --plan stops before anything is written. Each folder has a report of its own, named
after it; name=... gives it another name.
"""

import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ddim.config import checks, folders, params, paths
from ddim.config.schema import Config, checked
from ddim.records.experiment import require_same_images
from ddim.runtime.cli import Parser, command
from ddim.runtime.errors import USER_ERRORS
from ddim.runtime.printable import printable

if TYPE_CHECKING:
    from ddim.commandline.survey import Survey

RECIPE = ("experiment=mnist", "data=image_folder")  # network, training and grid to start from
SIZES = (64, 32, 16)  # of images: the largest that they have and that is done within HOURS
HOURS = 6.0
FEWEST, FEWEST_HELD_OUT = 60, 20  # images that KID and the floor can be measured with
SEEN = 120_000  # images that the classifier is trained on, in at most EPOCHS
EPOCHS = 100
WIDTH = 11  # columns of the plan's names
Lines = Iterator[tuple[str, str]]


def main(arguments: Sequence[str]) -> int | None:
    """The command line of `ddim own`."""
    parser = Parser(prog="ddim own", description=__doc__)
    parser.add_argument("folder", help="a folder or a zip of images; class folders are optional")
    parser.add_argument("settings", nargs="*", metavar="key=value", help="as for `ddim compose`")
    parser.add_argument("--plan", action="store_true", help="stop before anything is written")
    options = parser.parse_intermixed_args(arguments)
    found = look(options.folder, options.settings)
    for name, text in in_words(found, options.folder):
        print(f"{name:<{WIDTH}}{text}", flush=True)
    overrides, cfg, seconds = choose(found, options.folder, options.settings)
    for name, text in _chosen(cfg, seconds, found):
        print(f"{name:<{WIDTH}}{text}", flush=True)
    if options.plan:
        return None
    params.write(overrides)
    return _repro()


def _repro() -> int:
    """`dvc repro` with this interpreter; its exit status."""
    return subprocess.run([sys.executable, "-m", "dvc", "repro"], check=False).returncode


def look(folder: str, settings: Sequence[str]) -> "Survey":
    """What the folder holds; at least FEWEST_HELD_OUT images are held out where that is chosen.

    Raises ValueError or FileNotFoundError for wrong settings, images that cannot be used or are too
    few, a name under which the report of another folder lies, and what cannot be watched.
    """
    from ddim.commandline.survey import survey

    cfg = _composed([*_start(folder, settings), *settings])
    require_same_images(cfg)
    found = survey(cfg.data)
    if cfg.data.watch != checks.NOTHING:
        _require_plain_files(Path(folder))
    n = found.train_n + found.test_n
    if n < FEWEST:
        raise ValueError(f"{folder} holds {n} images: a report takes at least {FEWEST}")
    if found.test_n < FEWEST_HELD_OUT and "data.held_out" not in _keys(settings):
        found = survey(replace(cfg.data, held_out=FEWEST_HELD_OUT / n))
    if found.test_n < FEWEST_HELD_OUT:
        held_out = f"{found.test_n} are held out for test, at least {FEWEST_HELD_OUT} are needed"
        raise ValueError(f"of the {n} images in {folder} {held_out} (data.held_out, or test/)")
    return found


def _require_plain_files(folder: Path) -> None:
    """Raise ValueError for an entry that is neither file nor folder: DVC hashes what it watches.

    It would wait for ever for a FIFO or a device, and sees no change behind a link to a folder.
    """
    for parent, names, files in os.walk(folder):
        for path in (Path(parent) / name for name in sorted([*names, *files])):
            mode = path.lstat().st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                kind = "a link" if stat.S_ISLNK(mode) else "a FIFO, socket or device"
                raise ValueError(
                    f"{printable(str(path))} is {kind}, which DVC would open whenever it looks "
                    "for changes: remove it, or add data.watch=out/config.ok (it does not look)"
                )


def choose(
    found: "Survey", folder: str, settings: Sequence[str]
) -> tuple[list[str], Config, float]:
    """The arguments for `ddim compose`; their configuration, and its seconds on this machine."""
    from ddim.commandline.costs import BATCH, Work, rate
    from ddim.runtime.device import torch_device

    start = _start(folder, settings)
    fixed = [*start, *_fitting(_composed([*start, *settings]), found, settings)]
    sizes = [size for size in SIZES if size <= found.shorter_side] or [SIZES[-1]]
    tries = [[f"data.image_size={size}"] for size in sizes]
    choice: tuple[list[str], Config, float] | None = None
    for one in [[]] if "data.image_size" in _keys(settings) else tries:
        overrides = [*fixed, *one, *settings]
        try:
            cfg = _composed(overrides)
        except USER_ERRORS as error:  # other settings of the user's do not go with this size
            wrong = error
            continue
        device = torch_device(cfg.trainer.accelerator)
        seconds = Work.of(cfg).total / rate(cfg.network, device, batch=BATCH)
        choice = (overrides, cfg, seconds)
        if seconds <= HOURS * 3600:
            break
    if choice is None:
        raise wrong
    return choice


def _start(folder: str, settings: Sequence[str]) -> list[str]:
    """The recipe, the folder, and the report's name after it."""
    quoted = "'" + folder.replace("'", "\\'") + "'"
    named = [] if "name" in _keys(settings) else [f"name={_name(Path(folder).resolve())}"]
    return [*RECIPE, f"data.root={quoted}", *named]


def _name(path: Path) -> str:
    """A name after the folder or zip that an experiment can have and the command line takes."""
    own = path.name if path.is_dir() else path.stem
    name = re.sub(r"[^A-Za-z0-9_]+", "-", own)[: folders.LONGEST_NAME].strip("-") or "images"
    try:
        folders.check_name(name)
    except ValueError:
        is_name = False
    else:
        is_name = name.lower() not in ("null", "true", "false")  # a value of Hydra's
    return name if is_name else f"images-{name}"[: folders.LONGEST_NAME]


def _keys(settings: Sequence[str]) -> set[str]:
    return {setting.partition("=")[0] for setting in settings}


def _composed(overrides: Sequence[str]) -> Config:
    return checked(params.from_conf(overrides))


def _fitting(cfg: Config, found: "Survey", settings: Sequence[str]) -> list[str]:
    """Settings that the images decide, but for those that the user has set."""
    epochs = max(cfg.features.epochs, min(EPOCHS, SEEN // found.train_n))
    values = {
        "data.channels": 1 if found.is_grey else 3,
        "data.held_out": found.held_out,
        "train.batch_size": min(cfg.train.batch_size, found.train_n),
        "features.epochs": epochs,
        "evaluate.kid_subset_size": min(cfg.evaluate.kid_subset_size, found.test_n // 2),
        "reconstruct.num_images": min(cfg.reconstruct.num_images, found.test_n),
        "analysis.num_images": min(cfg.analysis.num_images, found.test_n),
    }
    return [f"{key}={value}" for key, value in values.items() if key not in _keys(settings)]


# --- the plan in words ---------------------------------------------------------------------------


def in_words(found: "Survey", folder: str) -> Lines:
    """What was found: a name and a text a line."""
    classes = found.source.classes
    kinds = "no classes" if classes is None else f"{len(classes)} classes"
    n = found.train_n + found.test_n
    split = f"{found.train_n:,} to train on, {found.test_n:,} held out"
    yield "images", f"{n:,} in {folder}, {kinds}: {split}"
    yield "left out", found.source.preprocessing.get("left_out", "nothing")
    widths, heights = zip(*found.sizes, strict=True)
    spread = f"{min(widths)}x{min(heights)} to {max(widths)}x{max(heights)} pixels"
    colour = "grey" if found.is_grey else "colour"
    yield "looked at", f"{len(found.sizes)} of them: {spread}, {colour}"


def _chosen(cfg: Config, seconds: float, found: "Survey") -> Lines:
    from ddim.commandline.costs import Work
    from ddim.commandline.doctor import span

    size = cfg.data.image_size
    yield "taken as", f"{size}x{size}, shorter side resized, centre cropped"
    yield "features", _features(cfg, found)
    work = Work.of(cfg)
    parts = ("training", "sampling", "reconstruction")
    each = [f"{name} {span(seconds * getattr(work, name) / work.total)}" for name in parts]
    yield "cost here", f"about {span(seconds)}: {', '.join(each)}; features and analysis on top"
    yield "writes", f"params.yaml, {paths.out(cfg)}, {paths.reports(cfg)}"


def _features(cfg: Config, found: "Survey") -> str:
    if cfg.features.is_inception:
        return "Inception's"
    if found.source.classes is None:
        return "of a network that learns to tell turned images apart, as there are no classes"
    return f"of a classifier of the {len(found.source.classes)} classes"


if __name__ == "__main__":
    command(main)

"""What `--help` prints of a program whose arguments are settings: a stage, compose, track.

Its docstring, the settings most used with it, and the groups of conf/. Composes nothing, so it
answers at once.
"""

import sys
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path

from ddim.runtime.groups import our_groups

WIDTH = 80  # columns
HELP = ("-h", "--help")

# In a few words; ddim.config.schema and the comments in conf/ say more.
MEANINGS = {
    "name": "names the folders out/<name> and reports/<name>",
    "seed": "of training, features and measurement",
    "weights": "of a report, with all its settings: weights=digits",
    "data.root": "folder or zip of the images",
    "data.image_size": "pixels of a side",
    "data.channels": "1 (grey) or 3 (RGB)",
    "data.held_out": "share of the images kept for test, in [0, 1)",
    "data.flip": "random mirroring while training",
    "data.download": "fetch the set if data.root does not hold it",
    "data.note": "printed with every number",
    "train.steps": "of the optimizer",
    "train.batch_size": "over all devices together",
    "train.lr": "step size, after train.warmup steps",
    "train.lr_decay": "none, or cosine down to 0",
    "train.ema_decay": "of the averaged weights",
    "train.import_from": "published weights, instead of training",
    "trainer.accelerator": "auto, cpu, cuda or mps",
    "trainer.devices": "how many of them",
    "trainer.precision": "of training: 32-true or bf16-mixed",
    "features.name": "classifier (trained here) or inception",
    "features.epochs": "of the classifier",
    "features.weights": "a local file of Inception's",
    "features.batch_size": "images at a time",
    "sampler.trajectory": "linear, quadratic, quadratic-published or a list of steps",
    "sampler.scheduler": "a scheduler of diffusers instead, by its class name",
    "cell.steps": "S, how many of the T steps are taken",
    "cell.eta": "0.0 (DDIM) to 1.0 (DDPM), or hat",
    "cell.seed": "of the noise",
    "sample.num_images": "images of a cell",
    "sample.batch_size": "images at a time",
    "sample.precision": "of sampling: 32-true or bf16-mixed",
    "sweep.steps": "every S of the grid",
    "sweep.eta": "every eta of the grid",
    "sweep.seeds": "every seed of the grid",
    "evaluate.kid_subset_size": "images of a subset of KID",
    "evaluate.neighbours": "k of precision and recall",
    "evaluate.engine": "ours, torch-fidelity or torchmetrics",
    "reconstruct.steps": "every S of Table 2",
    "reconstruct.num_images": "held-out images that are encoded",
    "reconstruct.batch_size": "images at a time",
    "analysis.sections": "which sections there are",
    "analysis.section": "one of them, alone",
    "analysis.num_images": "held-out images behind every average",
    "analysis.num_shown": "images in every picture",
    "analysis.steps": "S of encoding and decoding",
    "analysis.edit.per_class": "training images behind each class's mean latent",
    "analysis.interpolate.points": "images from one end to the other",
    "logger.mode": "offline, online or disabled",
    "logger.project": "of W&B",
    "logger.entity": "of W&B; null: your own",
}

_CELL = ("cell.steps", "cell.eta", "cell.seed")
_LATENT = ("weights", "cell.steps", "sampler.trajectory", "trainer.accelerator", "name")
MOST_USED = {
    "data": ("name", *(key for key in MEANINGS if key.startswith("data."))),
    "features": ("name", *(key for key in MEANINGS if key.startswith("features."))),
    "train": (
        *("train.steps", "train.batch_size", "train.lr", "train.lr_decay", "train.ema_decay"),
        *("train.import_from", "trainer.accelerator", "trainer.devices", "trainer.precision"),
        "logger.mode",
    ),
    "reference": ("name", "sample.num_images", "evaluate.kid_subset_size", "evaluate.neighbours"),
    "sample": (
        *("weights", *_CELL, "sample.num_images", "sample.batch_size", "sample.precision"),
        *("sampler.trajectory", "sampler.scheduler", "trainer.accelerator"),
    ),
    "evaluate": (*_CELL, "evaluate.kid_subset_size", "evaluate.neighbours", "evaluate.engine"),
    "reconstruct": (
        *("cell.steps", "reconstruct.steps", "reconstruct.num_images", "reconstruct.batch_size"),
        *("sampler.trajectory", "trainer.accelerator"),
    ),
    "analysis": tuple(key for key in MEANINGS if key.startswith("analysis.")),
    "report": ("name",),
    "discrete": ("name", "seed", "trainer.accelerator"),
    "encode": _LATENT,
    "interpolate": (*_LATENT, "analysis.interpolate.points"),
    "edit": (*_LATENT, "analysis.edit.per_class", "data.root"),
    "compose": (
        *("name", "data.root", "train.steps", "sweep.steps", "sweep.eta", "sweep.seeds"),
        *("sample.num_images", "sampler.trajectory", "trainer.accelerator", "logger.mode"),
    ),
    "track": ("name", "logger.mode", "logger.project", "logger.entity"),
    "dashboard": ("name", "logger.project", "logger.entity"),
}

OPTIONS = {
    "-cn stage": "the settings of params.yaml, which the pipeline runs, not those of conf/",
    "-m": "a job for each of several values: -m cell.steps=10,20 cell.eta=0.0,hat",
    "--cfg job": "print the settings and run nothing",
    "--hydra-help": "the options of Hydra, which composes the settings",
}


def asked(arguments: Sequence[str]) -> bool:
    """Whether the command line asks for help."""
    return any(argument in HELP for argument in arguments)


def text(*, groups: bool = True, options: bool = True) -> str:
    """The help of the running program, no line above WIDTH columns.

    groups: whether it composes conf/. options: whether it takes Hydra's options, as a stage does.
    """
    main = sys.modules["__main__"]
    module = main.__spec__.name if main.__spec__ else Path(sys.argv[0]).stem
    program = module.rpartition(".")[2]
    usage = f"usage: ddim {program} [key=value ...]\n   or: python -m {module} [key=value ...]"
    parts = [usage, filled(main.__doc__)]
    keys = MOST_USED.get(program, ())
    parts.append(_table("settings most used here", {key: MEANINGS[key] for key in keys}))
    if groups:
        parts.append(_table("groups: group=name takes a file of conf/", _choices(Path("conf"))))
    if options:
        parts.append(_table("options", OPTIONS))
    return "\n\n".join(part for part in parts if part)


def _choices(conf: Path) -> dict[str, str]:
    """{group: its choices} of the folder `conf`."""
    return {group: ", ".join(names) for group, names in our_groups(conf).items()}


def filled(doc: str | None) -> str:
    """A docstring for the terminal, its paragraphs filled and its indented lines as they are."""
    paragraphs: Iterable[str] = textwrap.dedent(doc or "").strip().split("\n\n")
    return "\n\n".join(
        paragraph if "\n  " in f"\n{paragraph}" else textwrap.fill(paragraph, WIDTH - 1)
        for paragraph in paragraphs
    )


def _table(title: str, rows: dict[str, str]) -> str:
    """Names and their meanings, in two columns."""
    if not rows:
        return ""
    width = max(map(len, rows)) + 4
    lines = [
        textwrap.fill(
            f"  {name:<{width - 2}}{meaning}",
            WIDTH - 1,
            subsequent_indent=" " * width,
            break_on_hyphens=False,
        )
        for name, meaning in rows.items()
    ]
    return "\n".join([f"{title}:", *lines])

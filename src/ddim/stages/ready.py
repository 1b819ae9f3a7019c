"""What every stage that computes looks at before it starts: the machine, the prepared images.

What the settings alone can tell was refused when they were composed. The rest is known here: which
devices there are, what the memory and the disk hold, how many images were prepared. So a mistake
costs seconds, and not the training before it.
"""

import os
import shutil
from pathlib import Path

import numpy as np

from ddim.config import paths
from ddim.config.checks import CLASSIFIER
from ddim.config.pipeline import check_measured
from ddim.config.schema import Config
from ddim.records import prepared
from ddim.records.prepared import PreparedData
from ddim.runtime import device
from ddim.runtime.refusals import refuse_unless

_FLOAT = 4  # bytes of a float32


def ready(cfg: Config) -> None:
    """Raise ValueError, in one line, if this machine or the prepared images do not suffice."""
    device.require(cfg.trainer)
    room(cfg)
    if cfg.weights is None and (paths.data(cfg) / prepared.FILE).is_file():
        fits(cfg, prepared.read(paths.data(cfg)))


# --- the prepared images -------------------------------------------------------------------------


def fits(cfg: Config, data: PreparedData) -> None:
    """Raise ValueError for a setting that asks for other or more images than were prepared."""
    got = (data.name, data.image_size, data.channels)
    asked = (cfg.data.name, cfg.data.image_size, cfg.data.channels)
    if got != asked:
        raise ValueError(
            f"{paths.data(cfg)} holds {_words(*got)}, the settings data.* say {_words(*asked)}: "
            "run the stage data (`dvc repro data`)"
        )
    held_out, of = data.test_n, f"the {data.test_n} held-out images (data.held_out: how many)"
    for key, asked_for in _held_out(cfg).items():
        refuse_unless(asked_for <= held_out, key, f"at most {of}", asked_for)
    check_measured(cfg, held_out, of)
    check_measured(cfg, data.train_n, f"the {data.train_n} training images")
    if cfg.train.import_from is None:
        accepts = f"at most the {data.train_n} training images"
        size = cfg.train.batch_size
        refuse_unless(size <= data.train_n, "train.batch_size", accepts, size)


def _words(name: str, size: int, channels: int) -> str:
    return f"{name} of {channels}x{size}x{size}"


def _held_out(cfg: Config) -> dict[str, int]:
    """{key: how many held-out images it asks for}."""
    asked = {"reconstruct.num_images": cfg.reconstruct.num_images}
    if cfg.analysis.sections:
        asked["analysis.num_images"] = cfg.analysis.num_images
    return asked


def every_class_has_images(cfg: Config) -> None:
    """Raise ValueError if the section `edit` would have the mean latent of no image."""
    edits = "edit" in cfg.analysis.sections and cfg.features.name == CLASSIFIER
    if not edits:
        return
    labels = prepared.load(paths.data(cfg), "train").labels
    if labels is None:
        return
    classes = prepared.read(paths.data(cfg)).classes or ()
    counts = np.bincount(labels, minlength=len(classes))
    empty = [str(name) for name, n in zip(classes, counts, strict=False) if n == 0]
    if empty:
        raise ValueError(
            f"class {empty[0]} has no training image, and the section edit needs every class: give "
            "it some, or leave edit out of analysis.sections"
        )


def solvers_can_be_built(cfg: Config) -> None:
    """Raise ValueError for a row of analysis.solvers that diffusers refuses at one of its S.

    Options that do not go together, too few steps: only building the scheduler tells.
    """
    settings = cfg.analysis.solvers
    if "solvers" not in cfg.analysis.sections or not settings.rows:
        return
    from ddim import schedule
    from ddim.sampling.diffusers_schedulers import DiffusersSampler

    alpha_bar = schedule.alpha_bar(**vars(cfg.diffusion))
    for name, row in settings.rows.items():
        for S in settings.steps:
            try:
                DiffusersSampler(lambda x, _: x, alpha_bar, S, row.scheduler, row.options)
            except ValueError as error:
                raise ValueError(f"analysis.solvers.rows.{name}: {error}") from None


# --- the machine ---------------------------------------------------------------------------------


def room(cfg: Config) -> None:
    """Raise ValueError for settings that need more memory or disk than this machine has in all.

    What is compared is the least that they can need, with the whole of what there is: who is near
    the limit is not refused.
    """
    pixels = cfg.data.channels * cfg.data.image_size**2
    most = max(cfg.sample.counts)
    disk = shutil.disk_usage(Path.cwd()).total
    _require("sample.num_images", most, most * pixels, disk, "on this disk")
    memory = _memory()
    wide = cfg.model.channels * cfg.data.image_size**2 * _FLOAT  # the network's first level
    widest = cfg.model.channels * max(cfg.model.multipliers)
    world = cfg.trainer.devices * cfg.trainer.num_nodes
    for key, value, need in (
        ("model.channels", cfg.model.channels, 9 * widest**2 * _FLOAT),
        ("train.batch_size", cfg.train.batch_size, cfg.train.batch_size // world * wide),
        ("sample.batch_size", cfg.sample.batch_size, min(cfg.sample.batch_size, most) * wide),
        (
            "reconstruct.batch_size",
            cfg.reconstruct.batch_size,
            min(cfg.reconstruct.batch_size, cfg.reconstruct.num_images) * wide,
        ),
        ("analysis.num_images", cfg.analysis.num_images, cfg.analysis.num_images * pixels * _FLOAT),
    ):
        _require(key, value, need, memory, "of memory")


def _require(key: str, value: int, need: int, there: int, of_what: str) -> None:
    if need > there:
        raise ValueError(
            f"{key}={value} needs at least {need / 1e9:,.0f} GB; this machine has "
            f"{there / 1e9:,.0f} GB {of_what}"
        )


def _memory() -> int:
    """Bytes of this machine's memory; without a way to ask, more than any machine has."""
    if not hasattr(os, "sysconf"):  # Windows
        return 2**60
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")

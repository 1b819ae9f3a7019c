"""The hash of everything that determines a result: what lies under another one is computed again.

A resume folder is named by it, so that work that a killed run left behind can never be stale; a
record quotes it, so that a cell that is already there is not computed a second time. It covers the
configuration, the checksums of what is read, and the code (ddim.records.code).
"""

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping
from enum import Enum
from pathlib import Path
from typing import Any

from ddim.config import paths
from ddim.config.schema import Config
from ddim.records import code, features, prepared, reference_files
from ddim.records.base import Part
from ddim.records.cell import Sampled, Trajectory, Weights
from ddim.runtime import files

# Settings of `train` that move no weight.
_MOVES_NO_WEIGHT = ("log_every", "checkpoint_every", "sample_every", "validate_every")


def training(cfg: Config, train_sha256: str) -> str:
    """Of the weights that `cfg` trains on the images with checksum `train_sha256`."""
    recipe = dataclasses.asdict(cfg.train)
    for name in _MOVES_NO_WEIGHT:
        del recipe[name]
    if cfg.train.lr_decay == "none":  # a longer training goes on from a shorter one
        del recipe["steps"]
    trainer = cfg.trainer
    parts = {
        "train": recipe,
        "model": dataclasses.asdict(cfg.model),
        "diffusion": dataclasses.asdict(cfg.diffusion),
        "data": {"sha256": train_sha256, "flip": cfg.data.flip},
        "seed": cfg.seed,
        "precision": trainer.precision,
        "processes": trainer.devices * trainer.num_nodes,  # each draws its own noise
    }
    return fingerprint(parts, "ddim.training")


def sampling(cfg: Config, sampled: Mapping[str, Any]) -> str:
    """Of a cell's images; `sampled`: the fields of ddim.records.cell.Sampled that describe them."""
    return fingerprint({**sampled, "diffusion": vars(cfg.diffusion)}, "ddim.sampling")


def measurement(cfg: Config, sampled: Sampled, against: str) -> str:
    """Of the numbers of a cell's images; against: `reference`, which all cells share."""
    held_out = prepared.read(paths.data(cfg)).test_n
    parts = {
        "samples": sampled.sha256,
        "reference": against,
        "evaluate": vars(cfg.evaluate),
        "batch_size": cfg.features.batch_size,
        "subsets": [n for n in cfg.sample.counts_compared(held_out) if n < sampled.n],
        "seed": cfg.seed,
    }
    return fingerprint(parts, "ddim.evaluation")


def reference(cfg: Config) -> str:
    """Of what cells are measured against: the reference's files and the network of the features.

    They are read, once. Raises FileNotFoundError or ValueError as reference_files.read.
    """
    folder, source = paths.reference(cfg), reference_files.source_of(cfg)
    checksums = reference_files.read(folder, source).checksums(folder)
    return fingerprint({**checksums, "features": source.network})


def reconstruction(cfg: Config, trajectory: Trajectory, weights: Weights) -> str:
    """Of the error of encoding and decoding over `trajectory`."""
    parts = {
        "trajectory": trajectory,
        "num_images": cfg.reconstruct.num_images,
        "batch_size": cfg.reconstruct.batch_size,
        "test": prepared.read(paths.data(cfg)).files["test.npy"].sha256,
        "weights": weights,
        "diffusion": vars(cfg.diffusion),
    }
    return fingerprint(parts, "ddim.sampling", "ddim.evaluation")


def analysed(cfg: Config) -> dict[str, Any]:
    """Checksums of the files that sections of the analysis read, but for the sweep's.

    The network of the features counts by its record's checksum. None for what is not there: a
    section that needs it says so itself.
    """
    weights = paths.weights_file(cfg)
    return {
        "data": _if_there(lambda: prepared.read(paths.data(cfg)).files),
        "features": _if_there(lambda: features.read(paths.features(cfg)).sha256),
        "reference": _if_there(lambda: reference(cfg)),
        "weights": files.sha256(weights) if weights.is_file() else None,
    }


def section(
    cfg: Config, name: str, of_files: Mapping[str, Any], of_sweep: Mapping[str, Any]
) -> str:
    """Of the section `name` of the analysis.

    of_files: `analysed`, or nothing for one that reads records alone. of_sweep:
    ddim.records.section_inputs.of_sweep.
    """
    analysis = dataclasses.asdict(cfg.analysis)
    parts = {
        "analysis": {key: analysis[key] for key in ("num_images", "num_shown", "steps")},
        "own": analysis.get(name),
        "diffusion": vars(cfg.diffusion),
        "sampler": (cfg.sampler.trajectory, cfg.sampler.clip_x0),
        "files": of_files,
        "sweep": of_sweep,
    }
    return fingerprint(parts, "ddim.analysis")


def _if_there(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except FileNotFoundError:
        return None


def fingerprint(parts: Mapping[str, Any], *modules: str) -> str:
    """16 hex digits of the hash of `parts` (JSON-like) and of the code that `modules` depend on."""
    content = json.dumps(parts, sort_keys=True, default=_plain)
    digest = hashlib.sha256(f"{content} {code.checksum(*modules)}".encode())
    return digest.hexdigest()[:16]


def _plain(value: object) -> object:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Part):
        return {name: getattr(value, name) for name in value.__struct_fields__}
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"a fingerprint is of numbers, strings and lists, got {value!r}")

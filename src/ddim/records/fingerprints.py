"""Names for resume folders: the hash of everything that determines what lies inside.

Work that a killed run left behind is used again only under the same key, so it can never be stale:
an edit in the configuration, the data or the code that made it gives another folder.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any

from ddim.config import schema

TRAINING_CODE = (
    "batches", "callbacks", "images", "objective", "resume", "schedule", "stages/train",
    "training", "unet",
)  # fmt: skip
SAMPLING_CODE = (
    "cells", "device", "generation", "images", "noise", "sampler", "schedule", "schedulers",
    "spreading", "stages/sample", "unet", "weights",
)  # fmt: skip
MEASURING_CODE = (
    "cells", "classifier", "data", "device", "features", "foreign", "inception", "intervals",
    "metrics", "neighbours", "schedule", "stages/evaluate", "unet", "weights",
)  # fmt: skip
RECONSTRUCTING_CODE = (
    "cells", "data", "device", "images", "intervals", "metrics", "neighbours", "sampler",
    "schedule", "stages/reconstruct", "unet", "weights",
)  # fmt: skip


def training_key(cfg: schema.Config, train_sha256: str) -> str:
    """The key of the weights that `cfg` trains on the images with checksum `train_sha256`."""
    recipe = dataclasses.asdict(cfg.train)
    # These move no weight. Without `steps`, a longer training goes on from a shorter one.
    for name in ("steps", "log_every", "checkpoint_every", "sample_every", "validate_every"):
        del recipe[name]
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
    return key(parts, TRAINING_CODE)


def key(parts: Mapping[str, Any], code: Sequence[str]) -> str:
    """16 hex digits of the hash of `parts` (JSON-like) and of the source of ddim's modules `code`.

    A sampled cell passes everything that its images depend on (checksum of the weights, seed, tau,
    eta, clip_x0, sampler, precision) and SAMPLING_CODE.
    """
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True, default=_plain).encode())
    for module in sorted(code):
        digest.update((Path(__file__).parent.parent / f"{module}.py").read_bytes())
    return digest.hexdigest()[:16]


def _plain(value: object) -> object:
    if isinstance(value, Enum):
        return value.value
    raise TypeError(f"a key is made of numbers, strings and lists, got {value!r}")

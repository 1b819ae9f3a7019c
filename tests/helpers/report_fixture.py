"""A small, consistent, fabricated experiment for the report's tests. Never a real result.

`experiment(folder)` writes what the stages would leave in reports/<name> and returns the
configuration that goes with it.
"""

import contextlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ddim.config import schema

EMA, RAW = "e" * 64, "a" * 64


def config(*overrides: str) -> schema.Config:
    """The digits experiment as conf/ composes it, with overrides."""
    from ddim.config import params

    with contextlib.chdir(Path(__file__).parents[2]):
        return schema.checked(params.from_conf(list(overrides)))


def fid(steps: int, eta: Any) -> float:
    """A made-up FID with the paper's shape."""
    if eta == "hat":
        return 3.0 + 3600 / steps
    return 4.0 + 90 * (1 + 2.2 * float(eta) ** 2) / steps


def write_json(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def picture(path: Path, noise: float, seed: int, rows: int = 8) -> None:
    """A grid of 8x8 blobs on dark ground, the noisier the larger `noise`."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:8, :8]
    canvas = np.full((rows * 10 - 2, 8 * 10 - 2), 128.0)
    for i in range(rows * 8):
        centre, width = rng.uniform(2.5, 4.5, 2), rng.uniform(1.0, 2.2)
        blob = 255 * np.exp(-((y - centre[0]) ** 2 + (x - centre[1]) ** 2) / (2 * width**2))
        top, left = i // 8 * 10, i % 8 * 10
        canvas[top : top + 8, left : left + 8] = blob + 255 * noise * rng.standard_normal((8, 8))
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.clip(canvas, 0, 255).astype(np.uint8)).save(path)


def cell(folder: Path, name: str, key: dict[str, Any], value: float, **sampled: Any) -> None:
    """Both JSON files and the picture of one cell."""
    steps, n = key["steps"], 360
    write_json(
        folder / "cells" / f"{name}.json",
        {
            "cell": key,
            "n_generated": n,
            "n_reference": 1437,
            "n_paired": [n, 1437],
            "fid": value,
            "fid_interval": [0.94 * value, 1.06 * value],
            "kid": value / 2000,
            "kid_interval": [0.9 * value / 2000, 1.1 * value / 2000],
            "precision": 1 / (1 + value / 60),
            "recall": 1 / (1 + value / 40),
            "inception_score": None,
            "interval": "95 %, delta method over the generated images, reference held fixed",
            "samples_sha256": "5" * 64,
        },
    )
    made = {
        "cell": key,
        "n": n,
        "nfe": steps,
        "trajectory": {"spacing": "linear", "tau": list(range(1, steps + 1)), "repeats_dropped": 0},
        "clip_x0": key["eta"] == "hat",
        "weights": {"kind": "ema", "sha256": EMA, "trained_steps": 4000, "source": "trained here"},
        "precision": "32-true",
        "device": "cpu (2 threads)",
        "batch_size": 360,
        "seconds": 0.31 * steps,
        "seconds_per_image": 0.31 * steps / n,
        "revision": "3da4b30",
    }
    write_json(folder / "samples" / f"{name}.json", made | sampled)
    picture(folder / "samples" / f"{name}.png", min(1.0, value / 500), 0)


def protocol(folder: Path, **changes: Any) -> None:
    about: dict[str, Any] = {
        "data": {
            "name": "digits",
            "description": "scikit-learn's 1,797 scans of handwritten digits",
            "note": "",
            "train_n": 1437,
            "test_n": 360,
            "image_size": 8,
            "channels": 1,
            "train_sha256": "d" * 64,
        },
        "reference": {"split": "train", "n": 1437, "sha256": "f" * 64},
        "features": {
            "name": "classifier",
            "description": "64 features of a classifier trained here on the same data",
            "dim": 64,
            "sha256": "c" * 64,
            "test_accuracy": 0.981,
        },
        "floor": {
            "n": 360,
            "fid": 2.31,
            "fid_interval": [1.9, 2.8],
            "kid": 0.0004,
            "kid_interval": [0.0001, 0.0009],
            "precision": 0.97,
            "recall": 0.96,
            "what": "held-out real images against the reference",
        },
    }
    about["floors"] = [about["floor"]]
    write_json(folder / "protocol.json", about | changes)


def training(folder: Path) -> None:
    loss = [[s, 0.05 + 0.9 * 2.7 ** (-s / 300)] for s in range(20, 4001, 20)]
    write_json(
        folder / "train.json",
        {
            "steps": 4000,
            "batch_size": 128,
            "lr": 1e-3,
            "ema_decay": 0.999,
            "parameters": 159697,
            "seconds": 140.2,
            "loss": loss,
            "source": "trained here",
            "ema_sha256": EMA,
            "raw_sha256": RAW,
            "seed": 0,
            "precision": "32-true",
            "device": "cpu (2 threads)",
        },
    )


def imported(folder: Path, kind: str) -> None:
    """train.json and samples/*.json as weights of one kind from a published file leave them."""
    source, checksum = "imported from x.bin", {"ema": EMA, "raw": RAW}[kind]
    about = {"source": source, "weights": kind, "parameters": 159697, "loss": []}
    about |= {f"{kind}_sha256": checksum, "seed": 0, "revision": "3da4b30"}
    write_json(folder / "train.json", about)
    made_of = {"kind": kind, "sha256": checksum, "trained_steps": None, "source": source}
    for path in (*folder.glob("samples/*.json"), *folder.glob("reconstruct/*.json")):
        write_json(path, json.loads(path.read_text()) | {"weights": made_of})


def reconstruct(folder: Path, steps: int) -> None:
    error = 1.4 / steps**2
    write_json(
        folder / "reconstruct" / f"S{steps}.json",
        {
            "steps": steps,
            "n": 128,
            "error": error,
            "interval": [0.9 * error, 1.1 * error],
            "nfe": 2 * steps,
            "seconds": 0.1 * steps,
            "trajectory": {"spacing": "linear", "tau": [1], "repeats_dropped": 0},
            "scale": "[0,1]",
            "split": "test",
            "weights": {"kind": "ema", "sha256": EMA, "trained_steps": 4000, "source": ""},
        },
    )
    picture(folder / "reconstruct" / f"S{steps}.png", 0.0, 1, rows=2)


def section(folder: Path, name: str = "consistency", order: int = 3) -> None:
    """A section of the lecture with a picture, its numbers and a table."""
    home = folder / "lecture" / name
    write_json(
        home / "section.json",
        {
            "order": order,
            "title": "Consistency (Fig. 5)",
            "claim": "With η = 0 the latent alone decides what the image shows.",
            "finding": "At S = 50 an image is 0.021 from its S = 1000 self; with η = 1 it is 0.37.",
            "text": "Each column starts from **one** x_T.\n\nDistances are mean squared errors.",
            "figures": [
                {
                    "file": "grid.png",
                    "caption": "Rows: steps.",
                    "alt": "A grid of images.",
                    "data": "distances.csv",
                }
            ],
            "tables": [
                {
                    "title": "Distance to the S = 1000 image",
                    "columns": ["η", "S = 10", "S = 50"],
                    "rows": [["0.0", 0.11, 0.0213], ["1.0", 0.41, 0.37]],
                }
            ],
            "numbers": {"distance": 0.0213},
        },
    )
    picture(home / "grid.png", 0.05, 2, rows=5)
    (home / "distances.csv").write_text("S,distance\n10,0.11\n50,0.0213\n")


def experiment(folder: Path, cfg: schema.Config | None = None) -> schema.Config:
    """Everything that the configured report reads, under `folder` (reports/<name>)."""
    cfg = cfg or config()
    protocol(folder)
    training(folder)
    for seed in cfg.sweep.seeds:
        for eta in cfg.sweep.eta:
            for steps in cfg.sweep.steps:
                key = {"steps": steps, "eta": str(eta), "seed": seed, "sampler": "ddim"}
                value = fid(steps, eta) * (1 + 0.02 * seed)
                cell(folder, f"S{steps}_eta{eta}_seed{seed}", key, value)
    for steps in cfg.reconstruct.steps:
        reconstruct(folder, steps)
    return cfg

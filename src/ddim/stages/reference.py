"""Stage `reference`: what every cell is measured against, and the floor of that measurement.

The reference is the whole training split. The floor is what real, held-out images score at the
same number of images: no sampler can be expected to fall below it.
"""

import shutil
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from ddim.config import paths
from ddim.config.schema import Config
from ddim.runtime import files
from ddim.runtime.cli import stage

if TYPE_CHECKING:
    from ddim.evaluation.measure import CellEvaluator


def run(cfg: Config) -> None:
    """Extract both splits' features, keep the reference's, and report the protocol."""
    from ddim.evaluation.features import extract, load_extractor
    from ddim.evaluation.measure import CellEvaluator
    from ddim.evaluation.reference import FEATURES, Reference
    from ddim.records.arrays import load
    from ddim.runtime.device import torch_device
    from ddim.runtime.progress import track

    device = torch_device(cfg.trainer.accelerator)
    extractor = load_extractor(cfg.features, paths.features(cfg), device)
    train, test = (load(paths.data(cfg), split).images for split in ("train", "test"))
    folder, shape = paths.reference(cfg), (len(train), extractor.num_features)
    size = cfg.features.batch_size
    shutil.rmtree(folder, ignore_errors=True)  # a killed run must not leave files of two
    with files.scratch(paths.WORK, (len(test), shape[1]), np.float32) as held_out:
        with track(len(train) + len(test), "reference features") as advance:
            with files.array(folder / FEATURES, shape, np.float32) as real:
                extract(extractor, train, size, device, advance, out=real)
            extract(extractor, test, size, device, advance, out=held_out)
        reference = Reference.of(real, neighbours=cfg.evaluate.neighbours, device=device)
        reference.save(folder)
        evaluator = CellEvaluator(
            extractor,
            reference,
            cfg.evaluate,
            seed=cfg.seed,
            batch_size=size,
            device=device,
            work=paths.WORK,
        )
        _report(cfg, len(train), lambda n: _floor(held_out, n, evaluator))


def _floor(held_out: np.ndarray, n: int, evaluator: "CellEvaluator") -> dict[str, Any]:
    """What n held-out images, or all there are, score against the reference."""
    used = min(n, len(held_out))
    fewer = "" if used == n else f" ({used}: there are no more)"
    what = f"held-out real images against the reference{fewer}"
    return {"n": used, "what": what, **asdict(evaluator.measure_features(held_out[:used]))}


def _report(cfg: Config, n: int, floor: Callable[[int], dict[str, Any]]) -> None:
    """protocol.json: data, reference, features, and the floor at every number of images."""
    counts = sorted({cfg.sample.num_images, *cfg.sample.num_images_at.values()}, reverse=True)
    about = files.read_json(paths.data(cfg) / "about.json")
    floors = {count: floor(count) for count in counts}
    files.write_json(
        paths.reports(cfg) / "protocol.json",
        {
            "data": about,
            "reference": {
                "split": "train",
                "n": n,
                "sha256": about["files"]["train.npy"]["sha256"],
            },
            "features": files.read_json(paths.features(cfg) / "about.json"),
            "floor": floors[cfg.sample.num_images],
            "floors": list(floors.values()),
        },
    )


if __name__ == "__main__":
    stage(run)

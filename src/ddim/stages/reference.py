"""Stage `reference`: what every cell is measured against, and the floor of that measurement.

The reference is the whole training split. The floor is what real, held-out images score at the
same number of images: no sampler can be expected to fall below it.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from ddim import files, paths
from ddim.schema import Config
from ddim.stages.entry import stage


def run(cfg: Config) -> None:
    """Extract both splits' features, keep the reference's, and report the protocol."""
    from ddim import features, metrics
    from ddim.data import load
    from ddim.device import torch_device
    from ddim.neighbours import radii, some
    from ddim.progress import track

    device = torch_device(cfg.trainer.accelerator)
    extractor = features.load_extractor(cfg.features, paths.features(cfg), device)
    train, test = (load(paths.data(cfg), split).images for split in ("train", "test"))
    folder, shape = paths.reference(cfg), (len(train), extractor.num_features)
    with track(len(train) + len(test), "reference features") as advance:
        how = (cfg.features.batch_size, device, advance)
        with files.replacing(folder / "train.npy") as temporary:
            real = np.lib.format.open_memmap(temporary, "w+", np.float32, shape)
            features.extract(extractor, train, *how, out=real)
            real.flush()
        held_out = features.extract(extractor, test, *how)
    statistics = metrics.Reference.of(real)
    statistics.save(folder / "statistics.npz")
    reach = radii(some(real), cfg.evaluate.neighbours, device)
    with files.replacing(folder / "radii.npy") as temporary, temporary.open("wb") as file:
        np.save(file, reach)
    given = {"statistics": statistics, "radii": reach, "device": device}
    _report(cfg, len(train), lambda n: _floor(cfg, held_out, n, real, given))


def _floor(
    cfg: Config, held_out: np.ndarray, n: int, real: np.ndarray, given: dict[str, Any]
) -> dict[str, Any]:
    """What n held-out images, or all there are, score against the reference."""
    from ddim import metrics

    used = min(n, len(held_out))
    fewer = "" if used == n else f" ({used}: there are no more)"
    what = f"held-out real images against the reference{fewer}"
    measured = metrics.measure(held_out[:used], real, cfg.evaluate, seed=cfg.seed, **given)
    return {"n": used, "what": what, **measured}


def _report(cfg: Config, n: int, floor: Callable[[int], dict[str, Any]]) -> None:
    """protocol.json: data, reference, features, and the floor at every number of images."""
    counts = sorted({cfg.sample.n, *cfg.sample.n_at.values()}, reverse=True)
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
            "floor": floors[cfg.sample.n],
            "floors": list(floors.values()),
        },
    )


if __name__ == "__main__":
    stage(run)

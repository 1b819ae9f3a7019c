"""Stage `reference`: what every cell is measured against, and the floor of that measurement.

The reference is the whole training split. The floor is what real, held-out images score at the
same number of images: no sampler can be expected to fall below it.
"""

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
    from ddim.neighbours import radii
    from ddim.progress import track

    device = torch_device(cfg.trainer.accelerator)
    extractor = features.load_extractor(cfg.features, paths.features(cfg), device)
    train, test = (load(paths.data(cfg), split).images for split in ("train", "test"))
    with track(len(train) + len(test), "reference features") as advance:
        real, held_out = (
            features.extract(extractor, images, cfg.features.batch_size, device, advance)
            for images in (train, test)
        )
    folder = paths.reference(cfg)
    statistics = metrics.Reference.of(real)
    statistics.save(folder / "statistics.npz")
    reach = radii(real, cfg.evaluate.neighbours, device)
    for name, array in (("train", real), ("radii", reach)):
        with files.replacing(folder / f"{name}.npy") as temporary, temporary.open("wb") as file:
            np.save(file, array)

    def floor(n: int) -> dict[str, Any]:
        used = min(n, len(held_out))
        fewer = "" if used == n else f" ({used}: there are no more)"
        what = f"held-out real images against the reference{fewer}"
        measured = metrics.measure(
            held_out[:used],
            real,
            cfg.evaluate,
            seed=cfg.seed,
            statistics=statistics,
            radii=reach,
            device=device,
        )
        return {"n": used, "what": what, **measured}

    counts = sorted({cfg.sample.n, *cfg.sample.n_at.values()}, reverse=True)
    about = files.read_json(paths.data(cfg) / "about.json")
    described = files.read_json(paths.features(cfg) / "about.json")
    files.write_json(
        paths.reports(cfg) / "protocol.json",
        {
            "data": about,
            "reference": {
                "split": "train",
                "n": len(train),
                "sha256": about["files"]["train.npy"]["sha256"],
            },
            "features": described,
            "floor": floor(cfg.sample.n),
            "floors": [floor(n) for n in counts],
        },
    )


if __name__ == "__main__":
    stage(run)

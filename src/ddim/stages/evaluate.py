"""Stage `evaluate`: FID, KID, precision and recall of one cell, each with its interval."""

from functools import partial

import numpy as np

from ddim.config import paths
from ddim.config.schema import Config
from ddim.records import cells
from ddim.runtime import files
from ddim.runtime.cli import stage


def run(cfg: Config) -> None:
    """Measure the configured cell's images against the reference."""
    from ddim.evaluation import features, metrics
    from ddim.runtime.device import torch_device
    from ddim.runtime.progress import track

    path = paths.samples(cfg) / "samples.npy"
    name = paths.cell_name(cfg.cell, cfg.sampler.scheduler)
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: run the stage sample for this cell first")
    samples_sha256 = files.sha256(path)
    key = cells.measurement_key(cfg, samples_sha256)
    if cells.measured(cfg, key):
        print(f"{name}: already measured")
        return
    images = np.load(path, mmap_mode="r")
    device = torch_device(cfg.trainer.accelerator)
    extractor = features.load_extractor(cfg.features, paths.features(cfg), device)
    # The Inception score is defined by Inception's classes; other classifiers have no such score.
    inception = cfg.features.name == "inception"
    folder, size = paths.reference(cfg), cfg.features.batch_size
    with files.scratch(paths.WORK, (len(images), extractor.num_features), np.float32) as found:
        with track(len(images), f"{name} features") as advance:
            features.extract(extractor, images, size, device, advance, out=found)
        measured = metrics.measure(
            found,
            np.load(folder / "train.npy", mmap_mode="r"),
            cfg.evaluate,
            seed=cfg.seed,
            statistics=metrics.Reference.load(folder / "statistics.npz"),
            radii=np.load(folder / "radii.npy"),
            head=partial(features.logits, extractor, device=device) if inception else None,
            device=device,
        )
    report = {"cell": cells.identity(cfg), **measured, "key": key, "samples_sha256": samples_sha256}
    files.write_json(paths.cell_report(cfg), report)
    print(f"{name}: FID {report['fid']:.2f}, KID {report['kid']:.4f}")


if __name__ == "__main__":
    stage(run)

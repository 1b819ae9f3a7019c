"""Stage `evaluate`: FID, KID, precision and recall of one cell, each with its interval."""

from dataclasses import asdict

import numpy as np

from ddim.config import paths
from ddim.config.schema import Config
from ddim.records import cells
from ddim.runtime import files
from ddim.runtime.cli import stage


def run(cfg: Config) -> None:
    """Measure the configured cell's images against the reference."""
    from ddim.evaluation.features import load_extractor
    from ddim.evaluation.measure import CellEvaluator
    from ddim.evaluation.reference import Reference
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
    evaluator = CellEvaluator(
        load_extractor(cfg.features, paths.features(cfg), device),
        Reference.load(paths.reference(cfg), neighbours=cfg.evaluate.neighbours),
        cfg.evaluate,
        seed=cfg.seed,
        batch_size=cfg.features.batch_size,
        device=device,
        work=paths.WORK,
    )
    with track(len(images), name) as advance:
        measured = asdict(evaluator.measure(images, advance))
    report = {"cell": cells.identity(cfg), **measured, "key": key, "samples_sha256": samples_sha256}
    files.write_json(paths.cell_report(cfg), report)
    print(f"{name}: FID {report['fid']:.2f}, KID {report['kid']:.4f}")


if __name__ == "__main__":
    stage(run)

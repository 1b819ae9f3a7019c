"""Stage `reference`: what every cell is measured against, and the floor of that measurement.

The reference is the whole training split. The floor is what real, held-out images score at the
same number of images: no sampler can be expected to fall below it.
"""

from ddim.config import paths
from ddim.config.schema import Config
from ddim.records import features, prepared
from ddim.records.reference import Reference
from ddim.runtime.cli import stage
from ddim.runtime.lock import exclusive
from ddim.stages.ready import ready


def run(cfg: Config) -> None:
    """Extract both splits' features, keep the reference's, and record the floors."""
    with exclusive(paths.lock(cfg, "reference"), f"the reference of {cfg.name}"):
        _write(cfg)


def _write(cfg: Config) -> None:
    from ddim.evaluation.features import load_extractor
    from ddim.evaluation.floor import SPLIT, write_reference
    from ddim.runtime.device import torch_device

    device = torch_device(cfg.trainer.accelerator)
    extractor = load_extractor(cfg.features, paths.features(cfg), device)
    train, test = (
        prepared.load(paths.data(cfg), split, cfg.image_shape).images for split in ("train", "test")
    )
    floors = write_reference(cfg, extractor, train, test, device)
    data = prepared.read(paths.data(cfg))
    Reference(
        data=data,
        features=features.read(paths.features(cfg)),
        split=SPLIT,
        n=len(train),
        sha256=data.train_sha256,
        floors=floors,
    ).write(paths.reference_record(cfg))


if __name__ == "__main__":
    stage(run, ready=ready)

"""Stage `train`: the one network, as `out/<name>/train/{ema,raw}.safetensors`.

Trained by Lightning, or imported from published weights (train.import_from), of which there is
only the one set that train.import_weights names.
"""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddim.config import paths
from ddim.config.schema import Config
from ddim.records.training import Recipe, Training
from ddim.runtime import files
from ddim.runtime.cli import stage
from ddim.runtime.lock import exclusive
from ddim.stages.ready import ready

if TYPE_CHECKING:
    from ddim.training.fit import TrainingSetup
    from ddim.unet import UNet

MAX_PUBLISHED = 5_000_000  # bytes of weights that a repository of reports can hold
TRAINED_HERE = "trained here"  # the source of the weights, as records and files quote it


def run(cfg: Config) -> None:
    """Export the weights and record how they came about."""
    if cfg.train.import_from is not None:
        with exclusive(paths.lock(cfg, "train"), f"the weights of {cfg.name}"):
            _import(cfg)
        return
    from ddim.runtime.lightning import is_global_zero
    from ddim.training import from_config

    network, setup = from_config.new_network(cfg), from_config.setup(cfg)
    with _alone(cfg, setup.work):
        _train(cfg, network, setup)
        if is_global_zero():
            _export(cfg, network, setup)


@contextmanager
def _alone(cfg: Config, work: Path) -> Iterator[None]:
    """Nobody else trains in `work`, which experiments share, or exports weights of this one.

    The first of several processes holds the locks for all of them. It cannot wait: the others would
    go on without it.
    """
    from ddim.runtime.lightning import is_global_zero

    if not is_global_zero():
        yield
        return
    what, wait = f"the training of {cfg.name}", cfg.trainer.devices * cfg.trainer.num_nodes == 1
    with (
        exclusive(paths.lock(cfg, "train"), what, wait=wait),
        exclusive(paths.work_lock(work), what, wait=wait),
    ):
        yield


def _train(cfg: Config, network: "UNet", setup: "TrainingSetup") -> None:
    """Train `network` and show how it goes."""
    from ddim.records.prepared import load
    from ddim.tracking.training_logger import training_logger
    from ddim.tracking.training_progress import training_callbacks
    from ddim.training.fit import fit

    images, held_out = (
        load(paths.data(cfg), split, cfg.image_shape).images for split in ("train", "test")
    )
    with training_logger(cfg, setup.work.name) as logger:
        callbacks = training_callbacks(cfg, logging=logger is not None)
        fit(network, images, setup, held_out=held_out, logger=logger, callbacks=callbacks)


def _export(cfg: Config, network: "UNet", setup: "TrainingSetup") -> None:
    """Export both weight sets of the finished training, and record it."""
    from ddim.records.timing import Timing
    from ddim.training.fit import load_result

    result = load_result(setup.work)
    for kind, state in (("ema", result.ema), ("raw", result.raw)):
        network.load_state_dict(state)
        _save(cfg, network, kind, {"trained_steps": result.steps, "source": TRAINED_HERE})
    recipe = Recipe(
        steps=result.steps,
        batch_size=cfg.train.batch_size,
        lr=cfg.train.lr,
        ema_decay=cfg.train.ema_decay,
        flip=cfg.data.flip,
        precision=cfg.trainer.precision,
        lr_decay=cfg.train.lr_decay,
    )
    _record(cfg, network, TRAINED_HERE, recipe, result.loss)
    timing = Timing.now(cfg.trainer, result.seconds, result.steps)
    timing.write(paths.timing(cfg, "train"))


def _import(cfg: Config) -> None:
    """Published weights, exported under the kind that they are said to be."""
    from ddim.interop.published import import_published

    train = cfg.train
    assert train.import_from is not None
    kind = train.import_weights.value
    if cfg.sample.weights.value != kind:
        raise ValueError(
            f"sample.weights is {cfg.sample.weights.value}, but train.import_weights says that "
            f"the published weights are {kind}: set sample.weights={kind}"
        )
    network = import_published(
        train.import_from,
        sha256=train.import_sha256,
        arguments=cfg.network,
        kind=kind,
        cache=paths.DOWNLOADED_WEIGHTS,
    )
    source = f"imported from {Path(train.import_from).name}"
    _save(cfg, network, kind, {"trained_steps": None, "source": source})
    _record(cfg, network, source, None, ())


def _save(cfg: Config, network: "UNet", kind: str, info: dict[str, Any]) -> None:
    """Write out/<name>/train/<kind>.safetensors; info: trained_steps and source."""
    from ddim import weights

    metadata = {"data": cfg.data.name, "diffusion": vars(cfg.diffusion), "seed": cfg.seed}
    path = paths.weights(cfg) / f"{kind}.safetensors"
    weights.save(path, network, kind=kind, info=info | metadata)
    if kind == cfg.sample.weights.value:
        _publish(path, paths.reports(cfg) / path.name)


def _publish(path: Path, place: Path) -> None:
    """Put small weights beside their report, so that a clone can sample without training."""
    if path.stat().st_size > MAX_PUBLISHED:
        place.unlink(missing_ok=True)
        return
    with files.replacing(place) as temporary:
        shutil.copyfile(path, temporary)


def _record(
    cfg: Config,
    network: "UNet",
    source: str,
    recipe: Recipe | None,
    loss: Sequence[tuple[int, float]],
) -> None:
    """Write the record of the weights that lie in out/<name>/train."""
    exported = sorted(paths.weights(cfg).glob("*.safetensors"))
    Training(
        source=source,
        parameters=sum(p.numel() for p in network.parameters()),
        seed=cfg.seed,
        recipe=recipe,
        sha256={path.stem: files.sha256(path) for path in exported},
        loss=tuple((int(step), float(value)) for step, value in loss),
    ).write(paths.training_record(cfg))


if __name__ == "__main__":
    stage(run, ready=ready)

"""Stage `train`: the one network, as out/<name>/train/{ema,raw}.safetensors.

Trained by Lightning, or imported from published weights (train.import_from), of which there is
only the one set that train.import_weights names.
"""

from pathlib import Path
from typing import Any

from ddim.config import paths
from ddim.config.schema import Config, as_dict
from ddim.records import fingerprints
from ddim.runtime import files, git
from ddim.runtime.cli import stage


def run(cfg: Config) -> None:
    """Export the weights and report how they came about."""
    if cfg.train.import_from is not None:
        _write_report(cfg, _import(cfg))
        return
    network = _network(cfg)
    work = _train(cfg, network)

    from ddim.runtime.lightning import is_global_zero

    if is_global_zero():
        _write_report(cfg, _export_trained(cfg, network, work))


def _write_report(cfg: Config, report: dict[str, Any]) -> None:
    for path in sorted(paths.weights(cfg).glob("*.safetensors")):
        report[f"{path.stem}_sha256"] = files.sha256(path)
    report |= {"seed": cfg.seed, "revision": git.revision()}
    files.write_json(paths.reports(cfg) / "train.json", report)


def _network(cfg: Config) -> Any:
    """The configured U-Net, its initial weights a function of the seed."""
    import torch

    from ddim.unet import UNet

    torch.manual_seed(cfg.seed)
    return UNet(**cfg.network)


def _train(cfg: Config, network: Any) -> Path:
    """Train `network`; the folder that holds the result."""
    from ddim import schedule
    from ddim.records.arrays import load
    from ddim.tracking.callbacks import training_callbacks
    from ddim.tracking.run import training_run
    from ddim.training.fit import TrainingSetup, fit

    about = files.read_json(paths.data(cfg) / "about.json")
    key = fingerprints.training_key(cfg, about["files"]["train.npy"]["sha256"])
    setup = TrainingSetup(
        alpha_bar=schedule.alpha_bar(**vars(cfg.diffusion)),
        train=cfg.train,
        trainer=cfg.trainer,
        flip=cfg.data.flip,
        seed=cfg.seed,
        work=paths.WORK / f"train-{key}",
    )
    with training_run(
        cfg.logger,
        name="train",
        group=cfg.name,
        folder=paths.out(cfg),
        config=as_dict(cfg),
    ) as logger:
        fit(
            network,
            load(paths.data(cfg), "train").images,
            setup,
            held_out=load(paths.data(cfg), "test").images,
            logger=logger,
            callbacks=training_callbacks(cfg, logging=logger is not None),
        )
    return setup.work


def _export_trained(cfg: Config, network: Any, work: Path) -> dict[str, Any]:
    """Both weight sets of the finished training in `work`, exported through `network`."""
    from ddim.runtime.device import torch_device
    from ddim.training.fit import load_result

    result = load_result(work)
    for kind, state in (("ema", result.ema), ("raw", result.raw)):
        network.load_state_dict(state)
        _export(cfg, network, kind, {"trained_steps": result.steps, "source": "trained here"})
    return {
        "source": "trained here",
        "steps": result.steps,
        "batch_size": cfg.train.batch_size,
        "lr": cfg.train.lr,
        "ema_decay": cfg.train.ema_decay,
        "flip": cfg.data.flip,
        "parameters": sum(p.numel() for p in network.parameters()),
        "seconds": round(result.seconds, 1),
        "loss": result.loss,
        "precision": cfg.trainer.precision,
        "device": str(torch_device(cfg.trainer.accelerator)),
    }


def _import(cfg: Config) -> dict[str, Any]:
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
    _export(cfg, network, kind, {"trained_steps": None, "source": source})
    parameters = sum(p.numel() for p in network.parameters())
    return {"source": source, "weights": kind, "parameters": parameters, "loss": []}


def _export(cfg: Config, network: Any, kind: str, info: dict[str, Any]) -> None:
    from ddim import weights

    path = paths.weights(cfg) / f"{kind}.safetensors"
    info |= {"data": cfg.data.name, "diffusion": vars(cfg.diffusion), "seed": cfg.seed}
    weights.save(path, network, kind=kind, info=info)


if __name__ == "__main__":
    stage(run)

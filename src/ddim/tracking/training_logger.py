"""What takes the curves and previews of a training: W&B, or another of Lightning's loggers.

`logger=csv`, `logger=tensorboard` and `logger=mlflow` choose it; a package that is missing is named
before anything is computed. W&B has a module of its own, `training_run`.
"""

import importlib.util
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddim.config import paths
from ddim.config.schema import Config, LoggerKind, as_dict
from ddim.runtime.errors import one_line
from ddim.runtime.lightning import is_global_zero
from ddim.runtime.overrides import flat
from ddim.tracking.training_run import training_run
from ddim.tracking.wandb_setup import relative

if TYPE_CHECKING:
    from PIL.Image import Image
    from pytorch_lightning.loggers import Logger

TRAINING, REPORT = "training", "report"  # names of an experiment's two runs


@contextmanager
def training_logger(cfg: Config, key: str) -> "Iterator[Logger | None]":
    """The configured logger for ddim.training.fit.fit; None for logger=disabled.

    The line after the training says where its curves are. `key` names the training (its folder's
    name). Raises ValueError for a package that is not installed, OSError where MLflow fails, and as
    training_run does.
    """
    if cfg.logger.kind is LoggerKind.wandb:
        with training_run(cfg, key) as run:
            yield run
        return
    with mlflow_in_one_line(cfg):
        logger = open_logger(cfg, TRAINING)
        try:
            if is_global_zero():
                log_settings(cfg, logger)
            yield logger
        except BaseException:
            logger.finalize("failed")
            raise
        logger.finalize("success")
    if is_global_zero():
        print(f"curves of the training: {where(cfg, logger)}", flush=True)


@contextmanager
def mlflow_in_one_line(cfg: Config) -> Iterator[None]:
    """An error of MLflow as an OSError that names the server; mlflow is not imported for it."""
    try:
        yield
    except Exception as error:
        mlflow: Any = sys.modules.get("mlflow.exceptions")
        if mlflow is None or not isinstance(error, mlflow.MlflowException):
            raise
        raise OSError(
            f"MLflow cannot be reached or refuses ({one_line(error)}): "
            f"logger.server={cfg.logger.server or 'null'}"
        ) from None


def open_logger(cfg: Config, run: str) -> "Logger":
    """Lightning's CSV, TensorBoard or MLflow logger for one of an experiment's two runs."""
    require_package(cfg.logger.kind)
    from pytorch_lightning import loggers

    out, kind = paths.out(cfg), cfg.logger.kind.value
    if cfg.logger.kind is LoggerKind.csv:  # each start has a folder: a file is never replaced
        return loggers.CSVLogger(out, name=kind, flush_logs_every_n_steps=1)
    if cfg.logger.kind is LoggerKind.tensorboard:  # one folder: what goes on adds to the curves
        return loggers.TensorBoardLogger(out, name=kind, version=run, default_hp_metric=False)
    folder = (out / kind).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    return loggers.MLFlowLogger(
        experiment_name=cfg.logger.project,
        run_name=f"{cfg.name}: {run}",
        tracking_uri=cfg.logger.server or f"sqlite:///{folder / 'runs.db'}",
        tags={"experiment": cfg.name, "job": run, "data": cfg.data.name}
        | dict.fromkeys(cfg.logger.tags, "true"),
        artifact_location=None if cfg.logger.server else (folder / "artifacts").as_uri(),
    )


def log_settings(cfg: Config, logger: "Logger") -> None:
    """The whole configuration, key by key where the logger takes no nested one (MLflow)."""
    nested = as_dict(cfg)
    if cfg.logger.kind is LoggerKind.mlflow:
        logger.log_hyperparams({accepted(key): value for key, value in flat(nested).items()})
    else:
        logger.log_hyperparams(nested)


def accepted(name: str) -> str:
    """A name as MLflow takes it."""
    return re.sub(r"[^\w. :/-]", "_", name)


def require_package(kind: LoggerKind) -> None:
    """Raise ValueError, naming the extra to install, where a logger's package is missing."""
    extra = kind.value
    if kind is not LoggerKind.csv and importlib.util.find_spec(extra) is None:
        raise ValueError(
            f"logger.kind is {extra}, but its package is not installed: pip install 'ddim[{extra}]'"
        )


def where(cfg: Config, logger: "Logger") -> str:
    """Where a logger's files are, and what shows them."""
    if cfg.logger.kind is LoggerKind.mlflow:
        uri = cfg.logger.server or f"sqlite:///{relative(paths.out(cfg).absolute())}/mlflow/runs.db"
        return f"{uri} (`mlflow ui --backend-store-uri {uri}` shows them)"
    assert logger.log_dir is not None
    folder = relative(Path(logger.log_dir).absolute())
    if cfg.logger.kind is LoggerKind.tensorboard:
        return f"{folder} (`tensorboard --logdir {folder.parent}` shows them)"
    return f"{folder / 'metrics.csv'}"


def log_picture(logger: "Logger", key: str, picture: "Image", step: int) -> None:
    """Hand a picture to a logger; beside its table where it takes none (CSV)."""
    import numpy as np

    taker: Any = logger  # each of them has its own way
    match type(logger).__name__:
        case "WandbLogger":
            taker.log_image(key, [picture], step=step)
        case "TensorBoardLogger":
            pixels = np.asarray(picture.convert("RGB"))
            taker.experiment.add_image(key, pixels, step, dataformats="HWC")
        case "MLFlowLogger":
            image = picture.convert("RGB")
            taker.experiment.log_image(taker.run_id, image, key=key, step=step)
        case "CSVLogger":
            path = Path(taker.log_dir) / key / f"{step:07}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            picture.save(path)
        case other:
            raise TypeError(f"no picture can be given to {other}")

"""The weights beside a report: which file, of which configuration, and that it is the report's.

`weights=NAME` on a command line is a report's name, its folder, or a weights file in that folder or
in `out/<name>/train`. The report's experiment.json has the settings, its train.json the checksum.
"""

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ddim.config import paths
from ddim.config.schema import Accelerator, Config, Trainer, as_dict
from ddim.records import commands
from ddim.records.base import refuse
from ddim.records.experiment import Experiment
from ddim.records.training import Training
from ddim.runtime import files

REPORTS = Path("reports")
KINDS = ("ema", "raw")
NUM_IMAGES = 20  # of a cell, where nothing else is said: enough to look at
SUFFIX = "-weights"  # of the name that such a run's files lie under, apart from the experiment's


@dataclass(frozen=True)
class Published:
    """Weights and the report that they belong to."""

    file: Path
    report: Path  # `reports/<name>`
    cfg: Config  # the report's own


def names() -> list[str]:
    """The reports that have their weights beside them."""
    return sorted({path.parent.name for path in REPORTS.glob("*/*.safetensors")})


def find(weights: str) -> Published:
    """The weights that `weights` names (see above), their checksum compared with the report's.

    Raises FileNotFoundError, or ValueError for a file that is not the one that train.json is of.
    """
    report, file = _places(weights)
    there = any(report.glob("*.safetensors")) if file is None else file.is_file()
    if not there:
        raise FileNotFoundError(f"weights={weights}: no weights lie in {report}; {_there()}")
    cfg = _configuration(report / "experiment.json")
    if file is None:
        file = report / f"{cfg.sample.weights.value}.safetensors"
        if not file.is_file():
            other = next(report.glob("*.safetensors"))
            raise FileNotFoundError(
                f"weights={weights}: {file}, the kind that the report's sample.weights names, is "
                f"missing: name the file that is there, weights={other}"
            )
    expected = Training.read(report / "train.json", commands.TRAIN).sha256.get(file.stem)
    if expected is None or files.sha256(file) != expected:
        raise ValueError(
            f"weights={weights}: {file} is not the file that {report}/train.json is of: restore "
            f"it with `git checkout {report}`, or train again"
        )
    return Published(file, report, cfg)


def _configuration(path: Path) -> Config:
    experiment = Experiment.read(path, commands.CONFIG)
    try:
        return experiment.cfg
    except ValueError as error:
        refuse(path, str(error), commands.CONFIG)


def report_of(weights: str) -> Path | None:
    """The report that `weights` names, or in whose folder the file lies; None if there is none."""
    try:
        report, _ = _places(weights)
    except FileNotFoundError:
        return None
    return report


def require(cfg: Config) -> None:
    """Raise FileNotFoundError, with the ways out, if the weights that `cfg` uses are not there."""
    file = paths.weights_file(cfg)
    if not file.is_file():
        there = " or ".join(f"weights={name}" for name in names())
        instead = f", or take a report's: {there}" if there else ""
        raise FileNotFoundError(
            f"there is no weights file {file}: train first (dvc repro){instead}"
        )


def settings(weights: str) -> dict[str, Any]:
    """The settings of a run by hand on these weights: the report's, on whatever device there is.

    A cell has NUM_IMAGES images at every S.
    """
    published = find(weights)
    cfg = published.cfg
    size = min(cfg.sample.batch_size, NUM_IMAGES)
    trainer = Trainer(Accelerator.auto, 1, 1, "auto", cfg.trainer.precision, compile=False)
    content = as_dict(cfg)
    content["name"] = f"{cfg.name}{SUFFIX}"
    content["weights"] = published.file.as_posix()
    content["trainer"] = {**vars(trainer), "accelerator": trainer.accelerator.value}
    content["sample"] |= {"num_images": NUM_IMAGES, "num_images_at": {}, "batch_size": size}
    content["sample"]["weights"] = published.file.stem
    return content


def _places(weights: str) -> tuple[Path, Path | None]:
    """(the report's folder, the file if it is named); FileNotFoundError if there is neither."""
    path = Path(weights)
    if path.suffix == ".safetensors":
        trained = path.parent.name == "train" and path.parent.parent.parent.name == "out"
        report = REPORTS / path.parent.parent.name if trained else path.parent
        if not (report / "experiment.json").is_file() or path.stem not in KINDS:
            raise FileNotFoundError(
                f"weights={weights}: it must be ema.safetensors or raw.safetensors of a report, "
                "with experiment.json and train.json beside it; import any other file with "
                "train.import_from"
            )
        return report, path
    for report in (path, REPORTS / weights):
        if (report / "experiment.json").is_file():
            return report, None
    near = difflib.get_close_matches(weights, names(), n=1)
    hint = f"did you mean weights={near[0]}? " if near else ""
    raise FileNotFoundError(f"weights={weights} is no report; {hint}{_there()}")


def _there() -> str:
    there = names()
    return f"with weights there are {', '.join(there)}" if there else "no report has weights here"

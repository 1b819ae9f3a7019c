"""The grid of the configuration -> the numbers that the stages left in reports/<name>/.

The grid is read from the configuration, never from the folder: a cell that left the grid is
ignored, a cell that is missing is an error that names it and the command that makes it.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ddim import schedule
from ddim.config import paths, schema
from ddim.config.schema import Config

Interval = tuple[float, float]


@dataclass(frozen=True)
class Key:
    """One cell: S, eta (a number as text, or 'hat') and seed."""

    steps: int
    eta: str
    seed: int

    @property
    def name(self) -> str:
        """The cell's file name without its ending."""
        eta = self.eta if self.eta == schedule.HAT else float(self.eta)
        return paths.cell_name(schema.Cell(self.steps, eta, self.seed))

    @property
    def overrides(self) -> str:
        """The Hydra overrides that select this cell."""
        return f"cell.steps={self.steps} cell.eta={self.eta} cell.seed={self.seed}"


@dataclass(frozen=True)
class Measured:
    """What stage `evaluate` found."""

    fid: float
    fid_interval: Interval
    kid: float
    kid_interval: Interval
    precision: float
    recall: float
    inception_score: float | None
    n_generated: int
    n_reference: int
    n_paired: tuple[int, ...]  # images of either side behind precision and recall
    interval: str  # how the intervals were made


@dataclass(frozen=True)
class Sampled:
    """How stage `sample` made the images."""

    nfe: int
    spacing: str
    repeats_dropped: int
    clip_x0: bool
    kind: str  # of the weights: ema or raw
    weights_sha256: str
    trained_steps: int | None  # None: imported
    source: str
    precision: str
    device: str
    seconds: float
    seconds_per_image: float
    revision: str
    picture: Path


@dataclass(frozen=True)
class Cell:
    """One cell's numbers and the record of how its images were made."""

    key: Key
    measured: Measured
    sampled: Sampled


@dataclass(frozen=True)
class Reconstructed:
    """One column of Table 2."""

    steps: int
    n: int
    error: float
    interval: Interval
    nfe: int
    seconds: float
    spacing: str
    scale: str
    split: str
    kind: str  # of the weights: ema or raw
    picture: Path


@dataclass(frozen=True)
class Section:
    """One section of the lecture, as its stage wrote it."""

    name: str
    folder: Path
    order: int
    title: str
    claim: str
    finding: str
    text: str
    figures: tuple[dict[str, str], ...]
    tables: tuple[dict[str, Any], ...]
    numbers: dict[str, float]


@dataclass(frozen=True)
class Results:
    """Everything the report shows."""

    cfg: Config
    folder: Path
    protocol: dict[str, Any]
    training: dict[str, Any]
    cells: dict[Key, Cell]
    reconstruct: dict[int, Reconstructed]
    sections: tuple[Section, ...]

    @property
    def steps(self) -> list[int]:
        """The grid's S."""
        return list(self.cfg.sweep.steps)

    @property
    def etas(self) -> list[str]:
        """The grid's eta, as text."""
        return [paths.eta_name(eta) for eta in self.cfg.sweep.eta]

    @property
    def seeds(self) -> list[int]:
        """The grid's seeds."""
        return list(self.cfg.sweep.seeds)

    def first_seed(self, steps: int, eta: str) -> Cell:
        """The cell that pictures are taken from."""
        return self.cells[Key(steps, eta, self.seeds[0])]


class Record:
    """A JSON file whose missing and broken keys are reported with the file's name."""

    def __init__(self, path: Path, made_by: str) -> None:
        self.path = path
        self.made_by = made_by
        if not path.is_file():
            raise FileNotFoundError(f"{path} is missing: make it with `{made_by}`")
        try:
            self.data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{path} is no JSON ({error}): make it with `{made_by}`") from None

    def get(self, dotted: str) -> Any:
        """The value at 'a.b'; ValueError names file and key."""
        value: Any = self.data
        for part in dotted.split("."):
            if not isinstance(value, dict) or part not in value:
                raise ValueError(
                    f"{self.path} has no key {dotted!r}: make it with `{self.made_by}`"
                )
            value = value[part]
        return value

    def number(self, dotted: str) -> float:
        """A finite number."""
        value = self.get(dotted)
        ok = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if not ok:
            raise ValueError(f"{self.path}: {dotted} must be a finite number, got {value!r}")
        return float(value)

    def interval(self, dotted: str) -> Interval:
        """[low, high] with low <= high."""
        value = self.get(dotted)
        try:
            low, high = map(float, value)
        except (TypeError, ValueError):
            low, high = math.nan, math.nan
        if not low <= high:
            raise ValueError(f"{self.path}: {dotted} must be [low, high], got {value!r}")
        return low, high


def load(cfg: Config, folder: Path, *, sections: Sequence[str] = ()) -> Results:
    """Read every number that `cfg` asks for from `folder` (reports/<name>).

    sections: names of the lecture's sections.
    FileNotFoundError names a missing file and the command that makes it; ValueError a broken one.
    """
    run = "python -m ddim.stages."
    protocol = Record(folder / "protocol.json", run + "reference")
    training = Record(folder / "train.json", run + "train")
    grid = [
        Key(steps, paths.eta_name(eta), seed)
        for eta in cfg.sweep.eta
        for steps in cfg.sweep.steps
        for seed in cfg.sweep.seeds
    ]
    results = Results(
        cfg=cfg,
        folder=folder,
        protocol=_checked_protocol(protocol),
        training=_checked_training(training, cfg.sample.weights.value),
        cells={key: _cell(folder, key) for key in grid},
        reconstruct={steps: _reconstructed(folder, steps) for steps in cfg.reconstruct.steps},
        sections=tuple(sorted((_section(folder, s) for s in sections), key=lambda s: s.order)),
    )
    _same_weights(results)
    return results


def _checked_protocol(record: Record) -> dict[str, Any]:
    for key in ("data.name", "data.description", "data.note", "data.train_n", "data.train_sha256"):
        record.get(key)
    for key in ("reference.split", "reference.n", "reference.sha256"):
        record.get(key)
    for key in ("features.name", "features.description", "features.dim", "features.sha256"):
        record.get(key)
    for key in ("n", "fid", "kid", "precision", "recall"):
        record.number(f"floor.{key}")
    for key in ("fid_interval", "kid_interval"):
        record.interval(f"floor.{key}")
    record.get("floors")  # one for every n of the grid
    return record.data


def _checked_training(record: Record, kind: str) -> dict[str, Any]:
    """Imported weights are of one kind only, and have no steps, batch size or seconds."""
    record.number("parameters")
    for key in ("loss", "source", f"{kind}_sha256"):
        record.get(key)
    return record.data


def _cell(folder: Path, key: Key) -> Cell:
    evaluate = f"python -m ddim.stages.evaluate {key.overrides}"
    sample = f"python -m ddim.stages.sample {key.overrides}"
    measured = Record(folder / "cells" / f"{key.name}.json", evaluate)
    sampled = Record(folder / "samples" / f"{key.name}.json", sample)
    picture = _picture(folder / "samples" / f"{key.name}.png", sample)
    for record in (measured, sampled):
        _same_cell(record, key)
    return Cell(key, _measured(measured), _sampled(sampled, picture))


def _picture(path: Path, made_by: str) -> Path:
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: make it with `{made_by}`")
    return path


def _same_cell(record: Record, key: Key) -> None:
    """The file says the same cell as its name; otherwise it was renamed or copied by hand."""
    got = (record.get("cell.steps"), str(record.get("cell.eta")), record.get("cell.seed"))
    want = (key.steps, key.eta, key.seed)
    sampler = record.get("cell.sampler")
    if got != want or sampler != "ddim":
        raise ValueError(
            f"{record.path} describes another cell ({sampler}, S, eta, seed = {got}): "
            f"make it with `{record.made_by}`"
        )


def _measured(record: Record) -> Measured:
    score = record.get("inception_score")
    return Measured(
        fid=record.number("fid"),
        fid_interval=record.interval("fid_interval"),
        kid=record.number("kid"),
        kid_interval=record.interval("kid_interval"),
        precision=record.number("precision"),
        recall=record.number("recall"),
        inception_score=None if score is None else record.number("inception_score"),
        n_generated=int(record.number("n_generated")),
        n_reference=int(record.number("n_reference")),
        n_paired=tuple(map(int, record.get("n_paired"))),
        interval=str(record.get("interval")),
    )


def _sampled(record: Record, picture: Path) -> Sampled:
    return Sampled(
        nfe=int(record.number("nfe")),
        spacing=str(record.get("trajectory.spacing")),
        repeats_dropped=int(record.number("trajectory.repeats_dropped")),
        clip_x0=bool(record.get("clip_x0")),
        kind=str(record.get("weights.kind")),
        weights_sha256=str(record.get("weights.sha256")),
        trained_steps=record.get("weights.trained_steps"),
        source=str(record.get("weights.source")),
        precision=str(record.get("precision")),
        device=str(record.get("device")),
        seconds=record.number("seconds"),
        seconds_per_image=record.number("seconds_per_image"),
        revision=str(record.get("revision")),
        picture=picture,
    )


def _reconstructed(folder: Path, steps: int) -> Reconstructed:
    made_by = f"python -m ddim.stages.reconstruct cell.steps={steps}"
    record = Record(folder / "reconstruct" / f"S{steps}.json", made_by)
    if record.get("steps") != steps:
        raise ValueError(f"{record.path} describes another S: make it with `{made_by}`")
    return Reconstructed(
        steps=steps,
        n=int(record.number("n")),
        error=record.number("error"),
        interval=record.interval("interval"),
        nfe=int(record.number("nfe")),
        seconds=record.number("seconds"),
        spacing=str(record.get("trajectory.spacing")),
        scale=str(record.get("scale")),
        split=str(record.get("split")),
        kind=str(record.get("weights.kind")),
        picture=_picture(folder / "reconstruct" / f"S{steps}.png", made_by),
    )


def _section(folder: Path, name: str) -> Section:
    made_by = f"python -m ddim.stages.{name}"
    home = folder / "lecture" / name
    record = Record(home / "section.json", made_by)
    figures = tuple(record.get("figures"))
    for figure in figures:
        for file in (figure["file"], figure.get("data")):
            if file:
                _picture(home / file, made_by)
    return Section(
        name=name,
        folder=home,
        order=int(record.number("order")),
        title=str(record.get("title")),
        claim=str(record.get("claim")),
        finding=str(record.get("finding")),
        text=str(record.get("text")),
        figures=figures,
        tables=tuple(record.data.get("tables", ())),
        numbers=dict(record.get("numbers")),
    )


def _same_weights(results: Results) -> None:
    """All cells come from the weights that train.json describes; a mixed table is an error."""
    kind = results.cfg.sample.weights.value
    expected = results.training[f"{kind}_sha256"]
    for cell in results.cells.values():
        made = cell.sampled
        if (made.kind, made.weights_sha256) != (kind, expected):
            raise ValueError(
                f"samples/{cell.key.name}.json was made with other weights "
                f"({made.kind} {made.weights_sha256[:12]}) than sample.weights and train.json "
                f"say ({kind} {expected[:12]}): "
                f"run `python -m ddim.stages.sample {cell.key.overrides}` and "
                f"`python -m ddim.stages.evaluate {cell.key.overrides}` again"
            )

"""A small, consistent, fabricated experiment for the report's tests. Never a real result.

`experiment(folder)` writes the records and pictures that the stages leave in reports/<name>;
`changed` and `edit` change fields of a record, in memory and in its file.
"""

import contextlib
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np
from PIL import Image

from ddim.config import params, schema
from ddim.records.base import Part, Record
from ddim.records.cell import Cell, CellKey, Measured, Sampled, Trajectory, Weights
from ddim.records.experiment import Experiment
from ddim.records.features import FeatureSpace
from ddim.records.prepared import PreparedData, Preprocessing
from ddim.records.reconstruction import Reconstruction
from ddim.records.reference import Floor, Reference
from ddim.records.results import grid
from ddim.records.section import Figure, Section, Table
from ddim.records.timing import Timing
from ddim.records.training import Recipe, Training

P = TypeVar("P", bound=Part)

# Overrides of a report of four cells.
SMALL = (
    "sweep.steps=[10,100]",
    "sweep.eta=[0.0,hat]",
    "reconstruct.steps=[10,100]",
    "analysis.sections=[]",
)
EMA, RAW = "e" * 64, "a" * 64
N = 360  # generated images of a cell
WEIGHTS = Weights(kind="ema", sha256=EMA, trained_steps=4000, source="trained here")


def config(*overrides: str) -> schema.Config:
    """The digits experiment as conf/ composes it, but N images a cell, with overrides."""
    digits = not any(override.startswith("experiment=") for override in overrides)
    own = (f"sample.num_images={N}", f"sample.num_images_at={{1000: {N}}}") if digits else ()
    with contextlib.chdir(Path(__file__).parents[2]):
        return schema.checked(params.from_conf([*own, *overrides]))


def fid(steps: int, eta: Any) -> float:
    """A made-up FID with the paper's shape."""
    if eta == "hat":
        return 3.0 + 3600 / steps
    return 4.0 + 90 * (1 + 2.2 * float(eta) ** 2) / steps


def experiment(folder: Path, cfg: schema.Config | None = None) -> schema.Config:
    """Everything that the configured report reads, under `folder` (reports/<name>)."""
    cfg = cfg or config()
    record = Experiment(name=cfg.name, compose=("experiment=digits",), config=schema.as_dict(cfg))
    record.write(folder / "experiment.json")
    reference().write(folder / "reference.json")
    training().write(folder / "train.json")
    timing(4000, 140.2).write(folder / "timings" / "train.json")
    for key in grid(cfg):
        write_cell(folder, cell(key))
        timing(N, 0.31 * key.steps).write(folder / "timings" / f"{key.name}.json")
    for steps in cfg.reconstruct.steps:
        reconstruction(steps).write(folder / "reconstruct" / f"S{steps}.json")
        picture(folder / "reconstruct" / f"S{steps}.png", 0.0, 1, rows=2)
    for order, name in enumerate(cfg.analysis.sections):
        section(folder, name, order)
    return cfg


# --- records -------------------------------------------------------------------------------------


def measured(value: float, n: int = N) -> Measured:
    """The numbers of a cell whose FID is `value`."""
    return Measured(
        n_generated=n,
        n_reference=1437,
        n_paired=(n, 1437),
        fid=value,
        fid_interval=(0.94 * value, 1.06 * value),
        kid=value / 2000,
        kid_interval=(0.9 * value / 2000, 1.1 * value / 2000),
        precision=1 / (1 + value / 60),
        recall=1 / (1 + value / 40),
        inception_score=None,
        engine="ours",
        interval="95 %, delta method over the generated images, reference held fixed",
    )


def cell(key: CellKey) -> Cell:
    """One cell; a later seed's FID is larger by 2 %."""
    sampled = Sampled(
        cell=key,
        n=N,
        nfe=key.steps,
        batch_size=360,
        precision="32-true",
        weights=WEIGHTS,
        trajectory=trajectory(key.steps),
        clip_x0=key.eta == "hat",
        sha256="5" * 64,
        fingerprint="0" * 16,
    )
    value = fid(key.steps, key.eta) * (1 + 0.02 * key.seed)
    return Cell(sampled=sampled, measured=measured(value), fingerprint="1" * 16)


def write_cell(folder: Path, record: Cell) -> None:
    """A cell and its picture."""
    path = folder / "cells" / f"{record.key.name}.json"
    record.write(path)
    picture(path.with_suffix(".png"), min(1.0, record.measured.fid / 500), 0)


def trajectory(steps: int) -> Trajectory:
    return Trajectory(spacing="linear", tau=tuple(range(1, steps + 1)), repeats_dropped=0)


def reference() -> Reference:
    floor = msgspec.structs.replace(
        measured(2.31), kid=0.0004, kid_interval=(0.0001, 0.0009), precision=0.97, recall=0.96
    )
    what = "held-out real images against the reference"
    return Reference(
        data=data(),
        features=FeatureSpace(
            name="classifier",
            description="64 features of a classifier trained here on the same data",
            dim=64,
            sha256="c" * 64,
            test_accuracy=0.981,
        ),
        split="train",
        n=1437,
        sha256="f" * 64,
        floors=(Floor(n_asked=N, what=what, measured=floor),),
    )


def data() -> PreparedData:
    return PreparedData(
        name="digits",
        description="scikit-learn's 1,797 scans of handwritten digits",
        note="",
        image_size=8,
        channels=1,
        train_n=1437,
        test_n=360,
        train_sha256="d" * 64,
        classes=None,
        preprocessing=Preprocessing(),
        files={},
    )


def training() -> Training:
    return Training(
        source="trained here",
        parameters=159697,
        seed=0,
        recipe=Recipe(
            steps=4000, batch_size=128, lr=1e-3, ema_decay=0.999, flip=False, precision="32-true"
        ),
        sha256={"ema": EMA, "raw": RAW},
        loss=tuple((s, 0.05 + 0.9 * 2.7 ** (-s / 300)) for s in range(20, 4001, 20)),
    )


def timing(images: int, seconds: float, **changes: Any) -> Timing:
    record = Timing(
        seconds=seconds,
        images=images,
        processes=1,
        device="cpu (2 threads)",
        date="2026-11-20T10:11:12+00:00",
        revision="3da4b30",
    )
    return msgspec.structs.replace(record, **changes)


def reconstruction(steps: int) -> Reconstruction:
    mse = 1.4 / steps**2
    return Reconstruction(
        steps=steps,
        n=128,
        split="test",
        mse=mse,
        interval=(0.9 * mse, 1.1 * mse),
        scale="[0,1]",
        nfe=2 * steps,
        trajectory=trajectory(steps),
        precision="32-true",
        weights=WEIGHTS,
        fingerprint="2" * 16,
    )


def section(folder: Path, name: str = "consistency", order: int = 3) -> None:
    """A section of the analysis with a picture, its numbers and a table."""
    figure = Figure(
        file="grid.png", data="distances.csv", caption="Rows: steps.", alt="A grid of images."
    )
    table = Table(
        title="Distance to the S = 1000 image",
        columns=("η", "S = 10", "S = 50"),
        rows=(("0.0", 0.11, 0.0213), ("1.0", 0.41, 0.37)),
    )
    record = Section(
        name=name,
        order=order,
        title="Consistency (Fig. 5)",
        claim="With η = 0 the latent alone decides what the image shows.",
        finding="At S = 50 an image is 0.021 from its S = 1000 self; with η = 1 it is 0.37.",
        text="Each column starts from **one** x_T.\n\nDistances are mean squared errors.",
        numbers={"distance": 0.0213},
        figures=(figure,),
        tables=(table,),
    )
    home = folder / "analysis" / name
    record.write(home / "section.json")
    picture(home / "grid.png", 0.05, 2, rows=5)
    (home / "distances.csv").write_text("S,distance\n10,0.11\n50,0.0213\n")


def imported(folder: Path, kind: str) -> None:
    """The records as weights of one kind, from a published file, leave them."""
    checksum = {"ema": EMA, "raw": RAW}[kind]
    edit(Training, folder / "train.json", source="imported from x.bin", recipe=None, loss=())
    edit(Training, folder / "train.json", sha256={kind: checksum})
    (folder / "timings" / "train.json").unlink()
    weights = Weights(kind=kind, sha256=checksum, trained_steps=None, source="imported from x.bin")
    for path in folder.glob("cells/*.json"):
        edit(Cell, path, sampled__weights=weights)
    for path in folder.glob("reconstruct/*.json"):
        edit(Reconstruction, path, weights=weights)


# --- changes -------------------------------------------------------------------------------------


def changed(part: P, **changes: Any) -> P:
    """`part` with other fields; sampled__weights__sha256 is one of a part inside it."""
    fields: dict[str, Any] = {}
    inner: dict[str, dict[str, Any]] = {}
    for name, value in changes.items():
        first, _, rest = name.partition("__")
        if rest:
            inner.setdefault(first, {})[rest] = value
        else:
            fields[first] = value
    for name, values in inner.items():
        fields[name] = changed(getattr(part, name), **values)
    return msgspec.structs.replace(part, **fields)


def edit(kind: type[Record], path: Path, **changes: Any) -> None:
    """Change fields of the record in a file."""
    changed(kind.read(path, "the fixture"), **changes).write(path)


# --- pictures ------------------------------------------------------------------------------------


def picture(path: Path, noise: float, seed: int, rows: int = 8) -> None:
    """A grid of 8x8 blobs on dark ground, the noisier the larger `noise`."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:8, :8]
    canvas = np.full((rows * 10 - 2, 8 * 10 - 2), 128.0)
    for i in range(rows * 8):
        centre, width = rng.uniform(2.5, 4.5, 2), rng.uniform(1.0, 2.2)
        blob = 255 * np.exp(-((y - centre[0]) ** 2 + (x - centre[1]) ** 2) / (2 * width**2))
        top, left = i // 8 * 10, i % 8 * 10
        canvas[top : top + 8, left : left + 8] = blob + 255 * noise * rng.standard_normal((8, 8))
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.clip(canvas, 0, 255).astype(np.uint8)).save(path)

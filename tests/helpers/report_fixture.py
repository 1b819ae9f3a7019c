"""A small, consistent, fabricated experiment for the report's tests. Never a real result.

`experiment(folder)` writes the records and pictures that the stages leave in reports/<name>;
`changed` and `edit` change fields of a record, in memory and in its file; `with_fid` gives a whole
experiment other FIDs.
"""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np

from ddim.config import params, schema
from ddim.evaluation import intervals
from ddim.plotting.grids import cell_picture, pairs_picture, save_png
from ddim.records.base import Part, Record
from ddim.records.cell import Cell, CellKey, Measured, Sampled, Subset, Trajectory, Weights
from ddim.records.covariances import Covariance, Covariances
from ddim.records.experiment import Experiment
from ddim.records.features import FeatureSpace
from ddim.records.prepared import PreparedData, Preprocessing
from ddim.records.reconstruction import Reconstruction
from ddim.records.reference import Floor, Reference
from ddim.records.results import Results, grid
from ddim.records.section import Figure, Section, Table
from ddim.records.timing import Timing
from ddim.records.training import Recipe, Training
from ddim.records.verdict import Verdict, Word

P = TypeVar("P", bound=Part)

# Overrides of a report of four cells.
SMALL = (
    "sweep.steps=[10,100]",
    "sweep.eta=[0.0,hat]",
    "reconstruct.steps=[10,100]",
    "analysis.sections=[]",
)
EMA, RAW = "e" * 64, "a" * 64
N = 360  # generated images of a cell, and held-out ones
FEW = ("sample.num_images=2000", "sample.num_images_at={1000: 250}")  # other n at S = 1000
CORRELATION = 0.9  # of the errors of two cells of one seed
SECTIONS = "analysis.sections=[speed,invert,sigma,consistency,path,interpolate,edit,family,ode]"
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
    cells = {key: cell(key, cfg.sample) for key in grid(cfg)}
    covariances(cells).write(folder / "covariances.json")
    for key, one in cells.items():
        write_cell(folder, one)
        timing(N, 0.31 * key.steps).write(folder / "timings" / f"{key.name}.json")
    for steps in cfg.reconstruct.steps:
        reconstruction(steps).write(folder / "reconstruct" / f"S{steps}.json")
        decoded = blobs(8, 2 / steps, 1)
        save_png(folder / "reconstruct" / f"S{steps}.png", pairs_picture(blobs(8, 0, 1), decoded))
    for order, name in enumerate(cfg.analysis.sections):
        section(folder, name, order)
    return cfg


# --- records -------------------------------------------------------------------------------------


def measured(value: float, n: int = N, counts: Sequence[int] = (), half: float = 0.06) -> Measured:
    """The numbers of a cell whose FID is `value`, and those of its first images for `counts`.

    half: that of FID's interval, as a share of it. FID falls with n.
    """
    few = (Subset(n=k, **_fid_and_kid(value * (1 + 40 / k - 40 / n), half)) for k in counts)
    precision, recall = 1 / (1 + value / 60), 1 / (1 + value / 40)
    return Measured(
        n_generated=n,
        n_reference=1437,
        n_paired=(n, 1437),
        fid_infinite=0.9 * value if n > 300 else None,
        **_fid_and_kid(value, half),
        precision=precision,
        precision_interval=(precision - 0.02, precision + 0.02),
        recall=recall,
        recall_interval=(recall - 0.02, recall + 0.02),
        inception_score=None,
        engine="ours",
        interval="95 %, delta method over the generated images, reference held fixed",
        subsets=tuple(few),
    )


def _fid_and_kid(value: float, half: float) -> dict[str, Any]:
    """KID is FID / 2000, its interval wider."""
    return {
        "fid": value,
        "fid_interval": ((1 - half) * value, (1 + half) * value),
        "kid": value / 2000,
        "kid_interval": ((1 - 1.5 * half) * value / 2000, (1 + 1.5 * half) * value / 2000),
    }


def cell(key: CellKey, sample: schema.Sample | None = None) -> Cell:
    """One cell; a later seed's FID is larger by 2 %."""
    n = N if sample is None else sample.num_images_at.get(key.steps, sample.num_images)
    counts = [] if sample is None else [k for k in sample.counts_compared(N) if k < n]
    sampled = Sampled(
        cell=key,
        n=n,
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
    return Cell(sampled=sampled, measured=measured(value, n, counts), fingerprint="1" * 16)


def covariances(cells: Mapping[CellKey, Cell]) -> Covariances:
    """Of FID and KID at every n: the cells' own errors, with CORRELATION inside a seed."""
    matrices = []
    for seed in {key.seed for key in cells}:
        names = [key.name for key in cells if key.seed == seed]
        numbers = [cells[key].measured for key in cells if key.seed == seed]
        for measure in ("fid", "kid"):
            for n in sorted({n for one in numbers for n in _errors(one, measure)}):
                having = {
                    name: _errors(one, measure)[n]
                    for name, one in zip(names, numbers, strict=True)
                    if n in _errors(one, measure)
                }
                matrices.append(_matrix(measure, n, seed, having))
    fingerprints = {key.name: record.fingerprint for key, record in cells.items()}
    return Covariances(cells=fingerprints, matrices=tuple(matrices))


def _errors(one: Measured, measure: str) -> dict[int, float]:
    """The standard errors of a cell's number by n."""
    return {
        n: intervals.standard_error(getattr(part, measure), getattr(part, f"{measure}_interval")[1])
        for n, part in [(one.n_generated, one), *((subset.n, subset) for subset in one.subsets)]
    }


def _matrix(measure: str, n: int, seed: int, errors: Mapping[str, float]) -> Covariance:
    values = list(errors.values())
    upper = tuple(
        tuple(
            (1.0 if i == j else CORRELATION) * values[i] * values[j] for j in range(i, len(values))
        )
        for i in range(len(values))
    )
    return Covariance(measure, n, seed, tuple(errors), upper)


def with_fid(
    results: Results, values: Mapping[tuple[int, str], float], half: float = 0.06
) -> Results:
    """Other FIDs (and KIDs) in some columns; half: of every interval, a share of its number."""
    cells = {}
    for key, record in results.cells.items():
        one = record.measured
        value = values.get(key.column, one.fid)
        counts = [subset.n for subset in one.subsets]
        new = measured(value, one.n_generated, counts, half)
        cells[key] = msgspec.structs.replace(record, measured=new)
    return replace(results, cells=cells, covariances=covariances(cells))


def write_cell(folder: Path, record: Cell) -> None:
    """A cell and its picture."""
    path = folder / "cells" / f"{record.key.name}.json"
    record.write(path)
    noise = min(1.0, record.measured.fid / 500)
    save_png(path.with_suffix(".png"), cell_picture(blobs(20, noise, 0)))


def trajectory(steps: int) -> Trajectory:
    return Trajectory(spacing="linear", tau=tuple(range(1, steps + 1)), repeats_dropped=0)


def reference() -> Reference:
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
        floors=(floor(N, 2.31), floor(250, 3.2)),
    )


def floor(n: int, fid: float) -> Floor:
    """What n held-out images score."""
    return Floor(
        n=n,
        blocks=N // n,
        fid=fid,
        fid_interval=(0.95 * fid, 1.05 * fid),
        kid=0.0004,
        kid_interval=(0.0001, 0.0007),
        precision=0.97,
        precision_interval=(0.95, 0.99),
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
    """A section of the analysis with two pictures, their numbers and a table.

    Its texts are as long as they may be: the report's README.md has a limit.
    """
    figures = tuple(
        Figure(
            file=f"{file}.png",
            data=f"{file}.csv",
            caption="Rows: number of steps S. Columns: one x_T each. Dotted: the same distance "
            "between images of unrelated x_T, the most that there can be here.",
            alt=f"A grid of images ({file}), five rows by eight columns: down a column the same "
            "blob in the same place, sharper from row to row, its size and place unchanged.",
        )
        for file in ("grid", "more")
    )
    table = Table(
        title="Distance to the S = 1000 image",
        columns=("η", "S = 10", "S = 50"),
        rows=(("0.0", 0.11, 0.0213), ("1.0", 0.41, 0.37)),
    )
    record = Section(
        name=name,
        order=order,
        title=f"{name.capitalize()} (Fig. 5)",
        claim="With η = 0 the latent alone decides what the image shows.",
        source="lecture, limitation 2 (02:01); paper, Sec. 5.2, Fig. 5",
        finding="At S = 50 an image is 0.021 from its S = 1000 self; with η = 1 it is 0.37, which "
        "is as far as two images of unrelated x_T are from one another in the same feature space "
        "of the classifier, by the mean of 64 pairs.",
        text="Each column starts from **one** x_T.\n\nDistances are mean squared errors.",
        numbers={"distance": 0.0213},
        verdicts=(verdict(),),
        figures=figures,
        tables=(table,),
    )
    home = folder / "analysis" / name
    for figure in figures:
        save_png(home / figure.file, pairs_picture(blobs(8, 0.05, 2), blobs(8, 0.0, 2)))
        (home / figure.data).write_text("S,distance\n10,0.11\n50,0.0213\n")
    record.save(home, {path.name: path.read_bytes() for path in home.iterdir()})


def verdict(word: Word = "reproduced", claim: str = "") -> Verdict:
    """One of a section."""
    return Verdict(
        claim=claim or "With η = 0, images of one x_T look alike at every S",
        source="paper, Sec. 5.2, Fig. 5",
        paper="",
        ours="0.021 from the S = 1000 image, unrelated images 0.37",
        test="paired, 4 of 4 as claimed, largest p < 0.001",
        word=word,
    )


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


def blobs(n: int, noise: float, seed: int) -> np.ndarray:
    """Images of 8x8 blobs on dark ground, uint8 [n,1,8,8], the noisier the larger `noise`."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:8, :8]
    images = np.empty((n, 1, 8, 8))
    for image in images:
        centre, width = rng.uniform(2.5, 4.5, 2), rng.uniform(1.0, 2.2)
        image[0] = 255 * np.exp(-((y - centre[0]) ** 2 + (x - centre[1]) ** 2) / (2 * width**2))
    images += 255 * noise * rng.standard_normal(images.shape)
    return np.clip(images, 0, 255).astype(np.uint8)

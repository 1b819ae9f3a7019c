"""The analysis on the exact oracle: a context without files, and what every section must be."""

import contextlib
import json
import math
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch

from ddim import sampler
from ddim.analysis.context import Context
from ddim.config import params, paths, schema
from ddim.config.schema import checked
from ddim.evaluation.classifier import Classifier
from ddim.evaluation.reference import Reference
from ddim.images import to_uint8
from ddim.noise import Noise
from ddim.records.cell import CellKey, Sampled, Trajectory, Weights
from ddim.records.prepared import Split
from ddim.records.reference_files import FEATURES
from ddim.runtime import files
from helpers.oracle import S_DATA, eps_model

NUM_CELL_IMAGES = 20
ROOT = Path(__file__).parents[2]
SMALL = [
    "sweep.steps=[10,20,50]",
    "sweep.eta=[0.0,1.0]",
    "features.batch_size=64",
    "trainer.accelerator=cpu",
    "analysis.num_images=16",
    "analysis.num_shown=3",
    "analysis.steps=20",
    "analysis.invert.draws=3",
    "analysis.interpolate.points=5",
    "analysis.edit.per_class=4",
    "analysis.edit.strengths=[0.0,1.0]",
    "analysis.family.num_simulations=2000",
    "analysis.family.eta=[0.5,1.0]",
    "analysis.ode.steps=[10,20,50,100,200,1000]",
    "analysis/solvers=none",
    "analysis.solvers.num_images=16",
    "analysis.solvers.steps=[5,10]",
]


def settings(**sections: Any) -> schema.Config:
    """The digits experiment with small sections and a short sweep; `sections` of cfg.analysis."""
    with contextlib.chdir(ROOT):  # where conf/ is
        cfg = checked(params.from_conf(SMALL))
    heun = {"Heun": schema.Solver("HeunDiscreteScheduler", {})}
    solvers = replace(cfg.analysis.solvers, rows=heun)
    sample = replace(cfg.sample, num_images=NUM_CELL_IMAGES, num_images_at={})  # as write_cells
    analysis = replace(cfg.analysis, **({"solvers": solvers} | sections))
    return replace(cfg, sample=sample, analysis=analysis)


def gaussian(n: int, seed: int) -> np.ndarray:
    """uint8 images [n,1,8,8] of x_0 ~ N(0, s^2), the oracle's data."""
    return to_uint8(S_DATA * Noise(seed, range(n), (1, 8, 8)).draw()).numpy()


def context(cfg: schema.Config | None = None, **loaded: Any) -> Context:
    """The oracle in the network's place, and an untrained classifier as the feature space."""
    made = Context(cfg or settings())
    torch.manual_seed(0)
    classifier = Classifier(in_channels=1, image_size=8, classes=3, dim=8).eval()
    train, test = (
        Split(gaussian(n, seed), np.arange(n, dtype=np.int64) % 3) for n, seed in ((60, 1), (20, 2))
    )
    parts = {
        "device": torch.device("cpu"),
        "eps_model": eps_model,
        "extractor": classifier,
        "train": train,
        "test": test,
    }
    made.__dict__.update(parts | loaded)  # what a cached property has loaded
    return made


def write_cells(made: Context) -> None:
    """out/<name>/samples as the stage `sample` leaves it, in the working folder."""
    cfg = made.cfg
    for cell in cfg.cells():
        S, eta = cell.cell.steps, cell.cell.eta
        noise = Noise(0, range(NUM_CELL_IMAGES), cfg.image_shape)
        x_0 = sampler.sample(
            eps_model, noise.draw(), made.alpha_bar, made.tau(S), eta, randn_like=noise
        )
        path = paths.samples_file(cell)
        path.parent.mkdir(parents=True)
        np.save(path, to_uint8(x_0).numpy())
        trajectory = Trajectory(spacing="linear", tau=tuple(made.tau(S)), repeats_dropped=0)
        Sampled(
            cell=CellKey.of(cell),
            n=NUM_CELL_IMAGES,
            weights=Weights(kind="ema", sha256="0" * 64, trained_steps=1, source="oracle"),
            precision="32-true",
            trajectory=trajectory,
            nfe=S,
            batch_size=NUM_CELL_IMAGES,
            sha256=files.sha256(path),
            fingerprint="0" * 16,
        ).write(paths.sampled_record(cell))


def write_reference(made: Context) -> None:
    """out/<name>/reference of the training images, as the stage `reference` leaves it."""
    folder, features = paths.reference(made.cfg), made.features(made.train.images)
    folder.mkdir(parents=True)
    np.save(folder / FEATURES, features)
    Reference.of(features, neighbours=1).save(folder)


def saved(module: ModuleType, made: Context, folder: Path) -> dict[str, Any]:
    """Measure, present and save; the record's content.

    It is complete: a CSV beside every figure, text for every figure, and only finite numbers.
    """
    content = module.present(module.measure(made))
    home = folder / "section"
    content.save(home, name="section", order=1, module=module)
    content: dict[str, Any] = json.loads((home / "section.json").read_text())
    content = {"figures": [], "tables": [], "numbers": {}, "text": "", "verdicts": []} | content
    files = {"section.json"}
    for figure in content["figures"]:
        files |= {figure["file"], figure["data"]}
        assert (home / figure["file"]).stat().st_size > 100
        assert len((home / figure["data"]).read_text().splitlines()) > 1
        assert figure["alt"]
        assert figure["caption"]
    assert {file.name for file in home.iterdir()} == files
    assert all(math.isfinite(value) for value in content["numbers"].values())
    for table in content["tables"]:
        assert all(len(row) == len(table["columns"]) for row in table["rows"])
    assert [file for file in folder.iterdir() if file.name.startswith(".")] == []
    return content

"""Where everything lies: the one home of folder and file names. Imports nothing heavy.

out/<name>/ is git-ignored and cached by DVC; reports/<name>/ is committed; work/ holds what a
killed run needs to go on, and may be deleted at any time; data/weights/ is git-ignored and keeps
downloaded weights.
"""

from pathlib import Path

from ddim.config.schema import Cell, Config

WORK = Path("work")

# Never under data.root, which may be a zip, or a folder whose every image is data.
DOWNLOADED_WEIGHTS = Path("data") / "weights"


def out(cfg: Config) -> Path:
    """out/<name>: data, weights and samples."""
    return Path("out") / cfg.name


def reports(cfg: Config) -> Path:
    """reports/<name>: JSON, pictures and pages."""
    return Path("reports") / cfg.name


def eta_name(eta: object) -> str:
    """'0.0', '0.2', 'hat': eta as it stands in names and in JSON (1 and 1.0 are one cell)."""
    return str(eta) if isinstance(eta, str) else str(float(eta))  # type: ignore[arg-type]


def cell_name(cell: Cell, scheduler: str | None = None) -> str:
    """S10_eta0.0_seed0, or S10_DDIMScheduler_seed0 for a cell of a diffusers scheduler."""
    row = scheduler or f"eta{eta_name(cell.eta)}"
    return f"S{cell.steps}_{row}_seed{cell.seed}"


def data(cfg: Config) -> Path:
    """train.npy, test.npy, their labels, about.json."""
    return out(cfg) / "data"


def features(cfg: Config) -> Path:
    """The trained classifier, or a note on which Inception is used."""
    return out(cfg) / "features"


def weights(cfg: Config) -> Path:
    """ema.safetensors and raw.safetensors."""
    return out(cfg) / "train"


def reference(cfg: Config) -> Path:
    """Features and statistics of the reference images."""
    return out(cfg) / "reference"


def samples(cfg: Config) -> Path:
    """The uint8 images of the configured cell: samples.npy."""
    return out(cfg) / "samples" / cell_name(cfg.cell, cfg.sampler.scheduler)


def sample_report(cfg: Config, suffix: str) -> Path:
    """What `sample` reports of the configured cell (.json) and its grid (.png)."""
    name = cell_name(cfg.cell, cfg.sampler.scheduler)
    return reports(cfg) / "samples" / f"{name}{suffix}"


def cell_report(cfg: Config) -> Path:
    """What `evaluate` measured of the configured cell."""
    return reports(cfg) / "cells" / f"{cell_name(cfg.cell, cfg.sampler.scheduler)}.json"


def reconstruct_report(cfg: Config, suffix: str) -> Path:
    """What `reconstruct` measured with cell.steps steps (.json), and its picture (.png)."""
    return reports(cfg) / "reconstruct" / f"S{cfg.cell.steps}{suffix}"

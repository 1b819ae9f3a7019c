"""Where everything lies: the one home of folder and file names. Imports nothing heavy.

`out/<name>/` is git-ignored and cached by DVC; `reports/<name>/` is committed; work/ holds what a
killed run needs to go on, and may be deleted at any time; data/weights/ is git-ignored and keeps
downloaded weights. A cell outside the grid (of other steps, or with a scheduler of diffusers) lies
in `out/<name>/extra/`, which no stage of the pipeline reads.
"""

from pathlib import Path

from ddim.config.schema import Config

WORK = Path("work")

CONFIG_OK = Path("out") / "config.ok"  # a constant: params.yaml was checked
OK = "ok\n"  # what such a constant holds

SAMPLES, SAMPLED = "samples.npy", "sampled.json"  # in the folder of a cell

# Never under data.root, which may be a zip, or a folder whose every image is data.
DOWNLOADED_WEIGHTS = Path("data") / "weights"


def out(cfg: Config) -> Path:
    """`out/<name>`: data, weights and samples."""
    return Path("out") / cfg.name


def reports(cfg: Config) -> Path:
    """`reports/<name>`: records, pictures and pages."""
    return Path("reports") / cfg.name


# --- names of cells ------------------------------------------------------------------------------


def eta_name(eta: object) -> str:
    """'0.0', '0.2', 'hat': eta as it stands in names and in records (1 and 1.0 are one cell)."""
    return str(eta) if isinstance(eta, str) else str(float(eta))  # type: ignore[arg-type]


def cell_name(steps: int, eta: object, seed: int, scheduler: str | None = None) -> str:
    """S10_eta0.0_seed0, or S10_DDIMScheduler_seed0 for a cell of a diffusers scheduler."""
    row = scheduler or f"eta{eta_name(eta)}"
    return f"S{steps}_{row}_seed{seed}"


def configured_cell(cfg: Config) -> str:
    """The name of the configured cell."""
    return cell_name(cfg.cell.steps, cfg.cell.eta, cfg.cell.seed, cfg.sampler.scheduler)


def in_grid(cfg: Config) -> bool:
    """Whether the configured cell is one of the sweep's, of its network and by our own sampler."""
    cell, sweep = cfg.cell, cfg.sweep
    return (
        cfg.sampler.scheduler is None
        and cfg.weights is None
        and cell.steps in sweep.steps
        and eta_name(cell.eta) in map(eta_name, sweep.eta)
        and cell.seed in sweep.seeds
    )


# --- out/<name> ----------------------------------------------------------------------------------


def data(cfg: Config) -> Path:
    """train.npy, test.npy, their labels, about.json."""
    return out(cfg) / "data"


def features(cfg: Config) -> Path:
    """about.json, and the classifier where one was trained."""
    return out(cfg) / "features"


def features_ok(cfg: Config) -> Path:
    """A constant that says that `features` is there, for stages that need no content of it."""
    return out(cfg) / "features.ok"


def weights(cfg: Config) -> Path:
    """ema.safetensors and raw.safetensors."""
    return out(cfg) / "train"


def weights_file(cfg: Config) -> Path:
    """The weights that every sampler uses: sample.weights, ema or raw; or those of a report."""
    if cfg.weights is not None:
        return Path(cfg.weights)
    return weights(cfg) / f"{cfg.sample.weights.value}.safetensors"


def reference(cfg: Config) -> Path:
    """Features and statistics of the reference images."""
    return out(cfg) / "reference"


def all_samples(cfg: Config) -> Path:
    """The folders of the grid's cells."""
    return out(cfg) / "samples"


def extra(cfg: Config) -> Path:
    """The folders of cells outside the grid, which no stage of the pipeline reads."""
    return out(cfg) / "extra"


def samples(cfg: Config) -> Path:
    """The folder of the configured cell's images."""
    folder = all_samples(cfg) if in_grid(cfg) else extra(cfg)
    return folder / configured_cell(cfg)


def samples_file(cfg: Config) -> Path:
    """The configured cell's images, uint8 [N,C,H,W]."""
    return samples(cfg) / SAMPLES


def sampled_record(cfg: Config) -> Path:
    """How they were sampled."""
    return samples(cfg) / SAMPLED


def lock(cfg: Config, what: str) -> Path:
    """What a process locks while it writes `what` of this experiment: a cell's name, a stage's."""
    return WORK / "locks" / f"{cfg.name}-{what}.lock"


def cell_lock(cfg: Config) -> Path:
    """What a process locks while it samples or measures the configured cell."""
    return lock(cfg, configured_cell(cfg))


def shards(fingerprint: str) -> Path:
    """The folder under work/ of a cell that is being sampled, of any experiment."""
    return WORK / f"cell-{fingerprint}"


def work_lock(folder: Path) -> Path:
    """What a process locks while it fills `folder` under work/, which experiments may share."""
    return WORK / "locks" / f"{folder.name}.lock"


def influences(cfg: Config) -> Path:
    """What each image contributes to the errors of the configured cell's numbers."""
    folder = out(cfg) / "influences" if in_grid(cfg) else samples(cfg)
    return folder / f"{configured_cell(cfg)}.npz"


def preview(cfg: Config) -> Path:
    """A picture of the configured cell's first images, for whoever sampled it by hand."""
    return out(cfg) / "previews" / f"{configured_cell(cfg)}.png"


# --- reports/<name> ------------------------------------------------------------------------------


def experiment_record(cfg: Config) -> Path:
    """The configuration that the report is of."""
    return reports(cfg) / "experiment.json"


def training_record(cfg: Config) -> Path:
    """What `train` reports."""
    return reports(cfg) / "train.json"


def reference_record(cfg: Config) -> Path:
    """What `reference` reports: data, features, reference, floors."""
    return reports(cfg) / "reference.json"


def cells(cfg: Config) -> Path:
    """What `evaluate` reports of every cell of the grid: `<cell>.json` and `<cell>.png`."""
    return reports(cfg) / "cells"


def cell_record(cfg: Config) -> Path:
    """What `evaluate` reports of the configured cell; its picture lies beside it."""
    return (cells(cfg) if in_grid(cfg) else samples(cfg)) / f"{configured_cell(cfg)}.json"


def covariances(cfg: Config) -> Path:
    """What `evaluate` reports of the grid's errors, for paired comparisons."""
    return reports(cfg) / "covariances.json"


def reconstructions(cfg: Config) -> Path:
    """What `reconstruct` reports: `S<steps>.json` and `S<steps>.png`."""
    return reports(cfg) / "reconstruct"


def reconstruction_record(cfg: Config) -> Path:
    """What `reconstruct` reports of cell.steps steps; its picture lies beside it."""
    folder = reconstructions(cfg) if _in_table_2(cfg) else extra(cfg)
    return folder / f"S{cfg.cell.steps}.json"


def _in_table_2(cfg: Config) -> bool:
    return cfg.cell.steps in cfg.reconstruct.steps


def sections(cfg: Config) -> Path:
    """What `analysis` reports: a folder for each section."""
    return reports(cfg) / "analysis"


def section(cfg: Config, name: str) -> Path:
    """What `analysis` reports of one section."""
    return sections(cfg) / name


def timing(cfg: Config, name: str) -> Path:
    """How long `name` (train, or a cell) took: no result, so in a folder of its own."""
    return reports(cfg) / "timings" / f"{name}.json"


def cell_timing(cfg: Config) -> Path:
    """How long the configured cell's images took."""
    name = configured_cell(cfg)
    return timing(cfg, name) if in_grid(cfg) else samples(cfg) / "timing.json"

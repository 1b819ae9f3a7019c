"""A cell of Table 1, a column of Table 2: what determines it, and whether it is already there."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ddim import schedule
from ddim.config import paths
from ddim.config.schema import Config
from ddim.records import fingerprints
from ddim.runtime import files


@dataclass(frozen=True)
class Plan:
    """A cell, resolved: everything that its images depend on, and their key."""

    n: int
    tau: list[int]
    protocol: dict[str, Any]  # what is written beside every number
    key: str


def clips(cfg: Config) -> bool:
    """Whether the configured cell's row clips x0_hat (the published code: only sigma-hat)."""
    rows = {paths.eta_name(eta) for eta in cfg.sampler.clip_x0}
    return paths.eta_name(cfg.cell.eta) in rows


def trajectory(cfg: Config) -> dict[str, Any]:
    """The configured spacing, its steps, and how many the published rule repeats and drops."""
    spacing, S = cfg.sampler.trajectory, cfg.cell.steps
    tau = schedule.trajectory(cfg.diffusion.T, S, spacing)
    name = spacing if isinstance(spacing, str) else "explicit"
    return {"spacing": name, "tau": tau, "repeats_dropped": S - len(tau)}


def weights_file(cfg: Config) -> Path:
    """The weights that every sampler uses: sample.weights, ema or raw."""
    return paths.weights(cfg) / f"{cfg.sample.weights.value}.safetensors"


def weights_report(cfg: Config) -> dict[str, Any]:
    """What is said of the weights beside every number; names the file if it is missing."""
    from ddim.weights import describe

    file = weights_file(cfg)
    about = describe(file)
    return {
        "kind": about["kind"],
        "sha256": files.sha256(file),
        "trained_steps": about["info"]["trained_steps"],
        "source": about["info"]["source"],
    }


def identity(cfg: Config) -> dict[str, Any]:
    """Which cell this is, as every JSON about it says."""
    return {
        "steps": cfg.cell.steps,
        "eta": paths.eta_name(cfg.cell.eta),
        "seed": cfg.cell.seed,
        "sampler": cfg.sampler.scheduler or "ddim",
    }


def plan(cfg: Config) -> Plan:
    """Resolve the configured cell for the weights that lie there."""
    cell, sampler = cfg.cell, cfg.sampler
    n = cfg.sample.count(cell.steps)
    taken = trajectory(cfg)
    protocol: dict[str, Any] = {
        "cell": identity(cfg),
        "n": n,
        "trajectory": taken,
        "clip_x0": clips(cfg),
        "weights": weights_report(cfg),
        "precision": cfg.sample.precision,
    }
    if sampler.scheduler:
        # A scheduler of diffusers chooses its own steps, and clips only if its options say so.
        del protocol["trajectory"], protocol["clip_x0"]
        protocol["options"] = sampler.options
    key = fingerprints.key(
        {"protocol": protocol, "diffusion": vars(cfg.diffusion)}, fingerprints.SAMPLING_CODE
    )
    return Plan(n, taken["tau"], protocol, key)


def done(cfg: Config, key: str) -> bool:
    """Whether the configured cell's images and report are there, made by exactly this plan."""
    images = paths.samples(cfg) / "samples.npy"
    return images.is_file() and _made_under(key, paths.sample_report(cfg, ".json"))


def measurement_key(cfg: Config, samples_sha256: str) -> str:
    """The key of everything that the configured cell's numbers depend on."""
    folder = paths.reference(cfg)
    parts = {
        "samples": samples_sha256,
        "reference": {path.name: files.sha256(path) for path in sorted(folder.glob("*.np[yz]"))},
        "features": files.read_json(paths.features(cfg) / "about.json")["sha256"],
        "evaluate": vars(cfg.evaluate),
        "batch_size": cfg.features.batch_size,
        "seed": cfg.seed,
    }
    return fingerprints.key(parts, fingerprints.MEASURING_CODE)


def measured(cfg: Config, key: str) -> bool:
    """Whether the configured cell's numbers are there, found in exactly this way."""
    return _made_under(key, paths.cell_report(cfg))


def reconstruction_key(cfg: Config) -> str:
    """The key of everything that the error of cell.steps steps depends on."""
    parts = {
        "trajectory": trajectory(cfg),
        "n": cfg.reconstruct.num_images,
        "batch_size": cfg.reconstruct.batch_size,
        "test": files.read_json(paths.data(cfg) / "about.json")["files"]["test.npy"]["sha256"],
        "weights": weights_report(cfg),
        "diffusion": vars(cfg.diffusion),
    }
    return fingerprints.key(parts, fingerprints.RECONSTRUCTING_CODE)


def reconstructed(cfg: Config, key: str) -> bool:
    """Whether the error of cell.steps steps is there, found in exactly this way."""
    picture = paths.reconstruct_report(cfg, ".png")
    return picture.is_file() and _made_under(key, paths.reconstruct_report(cfg, ".json"))


def _made_under(key: str, report: Path) -> bool:
    return report.is_file() and files.read_json(report).get("key") == key

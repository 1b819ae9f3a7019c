"""One cell of Table 1: what determines its images, and whether they are already there."""

from dataclasses import dataclass
from typing import Any

from ddim import files, paths, provenance, schedule
from ddim.schema import Config

# The modules whose edits can change an image.
CODE = (
    "ddim.generation",
    "ddim.images",
    "ddim.noise",
    "ddim.sampler",
    "ddim.schedule",
    "ddim.schedulers",
    "ddim.unet",
)


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


def plan(cfg: Config, weights: dict[str, Any]) -> Plan:
    """Resolve the configured cell for weights described by `weights` (kind, sha256, ...)."""
    cell, sampler = cfg.cell, cfg.sampler
    n = cfg.sample.count(cell.steps)
    taken = trajectory(cfg)
    protocol: dict[str, Any] = {
        "cell": {
            "steps": cell.steps,
            "eta": paths.eta_name(cell.eta),
            "seed": cell.seed,
            "sampler": sampler.scheduler or "ddim",
        },
        "n": n,
        "trajectory": taken,
        "clip_x0": clips(cfg),
        "weights": weights,
        "precision": cfg.trainer.precision,
    }
    if sampler.scheduler:
        # A scheduler of diffusers chooses its own steps, and clips only if its options say so.
        del protocol["trajectory"], protocol["clip_x0"]
        protocol["options"] = sampler.options
    diffusion = vars(cfg.diffusion)
    key = provenance.key({"protocol": protocol, "diffusion": diffusion}, CODE)
    return Plan(n, taken["tau"], protocol, key)


def done(cfg: Config, key: str) -> bool:
    """Whether the configured cell's images and report are there, made by exactly this plan."""
    report = paths.sample_report(cfg, ".json")
    whole = (paths.samples(cfg) / "samples.npy").is_file() and report.is_file()
    return whole and files.read_json(report).get("key") == key

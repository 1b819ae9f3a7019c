"""The lowest FID that S network evaluations an image give, over trajectory and eta, with Optuna.

    pip install optuna
    dvc repro train reference
    python examples/lowest_fid.py -S 10 --trials 30 [key=value ...]

Each trial is a cell by hand: Optuna proposes eta and a power p, the trajectory is
tau_i ~ 1 + (T - 1) (i / (S - 1))^p (p = 1 is evenly spaced, but ends at T, where the paper's linear
trajectory of ten steps is 1, 101, ..., 901; p = 2 is quadratic), and the stages `sample` and
`evaluate` make and measure the images, from params.yaml and further key=value settings. All trials
share their noise (cell.seed, which no grid has: its cells are left alone). The lowest of many noisy
numbers is too low: at the end the best trial is measured again with other noise, beside eta = 0 on
the paper's linear trajectory (sampler.trajectory=linear).
"""

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace

from ddim.config import params, paths
from ddim.config.schema import Config
from ddim.records.cell import Cell
from ddim.runtime.cli import Parser, command

SEARCH_SEED, CHECK_SEED = 1_000_001, 1_000_002


def main(arguments: Sequence[str]) -> None:
    """Search, and print every trial and the check."""
    parser = Parser(description="Search eta and trajectory for the lowest FID.")
    parser.add_argument("-S", type=int, default=10, help="network evaluations an image")
    parser.add_argument("--trials", type=int, default=20, help="cells that are tried")
    own, settings = parser.parse_known_args(arguments)
    S, cfg = own.S, params.read(settings)
    try:
        import optuna
    except ImportError:
        sys.exit("error: Optuna is not installed: pip install optuna")

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0))
    for p in (1.0, 2.0):
        study.enqueue_trial({"eta": 0.0, "p": p})
    for _ in range(own.trials):
        trial = study.ask()
        point = {
            "eta": trial.suggest_float("eta", 0.0, 1.0),
            "p": trial.suggest_float("p", 0.5, 3.0),
        }
        tau = trajectory(cfg.diffusion.T, S, point["p"])
        fid = measure(cfg, settings, point["eta"], tau, cell=(S, SEARCH_SEED))
        study.tell(trial, fid)
        print(f"eta {point['eta']:.3f}, p {point['p']:.3f}: FID {fid:.3f}", flush=True)

    best = study.best_params
    tau = trajectory(cfg.diffusion.T, S, best["p"])
    again = measure(cfg, settings, best["eta"], tau, cell=(S, CHECK_SEED))
    paper = measure(cfg, settings, 0.0, "linear", cell=(S, CHECK_SEED))
    print(f"lowest: eta {best['eta']:.3f}, p {best['p']:.3f}, FID {study.best_value:.3f}")
    print(f"with other noise: FID {again:.3f}, against {paper:.3f} for eta 0, linear")


def measure(
    cfg: Config, settings: list[str], eta: float, tau: list[int] | str, *, cell: tuple[int, int]
) -> float:
    """The FID of one cell (S, seed), sampled and measured by the stages.

    tau: steps in 1..T, or the name of a trajectory of the paper's.
    """
    (S, seed), eta = cell, round(eta, 6)
    chosen = [f"cell.steps={S}", f"cell.eta={eta}", f"cell.seed={seed}"]
    for stage in ("sample", "evaluate"):
        program = [sys.executable, "-m", f"ddim.stages.{stage}", "-cn", "stage", *settings, *chosen]
        done = subprocess.run(
            [*program, f"sampler.trajectory={tau}"], capture_output=True, text=True, check=False
        )
        if done.returncode:
            sys.exit(f"{done.stderr.strip()}\n{stage} failed at eta {eta}, trajectory {tau}")
    record = paths.cell_record(replace(cfg, cell=replace(cfg.cell, steps=S, eta=eta, seed=seed)))
    return Cell.read(record, "python examples/lowest_fid.py").measured.fid


def trajectory(T: int, S: int, p: float) -> list[int]:
    """S steps from 1 to T, each above the one before, spaced as the power p says."""
    tau = [round(1 + (T - 1) * (i / max(1, S - 1)) ** p) for i in range(S)]
    for i in range(1, S):  # where rounding made two equal
        tau[i] = max(tau[i], tau[i - 1] + 1)
    for i in reversed(range(S)):
        tau[i] = min(tau[i], T - (S - 1 - i))
    return tau


if __name__ == "__main__":
    command(main)

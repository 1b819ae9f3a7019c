"""The lowest FID that S network evaluations an image give, over trajectory and eta, with Optuna.

    pip install optuna
    dvc repro train reference
    python examples/lowest_fid.py -S 10 --trials 30 [key=value ...]

Each trial is a cell by hand: Optuna proposes eta and a power p, the trajectory is
tau_i ~ 1 + (T - 1) (i / (S - 1))^p (p = 1 is the paper's linear one, p = 2 its quadratic one), and
the stages `sample` and `evaluate` make and measure the images, from params.yaml and further
key=value settings. All trials share their noise (cell.seed, which no grid has: its cells are left
alone). The lowest of many noisy numbers is too low: at the end the best trial is measured again
with other noise, beside the paper's eta = 0 on the linear trajectory.
"""

import argparse
import subprocess
import sys
from dataclasses import replace

from ddim.config import params, paths
from ddim.config.schema import Config
from ddim.records.cell import Cell

SEARCH_SEED, CHECK_SEED = 1_000_001, 1_000_002
PAPER = {"eta": 0.0, "p": 1.0}


def main(arguments: list[str]) -> None:
    """Search, and print every trial and the check."""
    try:
        import optuna
    except ImportError:
        sys.exit("error: Optuna is not installed: pip install optuna")
    parser = argparse.ArgumentParser(description="Search eta and trajectory for the lowest FID.")
    parser.add_argument("-S", type=int, default=10, help="network evaluations an image")
    parser.add_argument("--trials", type=int, default=20, help="cells that are tried")
    own, settings = parser.parse_known_args(arguments)
    S, cfg = own.S, params.read(settings)

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0))
    study.enqueue_trial(PAPER)
    study.enqueue_trial({"eta": 0.0, "p": 2.0})
    for _ in range(own.trials):
        trial = study.ask()
        point = {
            "eta": trial.suggest_float("eta", 0.0, 1.0),
            "p": trial.suggest_float("p", 0.5, 3.0),
        }
        fid = measure(cfg, settings, S, point, SEARCH_SEED)
        study.tell(trial, fid)
        print(f"eta {point['eta']:.3f}, p {point['p']:.3f}: FID {fid:.3f}", flush=True)

    best = study.best_params
    again, paper = (measure(cfg, settings, S, point, CHECK_SEED) for point in (best, PAPER))
    print(f"lowest: eta {best['eta']:.3f}, p {best['p']:.3f}, FID {study.best_value:.3f}")
    print(f"with other noise: FID {again:.3f}, against {paper:.3f} for eta 0, p 1")


def measure(cfg: Config, settings: list[str], S: int, point: dict[str, float], seed: int) -> float:
    """The FID of one cell, sampled and measured by the stages."""
    eta = round(point["eta"], 6)
    tau = trajectory(cfg.diffusion.T, S, point["p"])
    cell = [f"cell.steps={S}", f"cell.eta={eta}", f"cell.seed={seed}"]
    for stage in ("sample", "evaluate"):
        command = [sys.executable, "-m", f"ddim.stages.{stage}", "-cn", "stage", *settings, *cell]
        done = subprocess.run(
            [*command, f"sampler.trajectory={tau}"], capture_output=True, text=True, check=False
        )
        if done.returncode:
            sys.exit(f"{done.stderr.strip()}\n{stage} failed at eta {eta}, p {point['p']}")
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
    main(sys.argv[1:])

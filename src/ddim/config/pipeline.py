"""What `dvc repro` needs of its settings beyond what any one program does.

A single cell by hand may have four images or a row of its own: only a whole run compares cells with
the reference, and with one another.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from ddim.config import schedulers
from ddim.config.checks import is_inception
from ddim.runtime.refusals import refuse_unless
from ddim.schedule import HAT

if TYPE_CHECKING:
    from ddim.config import schema

# Sections of the analysis that encode or decode with analysis.steps steps.
_ENCODING = ("invert", "sigma", "path", "interpolate", "edit")
_SPLITS = 10  # of the images, of each of which the Inception score needs one


def check_pipeline(cfg: "schema.Config") -> None:
    """Raise ValueError for settings with which a stage would end in an error, or measure nothing.

    Files that the settings name must be there.
    """
    _check_by_hand(cfg)
    _check_training(cfg)
    _check_rows(cfg)
    _check_trajectory(cfg)
    _check_sizes(cfg)
    if "solvers" in cfg.analysis.sections:
        for name, row in cfg.analysis.solvers.rows.items():
            key = f"analysis.solvers.rows.{name}"
            where = {"key": f"{key}.scheduler", "options_key": f"{key}.options"}
            schedulers.check(row.scheduler, row.options, **where)


def _check_by_hand(cfg: "schema.Config") -> None:
    """Settings that only a cell by hand has."""
    if cfg.weights is not None:
        raise ValueError(
            f"weights={cfg.weights} is for cells by hand (ddim sample weights=...); for a pipeline "
            "on weights that are there set train.import_from and train.import_sha256"
        )
    if cfg.sampler.scheduler is not None:
        raise ValueError(
            "sampler.scheduler is for cells run by hand (python -m ddim.stages.sample "
            "sampler=diffusers sampler.scheduler=...); the pipeline has analysis.solvers.rows"
        )


def _check_training(cfg: "schema.Config") -> None:
    train = cfg.train
    if train.import_from is None:
        accepts = f"at most train.steps = {train.steps}, or the step size never reaches train.lr"
        refuse_unless(train.warmup <= train.steps, "train.warmup", accepts, train.warmup)
        world = cfg.trainer.devices * cfg.trainer.num_nodes
        accepts = f"divisible by the {world} processes of trainer.devices x trainer.num_nodes"
        refuse_unless(train.batch_size % world == 0, "train.batch_size", accepts, train.batch_size)
    else:
        kind = train.import_weights.value
        accepts = f"{kind}, as train.import_weights says of the published weights"
        refuse_unless(
            cfg.sample.weights.value == kind, "sample.weights", accepts, cfg.sample.weights.value
        )
        is_local = "://" not in train.import_from
        ok = not is_local or Path(train.import_from).exists()
        refuse_unless(ok, "train.import_from", "a file or folder that is there", train.import_from)
    weights = cfg.features.weights
    ok = weights is None or Path(weights).is_file()
    refuse_unless(ok, "features.weights", "a file that is there, or null", weights)


def _check_rows(cfg: "schema.Config") -> None:
    """What is clipped is a row. The sigma-hat row is named by default, and need not be there."""
    rows = [eta for eta in [*cfg.sweep.eta, *cfg.analysis.sigma.eta] if eta != HAT]
    numbers = sorted({float(eta) for eta in rows})
    for eta in cfg.sampler.clip_x0:
        accepts = f"among the rows (sweep.eta): {', '.join(map(str, numbers))}, {HAT}"
        refuse_unless(eta == HAT or float(eta) in numbers, "sampler.clip_x0", accepts, eta)


def _check_trajectory(cfg: "schema.Config") -> None:
    """A list of steps serves one S alone."""
    tau = cfg.sampler.trajectory
    if isinstance(tau, str):
        return
    for key, steps in steps_used(cfg).items():
        other = [S for S in steps if len(tau) != S]
        accepts = f"as long as every S that uses it, and {key} has {other and other[0]}"
        refuse_unless(not other, "sampler.trajectory", accepts, f"{len(tau)} steps")


def steps_used(cfg: "schema.Config") -> dict[str, list[int]]:
    """{key: S} of the trajectories that a whole run takes."""
    sections, analysis = cfg.analysis.sections, cfg.analysis
    used = {"sweep.steps": cfg.sweep.steps, "reconstruct.steps": cfg.reconstruct.steps}
    if set(_ENCODING) & set(sections):
        used["analysis.steps"] = [analysis.steps]
    if "sigma" in sections:
        used["analysis.sigma.drawn_steps"] = [analysis.sigma.drawn_steps]
    if "ode" in sections:
        used["analysis.ode.steps"] = analysis.ode.steps
    if "solvers" in sections:
        used["analysis.solvers.steps"] = analysis.solvers.steps
    return used


def _check_sizes(cfg: "schema.Config") -> None:
    """Subsets and neighbours are sought among the images of every cell."""
    fewest, of = min(cfg.sample.counts), "the images of the smallest cell (sample.num_images)"
    check_measured(cfg, fewest, of)
    if is_inception(cfg.features.name):
        accepts = f"at least {_SPLITS}, for the Inception score"
        refuse_unless(fewest >= _SPLITS, "sample.num_images", accepts, fewest)


def check_measured(cfg: "schema.Config", n: int, of: str) -> None:
    """Raise ValueError unless n images, called `of`, are enough for KID, precision and recall."""
    evaluate = cfg.evaluate
    accepts = f"at most {n}, {of}"
    ok = evaluate.kid_subset_size <= n
    refuse_unless(ok, "evaluate.kid_subset_size", accepts, evaluate.kid_subset_size)
    accepts = f"less than {n}, {of}"
    refuse_unless(evaluate.neighbours < n, "evaluate.neighbours", accepts, evaluate.neighbours)


def notes(cfg: "schema.Config") -> list[str]:
    """What is accepted, but has no effect on the grid: a line each."""
    unused = [S for S in cfg.sample.num_images_at if S not in cfg.sweep.steps]
    return [
        f"sample.num_images_at has S = {S}, which sweep.steps {cfg.sweep.steps} lacks: no cell of "
        f"the grid has {cfg.sample.num_images_at[S]} images"
        for S in unused
    ]

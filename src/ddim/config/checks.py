"""Ranges of the settings: what each dataclass of ddim.config.schema accepts.

Every function raises ValueError that names the key, what it accepts and what it got. What one
setting means for another (an image size for the network's levels) is checked in `check_config`.
"""

from itertools import pairwise
from typing import TYPE_CHECKING

from ddim.schedule import HAT, SPACINGS, check_eta

if TYPE_CHECKING:
    from ddim.config import schema

SECTIONS = (  # of the analysis, in the report's order
    "speed",
    "invert",
    "sigma",
    "consistency",
    "path",
    "interpolate",
    "edit",
    "family",
    "ode",
    "solvers",
)
PRECISIONS = ("32-true", "bf16-mixed", "16-mixed")  # Lightning's names
STRATEGIES = ("auto", "ddp", "ddp_spawn")  # Lightning's names
CLASSIFIER, INCEPTION = FEATURES = ("classifier", "inception")
LR_DECAYS = ("none", "cosine")
UNIT_STRENGTH = 1.0  # of an edit: one whole difference of two class means
ENGINES = ("ours", "torch-fidelity", "torchmetrics")  # of the measurement


def _require(condition: bool, key: str, accepts: str, got: object) -> None:
    if not condition:
        raise ValueError(f"{key} must be {accepts}, got {got!r}")


def _positive(section: str, node: object, *names: str) -> None:
    for name in names:
        value = getattr(node, name)
        _require(value > 0, f"{section}.{name}", "greater than 0", value)


def _check_precision(precision: str, key: str) -> None:
    _require(precision in PRECISIONS, key, f"one of {PRECISIONS}", precision)


def check_data(data: "schema.Data") -> None:
    """The settings data.*."""
    _positive("data", data, "image_size")
    _require(data.channels in (1, 3), "data.channels", "1 or 3", data.channels)
    _require(0 <= data.held_out < 1, "data.held_out", "in [0, 1)", data.held_out)


def check_diffusion(diffusion: "schema.Diffusion") -> None:
    """The settings diffusion.*."""
    _positive("diffusion", diffusion, "T")
    _require(
        0 < diffusion.beta_start < 1, "diffusion.beta_start", "in (0, 1)", diffusion.beta_start
    )
    _require(
        diffusion.beta_start <= diffusion.beta_end < 1,
        "diffusion.beta_end",
        "in [diffusion.beta_start, 1)",
        diffusion.beta_end,
    )


def check_model(model: "schema.Model") -> None:
    """The settings model.*."""
    _positive("model", model, "channels", "blocks", "groups")
    ok = len(model.multipliers) > 0 and all(m > 0 for m in model.multipliers)
    _require(ok, "model.multipliers", "a list of integers greater than 0", model.multipliers)
    _require(0 <= model.dropout < 1, "model.dropout", "in [0, 1)", model.dropout)
    odd = [m for m in model.multipliers if model.channels * m % model.groups]
    _require(not odd, "model.groups", "a divisor of channels x every multiplier", model.groups)


def check_train(train: "schema.Train") -> None:
    """The settings train.*."""
    _positive("train", train, "batch_size", "lr", "grad_clip", "log_every", "checkpoint_every")
    for name in ("steps", "warmup", "sample_every", "validate_every"):
        value = getattr(train, name)
        _require(value >= 0, f"train.{name}", "0 or more", value)
    _require(0 <= train.ema_decay < 1, "train.ema_decay", "in [0, 1)", train.ema_decay)
    _require(train.lr_decay in LR_DECAYS, "train.lr_decay", f"one of {LR_DECAYS}", train.lr_decay)
    ok = train.import_from is not None or train.steps > 0
    _require(ok, "train.steps", "greater than 0 (or set train.import_from)", train.steps)


def check_trainer(trainer: "schema.Trainer") -> None:
    """The settings trainer.*."""
    _positive("trainer", trainer, "devices", "num_nodes")
    _check_precision(trainer.precision, "trainer.precision")
    ok = trainer.strategy in STRATEGIES
    _require(ok, "trainer.strategy", f"one of {STRATEGIES}", trainer.strategy)


def check_features(features: "schema.Features") -> None:
    """The settings features.*."""
    _require(features.name in FEATURES, "features.name", f"one of {FEATURES}", features.name)
    _positive("features", features, "dim", "epochs", "batch_size")


def is_inception(features_name: str) -> bool:
    """Whether features of this name are Inception's: the one home of that question."""
    return features_name == INCEPTION


def check_sampler(sampler: "schema.Sampler") -> None:
    """The settings sampler.*."""
    if isinstance(sampler.trajectory, str):
        ok = sampler.trajectory in SPACINGS
    else:
        ok = isinstance(sampler.trajectory, list) and all(
            isinstance(t, int) for t in sampler.trajectory
        )
    accepts = f"one of {SPACINGS} or a list of integers"
    _require(ok, "sampler.trajectory", accepts, sampler.trajectory)
    for eta in sampler.clip_x0:
        check_eta(eta, "sampler.clip_x0")


def check_cell(cell: "schema.Cell") -> None:
    """The settings cell.*."""
    _positive("cell", cell, "steps")
    check_eta(cell.eta, "cell.eta")
    _require(cell.seed >= 0, "cell.seed", "0 or more", cell.seed)


def check_sample(sample: "schema.Sample") -> None:
    """The settings sample.*."""
    _positive("sample", sample, "batch_size", "shard_size")
    _check_precision(sample.precision, "sample.precision")
    for n in (sample.num_images, *sample.num_images_at.values()):
        _require(n >= 2, "sample.num_images", "at least 2", n)


def check_sweep(sweep: "schema.Sweep") -> None:
    """The settings sweep.*."""
    for name in ("steps", "eta", "seeds"):
        values = getattr(sweep, name)
        ok = len(values) > 0 and len(set(map(str, values))) == len(values)
        _require(ok, f"sweep.{name}", "a list without repeats, at least one long", values)
    _require(min(sweep.steps) > 0, "sweep.steps", "greater than 0", sweep.steps)
    for eta in sweep.eta:
        check_eta(eta, "sweep.eta")
        # DVC names the cell's files by what it reads here: 0 and 0.0 would be two cells.
        written = isinstance(eta, float | str)
        _require(written, "sweep.eta", "written with a decimal point, as 0.0 or 1.0", eta)


def check_evaluate(evaluate: "schema.Evaluate") -> None:
    """The settings evaluate.*."""
    _positive("evaluate", evaluate, "kid_subsets", "neighbours")
    size = evaluate.kid_subset_size
    _require(size >= 2, "evaluate.kid_subset_size", "at least 2, for pairs of images", size)
    engine = evaluate.engine
    _require(engine in ENGINES, "evaluate.engine", f"one of {ENGINES}", engine)


def check_reconstruct(reconstruct: "schema.Reconstruct") -> None:
    """The settings reconstruct.*."""
    _positive("reconstruct", reconstruct, "num_images", "batch_size")
    least = "at least 2, for an interval over images"
    _require(reconstruct.num_images > 1, "reconstruct.num_images", least, reconstruct.num_images)
    ok = len(reconstruct.steps) > 0 and min(reconstruct.steps) > 0
    _require(ok, "reconstruct.steps", "a list of integers greater than 0", reconstruct.steps)


def check_analysis(analysis: "schema.Analysis") -> None:
    """The settings analysis.* of all sections together."""
    unknown = sorted(set(analysis.sections) - set(SECTIONS))
    _require(not unknown, "analysis.sections", f"among {SECTIONS}", unknown)
    ok = analysis.section is None or analysis.section in SECTIONS
    _require(ok, "analysis.section", f"null or one of {SECTIONS}", analysis.section)
    _positive("analysis", analysis, "num_shown", "steps")
    least = "at least 4, two pairs to interpolate between"
    _require(analysis.num_images >= 4, "analysis.num_images", least, analysis.num_images)


def check_speed(speed: "schema.Speed") -> None:
    """The settings analysis.speed.*."""
    accepts = "a share of the long chain's FID, greater than 0 and at most 1"
    _require(0 < speed.margin <= 1, "analysis.speed.margin", accepts, speed.margin)


def check_invert(invert: "schema.Invert") -> None:
    """The settings analysis.invert.*."""
    _require(invert.draws >= 2, "analysis.invert.draws", "at least 2", invert.draws)


def check_sigma(sigma: "schema.Sigma") -> None:
    """The settings analysis.sigma.*."""
    _require(sigma.draws >= 2, "analysis.sigma.draws", "at least 2", sigma.draws)
    _positive("analysis.sigma", sigma, "num_paths", "drawn_steps")
    for eta in sigma.eta:
        check_eta(eta, "analysis.sigma.eta")
    numbers = [eta for eta in sigma.eta if eta != HAT]
    ok = len(numbers) >= 2 and numbers[0] == 0 and all(a < b for a, b in pairwise(numbers))
    accepts = f"numbers that rise from 0.0, at least two, and {HAT!r} if you like"
    _require(ok, "analysis.sigma.eta", accepts, sigma.eta)


def check_interpolate(interpolate: "schema.Interpolate") -> None:
    """The settings analysis.interpolate.*."""
    points = interpolate.points
    ok = points >= 3 and points % 2 == 1
    _require(ok, "analysis.interpolate.points", "an odd number, at least 3", points)


def check_edit(edit: "schema.Edit") -> None:
    """The settings analysis.edit.*."""
    _positive("analysis.edit", edit, "per_class")
    strengths = edit.strengths
    ok = min(strengths, default=-1) >= 0 and {0, UNIT_STRENGTH} <= set(strengths)
    accepts = "a list of numbers, 0 or more, with 0.0 (not moved) and 1.0 (one whole difference)"
    _require(ok, "analysis.edit.strengths", accepts, edit.strengths)


def check_family(family: "schema.Family") -> None:
    """The settings analysis.family.*."""
    _positive("analysis.family", family, "num_simulations")
    ok = len(family.eta) > 0 and all(0 < eta <= 1 for eta in family.eta)
    accepts = "a list of numbers in (0, 1]: J_sigma has no sigma = 0"
    _require(ok, "analysis.family.eta", accepts, family.eta)


def check_ode(ode: "schema.Ode") -> None:
    """The settings analysis.ode.*."""
    rising = all(a < b for a, b in pairwise(ode.steps))
    ok = len(ode.steps) >= 3 and ode.steps[0] > 0 and rising
    _require(ok, "analysis.ode.steps", "a rising list of at least 3 numbers", ode.steps)


def check_solvers(solvers: "schema.Solvers") -> None:
    """The settings analysis.solvers.*."""
    key = "analysis.solvers"
    _require(solvers.num_images >= 2, f"{key}.num_images", "at least 2", solvers.num_images)
    ok = len(solvers.steps) > 0 and min(solvers.steps) > 0
    _require(ok, f"{key}.steps", "a list of integers greater than 0", solvers.steps)


def check_config(cfg: "schema.Config") -> None:
    """Settings that bound one another, and those of no section."""
    _require(cfg.seed >= 0, "seed", "0 or more", cfg.seed)
    ok = bool(cfg.name) and all(c.isalnum() or c in "-_" for c in cfg.name)
    _require(ok, "name", "letters, digits, '-' and '_' (it names folders)", cfg.name)
    _check_numbers_of_steps(cfg)
    factor = 2 ** (len(cfg.model.multipliers) - 1)
    size = cfg.data.image_size
    _require(
        size % factor == 0,
        "data.image_size",
        f"divisible by {factor} (model.multipliers)",
        size,
    )


def _check_numbers_of_steps(cfg: "schema.Config") -> None:
    T = cfg.diffusion.T
    for key, steps in (
        ("cell.steps", [cfg.cell.steps]),
        ("sweep.steps", cfg.sweep.steps),
        ("reconstruct.steps", cfg.reconstruct.steps),
        ("analysis.steps", [cfg.analysis.steps]),
        ("analysis.sigma.drawn_steps", [cfg.analysis.sigma.drawn_steps]),
        ("analysis.ode.steps", cfg.analysis.ode.steps),
        ("analysis.solvers.steps", cfg.analysis.solvers.steps),
    ):
        _require(max(steps) <= T, key, f"at most diffusion.T = {T}", max(steps))

"""Ranges of the settings: what each dataclass of ddim.config.schema accepts.

Every function raises ValueError in one line that names the key, what it accepts and what it got.
The analysis: ddim.config.analysis_checks. What one setting means for another: `check_config` here
for every use of a configuration, ddim.config.pipeline for `dvc repro`.
"""

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from ddim.config import folders, schedulers
from ddim.runtime.refusals import refuse_unless, refuse_unless_one_of, shown
from ddim.schedule import SPACINGS, check_eta

if TYPE_CHECKING:
    from ddim.config import schema

MAX_T = 100_000  # a hundred times the papers'; alpha-bar and every t of an image are kept in memory
MAX_STEPS = 10**9  # of a training: a thousand times the papers'
MAX_PIXELS = 4096  # along a side
MAX_CHANNELS = 4096  # of the U-Net's first level, 32 times the papers'
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
NOTHING = "out/config.ok"  # as data.watch: a constant, on which the stage data depends anyway
UNIT_STRENGTH = 1.0  # of an edit: one whole difference of two class means
PRECISIONS = ("32-true", "bf16-mixed", "16-mixed")  # Lightning's names
STRATEGIES = ("auto", "ddp", "ddp_spawn")  # Lightning's names
CLASSIFIER, INCEPTION = FEATURES = ("classifier", "inception")
INCEPTION_DIM = 2048
LR_DECAYS = ("none", "cosine")
ENGINES = ("ours", "torch-fidelity", "torchmetrics")  # of the measurement
IMAGE_FOLDER = "image_folder"
DATA_SETS = ("digits", "mnist", "cifar10", "celeba", "lsun_bedroom", "lsun_church", IMAGE_FOLDER)
NO_DOWNLOAD = ("lsun_bedroom", "lsun_church", IMAGE_FOLDER)
TABLES = ("cifar10", "celeba", "lsun_bedroom", "lsun_church")  # of the paper


def positive(section: str, node: object, *names: str) -> None:
    """Raise ValueError unless the settings `names` of `node` are greater than 0."""
    for name in names:
        value = getattr(node, name)
        refuse_unless(value > 0, f"{section}.{name}", "greater than 0", value)


def without_repeats(key: str, values: Sequence[object]) -> None:
    """Raise ValueError unless the list has something in it, and nothing twice."""
    ok = len(values) > 0 and len({str(value) for value in values}) == len(values)
    refuse_unless(ok, key, "a list without repeats, at least one long", values)


def numbers_of_steps(key: str, steps: Sequence[int]) -> None:
    """Raise ValueError unless `steps` is a list of different S, 1 or more."""
    without_repeats(key, steps)
    refuse_unless(min(steps) > 0, key, "greater than 0", list(steps))


def check_data(data: "schema.Data") -> None:
    """The settings data.*."""
    refuse_unless_one_of(DATA_SETS, "data.name", data.name)
    ok = 0 < data.image_size <= MAX_PIXELS
    accepts = f"greater than 0 and at most {MAX_PIXELS} pixels"
    refuse_unless(ok, "data.image_size", accepts, data.image_size)
    refuse_unless(data.channels in (1, 3), "data.channels", "1 or 3", data.channels)
    refuse_unless(0 <= data.held_out < 1, "data.held_out", "in [0, 1)", data.held_out)
    accepts = f"false for {data.name}, which nothing here can download: put it into data.root"
    refuse_unless(not (data.download and data.name in NO_DOWNLOAD), "data.download", accepts, True)
    folders.check_root(data.root, is_of_images=data.name == IMAGE_FOLDER)
    accepts = f"{NOTHING} (nothing) or what data.root says"
    refuse_unless(data.watch in (NOTHING, data.root), "data.watch", accepts, data.watch)


def check_diffusion(diffusion: "schema.Diffusion") -> None:
    """The settings diffusion.*."""
    T, start, end = diffusion.T, diffusion.beta_start, diffusion.beta_end
    refuse_unless(T > 0, "diffusion.T", "greater than 0", T)
    refuse_unless(T <= MAX_T, "diffusion.T", f"at most {MAX_T}", T)
    refuse_unless(0 < start < 1, "diffusion.beta_start", "in (0, 1)", start)
    accepts = f"in [diffusion.beta_start, 1) = [{start}, 1)"
    refuse_unless(start <= end < 1, "diffusion.beta_end", accepts, end)


def check_model(model: "schema.Model") -> None:
    """The settings model.*."""
    positive("model", model, "channels", "blocks", "groups")
    ok = model.channels <= MAX_CHANNELS
    refuse_unless(ok, "model.channels", f"at most {MAX_CHANNELS}", model.channels)
    ok = 0 < len(model.multipliers) <= 10 and all(0 < m <= 64 for m in model.multipliers)
    accepts = "a list of 1 to 10 whole numbers, each 1 to 64"
    refuse_unless(ok, "model.multipliers", accepts, model.multipliers)
    refuse_unless(model.blocks <= 100, "model.blocks", "at most 100", model.blocks)
    refuse_unless(0 <= model.dropout < 1, "model.dropout", "in [0, 1)", model.dropout)
    odd = [model.channels * m for m in model.multipliers if model.channels * m % model.groups]
    accepts = f"a divisor of channels x every multiplier, as of {odd and odd[0]}"
    refuse_unless(not odd, "model.groups", accepts, model.groups)
    if model.attention:
        without_repeats("model.attention", model.attention)


def check_train(train: "schema.Train") -> None:
    """The settings train.*."""
    positive("train", train, "batch_size", "lr", "grad_clip", "log_every", "checkpoint_every")
    for name in ("steps", "warmup", "sample_every", "validate_every"):
        value = getattr(train, name)
        refuse_unless(value >= 0, f"train.{name}", "0 or more", value)
    refuse_unless(train.steps <= MAX_STEPS, "train.steps", f"at most {MAX_STEPS}", train.steps)
    refuse_unless(train.lr <= 1, "train.lr", "greater than 0 and at most 1", train.lr)
    refuse_unless(0 <= train.ema_decay < 1, "train.ema_decay", "in [0, 1)", train.ema_decay)
    refuse_unless_one_of(LR_DECAYS, "train.lr_decay", train.lr_decay)
    ok = train.import_from is not None or train.steps > 0
    refuse_unless(ok, "train.steps", "greater than 0 (or set train.import_from)", train.steps)
    _check_import(train)


def _check_import(train: "schema.Train") -> None:
    source, checksum = train.import_from, train.import_sha256
    if source is not None:
        refuse_unless(source.strip() != "", "train.import_from", "a path, a URL or null", source)
        scheme = source.partition("://")[0] if "://" in source else "file"
        ok = scheme in ("http", "https", "file")
        refuse_unless(ok, "train.import_from", "a path or an http(s) or file URL", source)
    if source is None and checksum is not None:
        accepts = "null while train.import_from is null: nothing is imported"
        refuse_unless(False, "train.import_sha256", accepts, checksum)
    if source is not None:
        ok = checksum is not None and re.fullmatch("[0-9a-fA-F]{64}", checksum) is not None
        accepts = f"the SHA-256 of {shown(source)}, 64 hexadecimal digits"
        refuse_unless(ok, "train.import_sha256", accepts, checksum)


def check_trainer(trainer: "schema.Trainer") -> None:
    """The settings trainer.*."""
    positive("trainer", trainer, "devices", "num_nodes")
    refuse_unless_one_of(PRECISIONS, "trainer.precision", trainer.precision)
    refuse_unless_one_of(STRATEGIES, "trainer.strategy", trainer.strategy)


def check_features(features: "schema.Features") -> None:
    """The settings features.*."""
    refuse_unless_one_of(FEATURES, "features.name", features.name)
    positive("features", features, "dim", "epochs", "batch_size")
    weights = features.weights
    if is_inception(features.name):
        accepts = f"{INCEPTION_DIM} for inception, whose network fixes it"
        refuse_unless(features.dim == INCEPTION_DIM, "features.dim", accepts, features.dim)
        ok = weights is None or weights.strip() != ""
        refuse_unless(ok, "features.weights", "the path of Inception's file, or null", weights)
    else:
        refuse_unless(features.dim <= 4096, "features.dim", "at most 4096", features.dim)
        accepts = "null for the classifier, which is trained here (features=inception has a file)"
        refuse_unless(weights is None, "features.weights", accepts, weights)


def is_inception(features_name: str) -> bool:
    """Whether features of this name are Inception's: the one home of that question."""
    return features_name == INCEPTION


def check_sampler(sampler: "schema.Sampler") -> None:
    """The settings sampler.*."""
    tau = sampler.trajectory
    accepts = f"one of {', '.join(SPACINGS)}, or a list of whole numbers that rise from 1 or more"
    if isinstance(tau, str):
        refuse_unless_one_of(SPACINGS, "sampler.trajectory", tau)
    else:
        ok = isinstance(tau, list) and len(tau) > 0 and all(type(t) is int for t in tau)
        ok = ok and tau[0] >= 1 and all(a < b for a, b in pairwise(tau))
        refuse_unless(ok, "sampler.trajectory", accepts, tau)
    for eta in sampler.clip_x0:
        _check_row("sampler.clip_x0", eta)
    if sampler.clip_x0:
        without_repeats("sampler.clip_x0", _as_numbers(sampler.clip_x0))
    ok = sampler.scheduler is not None or not sampler.options
    accepts = "empty while sampler.scheduler is null (sampler=diffusers): our sampler has none"
    refuse_unless(ok, "sampler.options", accepts, sampler.options)


def _check_row(key: str, eta: object) -> None:
    """Raise ValueError unless `eta` is one, and can stand in the name of a file."""
    check_eta(eta, key)
    refuse_unless(not str(eta).startswith("-"), key, "a number in [0, 1] or 'hat'", eta)


def check_seed(key: str, seed: int) -> None:
    """Raise ValueError unless torch and numpy take `seed`."""
    refuse_unless(0 <= seed < 2**63, key, "0 or more and below 2^63", seed)


def check_cell(cell: "schema.Cell") -> None:
    """The settings cell.*."""
    positive("cell", cell, "steps")
    _check_row("cell.eta", cell.eta)
    check_seed("cell.seed", cell.seed)


def check_sample(sample: "schema.Sample") -> None:
    """The settings sample.*."""
    positive("sample", sample, "batch_size", "shard_size")
    refuse_unless_one_of(PRECISIONS, "sample.precision", sample.precision)
    refuse_unless(sample.num_images >= 2, "sample.num_images", "at least 2", sample.num_images)
    for steps, n in sample.num_images_at.items():
        got = sample.num_images_at
        accepts = "numbers of images by S, and S is 1 or more"
        refuse_unless(steps > 0, "sample.num_images_at", accepts, got)
        refuse_unless(n >= 2, "sample.num_images_at", "at least 2 images for every S", got)


def check_sweep(sweep: "schema.Sweep") -> None:
    """The settings sweep.*."""
    numbers_of_steps("sweep.steps", sweep.steps)
    without_repeats("sweep.seeds", sweep.seeds)
    for eta in sweep.eta:
        _check_row("sweep.eta", eta)
        # DVC names the cell's files by what it reads here: 0 and 0.0 would be two cells.
        written = isinstance(eta, float | str)
        refuse_unless(written, "sweep.eta", "written with a decimal point, as 0.0 or 1.0", eta)
    without_repeats("sweep.eta", sweep.eta)
    for seed in sweep.seeds:
        check_seed("sweep.seeds", seed)


def check_evaluate(evaluate: "schema.Evaluate") -> None:
    """The settings evaluate.*."""
    positive("evaluate", evaluate, "kid_subsets", "neighbours")
    subsets, size = evaluate.kid_subsets, evaluate.kid_subset_size
    refuse_unless(subsets <= 100_000, "evaluate.kid_subsets", "at most 100000", subsets)
    refuse_unless(size >= 2, "evaluate.kid_subset_size", "at least 2, for pairs of images", size)
    refuse_unless_one_of(ENGINES, "evaluate.engine", evaluate.engine)


def check_reconstruct(reconstruct: "schema.Reconstruct") -> None:
    """The settings reconstruct.*."""
    positive("reconstruct", reconstruct, "num_images", "batch_size")
    n, least = reconstruct.num_images, "at least 2, for an interval over images"
    refuse_unless(n > 1, "reconstruct.num_images", least, n)
    numbers_of_steps("reconstruct.steps", reconstruct.steps)


def check_logger(logger: "schema.Logger") -> None:
    """The settings logger.*, as W&B accepts them."""
    for key, value in (("logger.project", logger.project), ("logger.entity", logger.entity)):
        bad = [c for c in "/\\#?%:" if c in (value or "")]
        accepts = "1 to 128 characters, none of / \\ # ? % :"
        ok = value is None or (len(value.strip()) > 0 and len(value) <= 128 and not bad)
        refuse_unless(ok, key, accepts, value)
    ok = logger.server is None or logger.server.strip() != ""
    refuse_unless(ok, "logger.server", "the address of MLflow's server, or null", logger.server)
    for tag in logger.tags:
        refuse_unless(0 < len(tag) <= 64, "logger.tags", "of 1 to 64 characters each", tag)
    if logger.tags:
        without_repeats("logger.tags", logger.tags)


def check_config(cfg: "schema.Config") -> None:
    """Settings that bound one another, and those of no section."""
    check_seed("seed", cfg.seed)
    folders.check_name(cfg.name)
    if cfg.table is not None:
        refuse_unless_one_of(TABLES, "table", cfg.table)
    _check_levels(cfg)
    T = cfg.diffusion.T
    for key, steps in numbers_of_steps_of(cfg).items():
        refuse_unless(max(steps) <= T, key, f"at most diffusion.T = {T}", max(steps))
    if cfg.sampler.scheduler is not None:
        where = {"key": "sampler.scheduler", "options_key": "sampler.options"}
        schedulers.check(cfg.sampler.scheduler, cfg.sampler.options, **where)
    tau = cfg.sampler.trajectory
    if not isinstance(tau, str):
        refuse_unless(tau[-1] <= T, "sampler.trajectory", f"within 1..{T} (diffusion.T)", tau)


def _check_levels(cfg: "schema.Config") -> None:
    """The network halves the image from level to level, and attends at sizes that occur."""
    size, levels = cfg.data.image_size, len(cfg.model.multipliers)
    factor = 2 ** (levels - 1)
    accepts = f"divisible by {factor} (model.multipliers has {levels} levels)"
    refuse_unless(size % factor == 0, "data.image_size", accepts, size)
    sizes = [size // 2**i for i in range(levels)]
    ok = set(cfg.model.attention) <= set(sizes)
    accepts = f"among the sizes of the network's levels, {', '.join(map(str, sizes))}"
    refuse_unless(ok, "model.attention", accepts, cfg.model.attention)


def numbers_of_steps_of(cfg: "schema.Config") -> dict[str, list[int]]:
    """{key: S} of every setting that is a number of steps or a list of them."""
    return {
        "cell.steps": [cfg.cell.steps],
        "sweep.steps": cfg.sweep.steps,
        "reconstruct.steps": cfg.reconstruct.steps,
        "analysis.steps": [cfg.analysis.steps],
        "analysis.sigma.drawn_steps": [cfg.analysis.sigma.drawn_steps],
        "analysis.ode.steps": cfg.analysis.ode.steps,
        "analysis.solvers.steps": cfg.analysis.solvers.steps,
    }


def _as_numbers(etas: Sequence[Any]) -> list[Any]:
    """0 and 0.0 are one row."""
    return [eta if isinstance(eta, str) else float(eta) for eta in etas]

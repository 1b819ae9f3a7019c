"""The configuration's types, ranges and messages: every key that a stage reads is declared here.

Imports no torch: composing and checking a configuration must be instant.
"""

from dataclasses import dataclass, field
from enum import Enum
from itertools import pairwise
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, DictConfig, OmegaConf

from ddim.schedule import SPACINGS, check_eta

SECTIONS = (  # of the lecture, in the report's order
    "speed",
    "invert",
    "consistency",
    "path",
    "interpolate",
    "edit",
    "family",
    "ode",
    "solvers",
)


class Accelerator(Enum):
    """Where the network runs; `auto` is the best device present."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"
    mps = "mps"


class Weights(Enum):
    """Which of the two exported weight sets a sampler uses."""

    ema = "ema"
    raw = "raw"


class WandbMode(Enum):
    """`offline` needs no account and asks nothing."""

    offline = "offline"
    online = "online"
    disabled = "disabled"


def _need(condition: bool, key: str, accepts: str, got: object) -> None:
    if not condition:
        raise ValueError(f"{key} must be {accepts}, got {got!r}")


def _positive(section: str, node: object, *names: str) -> None:
    for name in names:
        value = getattr(node, name)
        _need(value > 0, f"{section}.{name}", "greater than 0", value)


def _check_precision(precision: str, key: str) -> None:
    known = ("32-true", "bf16-mixed", "16-mixed")
    _need(precision in known, key, f"one of {known}", precision)


@dataclass
class Data:
    """Which images, and where a local copy lies."""

    name: str = MISSING
    root: str = MISSING  # folder with the local copy; downloads go there
    image_size: int = MISSING
    channels: int = MISSING  # 1 grey, 3 RGB
    flip: bool = MISSING  # random horizontal flips while training
    held_out: float = MISSING  # share of images kept for `test` where the set has no test split
    download: bool = MISSING  # fetch the set if root does not hold it
    note: str = ""  # said beside every number, for example "JPEG copy"

    def __post_init__(self) -> None:
        _positive("data", self, "image_size")
        _need(self.channels in (1, 3), "data.channels", "1 or 3", self.channels)
        _need(0 <= self.held_out < 1, "data.held_out", "in [0, 1)", self.held_out)


@dataclass
class Diffusion:
    """The forward process: linear beta from beta_start to beta_end over T steps."""

    T: int = MISSING
    beta_start: float = MISSING
    beta_end: float = MISSING

    def __post_init__(self) -> None:
        _positive("diffusion", self, "T")
        _need(0 < self.beta_start < 1, "diffusion.beta_start", "in (0, 1)", self.beta_start)
        _need(
            self.beta_start <= self.beta_end < 1,
            "diffusion.beta_end",
            "in [diffusion.beta_start, 1)",
            self.beta_end,
        )


@dataclass
class Model:
    """DDPM's U-Net (ddim.unet.UNet)."""

    channels: int = MISSING
    multipliers: list[int] = MISSING
    blocks: int = MISSING
    attention: list[int] = MISSING  # image sizes with self-attention; the middle always has it
    dropout: float = MISSING
    groups: int = MISSING  # of GroupNorm

    def __post_init__(self) -> None:
        _positive("model", self, "channels", "blocks", "groups")
        ok = len(self.multipliers) > 0 and all(m > 0 for m in self.multipliers)
        _need(ok, "model.multipliers", "a list of integers greater than 0", self.multipliers)
        _need(0 <= self.dropout < 1, "model.dropout", "in [0, 1)", self.dropout)
        odd = [m for m in self.multipliers if self.channels * m % self.groups]
        _need(not odd, "model.groups", "a divisor of channels x every multiplier", self.groups)


@dataclass
class Train:
    """The recipe; defaults of the experiments are DDPM's (paper.md)."""

    steps: int = MISSING
    batch_size: int = MISSING  # over all devices together
    lr: float = MISSING
    warmup: int = MISSING  # steps of linear warm-up
    grad_clip: float = MISSING  # on the global norm
    ema_decay: float = MISSING
    log_every: int = MISSING  # steps
    checkpoint_every: int = MISSING  # steps between resume points
    sample_every: int = MISSING  # steps between sample grids sent to the logger; 0: never
    import_from: str | None = None  # path or URL of published weights, used instead of training
    import_sha256: str | None = None  # checksum of that file
    import_weights: Weights = Weights.ema  # what the published file says its weights are

    def __post_init__(self) -> None:
        _positive("train", self, "batch_size", "lr", "grad_clip", "log_every", "checkpoint_every")
        for name in ("steps", "warmup", "sample_every"):
            value = getattr(self, name)
            _need(value >= 0, f"train.{name}", "0 or more", value)
        _need(0 <= self.ema_decay < 1, "train.ema_decay", "in [0, 1)", self.ema_decay)
        ok = self.import_from is not None or self.steps > 0
        _need(ok, "train.steps", "greater than 0 (or set train.import_from)", self.steps)


@dataclass
class Trainer:
    """What Lightning's Trainer is given; also the device of every other stage."""

    accelerator: Accelerator = MISSING
    devices: int = MISSING
    num_nodes: int = MISSING
    strategy: str = MISSING  # auto, ddp, ddp_spawn
    precision: str = MISSING  # Lightning's names: 32-true, bf16-mixed
    compile: bool = MISSING  # torch.compile the network

    def __post_init__(self) -> None:
        _positive("trainer", self, "devices", "num_nodes")
        _check_precision(self.precision, "trainer.precision")
        known = ("auto", "ddp", "ddp_spawn")
        _need(self.strategy in known, "trainer.strategy", f"one of {known}", self.strategy)


@dataclass
class Features:
    """The feature space of FID, KID, precision and recall."""

    name: str = MISSING  # classifier: trained here on the labels; inception: torch-fidelity's
    weights: str | None = None  # a local Inception file; null lets torch-fidelity download its own
    dim: int = MISSING  # classifier only
    epochs: int = MISSING  # classifier only
    batch_size: int = MISSING

    def __post_init__(self) -> None:
        known = ("classifier", "inception")
        _need(self.name in known, "features.name", f"one of {known}", self.name)
        _positive("features", self, "dim", "epochs", "batch_size")


@dataclass
class Sampler:
    """How S steps are chosen, and who takes them."""

    trajectory: Any = MISSING  # linear, quadratic, quadratic-published, or a list of integers
    clip_x0: list[Any] = MISSING  # the rows (values of eta) whose x0_hat is clipped to [-1, 1]
    scheduler: str | None = None  # a diffusers scheduler's class name; null: our own sampler
    options: dict[str, Any] = field(default_factory=dict)  # that scheduler's arguments

    def __post_init__(self) -> None:
        if isinstance(self.trajectory, str):
            ok = self.trajectory in SPACINGS
        else:
            ok = isinstance(self.trajectory, list) and all(
                isinstance(t, int) for t in self.trajectory
            )
        accepts = f"one of {SPACINGS} or a list of integers"
        _need(ok, "sampler.trajectory", accepts, self.trajectory)
        for eta in self.clip_x0:
            check_eta(eta, "sampler.clip_x0")


@dataclass
class Cell:
    """One cell of Table 1: S, eta and the seed of its noise."""

    steps: int = MISSING
    eta: Any = MISSING
    seed: int = MISSING

    def __post_init__(self) -> None:
        _positive("cell", self, "steps")
        check_eta(self.eta, "cell.eta")
        _need(self.seed >= 0, "cell.seed", "0 or more", self.seed)


@dataclass
class Sample:
    """How many images a cell has, and how they are made."""

    num_images: int = MISSING
    batch_size: int = MISSING
    shard_size: int = MISSING  # images kept at a time; a killed cell loses at most this many
    weights: Weights = MISSING
    precision: str = MISSING  # as trainer.precision, but of sampling
    # Another number of images at some S: {1000: 2000}.
    num_images_at: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _positive("sample", self, "batch_size", "shard_size")
        _check_precision(self.precision, "sample.precision")
        for n in (self.num_images, *self.num_images_at.values()):
            _need(n >= 2, "sample.num_images", "at least 2", n)

    def count(self, steps: int) -> int:
        """The number of images of a cell with S = `steps`."""
        return self.num_images_at.get(steps, self.num_images)


@dataclass
class Sweep:
    """The grid of Table 1."""

    steps: list[int] = MISSING
    eta: list[Any] = MISSING
    seeds: list[int] = MISSING  # more than one: repeats, reported with their spread

    def __post_init__(self) -> None:
        for name in ("steps", "eta", "seeds"):
            values = getattr(self, name)
            ok = len(values) > 0 and len(set(map(str, values))) == len(values)
            _need(ok, f"sweep.{name}", "a list without repeats, at least one long", values)
        _need(min(self.steps) > 0, "sweep.steps", "greater than 0", self.steps)
        for eta in self.eta:
            check_eta(eta, "sweep.eta")
            # DVC names the cell's files by what it reads here: 0 and 0.0 would be two cells.
            written = isinstance(eta, float | str)
            _need(written, "sweep.eta", "written with a decimal point, as 0.0 or 1.0", eta)


@dataclass
class Evaluate:
    """Details of the measurement that move the numbers."""

    kid_subsets: int = MISSING
    kid_subset_size: int = MISSING
    neighbours: int = MISSING  # k of precision and recall

    def __post_init__(self) -> None:
        _positive("evaluate", self, "kid_subsets", "kid_subset_size", "neighbours")


@dataclass
class Reconstruct:
    """Table 2: encode with S steps, decode with the same S."""

    steps: list[int] = MISSING
    num_images: int = MISSING  # held-out images
    batch_size: int = MISSING

    def __post_init__(self) -> None:
        _positive("reconstruct", self, "num_images", "batch_size")
        least = "at least 2, for an interval over images"
        _need(self.num_images > 1, "reconstruct.num_images", least, self.num_images)
        ok = len(self.steps) > 0 and min(self.steps) > 0
        _need(ok, "reconstruct.steps", "a list of integers greater than 0", self.steps)


@dataclass
class Analysis:
    """Which sections of the analysis run, and how much each of them measures."""

    sections: list[str] = MISSING  # of the report; each is a stage of this name
    num_images: int = MISSING  # held-out images behind every average
    num_shown: int = MISSING  # images in every picture
    steps: int = MISSING  # S of encoding, decoding, paths and interpolations
    draws: int = MISSING  # invert: encodings of one and the same image
    points: int = MISSING  # interpolate: images from one end to the other, ends included
    per_class: int = MISSING  # edit: training images encoded for each class's mean
    strengths: list[float] = MISSING  # edit: multiples of the direction between two means
    num_simulations: int = MISSING  # family: simulated pixels behind each marginal
    eta: list[float] = MISSING  # family: the members whose J_sigma is computed
    ode_steps: list[int] = MISSING  # ode: the numbers of steps compared with the longest

    def __post_init__(self) -> None:
        unknown = sorted(set(self.sections) - set(SECTIONS))
        _need(not unknown, "analysis.sections", f"among {SECTIONS}", unknown)
        _positive("analysis", self, "num_shown", "steps", "per_class", "num_simulations")
        for name, least in (("num_images", 2), ("draws", 2), ("points", 3)):
            value = getattr(self, name)
            _need(value >= least, f"analysis.{name}", f"at least {least}", value)
        ok = len(self.strengths) > 0 and min(self.strengths) >= 0
        _need(ok, "analysis.strengths", "a list of numbers, 0 or more", self.strengths)
        ok = len(self.eta) > 0 and all(0 < eta <= 1 for eta in self.eta)
        _need(ok, "analysis.eta", "a list of numbers in (0, 1]: J_sigma has no sigma = 0", self.eta)
        rising = all(a < b for a, b in pairwise(self.ode_steps))
        ok = len(self.ode_steps) >= 3 and self.ode_steps[0] > 0 and rising
        _need(ok, "analysis.ode_steps", "a rising list of at least 3 numbers", self.ode_steps)


@dataclass
class Solver:
    """One row of the table of newer samplers."""

    scheduler: str = MISSING  # a class of diffusers
    options: dict[str, Any] = field(default_factory=dict)  # its arguments


@dataclass
class Solvers:
    """The table of newer samplers: schedulers of diffusers over the same network and x_T."""

    num_images: int = MISSING  # images per cell
    steps: list[int] = MISSING
    rows: dict[str, Solver] = MISSING  # by the name that the table prints

    def __post_init__(self) -> None:
        _need(self.num_images >= 2, "solvers.num_images", "at least 2", self.num_images)
        ok = len(self.steps) > 0 and min(self.steps) > 0
        _need(ok, "solvers.steps", "a list of integers greater than 0", self.steps)


@dataclass
class Logger:
    """W&B."""

    mode: WandbMode = MISSING
    project: str = MISSING
    entity: str | None = None
    tags: list[str] = field(default_factory=list)


@dataclass
class Config:
    """Everything. `name` is the experiment's: results lie in out/<name> and reports/<name>."""

    name: str = MISSING
    table: str | None = None  # the paper's table that this experiment reproduces, e.g. cifar10
    seed: int = MISSING  # of training; cells have their own
    data: Data = MISSING
    diffusion: Diffusion = MISSING
    model: Model = MISSING
    train: Train = MISSING
    trainer: Trainer = MISSING
    features: Features = MISSING
    sampler: Sampler = MISSING
    cell: Cell = MISSING
    sample: Sample = MISSING
    sweep: Sweep = MISSING
    evaluate: Evaluate = MISSING
    reconstruct: Reconstruct = MISSING
    analysis: Analysis = MISSING
    solvers: Solvers = MISSING
    logger: Logger = MISSING

    def __post_init__(self) -> None:
        _need(self.seed >= 0, "seed", "0 or more", self.seed)
        ok = bool(self.name) and all(c.isalnum() or c in "-_" for c in self.name)
        _need(ok, "name", "letters, digits, '-' and '_' (it names folders)", self.name)
        self._check_steps()
        factor = 2 ** (len(self.model.multipliers) - 1)
        size = self.data.image_size
        _need(
            size % factor == 0,
            "data.image_size",
            f"divisible by {factor} (model.multipliers)",
            size,
        )

    @property
    def network(self) -> dict[str, Any]:
        """The arguments of the U-Net that `model` and `data` describe."""
        size, channels = self.data.image_size, self.data.channels
        return {"image_size": size, "in_channels": channels, **vars(self.model)}

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of one image."""
        return (self.data.channels, self.data.image_size, self.data.image_size)

    def _check_steps(self) -> None:
        T = self.diffusion.T
        for key, steps in (
            ("cell.steps", [self.cell.steps]),
            ("sweep.steps", self.sweep.steps),
            ("reconstruct.steps", self.reconstruct.steps),
            ("analysis.steps", [self.analysis.steps]),
            ("analysis.ode_steps", self.analysis.ode_steps),
            ("solvers.steps", self.solvers.steps),
        ):
            _need(max(steps) <= T, key, f"at most diffusion.T = {T}", max(steps))


def register() -> None:
    """Make the schema known to Hydra as `ddim_schema`."""
    ConfigStore.instance().store(name="ddim_schema", node=Config, provider="ddim")


def as_dict(cfg: Config) -> dict[str, Any]:
    """The whole configuration as plain JSON-able containers."""
    plain = OmegaConf.to_container(OmegaConf.structured(cfg), enum_to_str=True)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}


def checked(cfg: DictConfig) -> Config:
    """Resolve `cfg`, check every range and return the typed object; ValueError names the key."""
    node = OmegaConf.to_object(cfg)
    if not isinstance(node, Config):
        raise TypeError("the configuration was composed without ddim_schema")
    return node

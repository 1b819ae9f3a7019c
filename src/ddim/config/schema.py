"""The configuration's types: every key that a stage reads is declared here, with what it means.

What each key accepts is in ddim.config.checks. Imports no torch: composing and checking a
configuration must be instant.
"""

from dataclasses import dataclass, field, replace
from enum import Enum, StrEnum
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, DictConfig, OmegaConf

from ddim.config import analysis_checks, checks
from ddim.runtime import overrides
from ddim.runtime.declared import SCHEMA, moved, renamed


class Accelerator(StrEnum):
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


class LoggerKind(StrEnum):
    """Who takes curves, pictures and numbers."""

    wandb = "wandb"
    csv = "csv"
    tensorboard = "tensorboard"
    mlflow = "mlflow"


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
    note: str = ""  # printed with every number, for example "JPEG copy"
    watch: str = checks.NOTHING  # a file or folder: once it changes, `dvc repro` reads it again

    def __post_init__(self) -> None:
        checks.check_data(self)


@dataclass
class Diffusion:
    """The forward process: linear beta from beta_start to beta_end over T steps."""

    T: int = MISSING
    beta_start: float = MISSING
    beta_end: float = MISSING

    def __post_init__(self) -> None:
        checks.check_diffusion(self)


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
        checks.check_model(self)


@dataclass
class Train:
    """The recipe; the defaults are those of DDPM, Appendix B."""

    steps: int = MISSING
    batch_size: int = MISSING  # over all devices together
    lr: float = MISSING
    warmup: int = MISSING  # steps of linear warm-up
    lr_decay: str = "none"  # none (DDPM's), or cosine: down to 0 at the last step
    grad_clip: float = MISSING  # on the global norm
    ema_decay: float = MISSING
    log_every: int = MISSING  # steps
    checkpoint_every: int = MISSING  # steps between resume points
    sample_every: int = MISSING  # steps between sample grids sent to the logger; 0: never
    # Steps between validations sent to the logger (loss, FID and KID of previews); 0: never.
    validate_every: int = MISSING
    import_from: str | None = None  # path or URL of published weights, used instead of training
    import_sha256: str | None = None  # checksum of that file
    import_weights: Weights = Weights.ema  # what the published file says its weights are

    def __post_init__(self) -> None:
        checks.check_train(self)


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
        checks.check_trainer(self)


@dataclass
class Features:
    """The feature space of FID, KID, precision and recall."""

    name: str = MISSING  # classifier: trained here on the labels; inception: torch-fidelity's
    weights: str | None = None  # a local Inception file; null lets torch-fidelity download its own
    dim: int = MISSING  # classifier only
    epochs: int = MISSING  # classifier only
    batch_size: int = MISSING

    def __post_init__(self) -> None:
        checks.check_features(self)

    @property
    def is_inception(self) -> bool:
        """Whether the features are Inception's, those of published FIDs."""
        return checks.is_inception(self.name)


@dataclass
class Sampler:
    """How S steps are chosen, and who takes them."""

    trajectory: Any = MISSING  # linear, quadratic, quadratic-published, or a list of integers
    clip_x0: list[Any] = MISSING  # the rows (values of eta) whose x0_hat is clipped to [-1, 1]
    scheduler: str | None = None  # a diffusers scheduler's class name; null: our own sampler
    options: dict[str, Any] = field(default_factory=dict)  # that scheduler's arguments

    def __post_init__(self) -> None:
        checks.check_sampler(self)


@dataclass
class Cell:
    """One cell of Table 1: S, eta and the seed of its noise."""

    steps: int = MISSING
    eta: Any = MISSING
    seed: int = MISSING

    def __post_init__(self) -> None:
        checks.check_cell(self)


@dataclass
class Sample:
    """How many images a cell has, and how they are made."""

    num_images: int = renamed("n")
    batch_size: int = MISSING
    shard_size: int = renamed("shard")  # images kept at a time: what a killed cell loses at most
    weights: Weights = MISSING
    precision: str = MISSING  # as trainer.precision, but of sampling
    # Another number of images at some S: {1000: 2000}.
    num_images_at: dict[int, int] = renamed("n_at", default_factory=dict)

    def __post_init__(self) -> None:
        checks.check_sample(self)

    def count(self, steps: int) -> int:
        """The number of images of a cell with S = `steps`."""
        return self.num_images_at.get(steps, self.num_images)

    @property
    def counts(self) -> list[int]:
        """Every number of images that a cell has, rising."""
        return sorted({self.num_images, *self.num_images_at.values()})

    def counts_compared(self, num_held_out: int) -> list[int]:
        """Every number of images at which cells are compared, rising.

        With one another at those that cells have; with real ones at no more than there are held
        out.
        """
        return sorted({*self.counts, *(min(n, num_held_out) for n in self.counts)})


@dataclass
class Sweep:
    """The grid of Table 1."""

    steps: list[int] = MISSING
    eta: list[Any] = MISSING
    seeds: list[int] = MISSING  # more than one: repeats, reported with their spread

    def __post_init__(self) -> None:
        checks.check_sweep(self)


@dataclass
class Evaluate:
    """Details of the measurement that move the numbers."""

    kid_subsets: int = MISSING
    kid_subset_size: int = MISSING
    neighbours: int = MISSING  # k of precision and recall
    engine: str = MISSING  # who computes them: ours, torch-fidelity or torchmetrics

    def __post_init__(self) -> None:
        checks.check_evaluate(self)


@dataclass
class Reconstruct:
    """Table 2: encode with S steps, decode with the same S."""

    steps: list[int] = MISSING
    num_images: int = renamed("n")  # held-out images
    batch_size: int = MISSING

    def __post_init__(self) -> None:
        checks.check_reconstruct(self)


@dataclass
class NoSettings:
    """A section of the analysis that has no settings of its own."""


@dataclass
class Speed:
    """Which trajectory is as good as a long chain."""

    margin: float = MISSING  # by how much worse its FID may be, as a share of the chain's

    def __post_init__(self) -> None:
        analysis_checks.check_speed(self)


@dataclass
class Invert:
    """Encoding one image again and again."""

    draws: int = moved("analysis.draws")  # encodings of one and the same image

    def __post_init__(self) -> None:
        analysis_checks.check_invert(self)


@dataclass
class Sigma:
    """What sigma does: paths of the forward process, draws from one x_T."""

    eta: list[Any] = MISSING  # of the draws: numbers that rise from 0.0, and "hat"
    draws: int = MISSING  # images from one and the same x_T, at each eta
    num_paths: int = MISSING  # forward paths of one pixel, in each panel
    drawn_steps: int = MISSING  # S of the trajectory that is drawn over 1..T

    def __post_init__(self) -> None:
        analysis_checks.check_sigma(self)


@dataclass
class Interpolate:
    """From one latent to another."""

    points: int = moved("analysis.points")  # images from one end to the other, ends included

    def __post_init__(self) -> None:
        analysis_checks.check_interpolate(self)


@dataclass
class Edit:
    """Moving latents from one class's mean towards another's."""

    per_class: int = moved("analysis.per_class")  # training images encoded for each class's mean
    strengths: list[float] = moved("analysis.strengths")  # multiples of the direction; 0 and 1 too

    def __post_init__(self) -> None:
        analysis_checks.check_edit(self)


@dataclass
class Family:
    """The family q_sigma: same marginals, same objective."""

    # Simulated pixels behind each marginal.
    num_simulations: int = moved("analysis.num_simulations", "analysis.simulations")
    eta: list[float] = moved("analysis.eta")  # the members whose J_sigma is computed

    def __post_init__(self) -> None:
        analysis_checks.check_family(self)


@dataclass
class Ode:
    """The order of the deterministic sampler as an ODE solver."""

    steps: list[int] = moved("analysis.ode_steps")  # the longest is the reference solution

    def __post_init__(self) -> None:
        analysis_checks.check_ode(self)


@dataclass
class Solver:
    """One row of the table of newer samplers."""

    scheduler: str = MISSING  # a class of diffusers
    options: dict[str, Any] = field(default_factory=dict)  # its arguments


@dataclass
class Solvers:
    """The table of newer samplers: schedulers of diffusers over the same network and x_T."""

    num_images: int = renamed("n")  # images per cell
    steps: list[int] = MISSING
    rows: dict[str, Solver] = MISSING  # by the name that the table prints

    def __post_init__(self) -> None:
        analysis_checks.check_solvers(self)


@dataclass
class Analysis:
    """Which sections of the analysis run, and how much each of them measures.

    A section's own settings are under its name: an edit there runs that section alone again.
    """

    sections: list[str] = MISSING
    num_images: int = renamed("n")  # held-out images behind every average
    num_shown: int = renamed("shown")  # images in every picture
    steps: int = MISSING  # S of encoding, decoding, paths and interpolations
    section: str | None = None  # the one to measure by hand; null: all that are not there yet
    speed: Speed = MISSING
    invert: Invert = MISSING
    sigma: Sigma = MISSING
    consistency: NoSettings = field(default_factory=NoSettings)
    path: NoSettings = field(default_factory=NoSettings)
    interpolate: Interpolate = MISSING
    edit: Edit = MISSING
    family: Family = MISSING
    ode: Ode = MISSING
    solvers: Solvers = moved("solvers")

    def __post_init__(self) -> None:
        analysis_checks.check_analysis(self)


@dataclass
class Logger:
    """W&B, or another of Lightning's loggers."""

    kind: LoggerKind = LoggerKind.wandb
    mode: WandbMode = MISSING  # of W&B alone
    project: str = MISSING  # of W&B; MLflow's experiment
    entity: str | None = None  # of W&B alone
    tags: list[str] = field(default_factory=list)
    server: str | None = None  # of MLflow alone, its tracking URI; null: a file in out/<name>

    def __post_init__(self) -> None:
        checks.check_logger(self)


@dataclass
class Config:
    """Everything. `name` is the experiment's: results lie in `out/<name>` and `reports/<name>`."""

    name: str = MISSING
    table: str | None = None  # the paper's table that this experiment reproduces, e.g. cifar10
    seed: int = MISSING  # of training; cells have their own
    weights: str | None = None  # a report's, for cells by hand; null: those that `train` exports
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
    analysis: Analysis = renamed("lecture")
    logger: Logger = MISSING

    def __post_init__(self) -> None:
        checks.check_config(self)

    @property
    def network(self) -> dict[str, Any]:
        """The arguments of the U-Net that `model` and `data` describe."""
        size, channels = self.data.image_size, self.data.channels
        return {"image_size": size, "in_channels": channels, **vars(self.model)}

    def cells(self) -> list["Config"]:
        """This configuration for every cell of the sweep: eta by eta, S by S, seed by seed."""
        return [
            replace(self, cell=Cell(steps, eta, seed))
            for eta in self.sweep.eta
            for steps in self.sweep.steps
            for seed in self.sweep.seeds
        ]

    def columns(self) -> list["Config"]:
        """This configuration for every S of Table 2."""
        return [
            replace(self, cell=replace(self.cell, steps=steps)) for steps in self.reconstruct.steps
        ]

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of one image."""
        return (self.data.channels, self.data.image_size, self.data.image_size)


def register() -> None:
    """Make the schema known to Hydra as `ddim_schema`."""
    ConfigStore.instance().store(name=SCHEMA, node=Config, provider="ddim")


def as_dict(cfg: Config) -> dict[str, Any]:
    """The whole configuration as plain JSON-able containers."""
    plain = OmegaConf.to_container(OmegaConf.structured(cfg), enum_to_str=True)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}


def checked(cfg: DictConfig) -> Config:
    """Resolve `cfg`, check every key and range and return the typed object.

    Raises ValueError, or OmegaConf's own error about a value's type; both name the key.
    """
    config = overrides.to_object(cfg)
    assert isinstance(config, Config)
    return config

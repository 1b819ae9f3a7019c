"""One cell: what determines its images, the sampler of it, and the images themselves.

`plan` loads no network: what is there already is known before anything heavy happens.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddim import schedule
from ddim.config import paths
from ddim.config.schema import Config
from ddim.records import commands, fingerprints, published, samples
from ddim.records.cell import CellKey, Sampled, Trajectory, Weights
from ddim.records.timing import Timing
from ddim.records.training import Training
from ddim.runtime import files

if TYPE_CHECKING:
    from ddim.sampling.network import EpsModel
    from ddim.sampling.samplers import Sampler
    from ddim.sampling.shards import ShardJob


@dataclass(frozen=True)
class CellPlan:
    """A cell, resolved: everything that its images depend on, and the fingerprint of that."""

    fields: dict[str, Any]  # of ddim.records.cell.Sampled
    fingerprint: str

    @property
    def n(self) -> int:
        """The number of images."""
        return int(self.fields["n"])

    @property
    def name(self) -> str:
        """The cell's file name without its ending."""
        key: CellKey = self.fields["cell"]
        return key.name


def plan(cfg: Config, weights: Weights) -> CellPlan:
    """Resolve the configured cell; weights: `weights_in_use`, which all cells share."""
    fields: dict[str, Any] = {
        "cell": CellKey.of(cfg),
        "n": cfg.sample.count(cfg.cell.steps),
        "weights": weights,
        "precision": cfg.sample.precision,
    }
    if cfg.sampler.scheduler is None:
        fields |= {"trajectory": trajectory(cfg), "clip_x0": clips(cfg)}
    else:  # a scheduler chooses its own steps, and clips only if its options say so
        fields["options"] = dict(cfg.sampler.options)
    return CellPlan(fields, fingerprints.sampling(cfg, fields))


def clips(cfg: Config) -> bool:
    """Whether the configured cell's row clips x0_hat (the published code: only sigma-hat)."""
    rows = {paths.eta_name(eta) for eta in cfg.sampler.clip_x0}
    return paths.eta_name(cfg.cell.eta) in rows


def trajectory(cfg: Config) -> Trajectory:
    """The configured spacing with cell.steps steps."""
    spacing, S = cfg.sampler.trajectory, cfg.cell.steps
    tau = schedule.trajectory(cfg.diffusion.T, S, spacing)
    name = spacing if isinstance(spacing, str) else "explicit"
    return Trajectory(spacing=name, tau=tuple(tau), repeats_dropped=S - len(tau))


def weights_in_use(cfg: Config) -> Weights:
    """The weights that every sampler uses: those that the record of the training describes.

    The file is read once, to compare its checksum. An error names the file that is missing, damaged
    or of another kind.
    """
    from ddim.weights import describe

    file, kind = paths.weights_file(cfg), cfg.sample.weights.value
    metadata, sha256 = describe(file), files.sha256(file)
    info, again = metadata["info"], f"make it again with `{commands.TRAIN}`"
    if metadata["kind"] != kind:
        raise ValueError(f"{file} holds {metadata['kind']} weights, not {kind}: {again}")
    if cfg.weights is not None:
        published.find(cfg.weights)
    elif Training.read(paths.training_record(cfg), commands.TRAIN).sha256.get(kind) != sha256:
        record = paths.training_record(cfg)
        raise ValueError(f"{file} does not hold the weights that {record} describes: {again}")
    if missing := {"trained_steps", "source"} - info.keys():
        raise ValueError(f"{file} does not say its {min(missing)}: {again}")
    return Weights(
        kind=kind, sha256=sha256, trained_steps=info["trained_steps"], source=info["source"]
    )


def is_sampled(cfg: Config, plan: CellPlan, folder: Path | None = None) -> bool:
    """Whether the cell's images and their record are there, of exactly this plan.

    folder: where to look, if not where the configured cell lies. What cannot be read, or does not
    fit together, counts as absent; a line says so.
    """
    folder = folder or paths.samples(cfg)
    if not (folder / paths.SAMPLED).is_file():
        return False
    try:
        if samples.record(cfg, folder).fingerprint != plan.fingerprint:
            return False
        samples.load(cfg, folder)
    except (OSError, ValueError) as error:
        print(error, flush=True)
        return False
    return True


def load_network(cfg: Config) -> "EpsModel":
    """The trained network in sample.precision, for every cell that is to be sampled."""
    from ddim import weights
    from ddim.sampling.network import EpsModel

    unet, _ = weights.load(paths.weights_file(cfg), expect=cfg.network)
    return EpsModel(unet, precision=cfg.sample.precision, compiled=cfg.trainer.compile)


def shard_job(cfg: Config, plan: CellPlan, model: "EpsModel") -> "ShardJob":
    """What any process needs to sample the cell; its folder is this plan's own."""
    from ddim.sampling.shards import ShardJob, Shards

    world = cfg.trainer.devices * cfg.trainer.num_nodes
    shards = Shards(
        folder=paths.shards(plan.fingerprint),
        n=plan.n,
        size=min(cfg.sample.shard_size, -(-plan.n // world)),  # something to do for every process
        shape=cfg.image_shape,
    )
    return ShardJob(
        sampler=_sampler(cfg, plan, model),
        shards=shards,
        seed=cfg.cell.seed,
        batch_size=cfg.sample.batch_size,
    )


def _sampler(cfg: Config, plan: CellPlan, model: "EpsModel") -> "Sampler":
    """The configured sampler around the trained network."""
    from ddim.sampling.diffusers_schedulers import DiffusersSampler
    from ddim.sampling.samplers import DDIM

    alpha_bar = schedule.alpha_bar(**vars(cfg.diffusion))
    scheduler, options = cfg.sampler.scheduler, cfg.sampler.options
    if scheduler is not None:
        return DiffusersSampler(model, alpha_bar, cfg.cell.steps, scheduler, options)
    return DDIM(
        eps_model=model,
        alpha_bar=alpha_bar,
        tau=plan.fields["trajectory"].tau,
        eta=cfg.cell.eta,
        clip_x0=plan.fields["clip_x0"],
    )


def collect(cfg: Config, plan: CellPlan, job: "ShardJob") -> None:
    """Merge the shards into samples.npy; write how long they took, then the images' record.

    On the first process only, when all shards are there. They are removed last: a process that is
    killed before loses nothing.
    """
    record, images = paths.sampled_record(cfg), paths.samples_file(cfg)
    record.unlink(missing_ok=True)  # never beside images that it does not describe
    seconds = job.shards.merge(images)
    sampled = Sampled(
        **plan.fields,
        nfe=job.sampler.nfe,
        batch_size=job.batch_size,
        sha256=files.sha256(images),
        fingerprint=plan.fingerprint,
    )
    Timing.now(cfg.trainer, seconds, plan.n).write(paths.cell_timing(cfg))
    sampled.write(record)
    job.shards.remove()

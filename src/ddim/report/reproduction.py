"""Results -> how to reproduce them: checksums, commands, the whole configuration."""

import shlex

from omegaconf import OmegaConf

from ddim.records import commands
from ddim.records.results import Results
from ddim.report import protocol
from ddim.report.document import Block, Bullets, Code, Part
from ddim.report.escaping import plain


def part(results: Results) -> Part:
    """The last part of the report."""
    configuration = OmegaConf.to_yaml(OmegaConf.structured(results.cfg))
    blocks: list[Block] = [
        Bullets(_facts(results)),
        Code(_commands(results), "sh"),
        Code(configuration, "yaml", "The whole configuration (params.yaml)"),
    ]
    return Part("How to reproduce it", "reproduce", more=blocks)


def _facts(results: Results) -> tuple[str, ...]:
    reference = results.reference
    return (
        f"Preparation of the data: {_preparation(results)}",
        f"Weights, SHA-256: {_checksums(results)}",
        f"Data, SHA-256 of the training split: `{reference.data.train_sha256}`",
        f"Reference, SHA-256: `{reference.sha256}`; features, SHA-256: "
        f"`{reference.features.sha256}`",
        "Git revision, device and date: [timings](timings/README.md)",
    )


def _checksums(results: Results) -> str:
    """Of both kinds of weights; only one kind is ever imported."""
    checksums = results.training.sha256
    return ", ".join(f"{protocol.weights_kind(kind)} `{checksums[kind]}`" for kind in checksums)


def _preparation(results: Results) -> str:
    """How the images were split, cropped and resized, in the words of the data's stage."""
    steps = results.reference.data.preprocessing
    texts = [
        f"{name.replace('_', ' ')} {plain(text)}"
        for name in steps.__struct_fields__
        if (text := getattr(steps, name)) is not None
    ]
    return "; ".join(texts) or "none"


def _commands(results: Results) -> str:
    """What to type, in the project's root: everything at once, or stage by stage."""
    stages = ["data", "features", "train", "reference", "sample", "evaluate", "reconstruct"]
    stages += [*(["analysis"] if results.sections else []), "report"]
    lines = [
        "export PYTHONPATH=src",
        *_compose(results),
        "dvc repro",
        "",
        "# the same, stage by stage; params.yaml holds the configuration below",
        *map(commands.stage, stages),
        "python -m ddim.track",
    ]
    return "\n".join(lines)


def _compose(results: Results) -> list[str]:
    """The command that writes params.yaml; none if that takes a new file in conf/."""
    arguments = results.experiment.compose
    if arguments is None:
        return []
    return [shlex.join(["python", "-m", "ddim.compose", *arguments])]

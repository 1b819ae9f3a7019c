"""A model card: what a folder of exported weights is, what it scored, and how it was measured.

Markdown with the front matter that model hubs read. Its numbers are the report's.
"""

from typing import Any

from ddim.evaluation.aggregate import FID
from ddim.records.results import Results
from ddim.report import protocol, tables, verdicts
from ddim.report.escaping import plain
from ddim.report.render import markdown

FRONT = """---
license: mit
library_name: diffusers
pipeline_tag: unconditional-image-generation
tags: [ddim, ddpm, diffusion]
---
"""
LICENCE = (
    "The weights and the code that made them are under the MIT licence. The images that they were "
    "trained on are not part of this folder and have terms of their own."
)
USE = """```python
import torch
from diffusers import DDIMPipeline

pipeline = DDIMPipeline.from_pretrained("{folder}")
images = pipeline(batch_size=4, num_inference_steps=50, eta=0.0).images
```"""
OURS = """The trajectory of the table is {trajectory}. With the package ddim, its schedule and every
row of the table (sigma-hat too) are a scheduler:

```python
from ddim.interop import DDIMScheduler, encode

pipeline.scheduler = DDIMScheduler.from_config(
    pipeline.scheduler.config, trajectory="{trajectory}"
)
x_T = encode(pipeline, x_0, 50, "{trajectory}")  # latents of images x_0 [N,C,H,W] on [-1, 1]
```"""


def of_report(results: Results, folder: str) -> str:
    """The card of the weights of a report, exported to `folder`."""
    data = results.reference.data
    fid = tables.quality(results, FID)
    parts = [
        f"{FRONT}\n# DDPM on {plain(data.name)}",
        f"A DDPM of {results.training.parameters:,} parameters, for the samplers of "
        "[Denoising Diffusion Implicit Models](https://arxiv.org/abs/2010.02502).",
        f"## Data\n\n{_data(results)}",
        f"## Training\n\n{_training(results)}",
        f"## Numbers\n\n{tables.comparison(results)}",
        "\n".join(markdown.table(fid)) if fid else "",
        f"Protocol: {protocol.line(results)}.",
        f"{verdicts.summary(verdicts.panel(results))} Claims of the paper and a lecture on it.",
        f"## Use\n\n{USE.format(folder=folder)}",
        _ours(results),
        f"## Licence\n\n{LICENCE}",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def of_file(info: dict[str, Any], kind: str, folder: str) -> str:
    """The card of weights without a report; info: of the weights file."""
    parts = [
        f"{FRONT}\n# DDPM on {plain(str(info.get('data', 'unnamed data')))}",
        f"Weights: {kind}, {plain(str(info.get('source', 'of unknown origin')))}. There was no "
        "whole report of them when they were exported, so this card has no numbers.",
        f"## Use\n\n{USE.format(folder=folder)}",
        f"## Licence\n\n{LICENCE}",
    ]
    return "\n\n".join(parts) + "\n"


def _data(results: Results) -> str:
    data = results.reference.data
    split = f"{data.train_n:,} images to train on, {data.test_n:,} held out."
    return f"{protocol.data(results)}: {plain(data.description.rstrip('.'))}. {split}"


def _training(results: Results) -> str:
    training = results.training
    recipe = training.recipe
    if recipe is None:
        return f"{plain(training.source).capitalize()}."
    decay = "no" if recipe.lr_decay == "none" else recipe.lr_decay
    return (
        f"{recipe.steps:,} steps of {recipe.batch_size} images, learning rate {recipe.lr:g} "
        f"({decay} decay), EMA {recipe.ema_decay:g}, seed {training.seed}, "
        f"{recipe.precision}. The weights are the {results.cfg.sample.weights.value} ones."
    )


def _ours(results: Results) -> str:
    spacing = results.cfg.sampler.trajectory
    return OURS.format(trajectory=spacing) if isinstance(spacing, str) else ""

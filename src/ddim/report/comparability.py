"""Decides whether a number is comparable with the paper's.

Each function returns how the protocol differs from the paper's, in words; an empty list means that
it is the paper's. The report prints the paper's value only where the list is empty.
"""

from collections.abc import Mapping
from typing import Any

from ddim.config.checks import is_inception
from ddim.config.schema import Config
from ddim.evaluation import inception_file
from ddim.evaluation.reconstruction import SCALE
from ddim.records.cell import Cell
from ddim.records.prepared import PreparedData
from ddim.records.reconstruction import Reconstruction
from ddim.records.results import Results
from ddim.records.training import Recipe
from ddim.report import paper
from ddim.report.escaping import plain
from ddim.report.numbers import count
from ddim.report.protocol import data_name, trajectory
from ddim.schedule import HAT


def protocol_mismatches(results: Results) -> list[str]:
    """How the FIDs' protocol differs from the paper's: over all cells, each mismatch once."""
    mismatches = of_experiment(results)
    for cell in results.cells.values():
        mismatches += [m for m in of_cell(results, cell) if m not in mismatches]
    return mismatches


def paper_fid(results: Results, cell: Cell) -> float | None:
    """The paper's FID for this cell; None where it is not comparable or was not published."""
    if of_experiment(results) or of_cell(results, cell):
        return None
    return paper.FID[results.cfg.table or ""].get(cell.key.eta, {}).get(cell.key.steps)


def paper_reconstruction(results: Results, column: Reconstruction) -> float | None:
    """The paper's error for this S; None where it is not comparable or was not published."""
    if of_reconstruction(results, column):
        return None
    return paper.RECONSTRUCTION[results.cfg.table or ""].get(column.steps)


def of_experiment(results: Results) -> list[str]:
    """Mismatches of every FID of the experiment: data, features, reference, network."""
    reference = results.reference
    mismatches = _of_data(results.cfg, reference.data, paper.FID)
    if not is_inception(reference.features.name):
        mismatches.append("the features are not Inception's")
    elif not reference.features.sha256.startswith(inception_file.SHA256):
        mismatches.append("Inception's weights are not the published ones")
    if reference.split != "train" or reference.n != reference.data.train_n:
        mismatches.append(
            f"the reference is {count(reference.n)} {reference.split} images, "
            "not the whole training split"
        )
    return mismatches + _of_network(results)


def _of_data(cfg: Config, data: PreparedData, tables: Mapping[str, Any]) -> list[str]:
    """The data set is the one that the paper's table is about, as published."""
    if cfg.table not in tables:
        return [f"the paper has no such table for {data_name(data)}"]
    mismatches = []
    if data.name != cfg.table:
        mismatches.append(f"the data is {data.name}, the paper's is {cfg.table}")
    if data.note:
        mismatches.append(f"the data is a variant ({plain(data.note)})")
    whole = paper.TRAIN_N.get(cfg.table or "", data.train_n)
    if data.train_n != whole:
        mismatches.append(
            f"the training split has {count(data.train_n)} images, not {count(whole)}"
        )
    return mismatches


def _of_network(results: Results) -> list[str]:
    """The paper's chain and network, trained as DDPM's or imported."""
    cfg, mismatches = results.cfg, []
    if (cfg.diffusion.T, cfg.diffusion.beta_start, cfg.diffusion.beta_end) != (1000, 1e-4, 0.02):
        mismatches.append(
            "the noise schedule is not the paper's (T = 1000, beta from 1e-4 to 0.02)"
        )
    table = cfg.table or ""
    network = cfg.network
    if differences := _differences(network, paper.NETWORK.get(table, network)):
        mismatches.append(f"the network is not the paper's ({differences})")
    recipe = results.training.recipe
    return mismatches if recipe is None else mismatches + _of_training(table, recipe)


def _of_training(table: str, recipe: Recipe) -> list[str]:
    """The training is DDPM's; precision and warm-up are reported, and required of nobody."""
    mismatches = []
    needed = paper.STEPS.get(table, 0)
    if recipe.steps < needed:
        mismatches.append(
            f"the network was trained for {count(recipe.steps)} steps, not {count(needed)}"
        )
    published = paper.RECIPE.get(table, {})
    ours = {name: getattr(recipe, name) for name in published}
    if differences := _differences(ours, published):
        mismatches.append(f"the training is not the paper's ({differences})")
    return mismatches


def _differences(ours: Mapping[str, Any], published: Mapping[str, Any]) -> str:
    """'channels 64, not 128': every setting that differs."""
    return ", ".join(
        f"{name} {value}, not {published[name]}"
        for name, value in ours.items()
        if value != published[name]
    )


def of_cell(results: Results, cell: Cell) -> list[str]:
    """Mismatches of this cell alone: n, trajectory, weights, clipping."""
    mismatches = []
    sampled, n = cell.sampled, cell.measured.n_generated
    if n != paper.N_GENERATED:
        mismatches.append(f"{count(n)} images were generated, not {count(paper.N_GENERATED)}")
    ours = trajectory(cell).spacing
    spacing = paper.SPACING.get(results.cfg.table or "", ours)
    if ours != spacing:
        mismatches.append(f"the trajectory is {ours}, not {spacing}")
    mismatches += _of_weights(sampled.weights.kind)
    if sampled.clip_x0 and cell.key.eta != HAT:
        mismatches.append("x0_hat is clipped in an eta row")
    if not sampled.clip_x0 and cell.key.eta == HAT:
        mismatches.append("x0_hat is not clipped in the sigma-hat row")
    return mismatches


def _of_weights(kind: str) -> list[str]:
    return [] if kind == "ema" else [f"the weights are {kind}, not EMA"]


def of_reconstruction(results: Results, column: Reconstruction) -> list[str]:
    """How this column's protocol differs from that of Table 2.

    The paper does not say which trajectory Table 2 used, so none is required.
    """
    cfg = results.cfg
    mismatches = _of_data(cfg, results.reference.data, paper.RECONSTRUCTION)
    n = paper.TEST_N.get(cfg.table or "", column.n)
    if column.split != "test" or column.n != n:
        mismatches.append(
            f"{count(column.n)} {column.split} images were encoded, not the whole test split"
        )
    if column.scale != SCALE:
        mismatches.append(f"the error is on the scale {column.scale}, not {SCALE}")
    return mismatches + _of_weights(column.weights.kind) + _of_network(results)

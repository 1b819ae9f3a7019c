"""Decides whether a number may stand beside the paper's.

Each function returns the reasons why it may not, in words; an empty list means the protocol is
the paper's. The report prints the paper's value only where the list is empty.
"""

from typing import Any

from ddim.config.checks import is_inception
from ddim.config.schema import Config
from ddim.records.results import Cell, Reconstructed, Results
from ddim.report import paper
from ddim.report.numbers import count

INCEPTION = "6726825d"  # torch-fidelity's file of TensorFlow's weights: its sha256 begins so


def _of_data(cfg: Config, protocol: dict[str, Any], known: dict[str, Any]) -> list[str]:
    """The data set is the one the table is about, as published."""
    data = protocol["data"]
    if cfg.table not in known:
        return [f"the paper has no such table for {data['name']}"]
    reasons = []
    if data["name"] != cfg.table:
        reasons.append(f"the data is {data['name']}, the paper's is {cfg.table}")
    if data["note"]:
        reasons.append(f"the data is a variant ({data['note']})")
    whole = paper.TRAIN_N.get(cfg.table or "", data["train_n"])
    if data["train_n"] != whole:
        reasons.append(
            f"the training split has {count(data['train_n'])} images, not {count(whole)}"
        )
    return reasons


def fid_of_experiment(results: Results) -> list[str]:
    """Reasons that hold for every FID of the experiment: data, features, reference, network."""
    cfg, protocol = results.cfg, results.protocol
    reasons = _of_data(cfg, protocol, paper.FID)
    features, reference = protocol["features"], protocol["reference"]
    if not is_inception(features["name"]):
        reasons.append("the features are not Inception's")
    elif not str(features["sha256"]).startswith(INCEPTION):
        reasons.append("Inception's weights are not the published ones")
    if reference["split"] != "train" or reference["n"] != protocol["data"]["train_n"]:
        reasons.append(
            f"the reference is {count(reference['n'])} {reference['split']} images, "
            "not the whole training split"
        )
    return reasons + _of_network(results)


def _of_network(results: Results) -> list[str]:
    """The paper's chain and network, trained as DDPM's or imported."""
    cfg, reasons = results.cfg, []
    if (cfg.diffusion.T, cfg.diffusion.beta_start, cfg.diffusion.beta_end) != (1000, 1e-4, 0.02):
        reasons.append("the noise schedule is not the paper's (T = 1000, beta from 1e-4 to 0.02)")
    network = cfg.network
    published = paper.NETWORK.get(cfg.table or "", network)
    if differing := [key for key in network if network[key] != published[key]]:
        said = ", ".join(f"{key} {network[key]}, not {published[key]}" for key in differing)
        reasons.append(f"the network is not the paper's ({said})")
    imported = "steps" not in results.training
    return reasons if imported else reasons + _of_training(cfg.table or "", results.training)


def _of_training(table: str, made: dict[str, Any]) -> list[str]:
    """The training is DDPM's; precision and warm-up are said in the report and asked of nobody."""
    reasons = []
    needed = paper.STEPS.get(table, 0)
    if made["steps"] < needed:
        reasons.append(
            f"the network was trained for {count(made['steps'])} steps, not {count(needed)}"
        )
    recipe = paper.RECIPE.get(table, {})
    if differing := [key for key in recipe if made[key] != recipe[key]]:
        said = ", ".join(f"{key} {made[key]}, not {recipe[key]}" for key in differing)
        reasons.append(f"the training is not the paper's ({said})")
    return reasons


def fid_of_cell(results: Results, cell: Cell) -> list[str]:
    """Reasons that hold for this cell alone: n, trajectory, weights, clipping."""
    reasons = []
    made, n = cell.sampled, cell.measured.n_generated
    if n != paper.N_GENERATED:
        reasons.append(f"{count(n)} images were generated, not {count(paper.N_GENERATED)}")
    spacing = paper.SPACING.get(results.cfg.table or "", made.spacing)
    if made.spacing != spacing:
        reasons.append(f"the trajectory is {made.spacing}, not {spacing}")
    if made.kind != "ema":
        reasons.append(_not_ema(made.kind))
    if made.clip_x0 and cell.key.eta != "hat":
        reasons.append("x0_hat is clipped in an eta row")
    if not made.clip_x0 and cell.key.eta == "hat":
        reasons.append("x0_hat is not clipped in the sigma-hat row")
    return reasons


def _not_ema(kind: str) -> str:
    return f"the weights are {kind}, not EMA"


def fid(results: Results, cell: Cell) -> list[str]:
    """Every reason why this cell's FID may not stand beside the paper's."""
    return fid_of_experiment(results) + fid_of_cell(results, cell)


def why_not(results: Results) -> list[str]:
    """The reasons over all cells, each once, in the order they were met."""
    found = list(fid_of_experiment(results))
    for cell in results.cells.values():
        found += [reason for reason in fid_of_cell(results, cell) if reason not in found]
    return found


def reconstruction(results: Results, column: Reconstructed) -> list[str]:
    """Every reason why this reconstruction error may not stand beside Table 2.

    The paper does not say which trajectory Table 2 used, so none is asked for.
    """
    cfg = results.cfg
    reasons = _of_data(cfg, results.protocol, paper.RECONSTRUCTION)
    n = paper.TEST_N.get(cfg.table or "", column.n)
    if column.split != "test" or column.n != n:
        reasons.append(
            f"{count(column.n)} {column.split} images were encoded, not the whole test split"
        )
    if column.scale != "[0,1]":
        reasons.append(f"the error is on the scale {column.scale}, not [0,1]")
    if column.kind != "ema":
        reasons.append(_not_ema(column.kind))
    return reasons + _of_network(results)


def paper_fid(results: Results, cell: Cell) -> float | None:
    """The paper's FID for this cell, or None where it may not be shown or was not published."""
    if fid(results, cell):
        return None
    return paper.FID[results.cfg.table or ""].get(cell.key.eta, {}).get(cell.key.steps)


def paper_reconstruction(results: Results, column: Reconstructed) -> float | None:
    """The paper's error for this S, or None where it may not be shown or was not published."""
    if reconstruction(results, column):
        return None
    return paper.RECONSTRUCTION[results.cfg.table or ""].get(column.steps)

"""What of the sweep each section of the analysis reads: a checksum in `out/<name>/inputs`.

The stage `evaluate` writes it and the stage `analysis` depends on it, so that one more cell makes
no section run again but those that look at it. ddim.analysis says what they do with the cells.
"""

from collections.abc import Callable, Mapping

from ddim.config import paths
from ddim.config.schema import Config
from ddim.records import fingerprints
from ddim.records.cell import CellKey
from ddim.runtime.files import write_text

Reads = Callable[[Config, CellKey], bool]


def _every_cell(_cfg: Config, _key: CellKey) -> bool:
    return True


def _deterministic_or_ddpm(cfg: Config, key: CellKey) -> bool:
    return key.eta in ("0.0", "1.0") and key.seed == cfg.sweep.seeds[0]


def _longest(cfg: Config, key: CellKey) -> bool:
    is_longest = key.steps == max(cfg.sweep.steps)
    return key.eta == "0.0" and is_longest and key.seed == cfg.sweep.seeds[0]


# Which cells a section reads; those that are not here read none.
READS: dict[str, Reads] = {
    "speed": _every_cell,
    "consistency": _deterministic_or_ddpm,
    "solvers": _longest,
}


# What else of `sweep` a section reads, by its settings: `sigma` counts the evaluations of every S,
# `solvers` starts from the x_T of the first seed.
SETTINGS: dict[str, Callable[[Config], object]] = {
    "sigma": lambda cfg: list(cfg.sweep.steps),
    "solvers": lambda cfg: cfg.sweep.seeds[0],
}


def write(cfg: Config, cells: Mapping[CellKey, str]) -> None:
    """Write the input of every section; cells: the fingerprint of each one's measurement."""
    for name in cfg.analysis.sections:
        read: dict[str, object] = {}
        if name in READS:
            reads = READS[name]
            read["cells"] = {key.name: value for key, value in cells.items() if reads(cfg, key)}
        if name in SETTINGS:
            read["settings"] = SETTINGS[name](cfg)
        text = fingerprints.fingerprint(read) if read else "nothing of the sweep"
        write_text(paths.section_input(cfg, name), f"{text}\n")

"""What each section of the analysis reads: its fingerprint.

One more cell makes no section run again but those that look at it. ddim.analysis says what they
do with the cells.
"""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

from ddim.config import paths
from ddim.config.schema import Config
from ddim.records import fingerprints, results
from ddim.records.cell import CellKey

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


# What else a section reads of the settings: `speed` has its chains in the order of eta, `sigma`
# counts the evaluations of every S, `solvers` starts from the x_T of the first seed and samples
# again where the sweep is in another precision; its rows are in their order.
SETTINGS: dict[str, Callable[[Config], object]] = {
    "speed": lambda cfg: [str(eta) for eta in cfg.sweep.eta],
    "sigma": lambda cfg: list(cfg.sweep.steps),
    "solvers": lambda cfg: [
        cfg.sweep.seeds[0],
        cfg.sample.precision,
        list(cfg.analysis.solvers.rows),
    ],
}

RECORDS_ALONE = {"speed"}  # sections that read none of the files in `out/<name>`


def of_sweep(cfg: Config, name: str, cells: Callable[[], Mapping[CellKey, str]]) -> dict[str, Any]:
    """What the section `name` reads of the sweep, JSON-like.

    cells: gives the fingerprint of each cell's measurement; not asked for a section that reads no
    cell, which then runs without them.
    """
    read: dict[str, Any] = {}
    if name in READS:
        reads = READS[name]
        read["cells"] = {key.name: each for key, each in cells().items() if reads(cfg, key)}
    if name in SETTINGS:
        read["settings"] = SETTINGS[name](cfg)
    return read


class Fingerprints:
    """Of the sections, if they are measured now; what they read is read once for all of them.

    And not before one reads it: FileNotFoundError or ValueError then, naming the file.
    """

    def __init__(self, cfg: Config) -> None:
        self._cfg = cfg

    def of(self, name: str) -> str:
        """That of the section `name`."""
        of_files = {} if name in RECORDS_ALONE else self._files
        of_cells = of_sweep(self._cfg, name, lambda: self._cells)
        return fingerprints.section(self._cfg, name, of_files, of_cells)

    @cached_property
    def _files(self) -> dict[str, Any]:
        return fingerprints.analysed(self._cfg)

    @cached_property
    def _cells(self) -> dict[CellKey, str]:
        cells = results.read_cells(paths.reports(self._cfg), self._cfg)
        return {key: cell.fingerprint for key, cell in cells.items()}

"""Stage `analysis`: what the lecture and the paper claim, section by section, with our numbers.

A section that is there with the same fingerprint is kept; one that left analysis.sections is
dropped. analysis.section=NAME measures that section alone, whether it is there or not.
"""

import shutil
from functools import cache

from ddim.config import paths
from ddim.config.schema import Config
from ddim.records import fingerprints, results, section, section_inputs
from ddim.records.cell import CellKey
from ddim.records.existing import is_analysed
from ddim.runtime.cli import stage
from ddim.runtime.lock import exclusive
from ddim.stages.ready import ready


def run(cfg: Config) -> None:
    """Measure what is missing, or was measured of something else."""
    by_hand = cfg.analysis.section is not None
    names = cfg.analysis.sections if cfg.analysis.section is None else [cfg.analysis.section]
    if not by_hand:
        _remove_others(cfg)
    of_files = fingerprints.analysed(cfg)

    @cache
    def cells() -> dict[CellKey, str]:
        read = results.read_cells(paths.reports(cfg), cfg)
        return {key: cell.fingerprint for key, cell in read.items()}

    for name in names:
        with exclusive(paths.lock(cfg, f"analysis-{name}"), f"the section {name} of {cfg.name}"):
            of_sweep = section_inputs.of_sweep(cfg, name, cells)
            fingerprint = fingerprints.section(cfg, name, of_files, of_sweep)
            if not by_hand and is_analysed(cfg, name, fingerprint):
                print(f"{name}: already there")
            else:
                _measure(cfg, name, fingerprint)


def _remove_others(cfg: Config) -> None:
    """The folder stays, with no section in it if none is configured: DVC expects it."""
    paths.sections(cfg).mkdir(parents=True, exist_ok=True)
    for folder in paths.sections(cfg).glob("*/"):
        if folder.name not in cfg.analysis.sections and (folder / section.FILE).is_file():
            shutil.rmtree(folder)


def _measure(cfg: Config, name: str, fingerprint: str) -> None:
    """Write `reports/<name>/analysis/<section>`; only with its fingerprint will it be kept."""
    from ddim.analysis.section_runner import run_section

    run_section(cfg, name).with_fingerprint(fingerprint).write(
        paths.section(cfg, name) / section.FILE
    )


if __name__ == "__main__":
    stage(run, ready=ready)

"""Stage `analysis`: what the lecture and the paper claim, section by section, with our numbers.

A section that is there with the same fingerprint is kept; one that left analysis.sections is
dropped. analysis.section=NAME measures that section alone, whether it is there or not.
"""

import shutil
from contextlib import AbstractContextManager

from ddim.config import paths
from ddim.config.checks import SECTIONS
from ddim.config.schema import Config
from ddim.records import section, section_inputs
from ddim.records.existing import is_analysed
from ddim.runtime import files
from ddim.runtime.cli import stage
from ddim.runtime.lock import exclusive
from ddim.stages.ready import ready


def run(cfg: Config) -> None:
    """Measure what is missing, or was measured of something else."""
    by_hand = cfg.analysis.section is not None
    names = cfg.analysis.sections if cfg.analysis.section is None else [cfg.analysis.section]
    if not by_hand:
        _remove_others(cfg)
    fingerprints = section_inputs.Fingerprints(cfg)
    for name in names:
        with _lock(cfg, name):
            files.remove_left_over(paths.section(cfg, name))
            fingerprint = fingerprints.of(name)
            if not by_hand and is_analysed(cfg, name, fingerprint):
                print(f"{name}: already there")
            else:
                _measure(cfg, name, fingerprint)


def _lock(cfg: Config, name: str) -> AbstractContextManager[None]:
    return exclusive(paths.lock(cfg, f"analysis-{name}"), f"the section {name} of {cfg.name}")


def _remove_others(cfg: Config) -> None:
    """The folder stays, with no section in it if none is configured: DVC expects it."""
    paths.sections(cfg).mkdir(parents=True, exist_ok=True)
    for name in sorted({*SECTIONS} - {*cfg.analysis.sections}):
        folder = paths.section(cfg, name)
        files.remove_left_over(folder)
        if folder.is_dir():
            with _lock(cfg, name):
                if folder.is_dir():  # not removed by another process, meanwhile
                    shutil.rmtree(folder)


def _measure(cfg: Config, name: str, fingerprint: str) -> None:
    """Write `reports/<name>/analysis/<section>`; only with its fingerprint will it be kept."""
    from ddim.analysis.section_runner import run_section

    run_section(cfg, name).with_fingerprint(fingerprint).write(
        paths.section(cfg, name) / section.FILE
    )


if __name__ == "__main__":
    stage(run, ready=ready)

"""Stage `analysis`: what the lecture and the paper claim, section by section, with our numbers.

analysis.section=NAME measures that section alone; without it, all of analysis.sections.
"""

from ddim.config import paths
from ddim.config.schema import Config
from ddim.runtime.cli import stage
from ddim.runtime.lock import exclusive
from ddim.stages.ready import ready


def run(cfg: Config) -> None:
    """Write `reports/<name>/analysis/<section>`."""
    from ddim.analysis.section_runner import run_section

    names = cfg.analysis.sections if cfg.analysis.section is None else [cfg.analysis.section]
    for name in names:
        with exclusive(paths.lock(cfg, f"analysis-{name}"), f"the section {name} of {cfg.name}"):
            run_section(cfg, name)


if __name__ == "__main__":
    stage(run, ready=ready)

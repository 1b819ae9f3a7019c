"""Stage `discrete`: Appendix A on binarised images, trained and sampled here.

Not part of the default pipeline: it shares the images and the feature space with it, not the
network. `python -m ddim.stages.discrete` after the stages data and features.
"""

from ddim.config.schema import Config
from ddim.runtime.cli import stage


def run(cfg: Config) -> None:
    """Write `reports/<name>/analysis/appendix_a`."""
    from ddim.analysis.section_runner import run_section

    run_section(cfg, "appendix_a")


if __name__ == "__main__":
    stage(run)

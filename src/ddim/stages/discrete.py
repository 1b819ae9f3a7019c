"""Stage `discrete`: Appendix A on binarised images, trained and sampled here.

Not part of the default pipeline: it shares the images and the feature space with it, not the
network. `python -m ddim.stages.discrete` after the stages data and features.
"""

from ddim import paths
from ddim.schema import Config
from ddim.stages.entry import stage


def run(cfg: Config) -> None:
    """Write reports/<name>/lecture/discrete."""
    from ddim.lecture import discrete

    discrete.section(cfg).write(paths.reports(cfg) / "lecture")


if __name__ == "__main__":
    stage(run)

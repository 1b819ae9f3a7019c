"""Stage `features`: the feature space of FID, KID, precision and recall, in out/<name>/features.

A classifier is trained here on the training split's labels; Inception is only checked and named.
"""

from ddim import paths
from ddim.schema import Config
from ddim.stages.entry import stage


def run(cfg: Config) -> None:
    """Prepare the configured extractor and write about.json beside it."""
    from ddim.features import prepare

    about = prepare(cfg.features, paths.data(cfg), paths.features(cfg), cfg.seed, cfg.trainer)
    print(about["description"])


if __name__ == "__main__":
    stage(run)

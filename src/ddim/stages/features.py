"""Stage `features`: the feature space of FID, KID, precision and recall, in `out/<name>/features`.

A classifier is trained here on the training split's labels; Inception is only checked and named.
`out/<name>/features.ok` says that it is there: `train`, whose previews it only measures, depends on
that and never on the classifier.
"""

from ddim.config import paths
from ddim.config.schema import Config
from ddim.runtime.cli import stage
from ddim.runtime.files import write_text


def run(cfg: Config) -> None:
    """Prepare the configured extractor and print what it is."""
    from ddim.evaluation.features import create_feature_space
    from ddim.runtime.device import torch_device

    device = torch_device(cfg.trainer.accelerator)
    data, folder = paths.data(cfg), paths.features(cfg)
    space = create_feature_space(cfg.features, data, folder, seed=cfg.seed, device=device)
    accuracy = space.test_accuracy
    suffix = "" if accuracy is None else f", {accuracy:.1%} right on the held-out images"
    write_text(paths.features_ok(cfg), paths.OK)
    print(space.description + suffix)


if __name__ == "__main__":
    stage(run)

"""Stage `features`: the feature space of FID, KID, precision and recall, in `out/<name>/features`.

A classifier is trained here on the training split's labels; Inception is only checked and named.
`out/<name>/features.ok` says that it is there: `train`, whose previews it only measures, depends on
that and never on the classifier.
"""

from ddim.config import paths
from ddim.config.schema import Config
from ddim.records.features import knows_little
from ddim.runtime.cli import stage
from ddim.runtime.files import write_text
from ddim.runtime.lock import exclusive
from ddim.stages.ready import ready


def run(cfg: Config) -> None:
    """Prepare the configured extractor and print what it is."""
    from ddim.evaluation.features import create_feature_space
    from ddim.runtime.device import torch_device

    device = torch_device(cfg.trainer.accelerator)
    data, folder = paths.data(cfg), paths.features(cfg)
    with exclusive(paths.lock(cfg, "features"), f"the feature space of {cfg.name}"):
        space = create_feature_space(cfg.features, data, folder, seed=cfg.seed, device=device)
        write_text(paths.features_ok(cfg), paths.OK)
    accuracy = space.test_accuracy
    suffix = "" if accuracy is None else f", {accuracy:.1%} right on the held-out images"
    print(space.description + suffix)
    if space.chance is not None and knows_little(space):
        print(
            f"warning: always naming the commonest label is right on {space.chance:.1%}: features "
            "that know so little rank samples poorly; raise features.epochs, give it more images, "
            "or take features=inception"
        )


if __name__ == "__main__":
    stage(run, ready=ready)

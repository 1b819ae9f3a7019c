"""Stage `features`: the feature space of FID, KID, precision and recall, in out/<name>/features.

A classifier is trained here on the training split's labels; Inception is only checked and named.
"""

from ddim import paths
from ddim.schema import Config
from ddim.stages.entry import stage


def run(cfg: Config) -> None:
    """Prepare the configured extractor and say what it is."""
    from ddim.device import torch_device
    from ddim.features import prepare

    device = torch_device(cfg.trainer.accelerator)
    data, folder = paths.data(cfg), paths.features(cfg)
    about = prepare(cfg.features, data, folder, seed=cfg.seed, device=device)
    accuracy = about["test_accuracy"]
    said = "" if accuracy is None else f", {accuracy:.1%} right on the held-out images"
    print(about["description"] + said)


if __name__ == "__main__":
    stage(run)

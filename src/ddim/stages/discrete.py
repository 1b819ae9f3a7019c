"""Stage `discrete`: Appendix A on binarised images, trained and sampled here.

Not part of the default pipeline: it shares the images and the feature space with it, not the
network. What of these is missing in `out/<name>` is made first.
"""

from ddim.config import paths
from ddim.config.schema import Config
from ddim.records import features, prepared
from ddim.runtime.cli import stage
from ddim.runtime.lock import exclusive
from ddim.stages.ready import ready


def run(cfg: Config) -> None:
    """Write `reports/<name>`: the section appendix_a, and README.md and index.html of it.

    Raises ValueError where the report of a training lies there, whose pages these would replace.
    """
    if paths.training_record(cfg).exists():
        raise ValueError(
            f"{paths.reports(cfg)} holds the report of a training (train.json), whose pages "
            "Appendix A would replace: give experiment=discrete_digits, or another name=..."
        )
    from ddim.analysis.section_runner import run_section
    from ddim.report.build import build_section

    with exclusive(paths.lock(cfg, "analysis-appendix_a"), f"Appendix A of {cfg.name}"):
        _prepare(cfg)
        section = run_section(cfg, "appendix_a")
        with exclusive(paths.lock(cfg, "report"), f"the report of {cfg.name}"):
            build_section(section, paths.reports(cfg))


def _prepare(cfg: Config) -> None:
    """The images and the feature space, as the stages data and features leave them."""
    from ddim.data.prepare import prepare
    from ddim.evaluation.features import create_feature_space
    from ddim.runtime.device import torch_device

    data, space = paths.data(cfg), paths.features(cfg)
    with exclusive(paths.lock(cfg, "data"), f"the images of {cfg.name}"):
        if not (data / prepared.FILE).is_file():
            prepare(cfg.data, data)
    with exclusive(paths.lock(cfg, "features"), f"the feature space of {cfg.name}"):
        if not (space / features.FILE).is_file():
            device = torch_device(cfg.trainer.accelerator)
            create_feature_space(cfg.features, data, space, seed=cfg.seed, device=device)


if __name__ == "__main__":
    stage(run, ready=ready)

"""python -m ddim.compose [key=value ...] | --check: write params.yaml from conf/, or check it."""

from collections.abc import Sequence

from ddim.config import params, paths
from ddim.config.schema import Config, as_dict
from ddim.records import prepared
from ddim.records.experiment import Experiment, require_same_images
from ddim.runtime.cli import settings_command
from ddim.runtime.files import write_text
from ddim.stages import ready


def main(arguments: Sequence[str]) -> None:
    """The command line of `python -m ddim.compose`."""
    if list(arguments) == ["--check"]:
        record()
    else:
        params.write(arguments)


def record() -> None:
    """Check params.yaml against conf/; write out/config.ok, and the experiment's record."""
    cfg, overrides = params.check()
    require_same_images(cfg)
    _check_prepared(cfg)
    compose = None if overrides is None else tuple(overrides)
    experiment = Experiment(name=cfg.name, compose=compose, config=as_dict(cfg))
    experiment.write(paths.experiment_record(cfg))
    write_text(paths.CONFIG_OK, paths.OK)


def _check_prepared(cfg: Config) -> None:
    """Raise ValueError for settings that ask for more images than were prepared of the same data.*.

    The stage `data` asks the same, but does not run again when other settings change. Where it is
    going to (no images yet, of other settings, or unreadable) the question is left to it.
    """
    try:
        before = Experiment.read(paths.experiment_record(cfg), "").config["data"]
        images = prepared.read(paths.data(cfg))
    except (OSError, ValueError, KeyError):
        return
    if before == as_dict(cfg)["data"]:
        ready.fits(cfg, images)


if __name__ == "__main__":
    settings_command(main, composes=True)

"""python -m ddim.compose [key=value ...] | --check: write params.yaml from conf/, or check it."""

from collections.abc import Sequence

from ddim.config import params, paths
from ddim.config.schema import as_dict
from ddim.records.experiment import Experiment
from ddim.runtime.cli import command
from ddim.runtime.files import write_text


def main(arguments: Sequence[str]) -> None:
    """The command line of `python -m ddim.compose`."""
    if list(arguments) == ["--check"]:
        record()
    else:
        params.write(arguments)


def record() -> None:
    """Check params.yaml against conf/; write out/config.ok, and the experiment's record."""
    cfg, overrides = params.check()
    compose = None if overrides is None else tuple(overrides)
    experiment = Experiment(name=cfg.name, compose=compose, config=as_dict(cfg))
    experiment.write(paths.experiment_record(cfg))
    write_text(paths.CONFIG_OK, paths.OK)


if __name__ == "__main__":
    command(main)

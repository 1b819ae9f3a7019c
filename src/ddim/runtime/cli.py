"""The entry of every program: one clear line and exit status 1 for a user's mistake.

`stage` is the entry of a stage, with Hydra in front; `command` that of a program whose arguments
are its own.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from ddim.runtime import multirun, overrides
from ddim.runtime.errors import USER_ERRORS, one_line

Run = Callable[[Any], object]  # called with the configuration, a ddim.config.schema.Config


def command(main: Callable[[Sequence[str]], int | None]) -> None:
    """Call `main` with the command line's arguments and exit with the status that it returns.

    None counts as 0. A mistake of the user (USER_ERRORS) ends in one line on standard error and 1.
    """
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # let Hydra raise instead of print and exit
    try:
        status = main(sys.argv[1:])
    except USER_ERRORS as error:
        sys.exit(f"error: {one_line(error)}")
    sys.exit(status or 0)


class Parser(argparse.ArgumentParser):
    """argparse's, for the `main` of a `command`: a mistake is one line, without the usage."""

    def error(self, message: str) -> NoReturn:
        """Raise ValueError instead of printing and exiting with 2."""
        raise ValueError(message)


def stage(run: Run) -> None:
    """Compose the configuration from ./conf and the command line, check it, call `run` with it.

    `-cn stage` reads the committed params.yaml instead of conf/config.yaml; `-m` is Hydra's
    multirun, in which a failed job does not stop the others. Mistakes of the user as in `command`.
    """

    def task(cfg: DictConfig) -> None:
        if multirun.in_multirun():
            _run_job(run, cfg)
            return
        try:
            run(overrides.to_object(cfg))
        except USER_ERRORS as error:  # here, or Hydra would print its own line about it first
            sys.exit(f"error: {one_line(error)}")

    def main(arguments: Sequence[str]) -> None:
        conf = Path("conf").absolute()
        if not conf.is_dir():
            raise ValueError(f"no folder conf/ in {Path.cwd()}: run this from the project's root")
        sys.argv[1:] = overrides.for_hydra(arguments, conf)
        hydra.main(version_base="1.3", config_path=str(conf), config_name="config")(task)()

    command(main)


def selects(section: str) -> bool:
    """Whether the running stage was told `section`.* on the command line, or by a multirun."""
    given = HydraConfig.get().overrides.task
    keys = [override.lstrip("+~").partition("=")[0] for override in given]
    return any(key == section or key.startswith(f"{section}.") for key in keys)


def _run_job(run: Run, cfg: DictConfig) -> None:
    """One job of a multirun; what goes wrong is listed when all are done."""
    try:
        settings = overrides.to_object(cfg)
        multirun.claim_device(settings.trainer)
        run(settings)
    except Exception as error:
        multirun.record_failure(error)

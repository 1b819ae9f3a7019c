"""The door of every stage: Hydra in front, one clear line and exit status 1 on a user's mistake."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hydra
from omegaconf import DictConfig

from ddim.config.schema import Config, checked, register
from ddim.runtime import multirun
from ddim.runtime.errors import USER_ERRORS, one_line


def stage(run: Callable[[Config], Any]) -> None:
    """Compose the configuration from ./conf and the command line, check it, call `run`.

    `-cn stage` reads the committed params.yaml instead of conf/config.yaml; `-m` is Hydra's
    multirun, in which a failed job does not stop the others. Exits with 1 and one line on
    standard error for a mistake of the user.
    """
    conf = Path("conf").absolute()
    if not conf.is_dir():
        sys.exit(f"error: no folder conf/ in {Path.cwd()}: run this from the project's root")
    register()

    def task(cfg: DictConfig) -> None:
        if multirun.in_multirun():
            try:
                multirun.prepare(checked(cfg))
                run(checked(cfg))
            except Exception as error:
                multirun.record_failure(error)
            return
        try:
            run(checked(cfg))
        except USER_ERRORS as error:  # here, or Hydra would print its own line about it first
            sys.exit(f"error: {one_line(error)}")

    os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # let Hydra raise instead of print and exit
    try:
        hydra.main(version_base="1.3", config_path=str(conf), config_name="config")(task)()
    except USER_ERRORS as error:
        sys.exit(f"error: {one_line(error)}")

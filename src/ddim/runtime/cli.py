"""The entry of every program: one clear line and exit status 1 for a user's mistake.

`stage` is the entry of a stage, with Hydra in front; `command` that of a program whose arguments
are its own.
"""

import argparse
import logging
import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn

import hydra
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from ddim.runtime import files, interrupt, multirun, overrides, usage
from ddim.runtime.arguments import config_name, read
from ddim.runtime.errors import USER_ERRORS, one_line

HYDRA = Path("out") / "hydra"  # where Hydra writes, by conf/
WORKER_DIED = (
    "a process of the multirun was killed, by the system if memory was short: what is finished"
    " stays, the same command goes on"
)
Run = Callable[[Any], object]  # called with the configuration, a ddim.config.schema.Config
Start = Callable[[str], dict[str, Any]]  # all settings of a run on the weights that a report names
WEIGHTS = "weights"  # the key that asks for that, and conf/weights.yaml
_TAKE_A_VALUE = {"-cn", "--config-name", "-c", "--cfg", "-p", "--package", "-sc", "--info", "-i"}
_TAKE_A_VALUE |= {"-cd", "--config-dir", "-cp", "--config-path", "--experimental-rerun"}


def command(main: Callable[[Sequence[str]], int | None]) -> None:
    """Call `main` with the command line's arguments and exit with the status that it returns.

    None counts as 0. A mistake of the user (USER_ERRORS) ends in one line on standard error and 1,
    a signal in one and 128 + its number.
    """
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # let Hydra raise instead of print and exit
    logging.raiseExceptions = False  # no trace where a library's log has no room
    with interrupt.handled():
        try:
            status = main(sys.argv[1:])
        except USER_ERRORS as error:
            sys.exit(f"error: {one_line(error)}")
        except BrokenExecutor:
            sys.exit(f"error: {WORKER_DIED}")
    sys.exit(status or 0)


def settings_command(
    main: Callable[[Sequence[str]], int | None], *, composes: bool = False
) -> None:
    """As `command`, for a program whose arguments are settings: `--help` tells of those.

    composes: whether it takes groups of conf/ too.
    """

    def main_or_help(arguments: Sequence[str]) -> int | None:
        if not usage.asked(arguments):
            return main(arguments)
        print(usage.text(groups=composes, options=False))
        return None

    command(main_or_help)


class Parser(argparse.ArgumentParser):
    """argparse's, for the `main` of a `command`: a mistake is one line, without the usage."""

    def error(self, message: str) -> NoReturn:
        """Raise ValueError instead of printing and exiting with 2."""
        raise ValueError(message)


def stage(run: Run, start: Start | None = None, ready: Run = lambda _: None) -> None:
    """Compose the configuration from ./conf and the command line, check it, call `run` with it.

    `-cn stage` reads the committed params.yaml instead of conf/config.yaml, weights=NAME the
    settings of a report, where the program has a `start`; `-m` is Hydra's multirun, in which a
    failed job does not stop the others. Mistakes of the user as in `command`.

    ready: called before `run`, for what the settings alone do not tell: ValueError for a machine or
    for images that do not suffice.
    """

    def task(cfg: DictConfig) -> None:
        if multirun.in_multirun():
            _run_job(run, ready, cfg)
            return
        try:
            settings = overrides.to_object(cfg)
            ready(settings)
            run(settings)
        except USER_ERRORS as error:  # here, or Hydra would print its own line about it first
            sys.exit(f"error: {one_line(error)}")

    def main(arguments: Sequence[str]) -> None:
        if usage.asked(arguments):
            print(usage.text())
            return
        conf = Path("conf").absolute()
        if not conf.is_dir():
            raise ValueError(f"no folder conf/ in {Path.cwd()}: run this from the project's root")
        line = read(on_weights(arguments, start, conf), conf)
        sys.argv[1:] = line.for_hydra
        if line.multirun:
            multirun.check_jobs(line.config, line.settings, conf)
        with files.writing(HYDRA, HYDRA):
            hydra.main(version_base="1.3", config_path=str(conf), config_name="config")(task)()

    command(main)


def on_weights(arguments: Sequence[str], start: Start | None, conf: Path) -> list[str]:
    """The command line, `weights=NAME` in it as Hydra's choice of conf/weights.yaml.

    ValueError where the program has no `start`, or for a choice that the report has made already.
    """
    key = f"{WEIGHTS}="
    given = [argument for argument in arguments if argument.lstrip("+").startswith(key)]
    if not given:
        return list(arguments)
    if start is None:
        who = "sample, encode, interpolate and edit"
        raise ValueError(
            f"{given[-1]} is for cells by hand ({who}); without it, `train` comes first"
        )
    rest = [argument for argument in arguments if argument not in given]
    chosen = [each for each in rest if (conf / each.lstrip("+").partition("=")[0]).is_dir()]
    if (name := config_name(rest)) is not None:
        chosen.append(f"-cn {name}")
    if chosen:
        raise ValueError(
            f"{chosen[0]} does not go with {given[-1]}, whose report has chosen everything: "
            "change single settings, such as sampler.trajectory=quadratic"
        )
    node = OmegaConf.create(start(given[-1].partition("=")[2]))
    ConfigStore.instance().store(name="settings_of_a_report", node=node, provider="ddim")
    return ["--config-name", WEIGHTS, *rest]


def take_words() -> list[str]:
    """Take the words that are no settings (key=value) and no options off the command line."""
    words: list[str] = []
    kept: list[str] = []
    for before, argument in pairwise(sys.argv):
        word = "=" not in argument and not argument.startswith(("-", "~"))
        (words if word and before not in _TAKE_A_VALUE else kept).append(argument)
    sys.argv[1:] = kept
    return words


def selects(section: str) -> bool:
    """Whether the running stage was told `section`.* on the command line, or by a multirun."""
    given = HydraConfig.get().overrides.task
    keys = [override.lstrip("+~").partition("=")[0] for override in given]
    return any(key == section or key.startswith(f"{section}.") for key in keys)


def _run_job(run: Run, ready: Run, cfg: DictConfig) -> None:
    """One job of a multirun; what goes wrong is listed when all are done."""
    try:
        settings = overrides.to_object(cfg)
        multirun.claim_device(settings.trainer)
        ready(settings)
        run(settings)
    except Exception as error:
        multirun.record_failure(error)

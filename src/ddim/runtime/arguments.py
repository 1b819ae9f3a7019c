"""A stage's command line: Hydra's own flags, and the settings among them."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, NoReturn

from hydra._internal.utils import get_args_parser

from ddim.runtime import overrides, settings_file
from ddim.runtime.refusals import nearest

_FLAGS = ("--help", "--hydra-help", "--multirun", "--config-name", "--cfg", "--info", "--resolve")
CONFIG = "config"  # the file of conf/ that a stage composes if it is told no other
STAGE = "stage"  # the one that takes everything from params.yaml


class CommandLine(NamedTuple):
    """A checked command line."""

    for_hydra: list[str]
    config: str  # the file of conf/ that it starts from
    multirun: bool
    settings: list[overrides.Setting]


def read(arguments: Sequence[str], conf: Path) -> CommandLine:
    """Check `arguments`. Raises ValueError for a flag, a file or a setting that there is not."""
    told = _parsed(arguments)
    flags = _without(arguments, told.overrides)
    config = (told.config_name or CONFIG).removesuffix(".yaml")
    if told.config_dir is None and told.config_path is None:
        _check_config(config, conf)
    if config == STAGE:
        settings_file.load(conf.parent / "params.yaml")  # refuses what Hydra has no line for
    if config != CONFIG:
        _refuse_choices(told.overrides, config, conf)
    settings = overrides.parsed(told.overrides, conf, sweeps=told.multirun)
    given = [setting.argument for setting in settings]
    return CommandLine([*flags, *given], config, told.multirun, settings)


def config_name(arguments: Sequence[str]) -> str | None:
    """The file of conf/ that `arguments` name, in any spelling of -cn; None if they name none."""
    name: str | None = _parsed(arguments).config_name
    return name


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = get_args_parser()
    parser.error = _refuse  # type: ignore[method-assign]
    return parser.parse_intermixed_args(list(arguments))


def _refuse(message: str) -> NoReturn:
    flag = message.removeprefix("unrecognized arguments: ").split(" ")[0]
    hint = nearest(flag, _FLAGS) if flag.startswith("-") else ""
    raise ValueError(f"{message}{hint or '; settings are key=value, --help lists the flags'}")


def _without(arguments: Sequence[str], settings: Sequence[str]) -> list[str]:
    left = list(settings)
    flags = []
    for argument in arguments:
        if argument in left:
            left.remove(argument)
        else:
            flags.append(argument)
    return flags


def _check_config(name: str, conf: Path) -> None:
    there = sorted(path.stem for path in conf.glob("*.yaml"))
    if name not in there:
        hint = nearest(name, there)
        raise ValueError(f"conf/ has no {name}.yaml for -cn{hint}; there are: {', '.join(there)}")


def _refuse_choices(settings: Sequence[str], config: str, conf: Path) -> None:
    """Of the files of conf/, config.yaml alone chooses from groups; from Hydra's own, all do."""
    for setting in settings:
        key = setting.lstrip("+~").partition("=")[0]
        if (conf / key).is_dir() and key.partition("/")[0] != "hydra":
            raise ValueError(
                f"{setting} chooses from conf/, but -cn {config} has all settings already: compose "
                f"it in (python -m ddim.compose {setting}), or leave out -cn {config}"
            )

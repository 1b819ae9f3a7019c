"""The command line of settings, `key=value` and `group=name`, checked before Hydra composes it.

Strict: a key that no dataclass declares, a file that no group has and a value of another type are
refused in one line with the nearest name that there is, whether they come from the command line
or, in `to_object`, from a file.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, NamedTuple, get_args, get_origin

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import MISSING, DictConfig, OmegaConf

from ddim.runtime.declared import SCHEMA, locate, registered
from ddim.runtime.groups import our_groups
from ddim.runtime.refusals import no_choice, unknown, wrong_type
from ddim.runtime.values import fits, unwritable


class Setting(NamedTuple):
    """One argument of the command line that sets something."""

    argument: str  # as Hydra is to see it
    key: str  # a setting's, or a group's
    values: list[str] | None  # of a sweep, as far as they are known; None where it is no sweep


def for_hydra(arguments: Sequence[str], conf: Path, *, sweeps: bool = False) -> list[str]:
    """The command line `arguments`, for Hydra on the folder `conf`.

    sweeps: whether `key=a,b` is a job for each value.
    Raises ValueError for what is no setting, is to be removed, or has a value of another type.
    Where the keys are the user's own (sample.num_images_at, sampler.options), Hydra is told to add
    them.
    """
    return [setting.argument for setting in parsed(arguments, conf, sweeps=sweeps)]


def parsed(arguments: Sequence[str], conf: Path, *, sweeps: bool = False) -> list[Setting]:
    """As `for_hydra`, with what each argument sets."""
    groups = our_groups(conf)
    return [_checked(_parsed(argument), groups, sweeps) for argument in arguments]


def _parsed(argument: str) -> Override:
    how = "key=value, a list as key=[1,2], text with other characters in quotes: 'key=\"a, b\"'"
    if not re.match(r"[-+~]*[\w.@/]+", argument) or ("=" not in argument and argument[0] != "~"):
        raise ValueError(f"{argument!r} is no setting: {how}")
    try:
        return OverridesParser.create().parse_override(argument)
    except HydraException as error:
        reason = " ".join(str(error).split()).removeprefix(f"Error parsing override '{argument}' ")
        raise ValueError(f"{argument!r} cannot be read ({reason}): write {how}") from None


def _checked(override: Override, groups: dict[str, list[str]], sweeps: bool) -> Setting:
    argument, key = override.input_line or "", override.key_or_group
    if re.match(r"hydra\b", key):
        return Setting(argument, key, None)
    if override.package is not None:
        raise ValueError(f"{argument}: a group has its place already, write {key}=NAME without @")
    place = locate(key, registered())
    if override.is_delete() and not (place.is_open and not place.rest):
        if place.rest and key not in groups:
            raise ValueError(unknown(key, registered(), groups))
        raise ValueError(f"{key} cannot be removed: every setting has a value")
    values = _values(override, sweeps)
    if key in groups and not any(isinstance(value, Mapping) for value in values or ()):
        _check_choice(override, values, groups[key])
        return Setting(argument.lstrip("+"), key, _swept(override, values))
    if place.rest:
        raise ValueError(unknown(key, registered(), groups))
    for value in () if override.is_delete() else values or ():
        _check_value(key, value, place.kind, groups)
    if place.is_open and not override.is_delete():
        argument = f"++{_as_entry(override)}"
    else:
        argument = argument.lstrip("+")
    return Setting(argument, key, _swept(override, values))


def _as_entry(override: Override) -> str:
    """The override of an entry of an open mapping, in the form in which OmegaConf adds sections.

    rows.Mine={scheduler: X} and rows.Mine.scheduler=X, where there is no Mine yet, as
    rows={Mine: {scheduler: X}}; and num_images_at.50=3, whose 50 would be text, as {50: 3}.
    """
    argument = (override.input_line or "").lstrip("+")
    if override.is_sweep_override():
        return argument
    key, value = override.key_or_group, override.get_value_string()
    parts = key.split(".")
    while parts and get_origin(locate(".".join(parts), registered()).kind) is not dict:
        parts.pop()
    inside = key.split(".")[len(parts) :]
    of_keys, of_values = get_args(locate(".".join(parts), registered()).kind)
    if not inside or not (is_dataclass(of_values) or of_keys is int):
        return argument
    if of_keys is int and not inside[0].lstrip("-").isdigit():
        kind = dict[of_keys, of_values]  # type: ignore[valid-type]
        raise ValueError(wrong_type(".".join(parts), kind, {inside[0]: override.value()}))
    for part in reversed(inside):
        value = f"{{{part}: {value}}}"
    return f"{'.'.join(parts)}={value}"


def _swept(override: Override, values: list[Any] | None) -> list[str] | None:
    """The values of a sweep as the command line writes them."""
    if not override.is_sweep_override():
        return None
    return [] if values is None else list(override.sweep_string_iterator())


def _values(override: Override, sweeps: bool) -> list[Any] | None:
    """What it sets, one for each job; None where that is not known yet: an interval, a pattern."""
    if override.is_delete():
        return []
    if not override.is_sweep_override():
        return [override.value()]
    if not sweeps:
        key, several = override.key_or_group, override.get_value_string()
        raise ValueError(
            f"{key}={several} has several values, which only a stage's -m takes, a job for each; "
            f"a list is {key}=[{several}], text with a comma '{key}=\"{several}\"'"
        )
    if not override.is_discrete_sweep() or "glob(" in override.get_value_string():
        return None
    return list(override.sweep_iterator())


def _check_choice(override: Override, values: list[Any] | None, options: list[str]) -> None:
    for value in values or ():
        if isinstance(value, list):
            raise ValueError(
                f"{override.key_or_group} takes one name, got {override.get_value_string()}; "
                f"there are: {', '.join(options)}"
            )
        if str(value) not in options:
            name = "null" if value is None else value
            raise ValueError(no_choice(override.key_or_group, name, options))


def _check_value(key: str, value: Any, kind: Any, groups: dict[str, list[str]]) -> None:
    """ValueError unless `value` is of the type `kind`, and every key in it is declared."""
    if not fits(value, kind):
        raise ValueError(wrong_type(key, kind, value))
    if isinstance(value, Mapping):
        for inner, content in value.items():
            place = locate(f"{key}.{inner}", registered())
            if place.rest:
                raise ValueError(unknown(f"{key}.{inner}", registered(), groups))
            _check_value(f"{key}.{inner}", content, place.kind, groups)


# --- the composed configuration ------------------------------------------------------------------


def to_object(cfg: DictConfig) -> Any:
    """`cfg`, resolved, as its dataclass, which checks every range. Raises ValueError.

    A key that no dataclass declares, which Hydra lets pass when it was added with `+`, is refused,
    and so is a value that cannot be written to params.yaml and read back.
    """
    schema: Any = OmegaConf.get_type(cfg)
    if not is_dataclass(schema):
        raise TypeError(f"the configuration was composed without {SCHEMA}")
    for key, value in flat(OmegaConf.to_container(cfg, resolve=True)).items():
        place = locate(key, schema)
        if place.rest:
            raise ValueError(unknown(key, schema))
        if value != MISSING and not fits(value, place.kind):  # as an interpolation may bring
            raise ValueError(wrong_type(key, place.kind, value))
        if reason := unwritable([key, value]):
            raise ValueError(f"{ascii(key)[1:-1]} must be {reason}")
    return OmegaConf.to_object(cfg)


def flat(node: Any) -> dict[str, Any]:
    """Nested dicts as one, by dotted keys; an empty dict is a value."""
    return dict(_flat(node, ""))


def _flat(node: Mapping[Any, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in node.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value

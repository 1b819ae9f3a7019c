"""What the dataclasses of the settings declare: keys, types, and the names that keys once had.

A field that had another name says so in its metadata, see `renamed` and `moved`.
"""

from collections.abc import Hashable, Sequence
from dataclasses import field, fields, is_dataclass
from functools import cache
from typing import Any, NamedTuple, get_args, get_origin, get_type_hints

from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from omegaconf import MISSING, OmegaConf

SCHEMA = "ddim_schema"  # Hydra's name of the dataclass of the whole configuration
_OLD_NAME = "renamed from"
_OLD_KEYS = "moved from"


def renamed(old: str, **options: Any) -> Any:
    """A field that was called `old`: whoever still uses that is told the new name.

    options: of `dataclasses.field`; without a default the field is MISSING, as all others are.
    """
    default = {} if "default_factory" in options else {"default": MISSING}
    return field(metadata={_OLD_NAME: old}, **(default | options))


def moved(*old_keys: str, **options: Any) -> Any:
    """As `renamed`, of a field that lay elsewhere: `old_keys` are full dotted keys."""
    return field(metadata={_OLD_KEYS: old_keys}, **({"default": MISSING} | options))


def registered() -> Any:
    """The dataclass of the whole configuration, as Hydra knows it (hydra_plugins.ddim_schema)."""
    Plugins.instance()  # imports hydra_plugins.ddim_schema
    return OmegaConf.get_type(ConfigStore.instance().load(f"{SCHEMA}.yaml").node)


def keys(schema: Any, prefix: str = "") -> tuple[str, ...]:
    """Every key that `schema` declares, dotted."""
    declared: list[str] = []
    for name, kind in hints(schema).items():
        declared.append(prefix + name)
        if is_dataclass(kind):
            declared += keys(kind, f"{prefix}{name}.")
    return tuple(declared)


def hints(schema: Any) -> dict[str, Any]:
    """The types of a dataclass's fields."""
    return _hints(schema)


@cache  # every key of a configuration asks
def _hints(schema: Hashable) -> dict[str, Any]:
    return get_type_hints(schema)


class Place(NamedTuple):
    """Where a dotted key leads in a schema."""

    rest: list[str]  # the parts that are not declared
    is_open: bool  # whether it lies in a dict, whose keys are the user's own
    kind: Any  # the type of what lies there: of the last part that is declared


def locate(key: str, schema: Any) -> Place:
    """Follow `key`. A key below a plain value or a list leads to that value: there is no other."""
    parts, kind, is_open = key.split("."), schema, False
    while parts:
        if is_dataclass(kind) and parts[0] in hints(kind):
            kind = hints(kind)[parts.pop(0)]
        elif get_origin(kind) is dict:
            is_open, kind = True, get_args(kind)[1]
            parts.pop(0)
        elif is_dataclass(kind) or kind is not Any:
            return Place(parts, is_open, kind)
        else:
            break  # in a value of any type, such as an option of a scheduler
    return Place([], is_open or get_origin(kind) is dict, kind)


def current_name(key: str, schema: Any) -> str | None:
    """What the renamed or moved `key` is called now; None if no part of it was ever a name."""
    new_keys = _moved(schema)
    new_parts: list[str] = []
    for part in key.split("."):
        if new_key := new_keys.get(".".join([*new_parts, part])):
            new_parts = new_key.split(".")
            continue
        kind = _kind(new_parts, schema)
        names = (
            {f.metadata[_OLD_NAME]: f.name for f in fields(kind) if _OLD_NAME in f.metadata}
            if is_dataclass(kind)
            else {}
        )
        new_parts.append(names.get(part, part))
    current = ".".join(new_parts)
    return current if current != key and not locate(current, schema).rest else None


def _moved(schema: Any, prefix: str = "") -> dict[str, str]:
    """{old key: new key} of every field that was declared with `moved`."""
    new_keys: dict[str, str] = {}
    for f in fields(schema):
        new_keys |= dict.fromkeys(f.metadata.get(_OLD_KEYS, ()), prefix + f.name)
        kind = hints(schema)[f.name]
        if is_dataclass(kind):
            new_keys |= _moved(kind, f"{prefix}{f.name}.")
    return new_keys


def _kind(parts: Sequence[str], schema: Any) -> Any:
    """The type of the setting that `parts` lead to; None where they lead nowhere."""
    kind = schema
    for part in parts:
        kind = hints(kind).get(part) if is_dataclass(kind) else None
    return kind

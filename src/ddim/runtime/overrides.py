"""Settings against the dataclasses that declare them: strict, and one line for each mistake.

Hydra's own answer to an unknown key is five lines and the advice to add it with `+`, after which
nothing would read it. Here a key that no dataclass declares is refused, whether it comes from the
command line or from a file, with the nearest name that there is. A field that had another name
says so in its metadata, see `renamed`.
"""

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, fields, is_dataclass
from pathlib import Path
from typing import Any, NamedTuple, get_args, get_origin, get_type_hints

from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.errors import MissingConfigException
from omegaconf import MISSING, DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

SCHEMA = "ddim_schema"  # Hydra's name of the dataclass of the whole configuration
_OLD_NAME = "renamed from"
_OLD_KEYS = "moved from"


# --- what there is -------------------------------------------------------------------------------


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
    for name, kind in _hints(schema).items():
        declared.append(prefix + name)
        if is_dataclass(kind):
            declared += keys(kind, f"{prefix}{name}.")
    return tuple(declared)


def _hints(schema: Any) -> dict[str, Any]:
    """The types of a dataclass's fields."""
    return get_type_hints(schema)


class _Place(NamedTuple):
    """Where a dotted key leads in a schema."""

    rest: list[str]  # the parts that are not declared
    open: bool  # whether it lies in a dict, whose keys are the user's own


def _locate(key: str, schema: Any) -> _Place:
    parts, kind, is_open = key.split("."), schema, False
    while parts:
        if is_dataclass(kind) and parts[0] in _hints(kind):
            kind = _hints(kind)[parts.pop(0)]
        elif get_origin(kind) is dict:
            is_open, kind = True, get_args(kind)[1]
            parts.pop(0)
        elif is_dataclass(kind):
            return _Place(parts, is_open)
        else:
            break  # inside a list, or below a plain value: for Hydra to say
    return _Place([], is_open or get_origin(kind) is dict)


# --- the command line ----------------------------------------------------------------------------


def for_hydra(arguments: Sequence[str], conf: Path) -> list[str]:
    """The command line `arguments`, for Hydra on the folder `conf`.

    Raises ValueError for a key that is no setting, and for one that is to be removed. Where the
    keys are the user's own (sample.num_images_at, sampler.options), Hydra is told to add them.
    """
    groups = {path.parent.relative_to(conf).as_posix() for path in conf.rglob("*.yaml")}
    is_override = re.compile(r"[^-].*=|~").match
    return [_for_hydra(a, groups) if is_override(a) else a for a in arguments]


def _for_hydra(argument: str, groups: set[str]) -> str:
    override = OverridesParser.create().parse_override(argument)
    key, schema = override.key_or_group, registered()
    if re.match(r"hydra\b", key):
        return argument
    place = _locate(key, schema)
    declared = not place.rest
    if override.is_delete() and declared and not place.open:
        raise ValueError(f"{key} cannot be removed: every setting has a value")
    if override.is_delete() or key in groups:
        return argument
    if not declared:
        raise ValueError(unknown(key, schema, groups))
    return f"++{argument.lstrip('+')}" if place.open else argument


# --- messages ------------------------------------------------------------------------------------


def unknown(key: str, schema: Any, groups: set[str] | None = None) -> str:
    """One line about a key that `schema` does not declare: its new name, or the nearest."""
    if current := _current_name(key, schema):
        group = current.replace(".", "/")
        name = group if group in (groups or ()) else current  # a choice of files, or a setting
        return f"{key} is called {name} now"
    declared, section = keys(schema), key.rpartition(".")[0]
    near = difflib.get_close_matches(key, [*declared, *(groups or ())], n=1)
    if near and near[0] != section:
        return f"{key} is no setting; did you mean {near[0]}?"
    names = [name.rpartition(".")[2] for name in declared if name.rpartition(".")[0] == section]
    if section and names:
        return f"{key} is no setting; {section} has {', '.join(names)}"
    return f"{key} is no setting; conf/config.yaml and its groups have them all"


def _current_name(key: str, schema: Any) -> str | None:
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
    return current if current != key and not _locate(current, schema).rest else None


def _moved(schema: Any, prefix: str = "") -> dict[str, str]:
    """{old key: new key} of every field that was declared with `moved`."""
    new_keys: dict[str, str] = {}
    for f in fields(schema):
        new_keys |= dict.fromkeys(f.metadata.get(_OLD_KEYS, ()), prefix + f.name)
        kind = _hints(schema)[f.name]
        if is_dataclass(kind):
            new_keys |= _moved(kind, f"{prefix}{f.name}.")
    return new_keys


def _kind(parts: Sequence[str], schema: Any) -> Any:
    """The type of the setting that `parts` lead to; None where they lead nowhere."""
    kind = schema
    for part in parts:
        kind = _hints(kind).get(part) if is_dataclass(kind) else None
    return kind


def explain(error: BaseException) -> str:
    """One line for an error of Hydra or OmegaConf: where, which key, what is wrong with it."""
    if isinstance(error, MissingConfigException) and error.options:
        return _no_such_choice(error.missing_cfg_file or "", error.options)
    cause = error.__cause__  # of Hydra's errors: OmegaConf's, which says which key
    text = str(cause if isinstance(cause, OmegaConfBaseException) else error)
    place = re.match(r"In '(.+?)': (?:\w+ raised while composing config:\n)?", text)
    key = re.search(r"full_key: (\S+)", text)
    lines = text[place.end() if place else 0 :].split("\n    full_key: ")[0].splitlines()
    reason = " ".join(line.strip() for line in lines if not line.startswith(("To append", "See ")))
    where = f"{_file(place[1])}: " if place else ""
    if key is None:
        return where + reason
    if re.match(r"Key '.*' (is not in struct|not in )", reason) and not key[1].startswith("hydra."):
        return where + unknown(key[1], registered())
    if "missing mandatory value" in reason:
        return f"{where}{key[1]} has no value: set {key[1]}=..."
    return f"{where}{key[1]}: {reason}"


def _file(config: str) -> str:
    """The file that Hydra calls `config`: params.yaml lies beside conf/."""
    return "params.yaml" if config == "params" else f"conf/{config}.yaml"


def _no_such_choice(missing: str, options: Sequence[str]) -> str:
    group, _, name = missing.rpartition("/")
    near = difflib.get_close_matches(name, options, n=1)
    hint = f"did you mean {group}={near[0]}? " if near else ""
    return f"{group}={name} is no choice; {hint}There are: {', '.join(options)}"


# --- the composed configuration ------------------------------------------------------------------


def to_object(cfg: DictConfig) -> Any:
    """`cfg`, resolved, as its dataclass, which checks every range. Raises ValueError.

    A key that no dataclass declares, which Hydra lets pass when it was added with `+`, is refused.
    """
    schema: Any = OmegaConf.get_type(cfg)
    if not is_dataclass(schema):
        raise TypeError(f"the configuration was composed without {SCHEMA}")
    for key in flat(OmegaConf.to_container(cfg)):
        if _locate(key, schema).rest:
            raise ValueError(unknown(key, schema))
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

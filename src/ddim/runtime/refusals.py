"""The one line about a setting that is refused: which key, what it got, what it accepts instead.

Hydra's own answer to an unknown key is five lines and the advice to add it with `+`, after which
nothing would read it; its answer to a wrong value is that merging failed.
"""

import difflib
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import is_dataclass
from typing import Any

from hydra.errors import MissingConfigException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from ddim.runtime.declared import current_name, hints, keys, locate, registered
from ddim.runtime.values import accepts, choices

_LONGEST = 80  # characters of a value that a line repeats
_MEANT = {"gpu": "cuda"}  # nearer in meaning than in letters
_WORDS = {"None": "null", "True": "true", "False": "false"}  # as YAML writes them


def nearest(word: object, options: Collection[object]) -> str:
    """'; did you mean X?' for the option that `word` was probably to be, '' if none is near."""
    if (meant := _MEANT.get(str(word))) in options:
        return f"; did you mean {meant}?"
    by_lower = {str(option).lower(): str(option) for option in options}
    lower = str(word).lower()
    near = difflib.get_close_matches(lower, list(by_lower), n=1)
    if not near and len(lower) > 2:
        near = [option for option in by_lower if option.startswith(lower)]
    return f"; did you mean {by_lower[near[0]]}?" if near else ""


def shown(value: object) -> str:
    """`value` as a line repeats it: quoted if it is text, cut if it is long."""
    text = ascii(value) if isinstance(value, str) else str(_WORDS.get(repr(value), value))
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def refuse_unless(condition: bool, key: str, accepts: str, got: object) -> None:
    """Raise ValueError 'KEY must be ACCEPTS, got GOT' unless `condition` holds."""
    if not condition:
        raise ValueError(f"{key} must be {accepts}, got {shown(got)}")


def refuse_unless_one_of(options: Sequence[str], key: str, got: object) -> None:
    """Raise ValueError, with the nearest of `options`, unless `got` is one of them."""
    if got not in options:
        accepts = f"{key} must be one of {', '.join(options)}"
        raise ValueError(f"{accepts}; got {shown(got)}{nearest(got, options)}")


def wrong_type(key: str, kind: Any, got: object) -> str:
    """The line about a value that is not of the type that `key` declares."""
    names = choices(kind)
    hint = nearest(got, names) if names else ""
    separator = ";" if names else ","
    return f"{key} must be {accepts(kind)}{separator} got {shown(got)}{hint}"


def no_choice(group: str, name: object, options: Sequence[str]) -> str:
    """The line about a file that a group of conf/ does not have."""
    hint = nearest(name, options).removeprefix("; ").replace("mean ", f"mean {group}=")
    hint = f"{hint} " if hint else ""
    return f"{group}={name} is no choice; {hint}There are: {', '.join(options)}"


def unknown(key: str, schema: Any, groups: Iterable[str] = ()) -> str:
    """One line about a key that `schema` does not declare: its new name, or the nearest."""
    if current := current_name(key, schema):
        group = current.replace(".", "/")
        name = group if group in groups else current  # a choice of files, or a setting
        return f"{key} is called {name} now"
    place = locate(key, schema)
    section = key.removesuffix("." + ".".join(place.rest))
    if place.is_open and is_dataclass(place.kind):  # the user's own part of the key fits nothing
        near = nearest(key, [f"{section}.{name}" for name in hints(place.kind)])
        return f"{key} is no setting{near or _listed(section, hints(place.kind))}"
    if place.rest and section != key and not is_dataclass(place.kind):
        return f"{key} is no setting: {section} is {accepts(place.kind)}"
    declared, section = keys(schema), key.rpartition(".")[0]
    near = nearest(key, [*declared, *groups])
    if near and near != f"; did you mean {section}?":
        return f"{key} is no setting{near}"
    names = [name.rpartition(".")[2] for name in declared if name.rpartition(".")[0] == section]
    if section and names:
        return f"{key} is no setting{_listed(section, names)}"
    return f"{key} is no setting; conf/config.yaml and its groups have them all"


def _listed(section: str, names: Iterable[str]) -> str:
    return f"; {section} has {', '.join(names)}"


# --- errors of Hydra and OmegaConf ---------------------------------------------------------------


def explain(error: BaseException) -> str:
    """One line for an error of Hydra or OmegaConf: where, which key, what is wrong with it."""
    if isinstance(error, MissingConfigException) and error.options:
        group, _, name = (error.missing_cfg_file or "").rpartition("/")
        return no_choice(group, name, error.options)
    # OmegaConf's says which key and value; Hydra raises its own from it, or while handling it.
    cause = error.__cause__
    inner = cause if isinstance(cause, OmegaConfBaseException) else error
    text = str(inner)
    place = re.match(r"In '(.+?)': (?:\w+ raised while composing config:\n)?", text)
    where = f"{_file(place[1])}: " if place else ""
    key = re.search(r"full_key: (\S+)", text)
    lines = text[place.end() if place else 0 :].split("\n    full_key: ")[0].splitlines()
    reason = " ".join(line.strip() for line in lines if not line.startswith(("To append", "See ")))
    if key is None:
        return where + reason
    chain = (error, error.__cause__, error.__context__)
    knows = [e for e in chain if e is not None and getattr(e, "full_key", None) is not None]
    return where + _of_key(key[1], reason, knows[0] if knows else inner)


def _of_key(key: str, reason: str, error: BaseException) -> str:
    schema = registered()
    value = getattr(error, "value", None)
    if missing := re.search(r"Missing mandatory value: (\S+)", reason):  # that another is made of
        key = missing[1]
    if missing or "missing mandatory value" in reason:
        return f"{key} has no value: set {key}=..."
    if key == "hydra" or key.startswith("hydra."):
        parent = getattr(error, "parent_node", None)
        names = [f"{key.rpartition('.')[0]}.{name}" for name in parent or ()]
        known = isinstance(parent, DictConfig) and "not in" in reason
        return f"{key} is no setting of Hydra{nearest(key, names)}" if known else f"{key}: {reason}"
    if re.match(r"Key '.*' (is not in struct|not in )", reason):
        return unknown(key, schema)
    setting = re.sub(r"\[\d+\]$", "", key)  # of a list, not of one place in it
    found = locate(setting, schema)
    if isinstance(error, ValueError) and not found.rest and "nterpolation" not in reason:
        return wrong_type(setting, found.kind, value)
    return f"{key}: {reason}"


def _file(config: str) -> str:
    """The file that Hydra calls `config`: params.yaml lies beside conf/."""
    return "params.yaml" if config == "params" else f"conf/{config}.yaml"

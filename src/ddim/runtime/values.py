"""Which values a setting's declared type takes, in words, and whether a value is one of them.

Stricter than OmegaConf, which takes 2 for a Boolean and lists in a list of numbers.
"""

import math
import types
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass
from enum import Enum
from typing import Any, Union, get_args, get_origin

from ddim.runtime.declared import hints

LARGEST = 2**63  # whole numbers lie below: what numpy and torch count with
_BOOLEANS = ("true", "false", "yes", "no", "on", "off")  # as YAML has them
_WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
_MANY = {int: "whole numbers, as [1, 2]", float: "numbers, as [0.5, 1.0]", str: "words, as [a, b]"}
_INVISIBLE = ("Cc", "Cs", "Zl", "Zp")  # Unicode: control, surrogates, separators of lines


def optional(kind: Any) -> tuple[Any, bool]:
    """`kind` without None, and whether it had one: `str | None` -> (str, True)."""
    if get_origin(kind) in (Union, types.UnionType):
        (inner,) = (arg for arg in get_args(kind) if arg is not type(None))
        return inner, True
    return kind, False


def accepts(kind: Any) -> str:
    """What a setting of type `kind` takes: 'a whole number', 'one of auto, cpu, cuda, mps'."""
    kind, may_be_null = optional(kind)
    return _accepts(kind) + (" or null" if may_be_null else "")


def _accepts(kind: Any) -> str:
    if get_origin(kind) is list:
        return f"a list of {_MANY.get(get_args(kind)[0], 'values, as [a, b]')}"
    if get_origin(kind) is dict:
        return "pairs of keys and values, as {1000: 250}"
    if is_dataclass(kind):
        return f"a section with {', '.join(hints(kind)) or 'no settings'}"
    if options := choices(kind):
        return f"one of {', '.join(options)}"
    return _WORDS.get(kind, "a value")


def choices(kind: Any) -> list[str]:
    """The names that an enumeration takes; [] of other types."""
    kind, _ = optional(kind)
    return [member.name for member in kind] if _is_enum(kind) else []


def fits(value: Any, kind: Any) -> bool:
    """Whether `value` (plain containers) is one of type `kind`; an interpolation may become one."""
    kind, may_be_null = optional(kind)
    if value is None:
        return may_be_null or kind is Any
    if kind is Any or (isinstance(value, str) and "${" in value):
        return True
    if get_origin(kind) is list:
        return isinstance(value, list) and all(fits(v, get_args(kind)[0]) for v in value)
    if get_origin(kind) is dict:
        of_keys, of_values = get_args(kind)
        return isinstance(value, Mapping) and all(
            fits(k, of_keys) and fits(v, of_values) for k, v in value.items()
        )
    if is_dataclass(kind):
        return isinstance(value, Mapping)  # its own settings are looked at one by one
    return _fits_plain(value, kind)


def _fits_plain(value: Any, kind: Any) -> bool:
    if kind is bool:
        return isinstance(value, bool) or str(value).lower() in _BOOLEANS
    if kind is str:
        return isinstance(value, str | int | float)
    if _is_enum(kind):
        return isinstance(value, Enum) or value in choices(kind)
    if isinstance(value, bool):
        return False
    number = int if kind is int else float
    if isinstance(value, str):
        try:
            number(value)
        except ValueError:
            return False
        return True
    return isinstance(value, int if kind is int else int | float)


def _is_enum(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Enum)


def unwritable(value: Any) -> str | None:
    """Why `value`, or one in it, cannot stand in params.yaml; None if it can.

    Not a number, infinite, too large, or text of more than one line: YAML and the records would
    not give it back as it was, or the run would stop at it hours later.
    """
    for leaf in _leaves(value):
        if isinstance(leaf, float) and not math.isfinite(leaf):
            return f"finite, got {leaf}"
        if isinstance(leaf, int) and not -LARGEST <= leaf < LARGEST:
            return f"below 2^63, got {leaf}"
        if isinstance(leaf, str) and any(unicodedata.category(c) in _INVISIBLE for c in leaf):
            return f"one line of printable characters, got {leaf!a}"
    return None


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield key
            yield from _leaves(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _leaves(inner)
    else:
        yield value

"""Typed records: how one is read and written, strictly, and what a reader is told otherwise.

A record is a JSON file that begins with its kind, its version and a checksum of the rest. The class
that declares its fields reads and writes it: an unknown or missing key, a value of another type or
out of range, NaN, another version and any edit by hand are one line each, with the file and the
command that makes it again.
"""

import hashlib
import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, ClassVar, NoReturn, Self

import msgspec

from ddim.runtime.files import read_json, write_json

MOST = 2**53  # of whole numbers: above, JSON readers that know doubles alone would round
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
NotNegative = Annotated[float, msgspec.Meta(ge=0)]
Count = Annotated[int, msgspec.Meta(ge=0, le=MOST)]
Positive = Annotated[int, msgspec.Meta(ge=1, le=MOST)]
Sha256 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]

KIND, VERSION, CHECKSUM = "record", "version", "checksum"  # the first keys of every file


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base of what stands inside a record."""


class Record(Part, frozen=True):
    """Base of every record; a subclass says its KIND, and its VERSION if it has changed since 2.

    Version 1 had no checksum.
    """

    KIND: ClassVar[str]
    VERSION: ClassVar[int] = 2

    @classmethod
    def read(cls, path: Path, made_by: str) -> Self:
        """The record in `path`; `made_by` is the command that writes it.

        Raises FileNotFoundError or ValueError: one line with the file, what is wrong, `made_by`.
        """
        if not path.is_file():
            problem = "is no regular file" if path.exists() else "is missing"
            raise FileNotFoundError(f"{path} {problem}: make it with `{made_by}`")
        try:
            return cls.of(read_json(path))
        except ValueError as error:
            raise ValueError(f"{_about(path, error)}: make it again with `{made_by}`") from None

    @classmethod
    def of(cls, content: Any) -> Self:
        """The record of a file's parsed content; ValueError says what is wrong with it."""
        if not isinstance(content, dict) or KIND not in content or VERSION not in content:
            raise ValueError("no record of this version of ddim")
        fields = dict(content)
        kind, version = fields.pop(KIND), fields.pop(VERSION)
        if kind != cls.KIND:
            raise ValueError(f"a record of {kind!r}, not of {cls.KIND!r}")
        if version != cls.VERSION:
            raise ValueError(f"version {version} of {kind!r}, this ddim reads {cls.VERSION}")
        checksum = fields.pop(CHECKSUM, None)
        record = msgspec.convert(fields, cls, strict=True)
        if checksum != _checksum(content):
            raise ValueError("it was changed after it was written")
        return record

    def write(self, path: Path) -> None:
        """Write the record to `path`, atomically; ValueError for what `read` would refuse."""
        fields = msgspec.to_builtins(self, str_keys=True)
        for key, value in _not_finite(fields):
            raise ValueError(f"{path} was not written: {key} is {value}, which is no number")
        content = {KIND: self.KIND, VERSION: self.VERSION, CHECKSUM: "", **fields}
        content = json.loads(json.dumps(content))  # lists for tuples: as a reader sees it
        content[CHECKSUM] = _checksum(content)
        try:
            type(self).of(content)
        except ValueError as error:
            raise ValueError(f"{path} was not written: {error}") from None
        write_json(path, content)


def _checksum(content: dict[str, Any]) -> str:
    """Hex digest of a record's parsed content, whatever the order and the spaces of its file."""
    rest = {key: value for key, value in content.items() if key != CHECKSUM}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def _not_finite(value: Any, key: str = "") -> Iterator[tuple[str, float]]:
    """Every NaN and infinity in JSON-like `value`, with its key."""
    if isinstance(value, float) and not math.isfinite(value):
        yield key, value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _not_finite(inner, f"{key}.{name}".lstrip("."))
    elif isinstance(value, list | tuple):
        for i, inner in enumerate(value):
            yield from _not_finite(inner, f"{key}[{i}]")


def require_order(**intervals: tuple[float, float]) -> None:
    """ValueError for an interval, under its field's name, whose low end is above its high one."""
    for name, (low, high) in intervals.items():
        if low > high:
            raise ValueError(f"{name} runs from {low} to {high}, its ends must rise")


def _about(path: Path, error: ValueError) -> str:
    """The file, once, and the reason; where a value is wrong, its key."""
    reason = re.sub(r" - at `\$\.?(.*)`$", r" at \1", str(error))
    return reason if str(path) in reason else f"{path}: {reason}"


def refuse(path: Path, reason: str, made_by: str) -> NoReturn:
    """Raise ValueError about a record whose fields are right but whose content is not."""
    raise ValueError(f"{path}: {reason}: make it again with `{made_by}`")

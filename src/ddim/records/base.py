"""Typed records: how one is read and written, strictly, and what a reader is told otherwise.

A record is a JSON file that begins with its kind and version. The class that declares its fields
reads and writes it: an unknown or missing key, a value of another type or out of range, NaN and
another version are one line each, with the file and the command that makes it again.
"""

import json
import re
from pathlib import Path
from typing import Annotated, Any, ClassVar, NoReturn, Self

import msgspec

from ddim.runtime.files import read_json, write_json

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
NotNegative = Annotated[float, msgspec.Meta(ge=0)]
Count = Annotated[int, msgspec.Meta(ge=0)]
Sha256 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]

KIND, VERSION = "record", "version"  # the first two keys of every file


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base of what stands inside a record."""


class Record(Part, frozen=True):
    """Base of every record; a subclass says its KIND and VERSION."""

    KIND: ClassVar[str]
    VERSION: ClassVar[int] = 1

    @classmethod
    def read(cls, path: Path, made_by: str) -> Self:
        """The record in `path`; `made_by` is the command that writes it.

        Raises FileNotFoundError or ValueError: one line with the file, what is wrong, `made_by`.
        """
        if not path.is_file():
            raise FileNotFoundError(f"{path} is missing: make it with `{made_by}`")
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
        return msgspec.convert(fields, cls, strict=True)

    def write(self, path: Path) -> None:
        """Write the record to `path`, atomically; ValueError for what `read` would refuse."""
        content = self.content()
        type(self).of(json.loads(json.dumps(content, allow_nan=False)))
        write_json(path, content)

    def content(self) -> dict[str, Any]:
        """What the file holds."""
        fields = msgspec.to_builtins(self, str_keys=True)
        return {KIND: self.KIND, VERSION: self.VERSION, **fields}


def _about(path: Path, error: ValueError) -> str:
    """The file, once, and the reason; where a value is wrong, its key."""
    reason = re.sub(r" - at `\$\.?(.*)`$", r" at \1", str(error))
    return reason if str(path) in reason else f"{path}: {reason}"


def refuse(path: Path, reason: str, made_by: str) -> NoReturn:
    """Raise ValueError about a record whose fields are right but whose content is not."""
    raise ValueError(f"{path}: {reason}: make it again with `{made_by}`")

"""What happens to files: cut short, a bit flipped, emptied, replaced; and what may follow.

A damaged file is refused in one line that names it and the way out, or it is provably harmless:
what is read of it equals what was written. Nothing else.
"""

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ddim.runtime.errors import USER_ERRORS, one_line

Damage = Callable[[bytes], bytes]
WAYS_OUT = ("run ", "make it", "made again", "sampled again", "delete it", "git checkout", "dvc ")


def cuts(size: int) -> Iterator[tuple[str, Damage]]:
    """The file cut short at several places, emptied, zeroed, longer than it was."""
    for share in (0, 0.1, 0.5, 0.9, 0.99):
        keep = int(size * share)
        yield f"first {keep} bytes", lambda content, keep=keep: content[:keep]
    yield "without the last byte", lambda content: content[:-1]
    yield "without the first byte", lambda content: content[1:]
    yield "all zeros", lambda content: bytes(len(content))
    yield "first half zeros", lambda c: bytes(len(c) // 2) + c[len(c) // 2 :]
    yield "second half zeros", lambda c: c[: len(c) // 2] + bytes(len(c) - len(c) // 2)


def flips(size: int, count: int, seed: int = 0) -> Iterator[tuple[str, Damage]]:
    """One bit of the file, `count` times: of the beginning, of the end, of anywhere."""
    generator = random.Random(seed)
    ends = [*range(min(size, 16)), *range(max(size - 16, 0), size)]
    places = ends + [generator.randrange(size) for _ in range(max(count - len(ends), 0))]
    for byte in places[:count] if count < len(ends) else places:
        bit = generator.randrange(8)
        yield f"bit {bit} of byte {byte}", lambda c, byte=byte, bit=bit: flipped(c, byte, bit)


def flipped(content: bytes, byte: int, bit: int) -> bytes:
    changed = bytearray(content)
    changed[byte] ^= 1 << bit
    return bytes(changed)


def others() -> Iterator[tuple[str, Damage]]:
    """Files of another kind under its name."""
    contents = {
        "text": b"hello\n",
        "html": b"<html>quota exceeded</html>",
        "null": b"null",
        "list": b"[1, 2, 3]",
        "object": b"{}",
        "number": b"3",
        "nested": b"[" * 100_000 + b"]" * 100_000,
        "nested objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        "not UTF-8": b'\xff\xfe{"a": 1}',
        "a pickle": b"cos\nsystem\n(S'exit 7'\ntR.",
        "a long number": b'{"record": ' + b"9" * 10_000 + b"}",
    }
    for name, content in contents.items():
        yield name, lambda _, content=content: content


def everything(size: int, count: int = 60) -> list[tuple[str, Damage]]:
    """All of the above, of a file of `size` bytes."""
    return [*cuts(size), *flips(size, count), *others()]


def refused(read: Callable[[], Any], path: Path, what: str) -> str | None:
    """The one line with which `read` refuses the damaged `path`; None where it reads something.

    AssertionError for anything but a user's mistake in one line with the file and the way out.
    """
    try:
        read()
    except USER_ERRORS as error:
        line = one_line(error)
        assert str(path) in line or path.name in line, (what, line)
        assert any(way in line for way in WAYS_OUT), (what, line)
        assert "\n" not in line, (what, line)
        assert len(line) < 600, (what, line)
        return line
    except Exception as error:
        raise AssertionError(f"{path} ({what}): a traceback of {error!r}") from error
    return None


def check(
    path: Path,
    read: Callable[[], Any],
    same: Callable[[Any], bool],
    damages: list[tuple[str, Damage]],
) -> int:
    """Every damage of `path` is refused, or harmless (`same` of what is read); how many were not.

    The file is as it was afterwards.
    """
    whole, harmless = path.read_bytes(), 0
    try:
        for what, damage in damages:
            content = damage(whole)
            if content == whole:
                continue
            path.write_bytes(content)
            if refused(read, path, what) is None:
                assert same(read()), f"{path} ({what}) is read, and as something else"
                harmless += 1
    finally:
        path.write_bytes(whole)
    return harmless

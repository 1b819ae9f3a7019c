"""constraints.txt, for pip users, is the set that uv resolved and that these tests run on."""

import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from packaging.markers import Marker

CONSTRAINTS = Path(__file__).parent.parent.parent / "constraints.txt"


def pins() -> dict[str, str]:
    """Name -> version of every line that applies to this machine."""
    versions = {}
    for line in CONSTRAINTS.read_text().splitlines():
        pin, _, marker = line.partition(" ; ")
        if not marker or Marker(marker).evaluate():
            name, _, number = pin.partition("==")
            versions[name.split("[")[0]] = number
    return versions


def test_every_line_is_a_name_and_a_version_and_carries_no_host() -> None:
    for line in CONSTRAINTS.read_text().splitlines():
        assert re.fullmatch(r"[A-Za-z0-9._-]+(\[[\w,-]+\])?==[\w.+!-]+( ; .+)?", line), line


def test_what_is_installed_is_what_is_pinned() -> None:
    different = {}
    for name, number in pins().items():
        try:
            installed = version(name)
        except PackageNotFoundError:  # a dev or extra package that this environment leaves out
            continue
        if installed != number:
            different[name] = (installed, number)
    assert not different, "regenerate constraints.txt, see CONTRIBUTING.md"
    assert len(pins()) > 50

"""The groups of conf/: its folders, and the files that each offers. Imports nothing heavy."""

import re
from pathlib import Path


def all_groups(conf: Path) -> dict[str, list[str]]:
    """{group: the names of its files, rising} of the folder `conf`."""
    groups: dict[str, list[str]] = {}
    for path in sorted(conf.glob("*/**/*.yaml")):
        groups.setdefault(path.parent.relative_to(conf).as_posix(), []).append(path.stem)
    return groups


def our_groups(conf: Path) -> dict[str, list[str]]:
    """The same without Hydra's own groups, of which conf/ holds a few files."""
    return {
        name: files for name, files in all_groups(conf).items() if not re.match(r"hydra\b", name)
    }

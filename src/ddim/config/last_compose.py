"""What the last `python -m ddim.compose` set, and whether a params.yaml of DVC's has lost it.

`dvc exp run` composes params.yaml from conf/ with its own -S alone. After `ddim.compose
experiment=mnist` it would start the default experiment, for hours, without a word.

The overrides of the last compose are in the first line of params.yaml, which DVC has written over
by then: so they are kept in work/ as well, for as long as the commit is the same one. For a clone,
or a run of DVC's queue, the committed params.yaml has them.
"""

import json
import re
import shlex
from collections.abc import Mapping, Sequence

from omegaconf import DictConfig

from ddim.config import paths
from ddim.config.conf import composed, plain
from ddim.runtime import git
from ddim.runtime.files import write_text

HEADER = "# Composed from conf/; never edit by hand. To change it: python -m ddim.compose "
_FILE = paths.WORK / "composed.json"


def recorded(text: str) -> list[str] | None:
    """The overrides in the first line of a params.yaml; None if compose did not write it."""
    first = text.split("\n", 1)[0]
    if not first.startswith(HEADER.rstrip()):
        return None
    return shlex.split(first.removeprefix(HEADER.rstrip()))


def remember(overrides: Sequence[str]) -> None:
    """Keep the overrides of this compose."""
    write_text(_FILE, json.dumps({"commit": git.head(), "overrides": list(overrides)}) + "\n")


def overrides() -> list[str]:
    """Those of the last compose; [] if there was none, or it had none."""
    if _FILE.is_file():
        try:
            kept = json.loads(_FILE.read_text(encoding="utf-8"))
            if kept["commit"] == git.head():
                return [str(override) for override in kept["overrides"]]
        except (ValueError, KeyError, TypeError):
            _FILE.unlink()  # work/ may be lost at any time; the committed file is the next best
    committed = git.committed("params.yaml")
    return (recorded(committed) if committed is not None else None) or []


def require_kept(cfg: DictConfig) -> None:
    """Raise ValueError, with the -S that restore them, if DVC's `cfg` lacks what was set last."""
    last = overrides()
    lost = _lost(plain(cfg), last)
    if not lost:
        return
    options = " ".join(f"-S {shlex.quote(override)}" for override in last)
    raise ValueError(
        "params.yaml, which dvc exp run composed with its own -S alone, lacks "
        f"{', '.join(lost)} of the last `{command(last)}`: give dvc exp run {options} too; for dvc "
        "repro run that compose again; for conf/'s own defaults run `python -m ddim.compose`"
    )


def command(given: Sequence[str]) -> str:
    """The command that composes with these overrides."""
    return f"python -m ddim.compose {shlex.join(given)}".rstrip()


def _lost(have: dict[str, object], last: Sequence[str]) -> list[str]:
    """The overrides of `last` of whose effect nothing is to be seen in `have`.

    An override has an effect on the keys that differ without it. It is lost where all of them have
    the value that they have without it; with a third value somebody has chosen otherwise. So one
    whose own key is as it set it is not: to compose without it takes a sixth of a second.
    """
    if not last:
        return []
    whole, lost = plain(composed(last)), []
    kept = {key for key in whole if have.get(key, ...) == _followed(whole, key)}
    for override in last:
        if kept == whole.keys() or override.lstrip("+").partition("=")[0] in kept:
            continue
        without = plain(composed([other for other in last if other != override]))
        changed = [key for key in whole if whole[key] != without.get(key, ...)]
        effect = [key for key in changed if _followed(whole, key) != _followed(without, key)]
        if effect and all(have.get(key, ...) == _followed(without, key) for key in effect):
            lost.append(override)
    return lost


def _followed(values: Mapping[str, object], key: str) -> object:
    """The value of `key`; that of another key where it is "${that key}", as params.yaml has it.

    OmegaConf cannot resolve a whole composition: some values are still to be given (data.root).
    """
    value = values.get(key, ...)
    for _ in values:  # no longer than that, should they lead in a circle
        other = re.fullmatch(r"\$\{([\w.]+)\}", value) if isinstance(value, str) else None
        if other is None:
            break
        value = values.get(other[1], ...)
    return value

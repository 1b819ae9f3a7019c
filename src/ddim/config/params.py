"""conf/ -> params.yaml, and the guard that refuses a params.yaml that conf/ no longer gives.

    python -m ddim.compose [overrides]    compose conf/config.yaml, check it, write params.yaml
    python -m ddim.compose --check        fail, with the differing keys, if params.yaml is stale;
                                          record the configuration in reports/<name>/

DVC reads only params.yaml; without the guard an edit in conf/ would silently change nothing.
"""

import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ddim.config import last_compose
from ddim.config.conf import composed, plain
from ddim.config.pipeline import check_pipeline, notes
from ddim.config.schema import Config, as_dict, checked
from ddim.runtime.files import write_text
from ddim.runtime.overrides import flat
from ddim.runtime.refusals import explain
from ddim.runtime.settings_file import load

PARAMS = Path("params.yaml")


def from_conf(overrides: Sequence[str]) -> DictConfig:
    """The resolved configuration that conf/ gives under `overrides`, for the whole pipeline.

    Raises ValueError for a setting that is none, is out of range, or no whole run can have.
    """
    cfg = composed(overrides)
    check_pipeline(checked(cfg))
    OmegaConf.resolve(cfg)
    return cfg


def write(overrides: Sequence[str]) -> None:
    """Write params.yaml, its own overrides in the first line; a note for what has no effect."""
    cfg = from_conf(overrides)
    for note in notes(checked(cfg)):
        print(f"note: {note}", file=sys.stderr)
    first = f"{last_compose.HEADER}{shlex.join(overrides)}".rstrip()
    write_text(PARAMS, f"{first}\n{OmegaConf.to_yaml(cfg)}")
    last_compose.remember(overrides)


def differences(overrides: Sequence[str]) -> list[str]:
    """A line for each key where params.yaml differs from what conf/ gives under `overrides`."""
    have, want = plain(load(PARAMS)), plain(from_conf(overrides))
    keys = [key for key in sorted({*have, *want}) if have.get(key, ...) != want.get(key, ...)]
    return [_difference(key, have, want) for key in keys]


def _difference(key: str, have: dict[str, object], want: dict[str, object]) -> str:
    ours, theirs = (repr(side[key]) if key in side else "nothing" for side in (have, want))
    return f"{key}: params.yaml has {ours}, conf/ gives {theirs}"


def check() -> tuple[Config, list[str] | None]:
    """Raise ValueError if params.yaml is stale or invalid.

    One that DVC composed (`dvc exp run -S`) may differ from conf/; it must be valid, and must have
    what the last compose set.

    Returns the configuration and the overrides under which conf/ gives it, None if none do.
    """
    cfg = read([])
    check_pipeline(cfg)
    overrides = _recorded_overrides()
    if overrides is None:
        last_compose.require_kept(OmegaConf.structured(cfg))
        return cfg, changes(cfg)
    lines = differences(overrides)
    for line in lines:
        print(line, file=sys.stderr)
    if lines:
        command = last_compose.command(overrides)
        raise ValueError(f"params.yaml is out of date with conf/, as listed: run `{command}`")
    return cfg, overrides


def changes(cfg: Config) -> list[str] | None:
    """The overrides, one key=value each, under which conf/ gives `cfg`.

    None where `cfg` has other keys than conf/ (rows of analysis.solvers, say): that takes a file.
    """
    have, want = plain(from_conf([])), flat(as_dict(cfg))
    if have.keys() != want.keys():
        return None
    return [f"{key}={json.dumps(want[key])}" for key in want if have[key] != want[key]]


def read(overrides: Sequence[str]) -> Config:
    """params.yaml, complete and checked, under `overrides` (key=value), as `-cn stage` reads it."""
    schema = OmegaConf.structured(Config)
    try:
        recorded = OmegaConf.merge(schema, load(PARAMS))
    except OmegaConfBaseException as error:
        raise ValueError(f"{PARAMS}: {explain(error)}") from None
    if not overrides:
        try:
            return _config(recorded)
        except (ValueError, OmegaConfBaseException) as error:
            line = explain(error) if isinstance(error, OmegaConfBaseException) else str(error)
            raise ValueError(f"{PARAMS}: {line}") from None
    return _config(OmegaConf.merge(recorded, OmegaConf.from_dotlist(list(overrides))))


def _config(merged: object) -> Config:
    assert isinstance(merged, DictConfig)
    return checked(merged)


def _recorded_overrides() -> list[str] | None:
    """The overrides in params.yaml's first line; None if compose did not write it."""
    return last_compose.recorded(PARAMS.read_text(encoding="utf-8"))

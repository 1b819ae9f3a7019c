"""conf/ -> params.yaml, and the guard that refuses a params.yaml that conf/ no longer gives.

    python -m ddim.compose [overrides]    compose conf/config.yaml, check it, write params.yaml
    python -m ddim.compose --check        fail, with the differing keys, if params.yaml is stale

DVC reads only params.yaml; without the guard an edit in conf/ would silently change nothing.
"""

import json
import shlex
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.plugins import Plugins
from omegaconf import DictConfig, OmegaConf

from ddim.config.schema import Config, as_dict, checked
from ddim.runtime.errors import USER_ERRORS
from ddim.runtime.files import write_text

CONF = Path("conf")
PARAMS = Path("params.yaml")
OK = Path("out/config.ok")
HEAD = "# Composed from conf/; never edit by hand. To change it: python -m ddim.compose "


def build(overrides: list[str]) -> DictConfig:
    """The resolved configuration that conf/ gives under `overrides`; ValueError if out of range."""
    if not CONF.is_dir():
        raise ValueError(f"no folder {CONF}/ in {Path.cwd()}: run this from the project's root")
    Plugins.instance()  # imports hydra_plugins.ddim_schema
    with _hydra():
        cfg = compose("config", overrides=overrides)
    if checked(cfg).sampler.scheduler is not None:
        raise ValueError(
            "sampler.scheduler is for cells that are run by hand (python -m ddim.stages.sample "
            "sampler=diffusers sampler.scheduler=...); the pipeline's table is solvers.rows"
        )
    OmegaConf.resolve(cfg)
    return cfg


def _hydra() -> AbstractContextManager[object]:
    """Hydra on conf/: a stage, which Hydra started on it, has that already."""
    if GlobalHydra.instance().is_initialized():
        return nullcontext()
    return initialize_config_dir(str(CONF.absolute()), version_base="1.3")


def write(overrides: list[str]) -> None:
    """Write params.yaml, its own overrides in the first line."""
    cfg = build(overrides)
    write_text(PARAMS, f"{HEAD}{shlex.join(overrides)}".rstrip() + "\n" + OmegaConf.to_yaml(cfg))


def differences() -> tuple[list[str], bool]:
    """(lines on keys where params.yaml differs from conf/, whether compose itself wrote it).

    A params.yaml that DVC composed (`dvc exp run -S`) carries no overrides to compose again.
    """
    if not PARAMS.is_file():
        raise ValueError(f"{PARAMS} is missing: run `python -m ddim.compose`")
    ours = PARAMS.read_text(encoding="utf-8").startswith(HEAD.rstrip())
    overrides = _recorded_overrides() if ours else []
    have, want = _flat(OmegaConf.load(PARAMS)), _flat(build(overrides))
    keys = [key for key in sorted({*have, *want}) if have.get(key, ...) != want.get(key, ...)]
    return [_difference(key, have, want) for key in keys], ours


def _difference(key: str, have: dict[str, Any], want: dict[str, Any]) -> str:
    ours, theirs = (repr(side[key]) if key in side else "nothing" for side in (have, want))
    return f"{key}: params.yaml has {ours}, conf/ gives {theirs}"


def check() -> None:
    """Raise ValueError if params.yaml is stale; otherwise write the constant out/config.ok."""
    lines, ours = differences()
    listed = "\n  ".join(lines)
    if lines and ours:
        again = f"python -m ddim.compose {shlex.join(_recorded_overrides())}".rstrip()
        raise ValueError(f"params.yaml is out of date with conf/; run `{again}`:\n  {listed}")
    if lines:
        checked(_typed(PARAMS, []))
        print(f"params.yaml, composed by `dvc exp run`, differs from conf/'s defaults:\n  {listed}")
    write_text(OK, "ok\n")


def changes(overrides: list[str], cfg: Config) -> list[str] | None:
    """What to add to `overrides` for conf/ to give `cfg`, one key=value each.

    None where `cfg` has other keys (rows of solvers, say): that takes a file in conf/.
    """
    have, want = _flat(build(overrides)), _flat(as_dict(cfg))
    if have.keys() != want.keys():
        return None
    return [f"{key}={json.dumps(want[key])}" for key in want if have[key] != want[key]]


def params(overrides: list[str]) -> Config:
    """params.yaml, whole and checked, under `overrides` (key=value), as `-cn stage` reads it."""
    if not PARAMS.is_file():
        raise FileNotFoundError(f"{PARAMS} is missing: run `python -m ddim.compose`")
    return checked(_typed(PARAMS, overrides))


def _recorded_overrides() -> list[str]:
    """The overrides in params.yaml's first line."""
    first = PARAMS.read_text(encoding="utf-8").split("\n", 1)[0]
    return shlex.split(first.removeprefix(HEAD.rstrip()))


def _typed(path: Path, overrides: list[str]) -> DictConfig:
    schema, last = OmegaConf.structured(Config), OmegaConf.from_dotlist(overrides)
    merged = OmegaConf.merge(schema, OmegaConf.load(path), last)
    assert isinstance(merged, DictConfig)
    return merged


def _flat(node: Any, prefix: str = "") -> dict[str, Any]:
    plain: Any = node
    if not isinstance(node, dict):
        plain = OmegaConf.to_container(node, enum_to_str=True)
    flat: dict[str, Any] = {}
    for key, value in plain.items():
        if isinstance(value, dict) and value:
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def main(arguments: list[str]) -> int:
    """The command line. Returns the exit status."""
    try:
        check() if arguments == ["--check"] else write(arguments)
    except USER_ERRORS as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0

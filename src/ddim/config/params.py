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
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ddim.config.schema import Config, as_dict, checked
from ddim.runtime.files import write_text
from ddim.runtime.overrides import explain, flat, for_hydra

CONF = Path("conf")
PARAMS = Path("params.yaml")
HEADER = "# Composed from conf/; never edit by hand. To change it: python -m ddim.compose "


def from_conf(overrides: Sequence[str]) -> DictConfig:
    """The resolved configuration that conf/ gives under `overrides`; ValueError if out of range."""
    if not CONF.is_dir():
        raise ValueError(f"no folder {CONF}/ in {Path.cwd()}: run this from the project's root")
    arguments = for_hydra(overrides, CONF)
    with _hydra():
        cfg = compose("config", overrides=arguments)
    if checked(cfg).sampler.scheduler is not None:
        raise ValueError(
            "sampler.scheduler is for cells run by hand (python -m ddim.stages.sample "
            "sampler=diffusers sampler.scheduler=...); the pipeline has analysis.solvers.rows"
        )
    OmegaConf.resolve(cfg)
    return cfg


def _hydra() -> AbstractContextManager[object]:
    """Hydra on conf/: a stage, which Hydra started on it, has that already."""
    if GlobalHydra.instance().is_initialized():
        return nullcontext()
    return initialize_config_dir(str(CONF.absolute()), version_base="1.3")


def write(overrides: Sequence[str]) -> None:
    """Write params.yaml, its own overrides in the first line."""
    cfg = from_conf(overrides)
    write_text(PARAMS, f"{HEADER}{shlex.join(overrides)}".rstrip() + "\n" + OmegaConf.to_yaml(cfg))


def differences() -> tuple[list[str], bool]:
    """(lines on keys where params.yaml differs from conf/, whether compose itself wrote it).

    A params.yaml that DVC composed (`dvc exp run -S`) carries no overrides to compose again.
    """
    if not PARAMS.is_file():
        raise ValueError(f"{PARAMS} is missing: run `python -m ddim.compose`")
    ours = PARAMS.read_text(encoding="utf-8").startswith(HEADER.rstrip())
    overrides = _recorded_overrides() if ours else []
    have, want = _plain(OmegaConf.load(PARAMS)), _plain(from_conf(overrides))
    keys = [key for key in sorted({*have, *want}) if have.get(key, ...) != want.get(key, ...)]
    return [_difference(key, have, want) for key in keys], ours


def _difference(key: str, have: dict[str, Any], want: dict[str, Any]) -> str:
    ours, theirs = (repr(side[key]) if key in side else "nothing" for side in (have, want))
    return f"{key}: params.yaml has {ours}, conf/ gives {theirs}"


def check() -> tuple[Config, list[str] | None]:
    """Raise ValueError if params.yaml is stale or invalid.

    One that DVC composed (`dvc exp run -S`) may differ from conf/; it must only be valid.

    Returns the configuration and the overrides under which conf/ gives it, None if none do.
    """
    lines, ours = differences()
    for line in lines if ours else ():
        print(line, file=sys.stderr)
    if lines and ours:
        command = f"python -m ddim.compose {shlex.join(_recorded_overrides())}".rstrip()
        raise ValueError(f"params.yaml is out of date with conf/, as listed: run `{command}`")
    cfg = read([])
    return cfg, _recorded_overrides() if ours else changes(cfg)


def changes(cfg: Config) -> list[str] | None:
    """The overrides, one key=value each, under which conf/ gives `cfg`.

    None where `cfg` has other keys than conf/ (rows of analysis.solvers, say): that takes a file.
    """
    have, want = _plain(from_conf([])), flat(as_dict(cfg))
    if have.keys() != want.keys():
        return None
    return [f"{key}={json.dumps(want[key])}" for key in want if have[key] != want[key]]


def read(overrides: Sequence[str]) -> Config:
    """params.yaml, complete and checked, under `overrides` (key=value), as `-cn stage` reads it."""
    if not PARAMS.is_file():
        raise FileNotFoundError(f"{PARAMS} is missing: run `python -m ddim.compose`")
    schema = OmegaConf.structured(Config)
    try:
        recorded = OmegaConf.merge(schema, OmegaConf.load(PARAMS))
    except OmegaConfBaseException as error:
        raise ValueError(f"{PARAMS}: {explain(error)}") from error
    cfg = OmegaConf.merge(recorded, OmegaConf.from_dotlist(list(overrides)))
    assert isinstance(cfg, DictConfig)
    return checked(cfg)


def _recorded_overrides() -> list[str]:
    """The overrides in params.yaml's first line."""
    first = PARAMS.read_text(encoding="utf-8").split("\n", 1)[0]
    return shlex.split(first.removeprefix(HEADER.rstrip()))


def _plain(node: Any) -> dict[str, Any]:
    """The values of a composed configuration, by their dotted keys."""
    return flat(OmegaConf.to_container(node, enum_to_str=True))

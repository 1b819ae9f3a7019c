"""conf/ as Hydra composes it, its values not checked yet."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, OmegaConf

from ddim.runtime.overrides import flat, for_hydra

CONF = Path("conf")


def composed(overrides: Sequence[str]) -> DictConfig:
    """What conf/ gives under `overrides`. Raises ValueError for an override that is none."""
    if not CONF.is_dir():
        raise ValueError(f"no folder {CONF}/ in {Path.cwd()}: run this from the project's root")
    arguments = for_hydra(overrides, CONF)
    with _hydra():
        return compose("config", overrides=arguments)


def _hydra() -> AbstractContextManager[object]:
    """Hydra on conf/: a stage, which Hydra started on it, has that already."""
    if GlobalHydra.instance().is_initialized():
        return nullcontext()
    return initialize_config_dir(str(CONF.absolute()), version_base="1.3")


def plain(node: Any) -> dict[str, Any]:
    """The values of a composed configuration, by their dotted keys."""
    return flat(OmegaConf.to_container(node, enum_to_str=True))

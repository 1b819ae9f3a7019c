"""A YAML file of settings, read whole or refused in one line that names it: params.yaml."""

from pathlib import Path

import yaml
from omegaconf import DictConfig, OmegaConf

AGAIN = "run `python -m ddim.compose`, which writes it"


def load(path: Path) -> DictConfig:
    """The settings in `path`. Raises FileNotFoundError or ValueError."""
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: {AGAIN}")
    try:
        node = OmegaConf.load(path)
    except yaml.YAMLError as error:
        raise ValueError(f"{no_yaml(error, path)}: {AGAIN}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path} is no UTF-8 text: {AGAIN}") from None
    except RecursionError:
        raise ValueError(f"{path} is nested too deeply: {AGAIN}") from None
    if not isinstance(node, DictConfig) or not node:
        what = "is empty" if not node else "is a list, no settings by their keys"
        raise ValueError(f"{path} {what}: {AGAIN}")
    return node


def no_yaml(error: yaml.YAMLError, path: Path | None = None) -> str:
    """'FILE, line 3: found character that cannot start any token', on one line."""
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    name = path if path is not None else getattr(mark, "name", "a YAML file")
    place = f"{name}, line {mark.line + 1}" if mark is not None else str(name)
    return f"{place}: {' '.join(str(problem or error).split())}"

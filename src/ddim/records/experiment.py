"""Which experiment a report is of: its configuration, and the command that composes it."""

from pathlib import Path
from typing import Any, ClassVar

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ddim.config import paths
from ddim.config.checks import IMAGE_FOLDER
from ddim.config.schema import Config
from ddim.records.base import Record
from ddim.runtime import overrides
from ddim.runtime.refusals import explain


class Experiment(Record, frozen=True):
    """What the stage `config` wrote: `reports/<name>/experiment.json`."""

    KIND: ClassVar[str] = "experiment"

    name: str
    # Arguments of `python -m ddim.compose` that give this configuration; None where it has keys
    # that only a file in conf/ can give (composed by `dvc exp run -S`).
    compose: tuple[str, ...] | None
    config: dict[str, Any]  # the whole of it

    @property
    def cfg(self) -> Config:
        """The configuration, typed. Raises ValueError for one of another version of ddim."""
        try:
            merged = OmegaConf.merge(OmegaConf.structured(Config), _whole_number_keys(self.config))
        except OmegaConfBaseException as error:
            raise ValueError(f"config: {explain(error)}") from None
        config = overrides.to_object(merged)  # type: ignore[arg-type]
        assert isinstance(config, Config)
        return config


def require_same_images(cfg: Config) -> None:
    """Raise ValueError if reports/<name> is of other images, where one of the two are a user's own.

    Two folders' reports under one name would overwrite each other. A record that cannot be read is
    about to be written again, and says nothing.
    """
    path = paths.experiment_record(cfg)
    try:
        before = Experiment.read(path, "").config["data"]
        name, root = str(before["name"]), str(before["root"])
    except (OSError, ValueError, KeyError):
        return
    if IMAGE_FOLDER not in (name, cfg.data.name):
        return
    if (name, Path(root).resolve()) != (cfg.data.name, Path(cfg.data.root).resolve()):
        raise ValueError(
            f"{path.parent} is the report of other images (data.name={name}, data.root={root}): "
            f"give this one another name (name=...), or delete {path.parent}"
        )


def _whole_number_keys(node: Any) -> Any:
    """`node` with the keys of sample.num_images_at as numbers, which they cannot be in JSON."""
    if not isinstance(node, dict):
        return node
    return {int(k) if k.isdigit() else k: _whole_number_keys(v) for k, v in node.items()}

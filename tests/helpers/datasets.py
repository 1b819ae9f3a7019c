"""The settings data.* of a test's own set."""

from pathlib import Path
from typing import Any

from ddim.config.schema import Data


def config(name: str, root: Path | str, size: int, channels: int, **rest: Any) -> Data:
    values = {"flip": False, "held_out": 0.25, "download": False, **rest}
    return Data(name=name, root=str(root), image_size=size, channels=channels, **values)


def folder_config(root: Path, size: int = 4, channels: int = 3, **rest: Any) -> Data:
    values = {"flip": False, "held_out": 0.25, "download": False, **rest}
    return Data("image_folder", str(root), size, channels, **values)

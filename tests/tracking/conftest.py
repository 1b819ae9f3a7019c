"""A machine that never heard of W&B."""

import os
import sys
from pathlib import Path

import pytest


@pytest.fixture
def no_wandb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home, which is returned, and no trace of W&B in the environment."""
    for name in [name for name in os.environ if name.startswith(("WANDB_", "NETRC"))]:
        monkeypatch.delenv(name)
    for name in ("DATA", "CACHE", "CONFIG"):  # so that what the code sets is undone
        monkeypatch.setenv(f"WANDB_{name}_DIR", "")
        monkeypatch.delenv(f"WANDB_{name}_DIR")
    monkeypatch.setenv("WANDB_MODE", "")
    monkeypatch.delenv("WANDB_MODE")
    if "wandb" in sys.modules:  # its own process, of an earlier test, would write into that one's
        sys.modules["wandb"].teardown()  # folder: it takes paths relative to where it began
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("it asked"))
    monkeypatch.setenv("CI", "true")
    return folder

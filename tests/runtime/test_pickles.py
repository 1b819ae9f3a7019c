"""A pickle in any disguise, wherever a file is read, runs nothing and is refused in one line."""

import hashlib
import io
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ddim import weights
from ddim.evaluation.classifier import load_classifier
from ddim.evaluation.inception import Inception
from ddim.interop.published import import_published
from ddim.runtime import array_file, torch_file
from ddim.runtime.errors import USER_ERRORS, one_line
from ddim.training.checkpoint import RESUME_FILE, load_resume_point


class Trap:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


# -- the disguises ---------------------------------------------------------------------------------


def bare(trap: Trap) -> bytes:
    return pickle.dumps(trap)


def saved_by_torch(trap: Trap) -> bytes:
    out = io.BytesIO()
    torch.save({"state_dict": {"w": torch.ones(2)}, "callbacks": trap}, out)
    return out.getvalue()


def saved_by_old_torch(trap: Trap) -> bytes:
    out = io.BytesIO()
    torch.save([trap], out, _use_new_zipfile_serialization=False)
    return out.getvalue()


def array_of_objects(trap: Trap) -> bytes:
    out = io.BytesIO()
    np.save(out, np.array([trap], dtype=object), allow_pickle=True)
    return out.getvalue()


def arrays_of_objects(trap: Trap) -> bytes:
    out = io.BytesIO()
    np.savez(out, about=np.array([trap], dtype=object))
    return out.getvalue()


def torchscript(trap: Trap) -> bytes:
    """An archive in TorchScript's layout, whose data.pkl is the trap."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in (
            ("w/data.pkl", pickle.dumps(trap)),
            ("w/constants.pkl", pickle.dumps(trap)),
            ("w/code/__torch__.py", b"import os; os.abort()"),
            ("w/version", b"3\n"),
        ):
            archive.writestr(name, content)
    return out.getvalue()


DISGUISES = [
    bare, saved_by_torch, saved_by_old_torch, array_of_objects, arrays_of_objects, torchscript
]  # fmt: skip


# -- the doors -------------------------------------------------------------------------------------


def array(path: Path) -> None:
    array_file.open_array(path, shape=(1,), dtype=np.uint8, sha256=digest(path), again="do it")


def imported(path: Path) -> None:
    import_published(path, sha256=digest(path), arguments={}, kind="ema", cache=path.parent)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


DOORS: dict[str, Callable[[Path], object]] = {
    "classifier.safetensors": load_classifier,
    "ema.safetensors": weights.load,
    "model.ckpt": imported,
    "published.safetensors": imported,
    "inception.pth": lambda path: Inception(str(path)),
    "w.pt": torch_file.load,
    RESUME_FILE: lambda path: load_resume_point(path.parent),
    "train.npy": array,
    "influences.npz": lambda path: array_file.read_arrays(path, "influences", 1, "do it"),
}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("disguise", DISGUISES, ids=lambda each: each.__name__)
def test_it_does_not_run(tmp_path: Path, door: str, disguise: Callable[[Trap], bytes]) -> None:
    path = tmp_path / door
    path.write_bytes(disguise(Trap(tmp_path / "ran")))
    with pytest.raises(USER_ERRORS) as caught:
        DOORS[door](path)
    assert not (tmp_path / "ran").exists()
    line = one_line(caught.value)
    assert door in line or path.parent.name in line, line
    assert "weights_only" not in line, line  # torch's advice to run it all the same


@pytest.mark.parametrize("disguise", DISGUISES[:3], ids=lambda each: each.__name__)
def test_the_trap_is_one(tmp_path: Path, disguise: Callable[[Trap], bytes]) -> None:
    """What the tests above would see of a loader that unpickles."""
    path = tmp_path / "w.pt"
    path.write_bytes(disguise(Trap(tmp_path / "ran")))
    if disguise is bare:
        pickle.loads(path.read_bytes())
    else:
        torch.load(path, weights_only=False)
    assert (tmp_path / "ran").exists()

"""Files: atomic or not at all, JSON that is refused, CSV, checksums, downloads, others' pickles."""

import errno
import hashlib
import json
import os
import socket
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ddim.runtime import array_file, download, files, picture_file, torch_file


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.txt"
    files.write_text(path, "old")

    def fail() -> None:
        with files.replacing(path) as temporary:
            temporary.write_text("half")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        fail()
    assert path.read_text() == "old"
    assert list(path.parent.iterdir()) == [path]


def left_by_a_killed_process(path: Path) -> Path:
    """What a process of a number that nobody has had left of `path`."""
    left = path.with_name(f".{path.name}.{2**30}.tmp")
    left.write_text("half")
    return left


def test_what_a_killed_process_left_of_a_file_is_removed_when_that_is_written(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.txt"
    other = left_by_a_killed_process(tmp_path / "b.txt")
    mine = path.with_name(f".a.txt.{os.getppid()}.tmp")  # of a process that is running
    mine.write_text("half")
    loaded = tmp_path / f".a.txt.{2**30}.tmp.0123.partial"  # by torch.hub
    loaded.write_text("half")
    left_by_a_killed_process(path)
    files.write_text(path, "new")
    assert {each.name for each in tmp_path.iterdir()} == {"a.txt", other.name, mine.name}
    files.remove_others(tmp_path, ["a.txt"])
    assert {each.name for each in tmp_path.iterdir()} == {"a.txt", mine.name}


def test_what_only_looks_like_a_left_over_stays(tmp_path: Path) -> None:
    stay = {".a.txt.notes.tmp", ".a.txt.old.1073741824.tmp", "a.txt"}
    for name in (*stay, f".a.txt.{10**30}.tmp"):  # the last: a number that no process can have
        (tmp_path / name).write_text("mine")
    files.write_text(tmp_path / "a.txt", "new")
    assert {each.name for each in tmp_path.iterdir()} == stay


@pytest.mark.parametrize(
    "error",
    [ConnectionResetError(errno.ECONNRESET, "reset"), TimeoutError(errno.ETIMEDOUT, "timed out")],
)
def test_an_error_of_the_network_is_not_said_of_the_file(tmp_path: Path, error: OSError) -> None:
    with pytest.raises(type(error)) as caught, files.replacing(tmp_path / "a"):
        raise error
    assert caught.value is error


REFUSALS = [
    PermissionError(errno.EACCES, "Permission denied"),
    OSError(errno.EMFILE, "Too many open files"),
    OSError(errno.EIO, "Input/output error"),
    MemoryError(),
]


@pytest.mark.parametrize("error", REFUSALS, ids=repr)
def test_a_file_that_cannot_be_read_is_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"whole")

    def fail(*_: object, **__: object) -> None:
        raise error

    for place in ("numpy.load", "zipfile.ZipFile", "PIL.Image.open"):
        monkeypatch.setattr(place, fail)
    with pytest.raises(type(error)) as caught:
        array_file.open_array(path, shape=(1,), dtype=np.uint8, sha256="", again="")
    assert caught.value is error
    with pytest.raises(type(error)) as caught:
        array_file.read_arrays(path, "kind", 1, "")
    assert caught.value is error
    with pytest.raises(type(error)) as caught:
        picture_file.check(path)
    assert caught.value is error


def test_a_picture_that_is_cut_off_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.effect_noise((64, 64), 50).save(path)
    picture_file.check(path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ValueError, match="is no whole picture"):
        picture_file.check(path)


def test_a_folder_is_replaced_in_one_move_or_not_at_all(tmp_path: Path) -> None:
    folder = tmp_path / "section"
    with files.replacing_folder(folder) as temporary:
        files.write_text(temporary / "a", "1")

    def fail() -> None:
        with files.replacing_folder(folder) as temporary:
            files.write_text(temporary / "a", "2")
            raise ValueError("half")

    with pytest.raises(ValueError, match="half"):
        fail()
    assert [(each.name, each.read_text()) for each in folder.iterdir()] == [("a", "1")]
    assert list(tmp_path.iterdir()) == [folder]


def test_an_error_about_a_file_that_is_read_keeps_its_name(tmp_path: Path) -> None:
    source = tmp_path / "source"
    missing = pytest.raises(FileNotFoundError, match=r"No such file .*source")
    with missing, files.replacing(tmp_path / "a") as temporary:
        temporary.write_bytes(source.read_bytes())


def test_a_place_that_is_no_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"^\S*/file/a cannot be written: (File exists|Not a dir)"):
        files.write_text(tmp_path / "file" / "a", "")


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (999, "999 B"), (40_960, "41.0 kB"), (3.2e9, "3.2 GB")]
)
def test_a_size_is_for_people(size: float, text: str) -> None:
    assert files.size_text(size) == text


def test_json_round_trip_and_what_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    files.write_json(path, {"α": [1, None]})
    assert files.read_json(path) == {"α": [1, None]}
    assert path.read_bytes().endswith(b"\n")
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.write_json(path, {"x": float("nan")})
    path.write_text('{"x": ')
    with pytest.raises(ValueError, match=r"a\.json: invalid JSON \(.*\)"):
        files.read_json(path)
    with pytest.raises(FileNotFoundError, match=r"b.json is missing: run the stage that writes it"):
        files.read_json(tmp_path / "b.json")


def test_an_array_appears_when_it_is_filled(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    with files.array(path, (3, 2), np.uint8) as filled:
        filled[:] = 7
        assert not path.exists()
    assert np.array_equal(np.load(path), np.full((3, 2), 7, np.uint8))
    with files.scratch(tmp_path / "work", (4,), np.float32) as scratch:
        scratch[:] = 1
        assert scratch.sum() == 4
    assert list((tmp_path / "work").iterdir()) == []


def test_csv_keeps_every_digit_and_leaves_none_empty() -> None:
    text = files.csv_text(["x", "y"], [(0.1 + 0.2, None), ('a "b"', 3)])
    assert text == 'x,y\n0.30000000000000004,\n"a ""b""",3\n'


def test_sha256(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert files.sha256(tmp_path / "a") == hashlib.sha256(b"abc").hexdigest()


def test_a_download_is_kept_only_when_it_is_right(tmp_path: Path) -> None:
    source, path = tmp_path / "source", tmp_path / "cache" / "file"
    source.write_bytes(b"abc")
    sha256 = files.sha256(source)
    with pytest.raises(ValueError, match=rf"source has another SHA-256: .*000.*{sha256}"):
        download.download(source.as_uri(), path, sha256="0" * 64)
    assert list(path.parent.iterdir()) == []
    for known in (None, sha256, sha256.upper(), sha256[:8]):
        download.download(source.as_uri(), path, sha256=known)
        assert path.read_bytes() == b"abc"
        path.unlink()
    with pytest.raises(OSError, match="nowhere"):
        download.download((tmp_path / "nowhere").as_uri(), path, sha256=sha256)
    assert list(path.parent.iterdir()) == []
    assert socket.getdefaulttimeout() is None


@pytest.mark.parametrize("content", [b"", b"<html>", json.dumps([1]).encode()])
def test_what_is_no_pytorch_file_is_named_in_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "w.pt").write_bytes(content)
    with pytest.raises(ValueError, match=r"w.pt is truncated or no PyTorch file of plain") as error:
        torch_file.load(tmp_path / "w.pt")
    assert "weights_only" not in str(error.value)  # torch's advice to load it all the same


def test_tensors_are_read(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(2)}, tmp_path / "w.pt")
    assert torch.equal(torch_file.load(tmp_path / "w.pt")["a"], torch.ones(2))

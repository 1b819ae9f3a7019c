"""The prepared folder: its record, its arrays, what damages it, and the split."""

import hashlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from helpers.datasets import config
from PIL import Image

from ddim.data.arrays import write_array
from ddim.data.prepare import prepare
from ddim.data.source import held_out
from ddim.records import prepared
from ddim.records.prepared import load


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("digits")
    prepare(config("digits", "unused", 8, 1, held_out=0.2, note="a note"), out)
    return out


# -- the folder ------------------------------------------------------------------------------------


def test_about_describes_the_files(digits: Path) -> None:
    record = prepared.read(digits)
    assert (record.name, record.note) == ("digits", "a note")
    assert (record.train_n, record.test_n) == (1437, 360)
    assert record.files["train.npy"].shape == (1437, 1, 8, 8)
    on_disk = {path.name for path in digits.iterdir()}
    assert on_disk == {"about.json", *record.files}
    for name, recorded in record.files.items():
        assert recorded.sha256 == hashlib.sha256((digits / name).read_bytes()).hexdigest()
    assert record.train_sha256 == record.files["train.npy"].sha256


def test_images_are_memory_mapped_and_labels_are_not(digits: Path) -> None:
    split = load(digits, "test")
    assert isinstance(split.images, np.memmap)
    assert not split.images.flags.writeable
    assert split.labels is not None
    assert split.labels.dtype == np.int64
    assert split.labels.shape == (360,)


def test_the_file_is_what_numpy_would_have_saved(tmp_path: Path) -> None:
    array = np.arange(24, dtype=np.uint8).reshape(4, 1, 2, 3)
    write_array(tmp_path / "ours.npy", array.shape, np.uint8, array)
    np.save(tmp_path / "theirs.npy", array)
    assert (tmp_path / "ours.npy").read_bytes() == (tmp_path / "theirs.npy").read_bytes()


def damaged(digits: Path, folder: Path) -> Path:
    for path in digits.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder / "train.npy"


def test_a_truncated_file_is_named(digits: Path, tmp_path: Path) -> None:
    path = damaged(digits, tmp_path)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"train\.npy has 92095 bytes, about\.json says 92096"):
        load(tmp_path, "train")
    assert len(load(tmp_path, "test").images) == 360


def test_a_file_of_another_shape_or_no_array_is_named(digits: Path, tmp_path: Path) -> None:
    path = damaged(digits, tmp_path)
    np.save(path, np.zeros((1437, 8, 8, 1), np.uint8))  # the same number of bytes
    with pytest.raises(ValueError, match=r"train\.npy holds uint8 \[1437, 8, 8, 1\]"):
        load(tmp_path, "train")
    path.write_bytes(b"\0" * path.stat().st_size)
    with pytest.raises(ValueError, match=r"train\.npy is an invalid"):
        load(tmp_path, "train")
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"train\.npy is missing"):
        load(tmp_path, "train")


def test_an_unfinished_folder_and_an_unknown_split_are_refused(
    digits: Path, tmp_path: Path
) -> None:
    with pytest.raises(FileNotFoundError, match=r"about\.json"):
        load(tmp_path, "train")
    with pytest.raises(ValueError, match="'valid'"):
        load(digits, "valid")


def test_a_failed_run_is_not_taken_for_the_set_before(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for i in range(8):
        Image.new("L", (4, 4), i).save(photos / f"{i}.png")
    out = tmp_path / "out"
    data = config("image_folder", photos, 4, 1)
    prepare(data, out)
    (photos / "5.png").write_bytes(b"broken")
    with pytest.raises(ValueError, match=r"5\.png"):
        prepare(data, out)
    with pytest.raises(FileNotFoundError):
        load(out, "train")
    assert not list(out.glob(".*"))  # no temporary file either


def test_labels_of_an_earlier_set_do_not_stay(digits: Path, tmp_path: Path) -> None:
    damaged(digits, tmp_path)
    photos = tmp_path / "photos"
    photos.mkdir()
    for i in range(4):
        Image.new("L", (4, 4), i).save(photos / f"{i}.png")
    prepare(config("image_folder", photos, 4, 1), tmp_path)
    assert load(tmp_path, "train").labels is None


def test_too_little_room_is_said_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(ValueError, match="lacks room"):
        prepare(config("digits", "unused", 8, 1), tmp_path)


def test_unknown_name_size_and_channels_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"data\.name must be one of digits, .*got 'imagenet'"):
        prepare(config("imagenet", "unused", 8, 1), tmp_path)
    with pytest.raises(ValueError, match=r"data\.image_size must be 8 for digits, got 16"):
        prepare(config("digits", "unused", 16, 1), tmp_path)
    with pytest.raises(ValueError, match=r"data\.channels must be 3 for celeba, got 1"):
        prepare(config("celeba", "unused", 64, 1), tmp_path)


# -- the split -------------------------------------------------------------------------------------


def test_held_out_images_are_fixed_and_disjoint() -> None:
    data = config("digits", "unused", 8, 1, held_out=0.2)
    train, test, description = held_out(10, data)
    assert sorted([*train, *test]) == list(range(10))
    assert sorted(test) == [0, 6]  # pinned: another split is another protocol
    assert description == "2 of 10 images held out for test by a fixed permutation"


@pytest.mark.parametrize(
    ("n", "share", "expected"), [(1797, 0.2, 360), (100, 0.07, 7), (3, 0.1, 1)]
)
def test_the_share_is_rounded_up(n: int, share: float, expected: int) -> None:
    assert len(held_out(n, config("digits", "unused", 8, 1, held_out=share))[1]) == expected


def test_an_empty_side_of_the_split_is_refused() -> None:
    with pytest.raises(ValueError, match=r"data\.held_out"):
        held_out(10, config("digits", "unused", 8, 1, held_out=0.0))
    with pytest.raises(ValueError, match=r"data\.held_out"):
        held_out(1, config("digits", "unused", 8, 1, held_out=0.5))


# -- digits ----------------------------------------------------------------------------------------


def test_digits_are_all_there_with_their_labels(digits: Path) -> None:
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    levels = (pixels * 255 / 16 + 0.5).astype(np.uint8)
    expected = sorted((bytes(x), k) for x, k in zip(levels, labels, strict=True))
    got = []
    for split in (load(digits, "train"), load(digits, "test")):
        assert split.labels is not None
        got += [(x.tobytes(), k) for x, k in zip(split.images, split.labels, strict=True)]
    assert sorted(got) == expected


def test_digit_levels_by_hand(digits: Path) -> None:
    # 8 of 16 is 127.5 and goes up; 1 is 15.9375; 15 is 239.0625.
    levels = set(np.unique(load(digits, "train").images).tolist())
    assert {0, 16, 32, 128, 239, 255} <= levels
    assert len(levels) == 17

"""A folder or zip of images: splits, labels, links, and what is refused."""

import os
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from helpers.datasets import folder_config as config
from PIL import Image

from ddim.data.listing import listing
from ddim.data.prepare import prepare
from ddim.records import prepared
from ddim.records.prepared import Split, load


def write_classes(root: Path, names: list[str]) -> None:
    """Image i is plain grey i."""
    for i, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 4), i).save(root / name)


FEW = [  # settings that ask for no more images than SPLIT has
    *("data=image_folder", "data.root=images", "train.batch_size=1", "reconstruct.num_images=2"),
    *("analysis.sections=[]", "evaluate.kid_subset_size=2", "evaluate.neighbours=1"),
]
SPLIT = [
    "train/cat/1.png",
    "train/ant/1.png",
    "train/cat/2.png",
    "test/cat/1.png",
    "test/ant/1.png",
]


def as_zip(folder: Path, path: Path, prefix: str = "") -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, prefix + file.relative_to(folder).as_posix())
    return path


@pytest.mark.parametrize("kind", ["folder", "zip", "zip with one folder around"])
def test_train_and_test_subfolders_with_classes(tmp_path: Path, kind: str) -> None:
    root = tmp_path / "images"
    write_classes(root, SPLIT)
    if kind != "folder":
        root = as_zip(root, tmp_path / "images.zip", "photos/" if "around" in kind else "")
    record = prepare(config(root, channels=1), tmp_path / "out")
    assert record.preprocessing.split == "subfolders train/ and test/, each in a fixed random order"
    assert record.preprocessing.left_out is None
    assert_split(tmp_path / "out")


def assert_split(out: Path) -> None:
    """`out` was prepared from SPLIT, with train and test as they are there."""
    assert prepared.read(out).classes == ("ant", "cat")
    assert labelled(load(out, "train")) == {(1, 0), (0, 1), (2, 1)}  # ant/1, cat/1, cat/2
    assert labelled(load(out, "test")) == {(4, 0), (3, 1)}


def labelled(split: Split) -> set[tuple[int, int]]:
    """(grey, label) of every image."""
    assert split.labels is not None
    greys = split.images[:, 0, 0, 0].tolist()
    return set(zip(greys, split.labels.tolist(), strict=True))


@pytest.mark.parametrize("second", ["val", "Val", "valid", "VALIDATION", "Test"])
@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_a_validation_folder_is_the_users_own_split(tmp_path: Path, kind: str, second: str) -> None:
    """ImageNet's layout. data.held_out does not matter, not even if it is impossible."""
    root = tmp_path / "images"
    write_classes(root, [name.replace("train", "Train").replace("test", second) for name in SPLIT])
    if kind == "zip":
        root = as_zip(root, tmp_path / "images.zip")
    record = prepare(config(root, channels=1, held_out=0.0), tmp_path / "out")
    assert (
        record.preprocessing.split
        == f"subfolders Train/ and {second}/, each in a fixed random order"
    )
    assert_split(tmp_path / "out")


def test_with_train_alone_images_are_held_out_of_it(tmp_path: Path) -> None:
    root = tmp_path / "images"
    write_classes(root, [f"train/{'ab'[i % 2]}/{i}.png" for i in range(8)])
    record = prepare(config(root, channels=1), tmp_path / "out")
    assert record.preprocessing.split == "2 of 8 images held out for test by a fixed permutation"
    assert record.classes == ("a", "b")


def test_a_test_folder_without_train_is_a_class_like_any_other(tmp_path: Path) -> None:
    root = tmp_path / "images"
    write_classes(root, [f"{name}/{i}.png" for name in ("test", "val") for i in range(4)])
    record = prepare(config(root, channels=1), tmp_path / "out")
    assert record.classes == ("test", "val")
    assert "held out" in record.preprocessing.split


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["train/cat/1.png", "train/ant/1.png", "val/cat/1.png"], r"only in train/: ant$"),
        (
            ["train/cat/1.png", "train/ant/1.png", "val/cat/1.png", "val/bee/1.png"],
            r"only in train/: ant; only in val/: bee$",
        ),
        (["train/cat/1.png", "train/ant/1.png", "val/1.png"], r"only in train/: ant, cat$"),
        (
            ["train/1.png", "train/ant/1.png", "val/ant/1.png", "val/bee/1.png"],
            r"only in val/: ant, bee$",
        ),
        (
            [*(f"train/{i:03}/1.png" for i in range(100)), "val/1.png"],
            r"only in train/: 000, 001, 002, 003, 004 and 95 more$",
        ),
    ],
)
def test_a_split_with_other_classes_is_refused(
    tmp_path: Path, names: list[str], message: str
) -> None:
    write_classes(tmp_path / "images", names)
    start = r"^data\.root=\S+images: train/ and val/ must hold the same class folders.*"
    with pytest.raises(ValueError, match=start + message):
        prepare(config(tmp_path / "images"), tmp_path / "out")


def test_a_split_without_classes_has_no_labels(tmp_path: Path) -> None:
    write_classes(tmp_path / "images", ["train/1.png", "train/2.png", "val/3.png"])
    record = prepare(config(tmp_path / "images"), tmp_path / "out")
    assert (record.train_n, record.test_n, record.classes) == (2, 1, None)


def test_held_out_without_subfolders_for_it(tmp_path: Path) -> None:
    root = tmp_path / "images"
    write_classes(root, [f"{'ab'[i % 2]}/{i:02}.png" for i in range(20)])
    record = prepare(config(root, channels=1), tmp_path / "out")
    assert record.preprocessing.split == "5 of 20 images held out for test by a fixed permutation"
    splits = [load(tmp_path / "out", split) for split in ("train", "test")]
    assert [len(split.images) for split in splits] == [15, 5]
    seen = [int(image[0, 0, 0]) for split in splits for image in split.images]
    assert sorted(seen) == list(range(20))
    for split in splits:  # even greys are class a
        assert split.labels is not None
        assert np.array_equal(split.labels, split.images[:, 0, 0, 0] % 2)
    again = prepare(config(root, channels=1), tmp_path / "again")
    assert again.files == record.files


@pytest.mark.parametrize(
    "names", [["1.png", "2.png", "3.png"], ["a/1.png", "a/2.png"], ["a/1.png", "b/2.png", "3.png"]]
)
def test_no_labels_without_two_classes_that_hold_everything(
    tmp_path: Path, names: list[str]
) -> None:
    write_classes(tmp_path / "images", names)
    record = prepare(config(tmp_path / "images"), tmp_path / "out")
    assert record.classes is None
    assert load(tmp_path / "out", "train").labels is None


def test_what_is_left_out_is_said_by_the_stage_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from ddim.config import params
    from ddim.config.schema import checked
    from ddim.stages.data import run

    cfg = checked(params.from_conf(FEW))
    monkeypatch.chdir(tmp_path)
    write_classes(Path("images"), [*SPLIT, "val/cat/1.png", ".trash/old.png", "__MACOSX/._1.png"])
    for i in range(50):
        Path(f"images/train/cat/{i}.{'heic' if i % 2 else 'HEIC'}").write_bytes(b"")
    for name in ("LICENSE", "a.txt"):
        Path("images", name).write_text("free")
    run(cfg)
    record = prepared.read(Path("out/image_folder/data"))
    assert (record.train_n, record.test_n) == (3, 2)
    assert record.preprocessing.left_out == (
        "52 files of other kinds (50 .heic, 1 without suffix, 1 .txt); "
        "1 image outside the folders of the two splits"
    )
    lines = capsys.readouterr().out.splitlines()
    assert f"left out of data.root=images: {record.preprocessing.left_out}" in lines


def test_the_stage_says_nothing_of_what_is_not_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from ddim.config import params
    from ddim.config.schema import checked
    from ddim.stages.data import run

    cfg = checked(params.from_conf(FEW))
    monkeypatch.chdir(tmp_path)
    write_classes(Path("images"), SPLIT)
    run(cfg)
    assert "left out" not in capsys.readouterr().out


def test_links_are_followed_but_never_in_circles(tmp_path: Path) -> None:
    root = tmp_path / "images"
    write_classes(root, [f"{'ab'[i % 2]}/{i}.png" for i in range(10)])
    (root / "self").symlink_to(".")
    (root / "b" / "up").symlink_to("..")
    (root / "a" / "again.png").symlink_to("0.png")
    (root / "Also a").symlink_to("a")  # before `a` in any order
    (root / "Also.png").symlink_to("a/0.png")
    record = prepare(config(root, channels=1), tmp_path / "out")
    assert record.train_n + record.test_n == 10
    assert record.classes == ("a", "b")


def test_images_in_a_hidden_store_are_reached_by_links_once(tmp_path: Path) -> None:
    root = tmp_path / "images"
    write_classes(root / ".store", [f"{i}.png" for i in range(4)])  # as git-annex and DVC keep them
    for name in ("a", "z"):
        (root / name).mkdir()
        for i in range(4):
            (root / name / f"{i}.png").symlink_to(f"../.store/{i}.png")
    record = prepare(config(root, channels=1), tmp_path / "out")
    assert record.train_n + record.test_n == 4
    assert record.classes is None  # all in a/, none in z/


def test_a_link_to_nothing_is_named(tmp_path: Path) -> None:
    write_classes(tmp_path / "images", ["1.png", "2.png"])
    (tmp_path / "images" / "3.png").symlink_to("gone.png")
    (tmp_path / "images" / "4.png").symlink_to("4.png")
    with pytest.raises(
        ValueError, match=r"2 images that .*: 3\.png \(a link that leads nowhere\), 4"
    ):
        prepare(config(tmp_path / "images"), tmp_path / "out")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_a_folder_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    write_classes(tmp_path / "images", ["a/1.png", "a/2.png", "b/3.png"])
    (tmp_path / "images" / "b").chmod(0)
    with pytest.raises(PermissionError, match="images/b"):
        prepare(config(tmp_path / "images"), tmp_path / "out")


def test_the_note_is_carried(tmp_path: Path) -> None:
    write_classes(tmp_path / "images", SPLIT)
    record = prepare(config(tmp_path / "images", note="CIFAR-10, JPEG copy"), tmp_path / "out")
    assert record.note == "CIFAR-10, JPEG copy"


def test_more_images_than_one_shard_are_all_there_in_one_fixed_order(tmp_path: Path) -> None:
    root = tmp_path / "images"
    names = [f"{split}/{i:03}.png" for split in ("train", "test") for i in range(300)]
    for i, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (1, 1), (i // 256, i % 256, 0)).save(root / name)
    prepare(config(root, size=1), tmp_path / "out")
    images = load(tmp_path / "out", "test").images[:, :, 0, 0].astype(int)
    numbers = images[:, 0] * 256 + images[:, 1]
    assert np.array_equal(np.sort(numbers), np.arange(300, 600))
    assert numbers[:100].mean() == pytest.approx(450, abs=30)  # the first ones are a sample
    prepare(config(root, size=1), tmp_path / "again")
    assert np.array_equal(load(tmp_path / "again", "test").images[:, :, 0, 0], images)


def test_unreadable_images_are_named(tmp_path: Path) -> None:
    root = tmp_path / "images"
    write_classes(root, [f"{i}.png" for i in range(9)])
    whole = (root / "3.png").read_bytes()
    (root / "3.png").write_bytes(whole[: len(whole) - 20])
    (root / "5.png").write_text("<html>quota exceeded</html>")
    Image.new("F", (4, 4)).save(root / "6.tif")
    with pytest.raises(ValueError, match=r"unreadable images \(3\)") as caught:
        prepare(config(root, held_out=0.1), tmp_path / "out")
    for part in (
        "3.png (",
        "5.png (not an image: accepted are PNG",
        "6.tif (pixels of unknown range",
    ):
        assert part in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not list((tmp_path / "out").glob("*"))


def test_only_the_first_few_unreadable_images_are_named(tmp_path: Path) -> None:
    root = tmp_path / "images"
    root.mkdir()
    for i in range(40):
        (root / f"{i:02}.jpg").write_bytes(b"")
    with pytest.raises(ValueError, match=r"unreadable images \(at least 5\)") as caught:
        prepare(config(root, held_out=0.1), tmp_path / "out")
    assert str(caught.value).count(".jpg") == 5


def test_a_damaged_member_of_a_zip_is_named(tmp_path: Path) -> None:
    write_classes(tmp_path / "images", ["1.png", "2.png"])
    path = as_zip(tmp_path / "images", tmp_path / "images.zip")
    content = bytearray(path.read_bytes())
    content[content.index(b"IDAT") + 6] ^= 0xFF  # stored as it is: its checksum no longer fits
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"1\.png \(Bad CRC"):
        prepare(config(path), tmp_path / "out")


def test_a_member_that_lies_about_its_size_is_not_unpacked_whole(tmp_path: Path) -> None:
    path, size = tmp_path / "images.zip", 5 * 10**7
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("1.bmp", bytes(size))
    content = bytearray(path.read_bytes())
    at = content.index(b"PK\x01\x02") + 24  # the size in the list of members
    content[at : at + 4] = (1000).to_bytes(4, "little")
    path.write_bytes(content)
    (entry,) = listing(path)
    tracemalloc.start()
    with pytest.raises(zipfile.BadZipFile, match="Bad CRC"):
        entry.file.read()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < size / 10


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_that_unpack_a_block_whole_are_refused(tmp_path: Path, method: int) -> None:
    path = tmp_path / "images.zip"
    write_classes(tmp_path, ["1.png"])
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.write(tmp_path / "1.png", "1.png")
    with pytest.raises(ValueError, match=rf"1\.png \(compression method {method}: unpack it"):
        prepare(config(path), tmp_path / "out")


def test_empty_missing_and_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"no image in data\.root=.*\(0 files\); accepted: .png"):
        prepare(config(tmp_path / "empty"), tmp_path / "out")
    with pytest.raises(FileNotFoundError, match=r"data\.root=.*absent does not exist"):
        prepare(config(tmp_path / "absent"), tmp_path / "out")
    (tmp_path / "a.tar").write_bytes(b"not a zip")
    with pytest.raises(ValueError, match="neither a folder nor a complete zip"):
        prepare(config(tmp_path / "a.tar"), tmp_path / "out")

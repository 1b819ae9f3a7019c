"""A folder or zip of images: every kind of pixel, crop, splits, labels, and what is refused."""

import json
import os
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ddim.config.schema import Data
from ddim.data.decode import fit
from ddim.data.prepare import prepare
from ddim.records.arrays import Split, load


def config(root: Path, size: int = 4, channels: int = 3, **rest: Any) -> Data:
    values = {"flip": False, "held_out": 0.25, "download": False, **rest}
    return Data("image_folder", str(root), size, channels, **values)


def pixel(tmp_path: Path, image: Image.Image, name: str, channels: int, **save: Any) -> list[int]:
    """What the top left pixel of `image`, saved as `name`, becomes."""
    root = tmp_path / "images"
    for split in ("train", "test"):
        (root / split).mkdir(parents=True)
        image.save(root / split / name, **save)
    prepare(config(root, 4, channels), tmp_path / "out")
    pixels: list[int] = load(tmp_path / "out", "train").images[0, :, 0, 0].tolist()
    return pixels


def flat(mode: str, colour: Any) -> Image.Image:
    return Image.new(mode, (4, 4), colour)


def palette() -> Image.Image:
    image = flat("P", 1)
    image.putpalette([0, 0, 0, 10, 20, 30])
    return image


@pytest.mark.parametrize(
    ("image", "name", "expected"),
    [
        (flat("RGB", (10, 20, 30)), "a.png", [10, 20, 30]),
        (flat("RGB", (10, 20, 30)), "A.BMP", [10, 20, 30]),
        (flat("L", 77), "a.tif", [77, 77, 77]),
        (flat("1", 1), "a.png", [255, 255, 255]),
        (palette(), "a.gif", [10, 20, 30]),
        (flat("RGBA", (200, 100, 0, 255)), "a.png", [200, 100, 0]),
        (flat("RGBA", (200, 100, 0, 0)), "a.png", [255, 255, 255]),  # nothing over white
        (flat("RGBA", (0, 0, 0, 51)), "a.png", [204, 204, 204]),  # 255 (1 - 51/255)
        (flat("LA", (0, 51)), "a.png", [204, 204, 204]),
        (flat("I;16", 257 * 100), "a.png", [100, 100, 100]),
        (flat("I;16", 65535), "a.tif", [255, 255, 255]),
        (flat("I;16", 128), "a.png", [0, 0, 0]),  # 128/257 < 1/2
        (flat("I;16", 129), "a.png", [1, 1, 1]),
        (flat("I;16", 257 * 9), "a.pgm", [9, 9, 9]),
        (flat("CMYK", (0, 255, 255, 0)), "a.tif", [255, 0, 0]),
    ],
    ids=lambda value: value.mode if isinstance(value, Image.Image) else None,
)
def test_every_mode_becomes_rgb(
    tmp_path: Path, image: Image.Image, name: str, expected: list[int]
) -> None:
    assert pixel(tmp_path, image, name, channels=3) == expected


def tiff(bits: int, values: list[int], sample_format: int = 1) -> bytes:
    """A 2x2 TIFF of whole numbers (sample_format 1: unsigned, 2: signed), written by hand."""
    if bits == 12:  # two values in three bytes; a row ends at a byte
        pairs = (values[0] << 12 | values[1], values[2] << 12 | values[3])
        pixels = b"".join(pair.to_bytes(3, "big") for pair in pairs)
    else:
        pixels = b"".join(v.to_bytes(bits // 8, "little", signed=v < 0) for v in values)
    tags = {256: 2, 257: 2, 258: bits, 259: 1, 262: 1, 273: 0, 277: 1, 278: 2, 279: len(pixels)}
    tags[339] = sample_format
    tags[273] = 8 + 2 + 12 * len(tags) + 4  # the pixels follow the table of tags
    table = b"".join(struct.pack("<HHII", tag, 4, 1, tags[tag]) for tag in sorted(tags))
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + table + bytes(4) + pixels


def prepared_file(tmp_path: Path, name: str, content: bytes) -> list[int]:
    """The pixels that `content`, a 2x2 image, becomes."""
    for split in ("train", "test"):
        (tmp_path / "images" / split).mkdir(parents=True)
        (tmp_path / "images" / split / name).write_bytes(content)
    prepare(config(tmp_path / "images", size=2, channels=1), tmp_path / "out")
    pixels: list[int] = load(tmp_path / "out", "train").images.ravel().tolist()
    return pixels


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.tif", tiff(16, [0, 257, 257 * 9, 65535]), [0, 1, 9, 255]),
        ("a.tif", tiff(12, [0, 16, 2048, 4095]), [0, 1, 128, 255]),  # 255/4095 of it, rounded
        ("a.pgm", b"P2 2 2 1023 0 4 512 1023", [0, 1, 128, 255]),  # Pillow stretches it to 16 bits
        (
            "a.pgm",
            b"P2 2 2 65535 0 129 2313 65535",
            [0, 1, 9, 255],
        ),  # Pillow's mode I, like 32 bits
    ],
)
def test_deep_grey_is_scaled_by_the_depth_that_the_file_says(
    tmp_path: Path, name: str, content: bytes, expected: list[int]
) -> None:
    assert prepared_file(tmp_path, name, content) == expected


@pytest.mark.parametrize(
    "content",
    [
        tiff(32, [0, 100, 200, 255]),  # 0..255 and 0..65535 and more are all written like this
        tiff(32, [0, 100, 200, 255], sample_format=2),
        tiff(32, [0, 100, 200, 65535]),
        tiff(16, [0, 100, 200, 255], sample_format=2),  # signed: is 0 black, or the middle?
        tiff(16, [-5, 100, 200, 255], sample_format=2),
    ],
)
def test_whole_numbers_of_unknown_range_are_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ValueError, match=r"a\.tif \(pixels of unknown range \(TIFF, .*mode I\)"):
        prepared_file(tmp_path, "a.tif", content)


def test_a_turned_16_bit_image_is_still_16_bit(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 8
    assert pixel(tmp_path, flat("I;16", 257 * 9), "a.png", channels=1, exif=exif) == [9]


def test_a_transparent_palette_shows_white(tmp_path: Path) -> None:
    assert pixel(tmp_path, palette(), "a.png", channels=3, transparency=1) == [255, 255, 255]


def test_colour_becomes_grey_by_luma(tmp_path: Path) -> None:
    # 0.299 100 + 0.587 200 + 0.114 50 = 153.0
    assert pixel(tmp_path, flat("RGB", (100, 200, 50)), "a.png", channels=1) == [153]


def test_exif_orientation_is_applied(tmp_path: Path) -> None:
    pixels = np.zeros((4, 4), np.uint8)
    pixels[0, -1] = 255  # top right
    exif = Image.Exif()
    exif[0x0112] = 8  # to be shown turned left: top right becomes top left
    assert pixel(tmp_path, Image.fromarray(pixels), "a.png", channels=1, exif=exif) == [255]


def test_shorter_side_is_resized_then_the_centre_is_cropped() -> None:
    stripes = np.repeat(np.arange(12, dtype=np.uint8) * 20, 2)  # 24 wide, 8 high, pairs of columns
    image = Image.fromarray(np.tile(stripes, (8, 1)))
    got = np.asarray(fit(image, 8, Image.Resampling.BICUBIC))
    assert np.array_equal(got, np.asarray(image)[:, 8:16])  # no resize needed: columns 8..15
    assert fit(image, 4, Image.Resampling.BICUBIC).size == (4, 4)


@pytest.mark.parametrize("size", [(37, 20), (20, 37), (9, 9), (16, 33)])
def test_fit_equals_torchvisions_resize_and_center_crop(size: tuple[int, int]) -> None:
    from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Resize

    pixels = np.random.default_rng(1).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    image = Image.fromarray(pixels)
    theirs = Compose([Resize(16, InterpolationMode.BILINEAR), CenterCrop(16)])(image)
    ours = fit(image, 16, Image.Resampling.BILINEAR)
    assert np.array_equal(np.asarray(ours), np.asarray(theirs))


def test_downscaling_is_antialiased() -> None:
    board = np.indices((64, 64)).sum(0) % 2 * 255  # a chess board, mean 127.5
    got = np.asarray(fit(Image.fromarray(board.astype(np.uint8)), 8, Image.Resampling.BICUBIC))
    assert np.abs(got.astype(float) - 127.5).max() < 3  # without: 0 or 255


def write_classes(root: Path, names: list[str]) -> None:
    """Image i is plain grey i."""
    for i, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 4), i).save(root / name)


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
    about = prepare(config(root, channels=1), tmp_path / "out")
    assert about["split"] == "subfolders train/ and test/, each in a fixed random order"
    assert "left_out" not in about
    assert_split(tmp_path / "out")


def assert_split(out: Path) -> None:
    """`out` was prepared from SPLIT, with train and test as they are there."""
    assert json.loads((out / "about.json").read_text())["classes"] == ["ant", "cat"]
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
    about = prepare(config(root, channels=1, held_out=0.0), tmp_path / "out")
    assert about["split"] == f"subfolders Train/ and {second}/, each in a fixed random order"
    assert_split(tmp_path / "out")


def test_with_train_alone_images_are_held_out_of_it(tmp_path: Path) -> None:
    root = tmp_path / "images"
    write_classes(root, [f"train/{'ab'[i % 2]}/{i}.png" for i in range(8)])
    about = prepare(config(root, channels=1), tmp_path / "out")
    assert about["split"] == "2 of 8 images held out for test by a fixed permutation"
    assert about["classes"] == ["a", "b"]


def test_a_test_folder_without_train_is_a_class_like_any_other(tmp_path: Path) -> None:
    root = tmp_path / "images"
    write_classes(root, [f"{name}/{i}.png" for name in ("test", "val") for i in range(4)])
    about = prepare(config(root, channels=1), tmp_path / "out")
    assert about["classes"] == ["test", "val"]
    assert "held out" in about["split"]


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
    about = prepare(config(tmp_path / "images"), tmp_path / "out")
    assert (about["train_n"], about["test_n"], about["classes"]) == (2, 1, None)


def test_held_out_without_subfolders_for_it(tmp_path: Path) -> None:
    root = tmp_path / "images"
    write_classes(root, [f"{'ab'[i % 2]}/{i:02}.png" for i in range(20)])
    about = prepare(config(root, channels=1), tmp_path / "out")
    assert about["split"] == "5 of 20 images held out for test by a fixed permutation"
    splits = [load(tmp_path / "out", split) for split in ("train", "test")]
    assert [len(split.images) for split in splits] == [15, 5]
    seen = [int(image[0, 0, 0]) for split in splits for image in split.images]
    assert sorted(seen) == list(range(20))
    for split in splits:  # even greys are class a
        assert split.labels is not None
        assert np.array_equal(split.labels, split.images[:, 0, 0, 0] % 2)
    again = prepare(config(root, channels=1), tmp_path / "again")
    assert again["files"] == about["files"]


@pytest.mark.parametrize(
    "names", [["1.png", "2.png", "3.png"], ["a/1.png", "a/2.png"], ["a/1.png", "b/2.png", "3.png"]]
)
def test_no_labels_without_two_classes_that_hold_everything(
    tmp_path: Path, names: list[str]
) -> None:
    write_classes(tmp_path / "images", names)
    about = prepare(config(tmp_path / "images"), tmp_path / "out")
    assert about["classes"] is None
    assert load(tmp_path / "out", "train").labels is None


def test_what_is_left_out_is_said_by_the_stage_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from ddim.config import params
    from ddim.config.schema import checked
    from ddim.stages.data import run

    cfg = checked(params.from_conf(["data=image_folder", "data.root=images"]))
    monkeypatch.chdir(tmp_path)
    write_classes(Path("images"), [*SPLIT, "val/cat/1.png", ".trash/old.png", "__MACOSX/._1.png"])
    for i in range(50):
        Path(f"images/train/cat/{i}.{'heic' if i % 2 else 'HEIC'}").write_bytes(b"")
    for name in ("LICENSE", "a.txt"):
        Path("images", name).write_text("free")
    run(cfg)
    about = json.loads(Path("out/image_folder/data/about.json").read_text())
    assert (about["train_n"], about["test_n"]) == (3, 2)
    assert about["left_out"] == (
        "52 files of other kinds (50 .heic, 1 without suffix, 1 .txt); "
        "1 image outside the folders of the two splits"
    )
    lines = capsys.readouterr().out.splitlines()
    assert f"left out of data.root=images: {about['left_out']}" in lines


def test_the_stage_says_nothing_of_what_is_not_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from ddim.config import params
    from ddim.config.schema import checked
    from ddim.stages.data import run

    cfg = checked(params.from_conf(["data=image_folder", "data.root=images"]))
    monkeypatch.chdir(tmp_path)
    write_classes(Path("images"), SPLIT)
    run(cfg)
    assert "left out" not in capsys.readouterr().out


def test_links_are_followed_but_never_in_circles(tmp_path: Path) -> None:
    root = tmp_path / "images"
    write_classes(root, [f"{'ab'[i % 2]}/{i}.png" for i in range(10)])
    (root / "self").symlink_to(".")
    (root / "b" / "up").symlink_to("../..")
    (root / "a" / "again.png").symlink_to("0.png")
    (root / "Also a").symlink_to("a")  # before `a` in any order
    (root / "Also.png").symlink_to("a/0.png")
    about = prepare(config(root, channels=1), tmp_path / "out")
    assert about["train_n"] + about["test_n"] == 10
    assert about["classes"] == ["a", "b"]


def test_images_elsewhere_are_reached_by_links_once(tmp_path: Path) -> None:
    root, store = tmp_path / "images", tmp_path / "store"
    write_classes(store, [f"cats/{i}.png" for i in range(4)])
    write_classes(root / ".store", [f"{i}.png" for i in range(4)])  # as git-annex and DVC keep them
    for name in ("a", "z"):
        (root / name).mkdir()
        for i in range(4):
            (root / name / f"{i}.png").symlink_to(f"../.store/{i}.png")
    (root / "cats").symlink_to(store / "cats")
    (root / "more cats").symlink_to(store)
    about = prepare(config(root, channels=1), tmp_path / "out")
    assert about["train_n"] + about["test_n"] == 8
    assert about["classes"] == ["a", "cats"]


def test_a_link_to_nothing_is_named(tmp_path: Path) -> None:
    write_classes(tmp_path / "images", ["1.png", "2.png"])
    (tmp_path / "images" / "3.png").symlink_to("gone.png")
    (tmp_path / "images" / "4.png").symlink_to("4.png")
    with pytest.raises(ValueError, match=r"unreadable images \(2\).*3\.png \(.*4\.png \("):
        prepare(config(tmp_path / "images"), tmp_path / "out")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_a_folder_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    write_classes(tmp_path / "images", ["a/1.png", "a/2.png", "b/3.png"])
    (tmp_path / "images" / "b").chmod(0)
    with pytest.raises(PermissionError, match="images/b"):
        prepare(config(tmp_path / "images"), tmp_path / "out")


def test_the_note_is_carried(tmp_path: Path) -> None:
    write_classes(tmp_path / "images", SPLIT)
    about = prepare(config(tmp_path / "images", note="CIFAR-10, JPEG copy"), tmp_path / "out")
    assert about["note"] == "CIFAR-10, JPEG copy"


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
    for part in ("3.png (", "5.png (not an image)", "6.tif (pixels of unknown range"):
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


def test_empty_missing_and_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"no image in data\.root=.*\(0 files\); accepted: .png"):
        prepare(config(tmp_path / "empty"), tmp_path / "out")
    with pytest.raises(FileNotFoundError, match=r"data\.root=.*absent does not exist"):
        prepare(config(tmp_path / "absent"), tmp_path / "out")
    (tmp_path / "a.tar").write_bytes(b"not a zip")
    with pytest.raises(ValueError, match="neither a folder nor a whole zip"):
        prepare(config(tmp_path / "a.tar"), tmp_path / "out")

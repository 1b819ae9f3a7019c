"""A folder or zip of images: every kind of pixel, crop, splits, labels, and what is refused."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ddim.data import Split, load
from ddim.datasets import prepare
from ddim.datasets.pictures import fit
from ddim.schema import Data


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
    "test/bee/1.png",
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
    assert about["classes"] == ["ant", "bee", "cat"]
    assert about["split"] == "subfolders train/ and test/, each in a fixed random order"
    train, test = load(tmp_path / "out", "train"), load(tmp_path / "out", "test")
    assert labelled(train) == {(1, 0), (0, 2), (2, 2)}  # ant/1, cat/1, cat/2
    assert labelled(test) == {(4, 1), (3, 2)}


def labelled(split: Split) -> set[tuple[int, int]]:
    """(grey, label) of every image."""
    assert split.labels is not None
    greys = split.images[:, 0, 0, 0].tolist()
    return set(zip(greys, split.labels.tolist(), strict=True))


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


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    root = tmp_path / "images"
    write_classes(root, [*SPLIT, "val/cat/1.png", ".trash/old.png", "__MACOSX/._1.png"])
    (root / "LICENSE.txt").write_text("free")
    about = prepare(config(root), tmp_path / "out")
    assert (about["train_n"], about["test_n"]) == (3, 2)
    assert about["outside"] == "1 images outside train/ and test/ left out"
    assert about["not_images"] == "1 other files skipped, such as LICENSE.txt"


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

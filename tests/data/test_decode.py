"""One image file becomes uint8 [C,H,W]: every kind of pixel, orientation, resize and crop."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.datasets import folder_config as config
from PIL import Image

from ddim.data.decode import resize_and_crop
from ddim.data.prepare import prepare
from ddim.records.prepared import load


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
    got = np.asarray(resize_and_crop(image, 8, Image.Resampling.BICUBIC))
    assert np.array_equal(got, np.asarray(image)[:, 8:16])  # no resize needed: columns 8..15
    assert resize_and_crop(image, 4, Image.Resampling.BICUBIC).size == (4, 4)


@pytest.mark.parametrize("size", [(37, 20), (20, 37), (9, 9), (16, 33)])
def test_fit_equals_torchvisions_resize_and_center_crop(size: tuple[int, int]) -> None:
    from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Resize

    pixels = np.random.default_rng(1).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    image = Image.fromarray(pixels)
    theirs = Compose([Resize(16, InterpolationMode.BILINEAR), CenterCrop(16)])(image)
    ours = resize_and_crop(image, 16, Image.Resampling.BILINEAR)
    assert np.array_equal(np.asarray(ours), np.asarray(theirs))


def test_downscaling_is_antialiased() -> None:
    board = np.indices((64, 64)).sum(0) % 2 * 255  # a chess board, mean 127.5
    got = np.asarray(
        resize_and_crop(Image.fromarray(board.astype(np.uint8)), 8, Image.Resampling.BICUBIC)
    )
    assert np.abs(got.astype(float) - 127.5).max() < 3  # without: 0 or 255

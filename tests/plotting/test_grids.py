"""Grids, PNG files and animations, pixel by pixel."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ddim.plotting.grids import FRAME, cell_picture, grid, pairs_picture, save_animation, save_png


def test_grid_by_hand() -> None:
    images = np.array([10, 20, 30], np.uint8).reshape(3, 1, 1, 1)
    got = np.asarray(grid(images, columns=2, pad=1))
    assert got.tolist() == [[10, 255, 20], [255, 255, 255], [30, 255, 255]]


def test_grid_enlarges_without_blurring() -> None:
    image = np.array([[1, 2], [3, 4]], np.uint8).reshape(1, 1, 2, 2)
    got = np.asarray(grid(image, columns=8, scale=2))
    assert got.tolist() == [[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]]


def test_a_framed_image_has_a_line_round_it() -> None:
    image = np.array([7], np.uint8).reshape(1, 1, 1, 1)
    got = np.asarray(grid(image, columns=1, scale=2, framed=True))
    line = [FRAME] * 4
    assert got.tolist() == [line, [FRAME, 7, 7, FRAME], [FRAME, 7, 7, FRAME], line]


def test_pictures_enlarge_small_images_by_a_whole_number() -> None:
    """Twenty images of a cell, four in a row; pairs above one another, larger."""
    images = np.zeros((64, 1, 8, 8), np.uint8)
    assert cell_picture(images).size == (4 * 66 + 3 * 4, 5 * 66 + 4 * 4)
    assert cell_picture(images[:3]).size == (3 * 66 + 2 * 4, 66)
    assert pairs_picture(images[:8], images[:8]).size == (8 * 98 + 7 * 4, 2 * 98 + 4)
    assert cell_picture(np.zeros((20, 3, 256, 256), np.uint8)).width == 4 * 258 + 3 * 4


def test_grid_keeps_colour_channels_in_order() -> None:
    image = np.array([7, 8, 9], np.uint8).reshape(1, 3, 1, 1)
    picture = grid(image, columns=1)
    assert picture.mode == "RGB"
    assert picture.getpixel((0, 0)) == (7, 8, 9)


@pytest.mark.parametrize(
    ("shape", "columns", "scale"),
    [((0, 1, 2, 2), 1, 1), ((1, 1, 2, 2), 0, 1), ((1, 2, 2, 2), 1, 1)],
)
def test_grid_refuses(shape: tuple[int, ...], columns: int, scale: int) -> None:
    with pytest.raises(ValueError, match="grid"):
        grid(np.zeros(shape, np.uint8), columns, scale=scale)


def test_png_keeps_pixels_and_text(tmp_path: Path) -> None:
    picture = grid(np.arange(12, dtype=np.uint8).reshape(1, 3, 2, 2), columns=1)
    path = tmp_path / "new" / "grid.png"
    save_png(path, picture, {"cell": "S10", "protocol": "η = 0, α-bar"})
    with Image.open(path) as back:
        assert np.array_equal(np.asarray(back), np.asarray(picture))
        assert back.text == {"cell": "S10", "protocol": "η = 0, α-bar"}  # type: ignore[attr-defined]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "grid.png"
    save_png(path, Image.new("L", (2, 2), 5))
    before = path.read_bytes()

    def half(self: Image.Image, file: Path, **_: object) -> None:
        Path(file).write_bytes(b"\x89PNG")
        raise OSError("disk full")

    monkeypatch.setattr(Image.Image, "save", half)
    with pytest.raises(OSError, match="disk full"):
        save_png(path, Image.new("L", (2, 2), 6))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_animation(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (4, 3), colour) for colour in ("red", "lime", "blue")]
    path = tmp_path / "path.png"
    save_animation(path, frames, milliseconds=80)
    with Image.open(path) as back:
        assert back.n_frames == 3  # type: ignore[attr-defined]
        for i, frame in enumerate(frames):
            back.seek(i)
            back.load()
            assert back.info["duration"] == 80
            assert back.info["loop"] == 0
            assert np.array_equal(np.asarray(back.convert("RGB")), np.asarray(frame))


def test_animation_refuses(tmp_path: Path) -> None:
    frame = Image.new("L", (2, 2))
    with pytest.raises(ValueError, match=r"ends in \.png, got path\.mp4"):
        save_animation(tmp_path / "path.mp4", [frame], 50)
    with pytest.raises(ValueError, match="0 frames"):
        save_animation(tmp_path / "path.png", [], 50)
    with pytest.raises(ValueError, match="2 kinds"):
        save_animation(tmp_path / "path.png", [frame, Image.new("L", (3, 2))], 50)
    assert list(tmp_path.iterdir()) == []

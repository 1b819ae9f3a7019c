"""uint8 <-> [-1, 1] by hand-computed examples; grids, PNG files and animations."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from ddim.images import grid, save_animation, save_png, to_float, to_uint8


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        (-1.0, 0),
        (1.0, 255),
        (0.0, 128),  # 127.5: halves go up
        (-0.5, 64),  # 63.75
        (0.25, 159),  # 159.375
        (1 / 255, 128),  # exactly 128
        (-1 + 1.99 / 255, 1),  # 0.995
        (-1 + 0.99 / 255, 0),  # 0.495
        (1.3, 255),
        (-7.0, 0),
        (float("inf"), 255),
    ],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_quantisation(x: float, expected: int, dtype: torch.dtype) -> None:
    got = to_uint8(torch.tensor([[x]], dtype=dtype))
    assert got.dtype == torch.uint8
    assert got.tolist() == [[expected]]


def test_half_precision_is_widened_before_the_arithmetic() -> None:
    # 0.9921875 is exact in bfloat16; (x + 1) 127.5 = 254.0039 is not: it would round to 254 or 256.
    assert to_uint8(torch.tensor([0.9921875, 0.0], dtype=torch.bfloat16)).tolist() == [254, 128]


def test_to_float_by_hand() -> None:
    got = to_float(torch.tensor([0, 51, 255], dtype=torch.uint8))
    assert got.dtype == torch.float32
    torch.testing.assert_close(got, torch.tensor([-1.0, -0.6, 1.0]))


def test_every_level_survives_the_round_trip() -> None:
    levels = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(to_uint8(to_float(levels)), levels)


@given(arrays.arrays(np.uint8, arrays.array_shapes(min_dims=1, max_dims=4, max_side=6)))
def test_round_trip_keeps_shape_and_pixels(images: np.ndarray) -> None:
    back = to_uint8(to_float(torch.from_numpy(images)))
    assert np.array_equal(back.numpy(), images)


@given(st.floats(-1, 1, width=32))
def test_quantisation_is_off_by_half_a_level_at_most(x: float) -> None:
    back = to_float(to_uint8(torch.tensor([x])))
    assert abs(back.item() - x) <= 0.5 / 127.5 + 1e-6


def test_nan_is_refused() -> None:
    with pytest.raises(ValueError, match="NaN"):
        to_uint8(torch.tensor([0.0, float("nan")]))


def test_wrong_types_are_refused() -> None:
    with pytest.raises(ValueError, match=r"floating-point.*uint8"):
        to_uint8(torch.zeros(2, dtype=torch.uint8))
    with pytest.raises(ValueError, match=r"uint8 images, got torch\.float32"):
        to_float(torch.zeros(2))


def test_grid_by_hand() -> None:
    images = np.array([10, 20, 30], np.uint8).reshape(3, 1, 1, 1)
    got = np.asarray(grid(images, columns=2, pad=1))
    assert got.tolist() == [[10, 255, 20], [255, 255, 255], [30, 255, 255]]


def test_grid_enlarges_without_blurring() -> None:
    image = np.array([[1, 2], [3, 4]], np.uint8).reshape(1, 1, 2, 2)
    got = np.asarray(grid(image, columns=8, scale=2))
    assert got.tolist() == [[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]]


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

"""uint8 <-> [-1, 1], and errors on [0, 1], by hand-computed examples."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from ddim.images import to_float, to_uint8


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

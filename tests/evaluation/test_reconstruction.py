"""The error of decoded images, its scale and its interval."""

import numpy as np
import pytest
import torch

from ddim.evaluation.reconstruction import reconstruction_error, squared_errors


def test_errors_are_on_the_scale_from_0_to_1() -> None:
    x = torch.tensor([[-1.0, 1.0], [0.0, 0.0]])
    y = torch.tensor([[1.0, 1.0], [0.5, 0.0]])
    assert squared_errors(x, y).tolist() == [0.5, 0.03125]  # (1 + 0) / 2, (1/16 + 0) / 2


def test_reconstruction_error_is_on_the_unit_scale() -> None:
    """Off by 0.2 on [-1,1] is off by 0.1 on [0,1]: 0.01 per dimension."""
    images = torch.from_numpy(np.random.default_rng(0).uniform(-1, 1, (6, 1, 4, 4)))
    error = reconstruction_error(squared_errors(images, images + 0.2))
    assert error.value == pytest.approx(0.01, rel=1e-5)
    np.testing.assert_allclose(error.interval, 0.01, rtol=1e-4)


def test_reconstruction_interval_is_over_images() -> None:
    off = torch.tensor([0.2, 0.4]).reshape(2, 1, 1, 1) * torch.ones(2, 3, 2, 2)
    error = reconstruction_error(squared_errors(torch.zeros_like(off), off))
    low, high = error.interval
    assert error.value == pytest.approx(0.025)
    assert high == pytest.approx(0.025 + 1.96 * 0.015, rel=1e-3)
    assert low == 0  # 0.025 - 0.0294, and no error is negative


@pytest.mark.parametrize(
    ("squared", "message"),
    [
        (np.zeros(1), r"reconstruct\.num_images must be at least 2"),
        (np.array([0, np.nan]), "not finite"),
    ],
)
def test_reconstruction_error_refuses(squared: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        reconstruction_error(squared)

"""A batch in parts: the gradient of the whole, and the same bits whatever the threads."""

import pytest
import torch
from helpers import networks, tiny

from ddim import objective
from ddim.training import microbatches
from ddim.training.microbatches import Microbatches


def gradients(parts: int, *, threads: int = 2, autocast: bool = False) -> list[torch.Tensor]:
    """Of the loss of 8 images, by a U-Net whose every layer matters."""
    torch.manual_seed(0)
    unet = networks.tiny()
    for parameter in unet.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    x0, eps = torch.randn(8, 1, 8, 8), torch.randn(8, 1, 8, 8)
    t = torch.randint(1, len(tiny.ALPHA_BAR), (8,))
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    microbatches._pool.cache_clear()
    try:
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            network = Microbatches(unet, parts) if parts > 1 else unet
            objective.loss(network, x0, t, eps, tiny.ALPHA_BAR).backward()
    finally:
        torch.set_num_threads(before)
        microbatches._pool.cache_clear()
    return [p.grad for p in unet.parameters() if p.grad is not None]


@pytest.mark.parametrize("parts", [2, 4])
def test_the_parts_gradients_add_up_to_the_batchs(parts: int) -> None:
    whole, split = gradients(1), gradients(parts)
    assert len(whole) == len(split)
    for a, b in zip(whole, split, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


def test_threads_change_no_bit() -> None:
    for a, b in zip(gradients(4, threads=1), gradients(4, threads=2), strict=True):
        assert torch.equal(a, b)


def test_the_parts_are_computed_in_the_precision_of_the_batch() -> None:
    exact, whole, split = gradients(1), gradients(1, autocast=True), gradients(2, autocast=True)
    error = [
        sum(float((a - b).norm()) for a, b in zip(exact, x, strict=True)) for x in (whole, split)
    ]
    assert error[1] == pytest.approx(error[0], rel=0.3)
    assert error[1] > 0

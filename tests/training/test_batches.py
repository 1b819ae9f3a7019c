"""The order of the training images, and which held-out images a validation sees."""

import numpy as np
import pytest

from ddim.training.batches import MAX_HELD_OUT, ImageData, Order


def order(**changes):
    return Order(**({"n": 10, "batch_size": 4, "seed": 0, "steps": 20} | changes))


def test_order_is_a_function_of_seed_and_epoch():
    assert np.array_equal([*order()], [*order()])
    assert not np.array_equal([*order()], [*order(seed=1)])
    visits = np.concatenate([*order()]).reshape(8, 10)  # 20 batches of 4 are 8 epochs of 10
    assert all(sorted(epoch) == list(range(10)) for epoch in visits.tolist())
    assert len({tuple(epoch) for epoch in visits.tolist()}) == 8


@pytest.mark.parametrize("start", [1, 5, 19, 20])
def test_order_goes_on_where_it_was(start):
    assert [b.tolist() for b in order(start=start)] == [b.tolist() for b in order()][start:]
    assert len(order(start=start)) == 20


def test_processes_share_every_batch():
    halves = [order(rank=rank, world=2) for rank in range(2)]
    both = [np.concatenate(pair) for pair in zip(*halves, strict=True)]
    assert np.array_equal(both, [*order()])


def test_batches_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"train.batch_size .* images 10, got 11"):
        order(batch_size=11)
    with pytest.raises(ValueError, match=r"train.batch_size .* divisible by the 3 processes"):
        order(world=3)


def test_held_out_images_are_few_and_evenly_spread():
    images = np.arange(2000).reshape(2000, 1, 1, 1)
    data = ImageData(images, images, batch_size=4, seed=0, steps=1)
    chosen = data.held_out[:, 0, 0, 0]
    assert len(chosen) == MAX_HELD_OUT
    assert (chosen[0], chosen[-1]) == (0, 1999)
    assert set(np.diff(chosen)) == {3, 4}
    assert np.array_equal(
        ImageData(images, images[:7], batch_size=4, seed=0, steps=1).held_out, images[:7]
    )

"""Validation: what val/loss is, when it is measured, and that training does not notice it."""

import numpy as np
import pytest
import torch
from helpers import tiny
from pytorch_lightning import Callback

VALIDATED = {"held_out": tiny.images(20), "validate_every": 10}


class RandomState(Callback):
    """Compares the state of torch's global generator before and after each validation."""

    def __init__(self) -> None:
        self.untouched: list[bool] = []

    def on_train_batch_end(self, *args: object) -> None:
        self.before = torch.get_rng_state()

    def on_validation_end(self, *args: object) -> None:
        self.untouched.append(torch.equal(torch.get_rng_state(), self.before))


@pytest.fixture(scope="module")
def validated(tmp_path_factory):
    """A training with validation: (result, logger, network, how torch's generator fared)."""
    network, logger, state = tiny.net(), tiny.RecordingLogger(), RandomState()
    work = tmp_path_factory.mktemp("validated")
    result = tiny.fit(network, work, logger=logger, callbacks=[state], **VALIDATED)
    return result, logger, network, state


def test_training_does_not_notice_validation(validated, whole):
    result, _, network, state = validated
    assert tiny.same(result.raw, whole[0].raw)
    assert tiny.same(result.ema, whole[0].ema)
    assert result.loss == whole[0].loss
    assert network.calls == 30 + 3 * 3  # 20 images in batches of 8 are three
    assert state.untouched == [True, True, True]


def test_the_loss_is_that_of_the_averaged_weights_written_out(validated):
    _, logger, _, _ = validated
    curve = logger.curve("val/loss")
    assert [step for step, _ in curve] == [10, 20, 30]
    assert [metrics.keys() for _, metrics in logger.rows if "val/loss" in metrics] == [
        {"val/loss"}
    ] * 3
    for step, loss in curve:
        assert loss == pytest.approx(by_hand(step), rel=1e-5)


def by_hand(steps: int) -> float:
    """The mean loss on the held-out images after `steps` steps, without dropout and flips."""
    network = tiny.net()
    recipe = tiny.recipe(steps=steps)
    _, ema = tiny.by_hand(network, recipe, seed=0, world=1)
    network.load_state_dict(ema)
    network.eval()
    losses, held_out = [], VALIDATED["held_out"]
    for batch in range(3):
        x0 = torch.tensor(held_out[8 * batch : 8 * batch + 8]).float() / 127.5 - 1
        words = np.random.SeedSequence(0, spawn_key=(batch,)).generate_state(1, np.uint64)
        generator = torch.Generator().manual_seed(int(words[0]) // 2)
        t = torch.randint(1, 1001, (len(x0),), generator=generator)
        eps = torch.randn(x0.shape, generator=generator)
        a = tiny.ALPHA_BAR[t].reshape(-1, 1, 1, 1)
        with torch.no_grad():
            predicted = network(a.sqrt().float() * x0 + (1 - a).sqrt().float() * eps, t)
        losses += ((predicted - eps) ** 2).mean((1, 2, 3)).tolist()
    return float(np.mean(losses))


@pytest.mark.parametrize("changes", [{"logger": None}, {"validate_every": 0}, {"held_out": None}])
def test_without_logger_interval_or_images_nothing_is_validated(tmp_path, changes):
    network = tiny.net()
    logger = tiny.RecordingLogger()
    tiny.fit(network, tmp_path, **({"logger": logger} | VALIDATED | changes))
    assert network.calls == 30
    assert logger.curve("val/loss") == []


class InterruptedForTestError(Exception):
    pass


@pytest.mark.parametrize(
    ("every", "call", "resumed"),
    [
        (10, 8, [10, 20, 30]),  # in step 8: goes on from step 7
        (5, 25, [15, 20, 25, 30]),  # in step 16: goes on from step 14, as do all below
        (10, 25, [20, 30]),  # in the validation after step 20
        (7, 19, [21, 28]),  # in that of the resume point's own step, which is not repeated
        (14, 17, [28]),
    ],
)
def test_an_interrupted_training_goes_on_bit_for_bit(whole, tmp_path, every, call, resumed):
    def interrupt(number):
        if number == call:
            raise InterruptedForTestError

    settings = VALIDATED | {"validate_every": every}
    with pytest.raises(InterruptedForTestError):
        tiny.train(tiny.net(interrupt), tmp_path, logger=tiny.RecordingLogger(), **settings)
    logger = tiny.RecordingLogger()
    result = tiny.fit(tiny.net(), tmp_path, logger=logger, **settings)
    assert tiny.same(result.raw, whole[0].raw)
    assert tiny.same(result.ema, whole[0].ema)
    assert [step for step, _ in logger.curve("val/loss")] == resumed


def test_a_resume_point_of_a_training_without_validation_serves_one_with(whole, tmp_path):
    tiny.train(tiny.net(), tmp_path, steps=14)
    logger = tiny.RecordingLogger()
    result = tiny.fit(tiny.net(), tmp_path, logger=logger, **VALIDATED)
    assert tiny.same(result.raw, whole[0].raw)
    assert tiny.same(result.ema, whole[0].ema)
    assert [step for step, _ in logger.curve("val/loss")] == [20, 30]

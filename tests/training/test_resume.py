"""The resume point: what ended anywhere goes on bit for bit, and what cannot be used is named."""

import pytest
import torch
from helpers import programs, tiny

from ddim.training.fit import load_result


def test_a_killed_training_goes_on_bit_for_bit(whole, tmp_path):
    killed = programs.run("training_program", "SIGKILL", str(tmp_path))
    assert killed.returncode == -9
    (tmp_path / ".last.ckpt.123.tmp").write_text("of a run killed while saving")
    network = tiny.net()
    assert_same_result(tiny.fit(network, tmp_path), whole[0])
    assert network.calls == 30 - 14
    assert {file.name for file in tmp_path.iterdir()} == {"last.ckpt", "previous.ckpt"}


@pytest.mark.parametrize(
    ("name", "status"),
    [("SIGTERM", 143), pytest.param("SIGINT", 130, marks=pytest.mark.slow)],
)
def test_an_interrupted_training_saves_says_so_and_goes_on_bit_for_bit(
    whole, tmp_path, name, status
):
    """With status 0, DVC would take it for finished."""
    done = programs.run("training_program", name, str(tmp_path))
    assert done.returncode == status
    line = f"training: interrupted by {name} at step 18, which is saved: run the same command to"
    assert (done.stdout, done.stderr) == ("", f"{line} go on\n")
    network = tiny.net()
    assert_same_result(tiny.fit(network, tmp_path), whole[0])
    assert network.calls == 30 - 18


class InterruptedForTestError(Exception):
    pass


@pytest.mark.parametrize("call", [1, 8, 22, 29])  # before, just after, and long after a save
def test_a_training_interrupted_anywhere_goes_on_bit_for_bit(whole, tmp_path, call):
    def interrupt(number):
        if number == call:
            raise InterruptedForTestError

    with pytest.raises(InterruptedForTestError):
        tiny.fit(tiny.net(interrupt), tmp_path)
    assert_same_result(tiny.fit(tiny.net(), tmp_path), whole[0])


def assert_same_result(got, expected):
    assert tiny.same(got.raw, expected.raw)
    assert tiny.same(got.ema, expected.ema)
    assert got.loss == expected.loss


def test_a_finished_training_is_read_and_not_done_again(whole, capsys):
    fitted, work = whole
    network = tiny.net()
    assert_same_result(tiny.fit(network, work), fitted)
    assert network.calls == 0
    assert "already done" in capsys.readouterr().out


def test_the_resume_point_holds_no_pickled_objects(whole):
    checkpoint = torch.load(whole[1] / "last.ckpt", weights_only=True)
    assert checkpoint["global_step"] == 30
    assert checkpoint["optimizer_states"]


def test_a_longer_training_goes_on_from_a_shorter_one(tmp_path):
    straight = tiny.fit(tiny.net(), tmp_path / "straight", steps=20)
    tiny.fit(tiny.net(), tmp_path / "longer", steps=9)
    longer = tiny.fit(tiny.net(), tmp_path / "longer", steps=20)
    for kind in ("ema", "raw"):
        ours, theirs = getattr(longer, kind), getattr(straight, kind)
        assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    with pytest.raises(ValueError, match=r"train.steps is 9, but the resume point .* at step 20"):
        tiny.fit(tiny.net(), tmp_path / "longer", steps=9)


def test_a_resume_point_of_another_network_is_named(whole, tmp_path):
    (tmp_path / "last.ckpt").write_bytes((whole[1] / "last.ckpt").read_bytes())
    network = tiny.net()
    network.b = torch.nn.Conv2d(8, 1, 1)
    with pytest.raises(ValueError, match=r"last.ckpt is of another network \(see network.b.weight"):
        tiny.fit(network, tmp_path, steps=40)


def test_a_result_of_nothing_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no training in"):
        load_result(tmp_path)

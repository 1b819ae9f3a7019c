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
    assert [file.name for file in tmp_path.iterdir()] == ["last.ckpt"]


@pytest.mark.parametrize(("name", "status"), [("SIGTERM", 143), ("SIGINT", 130)])
def test_an_interrupted_training_says_so_and_goes_on_bit_for_bit(whole, tmp_path, name, status):
    """With status 0, DVC would take it for finished."""
    done = programs.run("training_program", name, str(tmp_path))
    assert done.returncode == status
    # SIGTERM waits for the end of the step that it came in, Ctrl-C does not.
    step = 18 if name == "SIGTERM" else 17
    line = f"training: interrupted at step {step}; run again to go on from step 14\n"
    assert (done.stdout, done.stderr) == ("", line)
    assert_same_result(tiny.fit(tiny.net(), tmp_path), whole[0])


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


def edited(folder, whole, edit):
    """A folder whose resume point is that of a whole training, after `edit`."""
    checkpoint = torch.load(whole[1] / "last.ckpt", weights_only=True)
    torch.save(edit(checkpoint), folder / "last.ckpt")


def with_nan(key):
    def edit(checkpoint):
        checkpoint[key]["network.b.bias"][0] = torch.nan
        return checkpoint

    return edit


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (lambda checkpoint: [checkpoint], "it holds a list"),
        (lambda _: {"weights": torch.ones(3)}, "it holds no global_step"),
        (lambda checkpoint: checkpoint | {"global_step": "12"}, "it holds no global_step"),
        (lambda checkpoint: checkpoint | {"state_dict": [1]}, "it holds no state_dict"),
        (lambda checkpoint: checkpoint | {"callbacks": {}}, "it holds no losses"),
        (lambda checkpoint: checkpoint | {"state_dict": {}}, "weights have other names"),
        (
            lambda checkpoint: checkpoint | {"state_dict": dict.fromkeys(checkpoint["state_dict"])},
            "its averaged weights are no tensors",
        ),
        (with_nan("state_dict"), "its averaged weights are not finite"),
        (with_nan("current_model_state"), "its raw weights are not finite"),
    ],
)
@pytest.mark.parametrize("steps", [30, 40], ids=["finished", "going on"])
def test_a_resume_point_that_cannot_be_used_is_named(whole, tmp_path, edit, reason, steps):
    edited(tmp_path, whole, edit)
    network = tiny.net()
    pattern = rf"last.ckpt is damaged, delete it to train from the start: .*{reason}$"
    with pytest.raises(ValueError, match=pattern) as error:
        tiny.fit(network, tmp_path, steps=steps)
    assert "\n" not in str(error.value)
    assert network.calls == 0


def test_a_truncated_resume_point_is_named(whole, tmp_path):
    bytes_ = (whole[1] / "last.ckpt").read_bytes()
    (tmp_path / "last.ckpt").write_bytes(bytes_[: len(bytes_) // 2])
    with pytest.raises(ValueError, match=r"last.ckpt is damaged, delete it"):
        tiny.fit(tiny.net(), tmp_path)


def test_a_resume_point_of_another_network_is_named(whole, tmp_path):
    edited(tmp_path, whole, lambda checkpoint: checkpoint)
    network = tiny.net()
    network.b = torch.nn.Conv2d(8, 1, 1)
    with pytest.raises(ValueError, match=r"last.ckpt is of another network \(see network.b.weight"):
        tiny.fit(network, tmp_path, steps=40)


def test_a_result_of_nothing_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no training in"):
        load_result(tmp_path)

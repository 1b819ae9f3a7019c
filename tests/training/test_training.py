"""Training: the objective, the order, the average, the resume point, and what a user is told."""

import math
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from helpers import tiny

from ddim import objective
from ddim.config import schema
from ddim.records import fingerprints

HERE = Path(__file__).parent.parent / "helpers"


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    """Sums must be taken in the same order in every process."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def _no_progress(monkeypatch):
    monkeypatch.setenv("CI", "true")


# --- the objective -------------------------------------------------------------------------------


def test_loss_is_the_mean_squared_error_written_out():
    generator = torch.Generator().manual_seed(0)
    x0, eps = torch.randn(2, 3, 1, 2, 2, generator=generator, dtype=torch.float64)
    t = torch.tensor([1, 500, 1000])
    total = 0.0
    for i in range(3):
        a = float(tiny.ALPHA_BAR[t[i]])
        for x, e in zip(x0[i].flatten().tolist(), eps[i].flatten().tolist(), strict=True):
            x_t = math.sqrt(a) * x + math.sqrt(1 - a) * e
            total += (x_t * int(t[i]) - e) ** 2  # the network below
    got = objective.loss(lambda x, t: x * t[:, None, None, None], x0, t, eps, tiny.ALPHA_BAR)
    assert float(got) == pytest.approx(total / 12, rel=1e-6)


def test_flips_mirror_exactly_the_chosen_images():
    x = torch.arange(12.0).reshape(2, 1, 2, 3)
    got = objective.hflip(x, torch.tensor([True, False]))
    assert got[0, 0].tolist() == [[2, 1, 0], [5, 4, 3]]
    assert torch.equal(got[1], x[1])


class PixelMLP(torch.nn.Module):
    """The same small network for every pixel, of x and a few functions of t."""

    def __init__(self):
        super().__init__()
        sizes = [7, 32, 32, 1]
        layers = [torch.nn.Conv2d(i, o, 1) for i, o in pairwise(sizes)]
        self.layers = torch.nn.ModuleList(layers)

    def forward(self, x, t):
        u = (t.float() / 1000)[:, None, None, None].expand_as(x)
        h = torch.cat([x, u, u * x, u.sqrt(), (3 * u).sin(), (6 * u).cos(), (9 * u).sin()], dim=1)
        for layer in self.layers[:-1]:
            h = torch.nn.functional.silu(layer(h))
        return self.layers[-1](h)


def test_trained_epsilon_approaches_the_exact_one_on_gaussian_data(tmp_path):
    s = 0.25  # small enough that [-1, 1] holds four standard deviations
    x0 = np.random.default_rng(0).normal(0, s, (4000, 1, 2, 2))
    data = np.clip(np.round((x0 + 1) * 127.5), 0, 255).astype(np.uint8)
    torch.manual_seed(0)
    settings = {"steps": 600, "batch_size": 128, "lr": 1e-2, "warmup": 50, "ema_decay": 0.98}
    often = {"grad_clip": 1.0, "log_every": 100, "checkpoint_every": 600}
    network = PixelMLP()
    fitted = tiny.fit(network, tmp_path, images=data, flip=False, **settings, **often)
    network.load_state_dict(fitted.ema)

    generator = torch.Generator().manual_seed(1)
    t = torch.randint(1, 1001, (2000,), generator=generator)
    a = tiny.ALPHA_BAR[t].float()[:, None, None, None]
    variance = a * s**2 + 1 - a  # of x_t
    x_t = variance.sqrt() * torch.randn(2000, 1, 2, 2, generator=generator)
    exact = (1 - a).sqrt() * x_t / variance
    with torch.no_grad():
        error = float(((network(x_t, t) - exact) ** 2).mean())
    # eps has variance 1; what no network can predict of it is the loss that remains.
    signal = tiny.ALPHA_BAR[1:] * s**2
    floor = float((signal / (signal + 1 - tiny.ALPHA_BAR[1:])).mean())
    assert error < 0.01
    assert fitted.loss[-1][1] == pytest.approx(floor, abs=0.03)


# --- the order of the images ---------------------------------------------------------------------


def order(**changes):
    from ddim.training.batches import Order

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


# --- fit -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """An uninterrupted training: (its result, its folder)."""
    work = tmp_path_factory.mktemp("whole")
    return tiny.fit(tiny.net(), work), work


def test_fit_equals_the_loop_written_out(whole):
    raw, ema = tiny.by_hand(tiny.net(), tiny.recipe(), seed=0, world=1)
    fitted, _ = whole
    for name in raw:
        torch.testing.assert_close(fitted.raw[name], raw[name], rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(fitted.ema[name], ema[name], rtol=1e-5, atol=1e-6)
    assert not tiny.same(fitted.ema, fitted.raw)


def test_the_seed_decides_and_zero_is_a_seed(whole, tmp_path):
    again = tiny.fit(tiny.net(), tmp_path / "again")
    other = tiny.fit(tiny.net(), tmp_path / "other", seed=1)
    assert tiny.same(whole[0].raw, again.raw)
    assert not tiny.same(whole[0].raw, other.raw)


def test_the_curve_covers_every_step(whole):
    assert [step for step, _ in whole[0].loss] == [4, 8, 12, 16, 20, 24, 28]
    assert whole[0].steps == 30
    assert whole[0].seconds > 0


def test_the_curve_is_thinned_without_losing_its_mean():
    from ddim.training.fit import thinned

    long = [(step, float(step)) for step in range(1, 1001)]
    short = thinned(long, 200)
    assert len(short) == 200
    assert short[0] == (5, 3.0)
    assert short[-1] == (1000, 998.0)
    assert thinned(long[:7], 200) == long[:7]


def test_a_killed_training_goes_on_bit_for_bit(whole, tmp_path):
    paths = os.pathsep.join([str(HERE.parent.parent / "src"), str(HERE.parent)])
    program = [sys.executable, str(HERE / "training_program.py"), "kill", str(tmp_path)]
    killed = subprocess.run(program, env=os.environ | {"PYTHONPATH": paths}, check=False)
    assert killed.returncode == -9
    (tmp_path / ".last.ckpt.123.tmp").write_text("of a run killed while saving")
    network = tiny.net()
    assert_same_result(tiny.fit(network, tmp_path), whole[0])
    assert network.calls == 30 - 14
    assert [file.name for file in tmp_path.iterdir()] == ["last.ckpt"]


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


def test_a_damaged_resume_point_is_named(tmp_path):
    (tmp_path / "last.ckpt").write_bytes(b"half of a file")
    with pytest.raises(ValueError, match=r"last.ckpt is damaged, delete it"):
        tiny.fit(tiny.net(), tmp_path)


def test_fit_is_silent_and_leaves_nothing_else(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    tiny.fit(tiny.net(), Path("work/key"))
    assert [str(p) for p in Path().rglob("*") if p.is_file()] == ["work/key/last.ckpt"]
    assert capfd.readouterr() == ("", "")


def test_a_loss_that_is_not_a_number_stops_the_run(tmp_path, monkeypatch, capfd):
    monkeypatch.delenv("CI")
    network = tiny.net()

    def poison(call):
        if call == 10:
            with torch.no_grad():
                network.b.bias.fill_(torch.nan)

    network.on_call = poison
    with pytest.raises(
        ValueError, match=r"the loss became nan at step 10: lower train.lr"
    ) as error:
        tiny.fit(network, tmp_path)
    assert "\n" not in str(error.value)
    assert capfd.readouterr() == ("", "")  # above all, no "training: done"
    left = torch.load(tmp_path / "last.ckpt", weights_only=True)
    assert left["global_step"] == 7  # the resume point is still a good one
    assert all(value.isfinite().all() for value in left["current_model_state"].values())


def test_infinite_weights_are_not_saved_even_if_the_loss_was_finite():
    from ddim.training.callbacks import DivergedError, check_finite

    check_finite([torch.ones(3)], step=9)
    with pytest.raises(DivergedError, match="weights are no longer finite after step 9"):
        check_finite([torch.ones(3), torch.tensor([1.0, torch.inf])], step=9)


def test_a_data_set_smaller_than_a_batch_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"train.batch_size must be at most .* 50, got 64"):
        tiny.fit(tiny.net(), tmp_path, batch_size=64)


# --- the key -------------------------------------------------------------------------------------


def configuration(**changes):
    sections = {
        "train": tiny.recipe(),
        "trainer": tiny.CPU,
        "model": schema.Model(8, [1, 2], 1, [4], 0.0, 8),
        "diffusion": schema.Diffusion(1000, 1e-4, 0.02),
        "data": schema.Data("digits", "data", 8, 1, False, 0.2, False),
        "seed": 0,
    }
    return SimpleNamespace(**(sections | changes))


def test_the_key_follows_what_moves_the_weights_and_nothing_else():
    base = fingerprints.training_key(configuration(), "abc")
    assert base == fingerprints.training_key(configuration(train=tiny.recipe(log_every=1)), "abc")
    assert base == fingerprints.training_key(configuration(train=tiny.recipe(steps=31)), "abc")
    others = [
        fingerprints.training_key(configuration(), "abd"),
        fingerprints.training_key(configuration(seed=1), "abc"),
        fingerprints.training_key(configuration(train=tiny.recipe(lr=2e-2)), "abc"),
        fingerprints.training_key(
            configuration(diffusion=schema.Diffusion(999, 1e-4, 0.02)), "abc"
        ),
    ]
    assert len({base, *others}) == 5


def test_the_key_follows_the_code():
    assert fingerprints.key({"a": 1}, ["sampler"]) != fingerprints.key(
        {"a": 1}, ["sampler", "unet"]
    )
    for name in (*fingerprints.TRAINING_CODE, *fingerprints.SAMPLING_CODE):
        assert (Path(fingerprints.__file__).parent / f"{name}.py").exists()


# --- Weights & Biases ----------------------------------------------------------------------------


def tracked(mode, tmp_path):
    from ddim.tracking.run import training_run

    settings = schema.Logger(mode=schema.WandbMode[mode], project="ddim", tags=["try"])
    config = {"train": {"lr": 0.01}}
    return training_run(settings, name="train", group="digits", folder=tmp_path, config=config)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty home, and no trace of W&B in the environment."""
    for name in [name for name in os.environ if name.startswith(("WANDB_", "NETRC"))]:
        monkeypatch.delenv(name)
    for name in ("DATA", "CACHE", "CONFIG"):  # so that what the code sets is undone
        monkeypatch.setenv(f"WANDB_{name}_DIR", "")
        monkeypatch.delenv(f"WANDB_{name}_DIR")
    monkeypatch.setenv("WANDB_MODE", "")
    monkeypatch.delenv("WANDB_MODE")
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    return folder


def test_wandb_offline_records_curves_pictures_and_configuration(whole, home, tmp_path, capfd):
    from helpers.wandb_file import load

    out = tmp_path / "out"
    with tracked("offline", out) as logger:
        fitted = tiny.fit(tiny.net(), tmp_path / "work", logger=logger, sample_every=15)
    assert tiny.same(fitted.raw, whole[0].raw)  # pictures on the way change nothing

    run = load(out)
    assert (run["name"], run["group"], run["project"]) == ("train", "digits", "ddim")
    assert run["tags"] == ["try"]
    assert run["config"]["train"] == {"lr": 0.01}
    assert run["exit"] == 0
    rows = [row for row in run["history"] if "train/loss" in row]
    curve = [(row["trainer/global_step"], row["train/loss"]) for row in rows]
    assert curve == fitted.loss
    assert rows[0]["train/lr"] == pytest.approx(5e-3)  # step 5 of 10 comes next
    assert all(row["train/grad_norm"] > 0 for row in rows)
    assert all(row["train/images_per_second"] > 0 for row in rows)
    pictures = [row["samples.filenames"] for row in run["history"] if "samples.filenames" in row]
    assert len(pictures) == 2
    assert (run["files"] / pictures[1][0]).stat().st_size > 0
    assert list(home.rglob("*")) == []
    assert capfd.readouterr() == ("", "")


def test_wandb_disabled_does_without_wandb(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with tracked("disabled", tmp_path) as logger:
        assert logger is None
    assert list(tmp_path.iterdir()) == []


def test_wandb_online_without_an_account_fails_at_once_even_on_a_terminal(
    home, tmp_path, monkeypatch
):
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("it asked"))
    with pytest.raises(ValueError, match=r"logger.mode is online, but there is no W&B account"):
        tracked("online", tmp_path).__enter__()

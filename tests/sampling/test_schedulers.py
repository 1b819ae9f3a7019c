"""diffusers' schedulers through our interface: the same steps where they implement the same."""

import sys

import pytest
import torch
from helpers.oracle import ALPHA_BAR, eps_model, ode

from ddim import sampler, schedule
from ddim.noise import Noise
from ddim.sampling import diffusers_schedulers

SHAPE = (1, 4, 4)


def x_T(indices=range(3)):
    return Noise(0, indices, SHAPE).draw().double()


@pytest.mark.parametrize("S", [1, 10, 50])
def test_ddim_equals_our_sampler(S):
    ours = sampler.sample(eps_model, x_T(), ALPHA_BAR, schedule.trajectory(1000, S))
    theirs = diffusers_schedulers.sample(eps_model, x_T(), ALPHA_BAR, S, "DDIMScheduler")
    torch.testing.assert_close(theirs, ours, rtol=0, atol=1e-10)
    wrapped = diffusers_schedulers.DiffusersSampler(eps_model, ALPHA_BAR, S, "DDIMScheduler")
    assert wrapped.times == schedule.trajectory(1000, S)[::-1]


def test_first_order_dpm_solver_is_ddim():
    tau = [100 * i for i in range(1, 11)]
    options = {"solver_order": 1, "timestep_spacing": "trailing"}
    first = diffusers_schedulers.DiffusersSampler(
        eps_model, ALPHA_BAR, 10, "DPMSolverMultistepScheduler", options
    )
    assert first.times == tau[::-1]
    *_, theirs = first(x_T(), torch.randn_like)
    ours = sampler.sample(eps_model, x_T(), ALPHA_BAR, tau)
    torch.testing.assert_close(theirs, ours, rtol=0, atol=2e-6)  # its sigmas are float32


def test_the_network_is_called_with_the_papers_t_exactly_nfe_times():
    seen = []

    def spy(x, t):
        assert t.dtype == torch.int64
        assert t.shape == (len(x),)
        seen.append(int(t[0]))
        return eps_model(x, t)

    for name in ("HeunDiscreteScheduler", "PNDMScheduler"):
        # Heun: two evaluations a step but for the last. PNDM: four in each of three warm-up steps.
        seen.clear()
        wrapped = diffusers_schedulers.DiffusersSampler(spy, ALPHA_BAR, 10, name)
        states = list(wrapped(x_T(), torch.randn_like))
        assert len(states) == wrapped.nfe == len(seen) == 19
        assert seen == wrapped.times
        assert min(seen) >= 1
        assert max(seen) <= 1000


@pytest.mark.parametrize(
    "name",
    ["DPMSolverMultistepScheduler", "UniPCMultistepScheduler", "DEISMultistepScheduler"],
)
def test_higher_order_is_nearer_to_the_exact_solution_than_ddim(name):
    x = x_T()
    ours = sampler.sample(eps_model, x, ALPHA_BAR, schedule.trajectory(1000, 20))
    theirs = diffusers_schedulers.sample(eps_model, x, ALPHA_BAR, 20, name)
    assert (theirs - ode(x, 1000, 0)).norm() < 0.8 * (ours - ode(x, 1000, 0)).norm()


def test_stochastic_noise_is_a_function_of_the_image_alone():
    def run(indices):
        noise = Noise(0, indices, SHAPE)
        x = noise.draw()
        name = "EulerAncestralDiscreteScheduler"
        return diffusers_schedulers.sample(eps_model, x, ALPHA_BAR, 5, name, randn_like=noise)

    together, alone = run([0, 1, 2]), run([2])
    torch.testing.assert_close(together[2:], alone, rtol=0, atol=0)
    assert (together[0] - together[1]).abs().max() > 0.1


def test_x0_is_not_clipped_unless_asked():
    def bright(x, t):
        return eps_model(x, t) - 3.0

    free = diffusers_schedulers.sample(bright, x_T(), ALPHA_BAR, 5, "DDIMScheduler")
    clipped = diffusers_schedulers.sample(
        bright, x_T(), ALPHA_BAR, 5, "DDIMScheduler", {"clip_sample": True}
    )
    assert free.abs().max() > 1.5
    assert clipped.abs().max() <= 1


@pytest.mark.parametrize("S", [1, 10])
def test_a_scheduler_draws_the_noise_of_our_own_sampler(S):
    """DDPM's is eta = 1: given the same z, the same images, so its noise is `randn_like`'s."""
    ours, theirs = (Noise(7, range(3), SHAPE) for _ in range(2))
    expected = sampler.sample(
        eps_model,
        ours.draw().double(),
        ALPHA_BAR,
        schedule.trajectory(1000, S),
        1.0,
        randn_like=ours,
    )
    images = diffusers_schedulers.sample(
        eps_model, theirs.draw().double(), ALPHA_BAR, S, "DDPMScheduler", randn_like=theirs
    )
    torch.testing.assert_close(images, expected, rtol=0, atol=1e-5)


def test_asking_for_the_number_of_evaluations_builds_no_second_scheduler(monkeypatch):
    """The progress line asks after every state, inside the recorded seconds."""
    wrapped = diffusers_schedulers.DiffusersSampler(eps_model, ALPHA_BAR, 10, "DDIMScheduler")
    assert wrapped.nfe == 10
    monkeypatch.setattr(
        diffusers_schedulers, "new_scheduler", lambda *args: pytest.fail("built again")
    )
    assert wrapped.nfe == len(wrapped.times) == 10


def test_every_name_offered_runs():
    assert "DPMSolverSDEScheduler" not in diffusers_schedulers.names()  # its noise is its own
    for name in diffusers_schedulers.names():
        assert diffusers_schedulers.sample(eps_model, x_T(), ALPHA_BAR, 5, name).isfinite().all(), (
            name
        )


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("DDIM", {}, "sampler.scheduler must be one of .*DDIMScheduler"),
        ("UNet2DModel", {}, "sampler.scheduler must be one of"),
        ("DDIMScheduler", {"order": 2}, "sampler.options.order: DDIMScheduler accepts"),
        ("DDIMScheduler", {"beta_end": 0.1}, "sampler.options.beta_end is given by diffusion"),
        ("DDIMScheduler", {"prediction_type": "sample"}, "prediction_type must be epsilon"),
        (
            "DPMSolverMultistepScheduler",
            {"algorithm_type": "best"},
            "algorithm_type must be one of",
        ),
        (
            "UniPCMultistepScheduler",
            {"use_beta_sigmas": True, "use_karras_sigmas": True},
            "sampler.options do not suit",
        ),
    ],
)
def test_mistakes_name_their_key(name, options, message):
    with pytest.raises(ValueError, match=message):
        diffusers_schedulers.sample(eps_model, x_T(), ALPHA_BAR, 5, name, options)


def test_without_diffusers_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "diffusers", None)
    with pytest.raises(ValueError, match=r"pip install 'ddim\[diffusers\]'"):
        diffusers_schedulers.sample(eps_model, x_T(), ALPHA_BAR, 5, "DDIMScheduler")

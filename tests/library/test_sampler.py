"""Eq. 12 and its trajectories on an exact oracle, and against diffusers with shared noise."""

from collections.abc import Callable, Iterator

import pytest
import torch
from helpers.oracle import ALPHA_BAR, eps_model, ode, rounded, variance
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from ddim import sampler, schedule
from ddim.noise import Noise

T = 1000


def gaussian(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def no_noise(x: Tensor) -> Tensor:
    raise AssertionError("noise was drawn")


# --- the exact oracle ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("S", "error"), [(10, 0.260), (20, 0.137), (50, 0.0572), (100, 0.0291), (1000, 0.0030)]
)
def test_ddim_converges_to_the_ode_with_first_order(S: int, error: float) -> None:
    x_T = gaussian(64, 1)
    x_0 = sampler.sample(eps_model, x_T, ALPHA_BAR, rounded(T, S))
    relative = ((x_0 - ode(x_T, T, 0)).norm() / ode(x_T, T, 0).norm()).item()
    assert relative == pytest.approx(error, rel=0.02)


def test_encode_then_decode_error_falls_with_the_square_of_S() -> None:
    x_0 = 0.5 * gaussian(4096, 1)
    errors = {}
    for S in (50, 100, 200):
        tau = schedule.trajectory(T, S)
        x_T = sampler.encode(eps_model, x_0, ALPHA_BAR, tau)
        errors[S] = (sampler.sample(eps_model, x_T, ALPHA_BAR, tau) - x_0).square().mean().item()
    assert errors[50] / errors[100] == pytest.approx(4, rel=0.25)
    assert errors[100] / errors[200] == pytest.approx(4, rel=0.25)


def test_the_latent_of_encoded_data_is_standard_normal() -> None:
    x_T = sampler.encode(eps_model, 0.5 * gaussian(20000, 1), ALPHA_BAR, rounded(T, 1000))
    assert x_T.var().item() == pytest.approx(1.0, abs=0.03)
    assert x_T.mean().item() == pytest.approx(0.0, abs=0.02)


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0, "hat"])
def test_every_eta_ends_at_the_data_distribution(eta: float | str) -> None:
    x_T = gaussian(20000, 1) * variance(T) ** 0.5
    tau = schedule.trajectory(T, 500)
    generator = torch.Generator().manual_seed(1)
    noise = lambda x: torch.randn(x.shape, generator=generator, dtype=x.dtype)  # noqa: E731
    x_0 = sampler.sample(eps_model, x_T, ALPHA_BAR, tau, eta, randn_like=noise)
    assert x_0.mean().item() == pytest.approx(0.0, abs=0.02)
    # sigma-hat overshoots the posterior's variance: only here is the end wider than the data.
    assert x_0.std().item() == pytest.approx(0.5, abs=0.012 if eta != "hat" else 0.03)


@given(st.integers(1, T))
def test_eta_one_on_the_full_chain_is_ddpms_posterior(t: int) -> None:
    a, a_prev = float(ALPHA_BAR[t]), float(ALPHA_BAR[t - 1])
    beta = 1 - a / a_prev
    x, eps = gaussian(5, 3, seed=t), gaussian(5, 3, seed=t + 1)
    mean, x0 = sampler.ddim_step(x, eps, a, a_prev, schedule.sigma(a, a_prev, 1.0))
    posterior = (  # DDPM, Eq. 7
        a_prev**0.5 * beta / (1 - a) * x0 + (1 - beta) ** 0.5 * (1 - a_prev) / (1 - a) * x
    )
    torch.testing.assert_close(mean, posterior, rtol=1e-9, atol=1e-9)


@given(st.integers(1, T - 1), st.integers(1, 50))
def test_a_ddim_step_is_dpm_solver_1(t_prev: int, gap: int) -> None:
    t = min(t_prev + gap, T)
    a, a_prev = float(ALPHA_BAR[t]), float(ALPHA_BAR[t_prev])
    x, eps = gaussian(4, 2, seed=t), gaussian(4, 2, seed=gap)
    half_log_snr = lambda a: 0.5 * torch.log(torch.tensor(a / (1 - a), dtype=torch.float64))  # noqa: E731
    h = half_log_snr(a_prev) - half_log_snr(a)
    dpm = (a_prev / a) ** 0.5 * x - (1 - a_prev) ** 0.5 * torch.expm1(h) * eps
    mean, _ = sampler.ddim_step(x, eps, a, a_prev, 0.0)
    torch.testing.assert_close(mean, dpm, rtol=1e-12, atol=1e-12)


# --- what both directions promise ----------------------------------------------------------------


def test_no_noise_is_drawn_where_sigma_is_zero_nor_after_the_last_step() -> None:
    sampler.sample(eps_model, gaussian(2, 1), ALPHA_BAR, [1, 500], 0.0, randn_like=no_noise)
    sampler.sample(eps_model, gaussian(2, 1), ALPHA_BAR, [500], "hat", randn_like=no_noise)


def test_progressive_forms_yield_every_state_and_the_plain_forms_drain_them() -> None:
    x_T, tau = gaussian(3, 2), [1, 10, 400]
    states = list(sampler.sample_progressive(eps_model, x_T, ALPHA_BAR, tau))
    assert [s.t for s in states] == [400, 10, 1, 0]
    assert states[0].x0_hat is None
    assert torch.equal(states[-1].x, sampler.sample(eps_model, x_T, ALPHA_BAR, tau))
    assert torch.equal(states[-1].x, states[-1].x0_hat)  # the last step lands on x0_hat
    up = list(sampler.encode_progressive(eps_model, x_T, ALPHA_BAR, tau))
    assert [s.t for s in up] == [0, 1, 10, 400]
    assert torch.equal(up[-1].x, sampler.encode(eps_model, x_T, ALPHA_BAR, tau))


def test_the_network_sees_int64_steps_from_tau_S_down_to_tau_1() -> None:
    seen: list[Tensor] = []

    def model(x: Tensor, t: Tensor) -> Tensor:
        seen.append(t)
        return torch.zeros_like(x)

    sampler.sample(model, gaussian(2, 1), ALPHA_BAR, [3, 50, 1000], 1.0)
    assert [t.tolist() for t in seen] == [[1000, 1000], [50, 50], [3, 3]]
    assert {t.dtype for t in seen} == {torch.int64}


def test_clipping_bounds_every_x0_hat_and_recomputes_eps() -> None:
    x_T = 3 * gaussian(8, 4)
    tau = [100, 500, 1000]
    clipped = list(sampler.sample_progressive(eps_model, x_T, ALPHA_BAR, tau, clip_x0=True))
    free = list(sampler.sample_progressive(eps_model, x_T, ALPHA_BAR, tau))
    assert all(s.x0_hat.abs().max() <= 1 for s in clipped[1:])
    assert any(s.x0_hat.abs().max() > 1 for s in free[1:])
    a, a_prev = float(ALPHA_BAR[1000]), float(ALPHA_BAR[500])
    x0 = clipped[1].x0_hat
    eps = (x_T - a**0.5 * x0) / (1 - a) ** 0.5
    torch.testing.assert_close(clipped[1].x, a_prev**0.5 * x0 + (1 - a_prev) ** 0.5 * eps)


@pytest.mark.parametrize("eta", [-0.1, 1.1, "one", float("nan")])
def test_a_bad_eta_fails_before_the_network_is_called(eta: float | str) -> None:
    def model(x: Tensor, t: Tensor) -> Tensor:
        raise AssertionError("evaluated")

    with pytest.raises(ValueError, match=r"eta must be a number in \[0, 1\] or 'hat'"):
        sampler.sample(model, gaussian(1, 1), ALPHA_BAR, [1], eta)


def test_a_bad_trajectory_is_refused() -> None:
    with pytest.raises(ValueError, match="strictly increasing"):
        sampler.sample(eps_model, gaussian(1, 1), ALPHA_BAR, [5, 5])
    with pytest.raises(ValueError, match=r"lie in 1\.\.1000"):
        sampler.encode(eps_model, gaussian(1, 1), ALPHA_BAR, [0, 5])


# --- slerp ---------------------------------------------------------------------------------------


@given(st.floats(0, 1))
def test_slerp_keeps_the_norm_between_vectors_of_one_norm(weight: float) -> None:
    x, y = (v / v.norm(dim=1, keepdim=True) for v in (gaussian(3, 9), gaussian(3, 9, seed=1)))
    torch.testing.assert_close(
        sampler.slerp(x, y, weight).norm(dim=1), torch.ones(3, dtype=torch.float64)
    )


def test_slerp_ends_weights_per_image_and_parallel_vectors() -> None:
    x, y = gaussian(2, 3, 4), gaussian(2, 3, 4, seed=1)
    torch.testing.assert_close(sampler.slerp(x, y, 0.0), x)
    torch.testing.assert_close(sampler.slerp(x, y, 1.0), y)
    each = sampler.slerp(x, y, torch.tensor([0.0, 1.0], dtype=torch.float64))
    torch.testing.assert_close(each, torch.stack([x[0], y[1]]))
    torch.testing.assert_close(sampler.slerp(x, 3 * x, 0.5), 2 * x)


# --- diffusers, same noise, same float64 alpha-bar -----------------------------------------------


@pytest.fixture(scope="module")
def ddim_scheduler() -> Callable[..., object]:
    diffusers = pytest.importorskip("diffusers")

    def build(**options: object) -> object:
        s = diffusers.DDIMScheduler(clip_sample=False, steps_offset=0, **options)
        s.alphas_cumprod = ALPHA_BAR[1:]
        s.final_alpha_cumprod = ALPHA_BAR[0]
        return s

    return build


def stream(seed: int) -> Iterator[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    while True:
        yield torch.randn(4, 1, 2, 2, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("S", [10, 50, 100, 1000])
@pytest.mark.parametrize("eta", [0.0, 0.2, 0.5, 1.0])
def test_equals_diffusers_ddim(ddim_scheduler: Callable, S: int, eta: float) -> None:
    theirs = ddim_scheduler(timestep_spacing="leading")
    theirs.set_timesteps(S)
    x = x_T = next(stream(7))
    noise = stream(8)
    for t in theirs.timesteps:
        eps = eps_model(x, torch.full((4,), int(t) + 1))
        z = next(noise) if int(t) > 0 else torch.zeros_like(x)
        x = theirs.step(eps, int(t), x, eta=eta, variance_noise=z).prev_sample
    drawn = stream(8)
    tau = schedule.trajectory(T, S, "linear")
    ours = sampler.sample(eps_model, x_T, ALPHA_BAR, tau, eta, randn_like=lambda x: next(drawn))
    torch.testing.assert_close(ours, x, rtol=1e-10, atol=1e-10)


def test_a_recomputed_previous_step_is_wrong_off_the_uniform_grid(ddim_scheduler: Callable) -> None:
    """The trap in diffusers (#11347): t_prev = t - T // S, whatever the list of steps says."""
    tau = schedule.trajectory(T, 20, "quadratic")
    theirs = ddim_scheduler()
    theirs.set_timesteps(20)
    x = x_T = next(stream(7))
    for t in reversed(tau):
        eps = eps_model(x, torch.full((4,), t))
        x = theirs.step(eps, t - 1, x).prev_sample
    ours = sampler.sample(eps_model, x_T, ALPHA_BAR, tau)
    exact = ode(x_T, T, 0)
    assert (ours - exact).norm() < 0.5 * (x - exact).norm()


def rough_model(x: Tensor, t: Tensor) -> Tensor:
    """It overlooks a tenth of the noise: x0_hat lies far outside of [-1, 1] at early steps."""
    return 0.9 * eps_model(x, t)


@pytest.mark.parametrize("S", [10, 50, 1000])
@pytest.mark.parametrize("clip", [False, True], ids=["free", "clipped"])
@pytest.mark.parametrize(("eta", "variance_type"), [(1.0, "fixed_small"), ("hat", "fixed_large")])
def test_eta_one_and_sigma_hat_equal_diffusers_ddpm(
    eta: float | str, variance_type: str, clip: bool, S: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    diffusers = pytest.importorskip("diffusers")
    from diffusers.schedulers import scheduling_ddpm

    theirs = diffusers.DDPMScheduler(variance_type=variance_type, clip_sample=clip)
    theirs.alphas_cumprod, theirs.one = ALPHA_BAR[1:], ALPHA_BAR[0]  # all that its step looks at
    theirs.set_timesteps(S)
    noise, drawn = stream(8), stream(8)
    monkeypatch.setattr(scheduling_ddpm, "randn_tensor", lambda *a, **k: next(noise))
    x = x_T = next(stream(7))
    clipped = False
    for t in theirs.timesteps:
        eps = rough_model(x, torch.full((4,), int(t) + 1))
        step = theirs.step(eps, int(t), x)
        x = step.prev_sample
        clipped |= bool((step.pred_original_sample.abs() == 1).any())
    assert clipped == clip
    tau = schedule.trajectory(T, S, "linear")
    ours = sampler.sample(
        rough_model, x_T, ALPHA_BAR, tau, eta, randn_like=lambda x: next(drawn), clip_x0=clip
    )
    torch.testing.assert_close(ours, x, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("S", [10, 50, 1000])
def test_encoding_equals_diffusers_inverse(S: int) -> None:
    diffusers = pytest.importorskip("diffusers")
    theirs = diffusers.DDIMInverseScheduler(clip_sample=False, set_alpha_to_one=True)
    theirs.alphas_cumprod, theirs.initial_alpha_cumprod = ALPHA_BAR[1:], ALPHA_BAR[0]
    theirs.set_timesteps(S)
    x = x_0 = 0.5 * next(stream(7))
    for t in theirs.timesteps:
        x = theirs.step(eps_model(x, torch.full((4,), int(t) + 1)), int(t), x).prev_sample
    ours = sampler.encode(eps_model, x_0, ALPHA_BAR, schedule.trajectory(T, S, "linear"))
    torch.testing.assert_close(ours, x, rtol=1e-10, atol=1e-10)


def test_the_wrong_inversions_of_other_projects_lose_the_image() -> None:
    """Clipped in one direction only, or asked one step off (ermongroup/ddim#9, #22)."""
    x_0 = 0.5 * gaussian(512, 1)
    S = 100
    tau = schedule.trajectory(T, S)
    x_T = sampler.encode(eps_model, x_0, ALPHA_BAR, tau)

    def error(model: sampler.EpsModel, clip_x0: bool) -> float:
        back = sampler.sample(model, x_T, ALPHA_BAR, tau, clip_x0=clip_x0)
        return (back - x_0).square().mean().item()

    def one_step_off(x: Tensor, t: Tensor) -> Tensor:
        return eps_model(x, (t + T // S).clamp(max=T))

    right = error(eps_model, clip_x0=False)
    assert error(eps_model, clip_x0=True) > 10 * right
    assert error(one_step_off, clip_x0=False) > 3 * right


def test_the_published_rules_repeated_steps_go_nowhere() -> None:
    """A repeated step costs an evaluation and moves nothing: dropping it is the same trajectory."""
    x_T = next(stream(7))
    x = x_T
    repeated = schedule.published_quadratic(T, 100)
    for t, t_prev in zip(reversed(repeated), [*reversed(repeated[:-1]), 0], strict=True):
        eps = eps_model(x, torch.full((4,), t))
        x, _ = sampler.ddim_step(x, eps, float(ALPHA_BAR[t]), float(ALPHA_BAR[t_prev]), 0.0)
    tau = schedule.trajectory(T, 100, "quadratic-published")
    assert len(tau) < len(repeated)
    ours = sampler.sample(eps_model, x_T, ALPHA_BAR, tau)
    torch.testing.assert_close(ours, x, rtol=1e-12, atol=1e-12)


# --- noise ---------------------------------------------------------------------------------------


@given(st.permutations(range(6)), st.integers(0, 2**63))
def test_an_images_noise_depends_on_seed_and_number_only(order: list[int], seed: int) -> None:
    together = Noise(seed, range(6), (1, 2, 3))
    first, second = together.draw(), together(torch.empty(6, 1, 2, 3))
    shuffled = Noise(seed, order, (1, 2, 3))
    assert torch.equal(shuffled.draw(), first[order])
    assert torch.equal(shuffled.draw(), second[order])
    alone = Noise(seed, [order[0]], (1, 2, 3))
    assert torch.equal(alone.draw()[0], first[order[0]])


def test_noise_is_standard_normal_and_differs_between_seeds_and_images() -> None:
    x = Noise(0, range(64), (3, 32, 32)).draw()
    assert x.dtype == torch.float32
    assert x.mean().item() == pytest.approx(0, abs=0.01)
    assert x.std().item() == pytest.approx(1, abs=0.01)
    correlation = torch.corrcoef(x.flatten(1)) - torch.eye(64)
    assert correlation.abs().max() < 0.12
    assert not torch.equal(x, Noise(1, range(64), (3, 32, 32)).draw())
    # 2^32 apart: torch's own CPU generator would give these two the same stream.
    assert not torch.equal(x, Noise(2**32, range(64), (3, 32, 32)).draw())


def test_noise_takes_the_dtype_of_x_and_refuses_negative_seeds() -> None:
    assert Noise(0, [0], (2,))(torch.empty(1, 2, dtype=torch.float64)).dtype == torch.float64
    with pytest.raises(ValueError, match="must be 0 or more"):
        Noise(-1, [0], (1,))

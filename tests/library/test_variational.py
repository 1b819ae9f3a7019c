"""q_sigma: Bayes' rule, marginals, Theorem 1's weights and the bound, computed directly."""

import math

import pytest
import torch
from torch.distributions import MultivariateNormal, Normal, kl_divergence

from ddim import schedule, variational

ALPHA_BAR = schedule.alpha_bar()
A = ALPHA_BAR.tolist()
PAIRS = [(2, 1), (10, 9), (500, 499), (1000, 999), (500, 400), (901, 801)]
ETAS = [0.0, 0.3, 1.0]


@pytest.mark.parametrize("eta", ETAS)
@pytest.mark.parametrize(("t", "t_prev"), PAIRS)
def test_both_orders_give_the_same_joint(t, t_prev, eta):
    """q(x_prev | x) q(x) and q(x | x_prev) q(x_prev) have the same mean and covariance."""
    a, a_prev, x0 = A[t], A[t_prev], 0.7
    sigma = schedule.sigma(a, a_prev, eta)
    down, up = variational.backward(a, a_prev, sigma), variational.forward(a, a_prev, sigma)
    assert down.of_x0 * x0 + down.of_x * math.sqrt(a) * x0 == pytest.approx(math.sqrt(a_prev) * x0)
    assert up.of_x0 * x0 + up.of_x * math.sqrt(a_prev) * x0 == pytest.approx(math.sqrt(a) * x0)
    assert down.of_x**2 * (1 - a) + down.std**2 == pytest.approx(1 - a_prev, abs=1e-14)
    assert up.of_x**2 * (1 - a_prev) + up.std**2 == pytest.approx(1 - a, abs=1e-14)
    assert down.of_x * (1 - a) == pytest.approx(up.of_x * (1 - a_prev), abs=1e-14)


@pytest.mark.parametrize("t", range(2, 1001, 37))
def test_eta_1_is_ddpms_posterior_and_its_forward_step_is_markov(t):
    a, a_prev = A[t], A[t - 1]
    sigma = schedule.sigma(a, a_prev, 1.0)
    ours, theirs = variational.backward(a, a_prev, sigma), variational.ddpm_posterior(a, a_prev)
    assert ours == pytest.approx(theirs, abs=1e-12)
    up = variational.forward(a, a_prev, sigma)
    assert up.of_x0 == pytest.approx(0, abs=1e-12)
    assert up.of_x == pytest.approx(math.sqrt(a / a_prev), abs=1e-12)
    assert up.std == pytest.approx(math.sqrt(1 - a / a_prev), abs=1e-12)


def test_the_lectures_misprinted_posterior_variance_is_another_number():
    a, a_prev = A[500], A[499]
    misprint = (1 - a_prev) / (1 - a) * (a / a_prev)  # 1 - beta_t for beta_t
    assert variational.ddpm_posterior(a, a_prev).std ** 2 < 0.02 < misprint


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("simulate", [variational.simulate_forward, variational.simulate_backward])
def test_simulated_marginals(simulate, eta):
    alpha_bar, n = schedule.alpha_bar(T=50, beta_start=1e-3, beta_end=0.2), 20_000
    generator = torch.Generator().manual_seed(3)
    x0 = torch.linspace(-1, 1, n, dtype=torch.float64)

    def randn_like(x):
        return torch.randn(x.shape, dtype=x.dtype, generator=generator)

    seen = []
    for t, x in simulate(x0, alpha_bar, variational.eta(eta), randn_like):
        a = float(alpha_bar[t])
        z = (x - math.sqrt(a) * x0) / math.sqrt(1 - a)
        assert abs(z.mean()) < 5 / math.sqrt(n)
        assert abs(z.var() - 1) < 5 * math.sqrt(2 / n)
        assert abs((z * x0).mean()) < 5 * math.sqrt(float(x0.square().mean()) / n)
        seen.append(t)
    assert sorted(seen) == list(range(1, 51))


def test_sigma_0_forward_draws_nothing_after_the_first_step():
    draws = []

    def randn_like(x):
        draws.append(1)
        return torch.randn_like(x)

    list(variational.simulate_forward(torch.zeros(3), ALPHA_BAR, variational.eta(0.0), randn_like))
    assert len(draws) == 1


@pytest.mark.parametrize("eta", [0.1, 0.5, 1.0])
@pytest.mark.parametrize(("t", "t_prev"), PAIRS)
def test_gamma_is_the_kl_of_the_two_steps(t, t_prev, eta):
    """KL(q_sigma(. | x, x_0) || q_sigma(. | x, x0_hat)) by torch's own multivariate formula."""
    a, a_prev, d = A[t], A[t_prev], 5
    sigma = schedule.sigma(a, a_prev, eta)
    generator = torch.Generator().manual_seed(t)
    x, eps, eps_hat = torch.randn(3, d, dtype=torch.float64, generator=generator)
    step = variational.backward(a, a_prev, sigma)
    means = [step.mean(x, (x - math.sqrt(1 - a) * e) / math.sqrt(a)) for e in (eps, eps_hat)]
    covariance = sigma**2 * torch.eye(d, dtype=torch.float64)
    q, p = (MultivariateNormal(mean, covariance) for mean in means)
    expected = float(kl_divergence(q, p))
    got = variational.gamma(a, a_prev, sigma) * float((eps - eps_hat).square().sum())
    assert got == pytest.approx(expected, rel=1e-9)


def test_gamma_at_eta_1_is_ddpms_equation_12():
    for t in (2, 100, 1000):
        a, a_prev = A[t], A[t - 1]
        beta, sigma = 1 - a / a_prev, schedule.sigma(a, a_prev, 1.0)
        theirs = beta**2 / (2 * sigma**2 * (1 - beta) * (1 - a))
        assert variational.gamma(a, a_prev, sigma) == pytest.approx(theirs, rel=1e-8)


def test_the_printed_gamma_differs_by_more_than_a_constant():
    """1 / (2 sigma^2 a): had only constants been dropped, the ratio would not depend on t."""
    ratios = []
    for t in (10, 500, 990):
        sigma = schedule.sigma(A[t], A[t - 1], 1.0)
        ratios.append(variational.gamma(A[t], A[t - 1], sigma) * 2 * sigma**2 * A[t])
    assert max(ratios) / min(ratios) > 10


def test_kl_of_two_variances_equals_torchs():
    q, p = (
        Normal(torch.tensor(0.3), torch.tensor(0.5)),
        Normal(torch.tensor(0.1), torch.tensor(0.8)),
    )
    assert variational.kl(-0.2, 0.5, 0.8) == pytest.approx(float(kl_divergence(q, p)), rel=1e-5)


def test_prior_term_equals_torchs_kl():
    x0 = torch.tensor([[[[0.5, -1.0]]], [[[1.0, 0.25]]]])
    a = 0.3
    q = Normal(math.sqrt(a) * x0, math.sqrt(1 - a))
    expected = kl_divergence(q, Normal(0.0, 1.0)).flatten(1).mean(1)
    torch.testing.assert_close(variational.prior_nats(x0, a).float(), expected)


@pytest.mark.parametrize("std", [0.007, 0.3])
def test_decoder_probabilities_of_all_256_levels_add_up_to_one(std):
    levels = (torch.arange(256, dtype=torch.float64) / 127.5 - 1).reshape(-1, 1, 1, 1)
    for mean in (-1.2, -0.3, 0.9999):
        p = torch.exp(-variational.decoder_nats(levels, torch.full_like(levels, mean), std))
        assert float(p.sum()) == pytest.approx(1, abs=1e-9)


def test_decoder_far_from_its_mean_is_finite_and_symmetric():
    x0 = torch.tensor([[[[20 / 127.5 - 1]]], [[[235 / 127.5 - 1]]]])
    nats = variational.decoder_nats(x0, -x0, 0.007)
    assert nats.isfinite().all()
    assert float(nats[0]) == pytest.approx(float(nats[1]), rel=1e-6)


def test_the_bound_of_a_perfect_network_is_entropy_plus_the_known_gaps():
    """x_0 ~ N(0, s^2), exact eps: each step's gap is the KL of its true variance and beta-tilde."""
    s, n, std = 0.3, 4000, variational.decoder_std(ALPHA_BAR)
    generator = torch.Generator().manual_seed(0)

    def randn():
        return torch.randn(n, 1, dtype=torch.float64, generator=generator)

    x0 = ((s * randn()).clamp(-1, 1) * 127.5 + 127.5).round() / 127.5 - 1
    errors, gap = [], 0.0
    for t in range(1, 1001):
        a, eps = A[t], randn()
        x = math.sqrt(a) * x0 + math.sqrt(1 - a) * eps
        eps_hat = math.sqrt(1 - a) * x / (a * s * s + 1 - a)
        errors.append((eps - eps_hat).square().mean(1))
        given_x = s * s * (1 - a) / (a * s * s + 1 - a)  # the variance of x_0, given x_t
        if t == 1:
            mean = (x - math.sqrt(1 - a) * eps_hat) / math.sqrt(a)
            gap += variational.kl(0.0, math.sqrt(given_x), std)
        else:
            step = variational.ddpm_posterior(a, A[t - 1])
            true = math.sqrt(step.std**2 + step.of_x0**2 * given_x)
            gap += variational.kl(0.0, true, step.std)
    bound = variational.Bound(
        variational.prior_nats(x0, A[-1]) / math.log(2),
        variational.step_bits(torch.stack(errors), ALPHA_BAR, variational.eta(1.0)),
        variational.decoder_nats(x0, mean, std) / math.log(2),
    )
    entropy = math.log2(s * math.sqrt(2 * math.pi * math.e) * 127.5)  # in bits, bins of 1/127.5
    assert float(bound.total.mean()) == pytest.approx(entropy + gap / math.log(2), abs=0.1)


def test_the_larger_variance_gives_the_kl_of_its_gaussians():
    errors = torch.full((1000, 1), 0.04)
    a, a_prev = A[500], A[499]
    step, eps_error = variational.ddpm_posterior(a, a_prev), 0.2
    difference = step.of_x0 * math.sqrt((1 - a) / a) * eps_error
    p = Normal(torch.tensor(difference), torch.tensor(math.sqrt(1 - a / a_prev)))
    expected = float(kl_divergence(Normal(torch.tensor(0.0), torch.tensor(step.std)), p))
    bits = variational.larger_variance_bits(errors, ALPHA_BAR)
    assert float(bits[498, 0]) * math.log(2) == pytest.approx(expected, rel=1e-3)


def test_only_the_weights_know_sigma():
    errors = torch.rand(1000, 4)
    small, large = (
        variational.step_bits(errors, ALPHA_BAR, variational.eta(e)) for e in (0.2, 1.0)
    )
    ratio = small / large
    torch.testing.assert_close(ratio, ratio[:, :1].expand_as(ratio))


def test_an_impossible_sigma_is_refused():
    with pytest.raises(ValueError, match="sigma must lie in"):
        variational.backward(A[500], A[499], 1.1)
    with pytest.raises(ValueError, match="sigma must lie in"):
        variational.forward(A[500], A[499], -0.1)

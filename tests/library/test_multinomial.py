"""Appendix A on small K, by enumerating everything that can happen."""

import itertools

import pytest
import torch
from torch.nn import functional as F

from ddim import multinomial

F64 = torch.float64


def one_hot(k: int, K: int) -> torch.Tensor:
    return F.one_hot(torch.tensor(k), K).to(F64)


def largest_sigma(a: float, a_prev: float) -> float:
    return (1 - a_prev) / (1 - a)


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("K", [2, 3, 5])
def test_posterior_keeps_the_marginals(K, share):
    """sum over x_t of q(x_prev | x_t, x_0) q(x_t | x_0) = q(x_prev | x_0)."""
    a, a_prev = 0.35, 0.8
    sigma = share * largest_sigma(a, a_prev)
    for k in range(K):
        x0 = one_hot(k, K)
        q = multinomial.marginal(x0, a)
        mixed = sum(
            q[x] * multinomial.posterior(one_hot(x, K), x0, a, a_prev, sigma) for x in range(K)
        )
        torch.testing.assert_close(mixed, multinomial.marginal(x0, a_prev), rtol=0, atol=1e-12)


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
def test_the_joint_over_every_path_has_every_marginal(eta):
    """All K^T paths of T = 4 steps and K = 3 classes, T..0."""
    K, alpha = 3, multinomial.alpha(4)
    x0 = one_hot(1, K)
    totals = torch.zeros(5, K, dtype=F64)
    for path in itertools.product(range(K), repeat=4):  # x_4, x_3, x_2, x_1
        p = float(multinomial.marginal(x0, float(alpha[4]))[path[0]])
        for i, t in enumerate((4, 3, 2)):
            a, a_prev = float(alpha[t]), float(alpha[t - 1])
            sigma = multinomial.sigma(a, a_prev, eta)
            p *= float(
                multinomial.posterior(one_hot(path[i], K), x0, a, a_prev, sigma)[path[i + 1]]
            )
        for i, t in enumerate((4, 3, 2, 1)):
            totals[t, path[i]] += p
    for t in range(1, 5):
        expected = multinomial.marginal(x0, float(alpha[t]))
        torch.testing.assert_close(totals[t], expected, rtol=0, atol=1e-12)


def exact_predictor(prior: torch.Tensor, alpha: torch.Tensor):
    """p(x_0 | x_t) by Bayes' rule for a single pixel with this distribution of x_0."""
    K = len(prior)

    def predict(x, t):
        a = alpha[t].reshape(-1, *[1] * x.ndim)
        likelihood = a * torch.eye(K, dtype=F64)[x] + (1 - a) / K  # [..., x_0] of the seen x
        joint = likelihood * prior
        return joint / joint.sum(-1, keepdim=True)

    return predict


@pytest.mark.parametrize("tau", [[1, 2, 3, 4, 5, 6], [1, 4, 6], [6]])
@pytest.mark.parametrize("eta", [0.0, 0.3, 1.0])
def test_exact_probabilities_give_the_exact_distribution_for_every_trajectory(eta, tau):
    """The sampler's transition matrices, multiplied out: no error, however few the steps."""
    prior, alpha = torch.tensor([0.6, 0.3, 0.1], dtype=F64), multinomial.alpha(6)
    predict, K = exact_predictor(prior, alpha), 3
    p = torch.full((K,), 1 / K, dtype=F64)
    states = torch.arange(K)
    for t, t_prev in zip(reversed(tau), [*reversed(tau[:-1]), 0], strict=True):
        a, a_prev = float(alpha[t]), float(alpha[t_prev])
        x0_hat = predict(states, torch.full((K,), t))
        sigma = multinomial.sigma(a, a_prev, eta)
        p = p @ multinomial.posterior(torch.eye(K, dtype=F64), x0_hat, a, a_prev, sigma)
    torch.testing.assert_close(p, prior, rtol=0, atol=1e-12)


@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_sampled_frequencies_follow_the_prior(eta):
    prior, alpha, n = torch.tensor([0.6, 0.3, 0.1], dtype=F64), multinomial.alpha(20), 20_000
    generator = torch.Generator().manual_seed(0)
    x_T = torch.randint(0, 3, (n, 2), generator=generator)
    x = multinomial.sample(
        exact_predictor(prior, alpha),
        x_T,
        3,
        alpha,
        [1, 7, 13, 20],
        eta,
        rand_like=lambda p: torch.rand(p.shape, dtype=p.dtype, generator=generator),
    )
    frequencies = torch.stack([(x == k).double().mean() for k in range(3)])
    torch.testing.assert_close(frequencies, prior, rtol=0, atol=0.012)


def test_eta_0_keeps_x_or_takes_the_prediction_and_nothing_else():
    alpha, K = multinomial.alpha(10), 4
    a, a_prev = float(alpha[7]), float(alpha[5])
    p = multinomial.posterior(
        one_hot(0, K), one_hot(2, K), a, a_prev, multinomial.sigma(a, a_prev, 0.0)
    )
    assert p[[1, 3]].abs().max() < 1e-15
    assert p[0] > 0
    assert p[2] > 0


def test_kl_of_a_step_is_bounded_by_the_weighted_cross_entropy():
    """KL(posterior(x, x0) || posterior(x, p)) <= (a_prev - sigma a) KL(x0 || p), by convexity.

    So the objective of App. A is a weighted cross-entropy, and only the weights know sigma.
    """
    a, a_prev = 0.4, 0.7
    sigma = multinomial.sigma(a, a_prev, 0.5)
    x, x0 = one_hot(0, 3), one_hot(2, 3)
    guess = torch.tensor([0.2, 0.3, 0.5], dtype=F64)
    q, p = (multinomial.posterior(x, target, a, a_prev, sigma) for target in (x0, guess))
    kl = float((q * (q / p).log()).sum())
    assert 0 < kl <= (a_prev - sigma * a) * -float(guess[2].log())


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="eta"):
        multinomial.sigma(0.3, 0.6, 1.5)
    with pytest.raises(ValueError, match="sigma must lie in"):
        multinomial.posterior(one_hot(0, 2), one_hot(1, 2), 0.3, 0.6, 0.9)
    with pytest.raises(ValueError, match="T >= 1"):
        multinomial.alpha(0)
    x = torch.zeros(2, 1, dtype=torch.int64)
    with pytest.raises(ValueError, match="strictly increasing"):
        multinomial.sample(lambda x, t: x, x, 2, multinomial.alpha(5), [2, 2])

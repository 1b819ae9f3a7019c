"""Features whose distribution is known: correlated Gaussians, and samples with exact moments."""

import numpy as np


def gaussian(n: int, dim: int, seed: int, spread: float = 1.0) -> np.ndarray:
    """Correlated Gaussian features, float32 [n,dim]; the same covariance for every seed."""
    mixing = np.random.default_rng(7).standard_normal((dim, dim)) / dim**0.5
    draws = np.random.default_rng(seed).standard_normal((n, dim))
    return (spread * draws @ mixing).astype(np.float32)


def with_moments(mean: np.ndarray, root: np.ndarray, n: int, seed: int) -> np.ndarray:
    """Float64 features whose sample mean and sample covariance are `mean` and root^T root."""
    draws = np.random.default_rng(seed).standard_normal((n, len(mean)))
    white, _ = np.linalg.qr(draws - draws.mean(0))
    return white * (n - 1) ** 0.5 @ root + mean

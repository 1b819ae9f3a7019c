"""The Inception score: torch-fidelity's number, one split's logits in memory at a time.

It is defined by the 1,008 classes of Inception: other classifiers have no such score.
"""

from collections.abc import Callable

import numpy as np
import torch

from ddim.evaluation.feature_arrays import check_features

Head = Callable[[np.ndarray], np.ndarray]  # features float32 [k,D] -> logits float32 [k,K]
SPLITS = 10  # as in the score's paper


def inception_score(features: np.ndarray, head: Head, *, seed: int) -> float:
    """exp of the mean KL(p(y|x) || p(y)) over features [n,D], mean over 10 splits of them.

    head: gives the logits. seed: of the order in which images are split.
    """
    check_features(generated=features)
    n = len(features)
    if n < SPLITS:
        raise ValueError(
            f"the Inception score needs at least {SPLITS} images, got {n}: raise sample.num_images"
        )
    from torch_fidelity.metric_isc import isc_features_to_metric  # as heavy as Inception itself

    shuffled = np.random.RandomState(seed).permutation(n)  # as torch-fidelity shuffles
    scores = []
    for i in range(SPLITS):
        logits = head(features[shuffled[i * n // SPLITS : (i + 1) * n // SPLITS]])
        score = isc_features_to_metric(torch.tensor(logits), splits=1, shuffle=False)
        scores.append(score["inception_score_mean"])
    return float(np.mean(scores))

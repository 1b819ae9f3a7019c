"""Section path: the states and predictions of a trajectory."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from helpers.analysis_fixture import context, saved, settings
from PIL import Image

from ddim.analysis import path
from ddim.images import to_uint8
from ddim.records.verdict import CONTRADICTED, REPRODUCED


def test_a_path_settles_and_is_animated(tmp_path: Path) -> None:
    content = saved(path, context(), tmp_path)
    assert content["numbers"]["distance_at_start"] > path.SETTLED_THRESHOLD
    assert 0 < content["numbers"]["settled_at_t"] < 1000
    assert [verdict["word"] for verdict in content["verdicts"]] == [REPRODUCED]
    with Image.open(tmp_path / "section" / "path.png") as animation:
        assert animation.n_frames > 10


def test_a_path_ends_in_the_image_that_its_latent_decodes_to() -> None:
    made = context()
    measured = path.measure(made)
    decoded = made.decode(made.noise(1001, 16), 20)
    np.testing.assert_array_equal(measured.final, to_uint8(decoded[:3]).numpy())
    np.testing.assert_array_equal(measured.predictions[-1], measured.final)


def test_distances_are_roots_of_squared_errors_in_distances_of_two_images() -> None:
    made = context()
    measured = path.measure(made)
    x_0 = made.decode(made.noise(1001, 16), 20)
    unrelated = (x_0 - x_0.roll(1, dims=0)).flatten(1).double().norm(dim=1).mean()
    first = path._states(made, 16)[1].x0_hat
    assert first is not None
    expected = (first - x_0).flatten(1).double().norm(dim=1) / unrelated
    np.testing.assert_allclose(measured.distances[0], expected.numpy(), rtol=1e-4)


def test_a_prediction_that_blurs_contradicts_the_claim() -> None:
    measured = path.measure(context())
    backwards = replace(measured, distances=measured.distances[::-1])
    assert [verdict.word for verdict in path.present(backwards).verdicts] == [CONTRADICTED]


def test_settled_means_from_there_on() -> None:
    measured = path.measure(context())
    distances = np.full_like(measured.distances, 0.01)
    distances[-3] = 0.9  # near at first, then away again
    assert replace(measured, distances=distances).settled_t == measured.times[-2]


def test_fewer_steps_than_quarters_give_no_verdict(tmp_path: Path) -> None:
    content = saved(path, context(settings(steps=3)), tmp_path)
    assert not content.get("verdicts")

"""Section interpolate: slerp, the straight line and the cross-fade."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.analysis_fixture import context, saved

from ddim.analysis import interpolate
from ddim.analysis.interpolate import ENCODED, ENDS, FADE, LINE, RANDOM, SLERP
from ddim.images import to_uint8
from ddim.noise import Noise
from ddim.records.verdict import CONTRADICTED, REPRODUCED


def test_interpolation_keeps_its_ends_and_measures_all_ways(tmp_path: Path) -> None:
    made = context()
    latents = made.noise(5, 2)
    images = interpolate.decode_paths(made, latents, SLERP)
    assert images.shape == (1, 5, 1, 8, 8)
    np.testing.assert_array_equal(images[0, 0], to_uint8(made.decode(latents, 20))[0].numpy())
    content = saved(interpolate, made, tmp_path)
    assert content["numbers"]["random_slerp_length"] >= 1
    assert [len(table["rows"]) for table in content["tables"]] == [6, 4]
    assert content["figures"][0]["file"] == "encoded.png"
    assert len(content["verdicts"]) == 1


def test_a_cross_fade_has_the_same_ends_and_the_mean_of_them_in_its_middle() -> None:
    paths = np.random.default_rng(0).integers(0, 256, (2, 5, 1, 8, 8), dtype=np.uint8)
    faded = interpolate.cross_fade(paths)
    np.testing.assert_array_equal(faded[:, [0, -1]], paths[:, [0, -1]])
    middle = (paths[:, 0].astype(float) + paths[:, -1]) / 2
    assert np.abs(faded[:, 2] - middle).max() <= 0.5


def test_the_middle_of_a_straight_line_leaves_the_shell_and_slerps_does_not() -> None:
    latents = Noise(0, range(20), (1, 8, 8)).draw()
    assert interpolate.middle_norm(latents, LINE) == pytest.approx(0.5**0.5, abs=0.03)
    assert interpolate.middle_norm(latents, SLERP) == pytest.approx(1, abs=0.01)


def _with_middles(result: interpolate.InterpolationResult, method: str, factor: float):
    """`result` with middles of `method` that are `factor` times as far from real images."""
    quality = dict(result.quality)
    for ends in ENDS:
        nearest = quality[ends, method].nearest.copy()
        nearest[:, nearest.shape[1] // 2] *= factor
        quality[ends, method] = replace(quality[ends, method], nearest=nearest)
    return replace(result, quality=quality)


def test_the_verdict_and_the_text_follow_the_distances() -> None:
    result = interpolate.measure(context())
    near = interpolate.present(_with_middles(result, SLERP, 0.1))
    far = interpolate.present(_with_middles(result, SLERP, 10.0))
    assert [near.verdicts[0].word, far.verdicts[0].word] == [REPRODUCED, CONTRADICTED]
    assert "slerp's middle image is nearer" in near.text
    assert "slerp's middle image is farther" in far.text


def test_differences_are_taken_path_by_path() -> None:
    result = interpolate.measure(context())
    ours, fade = (result.quality[ENCODED, method] for method in (SLERP, FADE))
    ends = ours.nearest[:, [0, -1]].mean()
    expected = (ours.nearest[:, 2] - fade.nearest[:, 2]) / ends
    np.testing.assert_allclose(result.farther(ENCODED, FADE), expected)
    np.testing.assert_array_equal(result.farther(RANDOM, SLERP), 0)


def test_nearest_neighbours_are_found_by_distance() -> None:
    real = np.array([[0.0, 0.0], [3.0, 4.0]], np.float32)
    distances = interpolate.nearest_neighbour(np.array([[0.0, 1.0], [3.0, 3.0]]), real)
    assert distances.tolist() == [1, 1]


def test_corner_grid_has_the_four_latents_in_its_corners() -> None:
    corners = Noise(0, range(4), (1, 2, 2)).draw()
    grid = interpolate.corner_grid(corners, 5)
    torch.testing.assert_close(grid[[0, 4, 20, 24]], corners)

"""Sections on single latents: invert, path, interpolate, edit; on the exact oracle."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.analysis_fixture import context, saved, settings
from PIL import Image

from ddim.analysis import edit, interpolate, invert, path
from ddim.images import to_uint8
from ddim.noise import Noise
from ddim.records.prepared import Split


def test_invert_measures_exactly_no_spread_and_a_smaller_error(tmp_path: Path) -> None:
    numbers = saved(invert, context(), tmp_path)["numbers"]
    assert numbers["ddim_spread"] == numbers["ddim_largest_difference"] == 0
    assert numbers["ddpm_spread"] == pytest.approx(1, abs=0.1)  # no bias, with three draws
    assert numbers["ddim_round_trip"] < numbers["ddpm_round_trip"] / 10


def test_the_exact_networks_latents_pass_for_normal(tmp_path: Path) -> None:
    """Gaussian data: what encoding gets wrong is its step length alone."""
    cfg = settings(num_images=20, steps=200)
    numbers = saved(invert, context(cfg), tmp_path)["numbers"]
    assert numbers["latent_variance"] == pytest.approx(1, abs=0.1)
    assert numbers["norm_ks_p"] > 0.01
    assert numbers["norm_mean_of_chi"] == pytest.approx(7.97, abs=0.01)  # of 64 numbers


def test_constant_pixels_are_told_from_varying_ones(tmp_path: Path) -> None:
    images = context().train.images.copy()
    images[:, :, 0] = 0
    content = saved(invert, context(train=Split(images, None)), tmp_path)
    assert "The 8 of 64 values that hardly change" in content["text"]
    assert {"latent_std_constant_pixels", "latent_std_varying_pixels"} <= set(content["numbers"])


def test_path_settles_and_is_animated(tmp_path: Path) -> None:
    content = saved(path, context(), tmp_path)
    assert content["numbers"]["error_at_start"] > 0.1
    assert 0 < content["numbers"]["settled_at_t"] < 1000
    with Image.open(tmp_path / "section" / "path.png") as animation:
        assert animation.n_frames > 10


def test_a_path_ends_in_the_image_that_its_latent_decodes_to() -> None:
    made = context()
    measured = path.measure(made)
    decoded = made.decode(made.noise(1001, 16), 20)
    np.testing.assert_array_equal(measured.final, to_uint8(decoded[:3]).numpy())
    np.testing.assert_array_equal(measured.predictions[-1], measured.final)


def test_interpolation_keeps_its_ends_and_measures_both_ways(tmp_path: Path) -> None:
    made = context()
    latents = made.noise(5, 2)
    images = interpolate.decode_paths(made, latents, interpolate.SLERP)
    assert images.shape == (1, 5, 1, 8, 8)
    np.testing.assert_array_equal(images[0, 0], to_uint8(made.decode(latents, 20))[0].numpy())
    content = saved(interpolate, made, tmp_path)
    assert content["numbers"]["random_slerp_length"] >= 1
    assert len(content["tables"][0]["rows"]) == 4


def test_nearest_neighbours_are_found_by_distance() -> None:
    real = np.array([[0.0, 0.0], [3.0, 4.0]], np.float32)
    distances = interpolate.nearest_neighbour(np.array([[0.0, 1.0], [3.0, 3.0]]), real)
    assert distances.tolist() == [1, 1]


def test_corner_grid_has_the_four_latents_in_its_corners() -> None:
    corners = Noise(0, range(4), (1, 2, 2)).draw()
    grid = interpolate.corner_grid(corners, 5)
    torch.testing.assert_close(grid[[0, 4, 20, 24]], corners)


def test_edit_judges_both_directions(tmp_path: Path) -> None:
    content = saved(edit, context(), tmp_path)
    assert len(content["tables"][0]["rows"]) == 4
    labels = np.array([0, 0, 0, 2])
    targets = edit.choose_targets(labels, 3)
    assert (targets != labels).all()
    assert set(targets) <= {0, 1, 2}


def test_strength_0_changes_nothing_in_either_direction() -> None:
    measured = edit.measure(context())
    nothing = [change for change in measured.edits if change.strength == 0]
    assert len({change.row[2:] for change in nothing}) == 1
    assert nothing[0].as_target[0] <= 1 - nothing[0].as_itself


def test_edit_without_labels_says_so_instead_of_showing_something_else(tmp_path: Path) -> None:
    made = context()
    made = context(train=replace(made.train, labels=None))
    content = saved(edit, made, tmp_path)
    assert "needs labels" in content["finding"]
    assert content["figures"] == []


def test_a_class_without_training_images_is_named() -> None:
    train = context().train
    labels = np.full(len(train.images), 2, np.int64)
    with pytest.raises(ValueError, match="class 0 has no training image"):
        edit.measure(context(train=replace(train, labels=labels)))

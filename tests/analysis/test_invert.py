"""Section invert: encoding an image again and again, and how normal its latents are."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.analysis_fixture import context, saved, settings

from ddim.analysis import invert
from ddim.images import to_float, to_uint8
from ddim.records.prepared import Split
from ddim.records.verdict import CONTRADICTED, REPRODUCED


def test_no_spread_and_a_smaller_error_are_measured(tmp_path: Path) -> None:
    content = saved(invert, context(), tmp_path)
    numbers = content["numbers"]
    assert numbers["ddim_spread"] == numbers["ddim_largest_difference"] == 0
    assert numbers["ddpm_spread"] == pytest.approx(1, abs=0.1)  # no bias, with three draws
    assert numbers["ddim_round_trip"] < numbers["ddpm_round_trip"] / 10
    assert [verdict["word"] for verdict in content["verdicts"]] == [REPRODUCED, REPRODUCED]
    assert content["figures"][0]["file"] == "round_trip.png"


def test_verdicts_and_text_come_out_the_other_way_where_the_encoders_are_exchanged() -> None:
    result = invert.measure(context())
    content = invert.present(replace(result, ddpm=result.ddim, ddim=result.ddpm))
    assert [verdict.word for verdict in content.verdicts] == [CONTRADICTED, CONTRADICTED]
    assert "equal to the last bit" in invert.present(result).text
    assert "equal to the last bit" not in content.text


def test_the_exact_networks_latents_pass_for_normal(tmp_path: Path) -> None:
    """Gaussian data: what encoding gets wrong is its step length alone."""
    cfg = settings(num_images=20, steps=200)
    numbers = saved(invert, context(cfg), tmp_path)["numbers"]
    assert numbers["latent_variance"] == pytest.approx(1, abs=0.1)
    assert numbers["norm_ks_p"] > 0.01
    assert numbers["norm_mean_of_chi"] == pytest.approx(7.97, abs=0.01)  # of 64 numbers


def test_dequantising_fills_one_grey_level_evenly_and_is_a_function_of_the_image_number() -> None:
    made = context()
    grey = torch.arange(256, dtype=torch.uint8)[:, None, None, None].expand(-1, 1, 8, 8)
    images = to_float(grey)
    x_0 = invert.dequantise(made, images)
    torch.testing.assert_close(to_uint8(x_0), grey)
    levels = (x_0 - images).double() * 127.5
    assert float(levels.min()) >= -0.5001
    assert float(levels.max()) <= 0.5001
    assert float(levels.std()) == pytest.approx(12**-0.5, rel=0.02)
    torch.testing.assert_close(invert.dequantise(made, images[:5]), x_0[:5])


def test_round_trips_are_judged_against_the_images_and_not_what_was_encoded() -> None:
    made = context()
    result = invert.measure(made)
    images = made.held_out(16)
    back = made.decode(made.encode(invert.dequantise(made, images), 20), 20)
    expected = ((back - images).double() / 2).square().flatten(1).mean(1).numpy()
    np.testing.assert_allclose(result.ddim.errors, expected, rtol=1e-4)


def test_constant_pixels_are_told_from_varying_ones_and_shown(tmp_path: Path) -> None:
    images = context().train.images.copy()
    images[:, :, 0] = 0
    content = saved(invert, context(train=Split(images, None)), tmp_path)
    assert "8 of 64 values hardly vary" in content["text"]
    assert {"latent_std_constant_pixels", "latent_std_varying_pixels"} <= set(content["numbers"])
    assert "pixels.png" in [figure["file"] for figure in content["figures"]]


def test_where_all_pixels_vary_there_is_no_map_of_them(tmp_path: Path) -> None:
    content = saved(invert, context(), tmp_path)
    assert "No pixel hardly varies" in content["text"]
    assert "pixels.png" not in [figure["file"] for figure in content["figures"]]

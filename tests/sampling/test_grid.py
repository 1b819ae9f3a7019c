"""The grid on disk: what leaves it is kept apart, what joins it is not sampled again."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from test_cell import cfg as cfg
from test_cell import planned, sample

from ddim.config import paths, schema
from ddim.records import samples
from ddim.records.timing import Timing
from ddim.sampling import cell, grid


def settled(cfg: schema.Config) -> set[str]:
    """The names of the cells in `samples` after the grid was settled."""
    grid.settle(cfg, cell.weights_in_use(cfg))
    return {path.name for path in paths.all_samples(cfg).glob("*")}


def sampled_with_timing(cfg: schema.Config) -> np.ndarray:
    plan = sample(cfg)
    Timing.now(cfg.trainer, 1.5, plan.n).write(paths.cell_timing(cfg))
    return np.load(paths.samples_file(cfg))


def test_a_grid_that_shrinks_and_grows_again_samples_nothing_twice(cfg: schema.Config) -> None:
    images = sampled_with_timing(cfg)
    less = replace(cfg, sweep=replace(cfg.sweep, steps=[4]), cell=replace(cfg.cell, steps=4))
    assert settled(less) == set()
    folder = paths.extra(cfg) / "S2_eta0.0_seed0"
    names = {"samples.npy", "sampled.json", "timing.json"}
    assert {path.name for path in folder.iterdir()} == names
    assert not paths.cell_timing(cfg).exists()

    assert settled(cfg) == {"S2_eta0.0_seed0"}
    assert cell.is_sampled(cfg, planned(cfg))
    assert np.array_equal(np.load(paths.samples_file(cfg)), images)
    assert paths.cell_timing(cfg).is_file()
    assert not folder.exists()


def test_a_cell_sampled_by_hand_joins_the_grid_without_its_measurement(cfg: schema.Config) -> None:
    outside = replace(cfg, sweep=replace(cfg.sweep, steps=[4]))
    sampled_with_timing(outside)
    paths.cell_record(outside).write_text("{}")
    assert settled(cfg) == {"S2_eta0.0_seed0"}
    files = {path.name for path in paths.samples(cfg).iterdir()}
    assert files == {"samples.npy", "sampled.json"}


def test_a_cell_of_another_recipe_stays_outside(cfg: schema.Config) -> None:
    outside = replace(cfg, sweep=replace(cfg.sweep, steps=[4]))
    sampled_with_timing(outside)
    more = replace(cfg, sample=replace(cfg.sample, num_images=7))
    assert settled(more) == set()
    assert paths.samples(outside).is_dir()


def test_a_folder_of_another_name_is_moved_out(cfg: schema.Config) -> None:
    """Nothing else may lie in an output of DVC, where the report would take it for a cell."""
    stray = paths.all_samples(cfg) / "S2_eta0.0_seed0 (copy)"
    stray.mkdir(parents=True)
    assert settled(cfg) == set()
    assert (paths.extra(cfg) / stray.name).is_dir()


@pytest.mark.parametrize("damage", ["flipped", "truncated", "gone", "record"])
def test_damaged_images_are_named_and_count_as_absent(
    cfg: schema.Config, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    plan, path = sample(cfg), paths.samples_file(cfg)
    capsys.readouterr()
    content = bytearray(path.read_bytes())
    if damage == "flipped":
        content[-1] ^= 1
        path.write_bytes(content)
    elif damage == "truncated":
        path.write_bytes(content[:-5])
    elif damage == "gone":
        path.unlink()
    elif damage == "record":
        paths.sampled_record(cfg).write_text("[1, 2")
    assert not cell.is_sampled(cfg, plan)
    told = capsys.readouterr().out
    assert told.count("\n") == 1
    assert str(paths.samples(cfg)) in told
    assert "python -m ddim.stages.sample cell.steps=2" in told


def test_images_of_another_cell_are_not_measured_as_this_one(cfg: schema.Config) -> None:
    other = replace(cfg, cell=replace(cfg.cell, steps=4))
    plan = sample(cfg)
    sample(other)
    for name in (paths.SAMPLES, paths.SAMPLED):
        (paths.samples(other) / name).replace(paths.samples(cfg) / name)
    assert not cell.is_sampled(cfg, plan)
    with pytest.raises(ValueError, match=r"holds S4_eta0\.0_seed0, not S2"):
        samples.load(cfg)


def test_the_place_of_a_cell(cfg: schema.Config) -> None:
    assert paths.extra(cfg) == Path("out/digits/extra")
    assert paths.cell_lock(cfg).name == "digits-S2_eta0.0_seed0.lock"

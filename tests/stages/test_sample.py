"""The grid on disk: what leaves it is kept apart, what joins it is not sampled again."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.cells import cfg as cfg
from helpers.cells import planned, sample

from ddim.config import paths, schema
from ddim.records.timing import Timing
from ddim.sampling import cell
from ddim.stages import sample as stage_sample
from ddim.stages.sample import is_there, move_out


def names_after_moving(cfg: schema.Config) -> set[str]:
    """The names of the cells in `samples` after the stage has looked for all of the grid's."""
    move_out(cfg)
    for each in cfg.cells():
        is_there(each, planned(each), move=True)
    return {path.name for path in paths.all_samples(cfg).glob("*")}


def sampled_with_timing(cfg: schema.Config) -> np.ndarray:
    plan = sample(cfg)
    Timing.now(cfg.trainer, 1.5, plan.n).write(paths.cell_timing(cfg))
    return np.load(paths.samples_file(cfg))


def test_a_grid_that_shrinks_and_grows_again_samples_nothing_twice(cfg: schema.Config) -> None:
    images = sampled_with_timing(cfg)
    less = replace(cfg, sweep=replace(cfg.sweep, steps=[4]), cell=replace(cfg.cell, steps=4))
    assert names_after_moving(less) == set()
    folder = paths.extra(cfg) / "S2_eta0.0_seed0"
    names = {"samples.npy", "sampled.json", "timing.json"}
    assert {path.name for path in folder.iterdir()} == names
    assert not paths.cell_timing(cfg).exists()

    assert names_after_moving(cfg) == {"S2_eta0.0_seed0"}
    assert cell.is_sampled(cfg, planned(cfg))
    assert np.array_equal(np.load(paths.samples_file(cfg)), images)
    assert paths.cell_timing(cfg).is_file()
    assert not folder.exists()


def test_a_cell_sampled_by_hand_joins_the_grid_without_its_measurement(cfg: schema.Config) -> None:
    outside = replace(cfg, sweep=replace(cfg.sweep, steps=[4]))
    sampled_with_timing(outside)
    paths.cell_record(outside).write_text("{}")
    assert names_after_moving(cfg) == {"S2_eta0.0_seed0"}
    files = {path.name for path in paths.samples(cfg).iterdir()}
    assert files == {"samples.npy", "sampled.json"}


def test_a_cell_of_another_recipe_stays_outside(cfg: schema.Config) -> None:
    outside = replace(cfg, sweep=replace(cfg.sweep, steps=[4]))
    sampled_with_timing(outside)
    more = replace(cfg, sample=replace(cfg.sample, num_images=7))
    assert names_after_moving(more) == set()
    assert paths.samples(outside).is_dir()


def test_a_folder_of_another_name_is_moved_out(cfg: schema.Config) -> None:
    """Nothing else may lie in an output of DVC, where the report would take it for a cell."""
    stray = paths.all_samples(cfg) / "S2_eta0.0_seed0 (copy)"
    stray.mkdir(parents=True)
    assert names_after_moving(cfg) == set()
    assert (paths.extra(cfg) / stray.name).is_dir()


@pytest.mark.parametrize("devices", [1, 2])
def test_who_moves_waits_for_a_lock_only_where_it_is_alone(
    cfg: schema.Config, monkeypatch: pytest.MonkeyPatch, devices: int
) -> None:
    """Others would go on without it."""
    several = replace(cfg, trainer=replace(cfg.trainer, devices=devices))
    (paths.all_samples(cfg) / "stray").mkdir(parents=True)
    waits: list[bool] = []

    def exclusive(path: Path, what: str, *, wait: bool = True) -> AbstractContextManager[None]:
        waits.append(wait)
        return nullcontext()

    monkeypatch.setattr(stage_sample, "exclusive", exclusive)
    move_out(several)
    assert waits == [devices == 1]


def test_other_processes_see_a_cell_in_either_place_and_move_nothing(cfg: schema.Config) -> None:
    """The first of them may have moved it already, or not yet."""
    outside = replace(cfg, sweep=replace(cfg.sweep, steps=[4]))
    sampled_with_timing(outside)
    folder, plan = paths.samples(outside), planned(cfg)
    for _ in range(2):
        assert is_there(cfg, plan, move=False)
        assert folder.is_dir()
    assert is_there(cfg, plan, move=True)
    assert not folder.exists()
    assert is_there(cfg, plan, move=False)


def test_images_of_another_plan_give_way_to_those_that_wait_outside(cfg: schema.Config) -> None:
    outside = replace(cfg, sweep=replace(cfg.sweep, steps=[4]))
    images = sampled_with_timing(outside)
    more = replace(cfg, sample=replace(cfg.sample, num_images=7))
    sample(more)
    assert is_there(cfg, planned(cfg), move=True)
    assert np.array_equal(np.load(paths.samples_file(cfg)), images)

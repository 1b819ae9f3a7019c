"""Stage `sample`: the images of every cell of the grid, each as samples.npy in a folder of its own.

`out/<name>/samples` holds the cells of the grid and nothing else. A cell that is there with the
same fingerprint is kept; one that left the grid is moved to `out/<name>/extra`, and back when it
joins it again: nothing is sampled twice. With cell.* on the command line, in a multirun, or with a
scheduler of diffusers, that cell alone is sampled; one outside the grid lies in `extra`, where no
stage of the pipeline looks. weights=NAME takes the weights and all settings of the report NAME, and
samples 20 images into `out/NAME-weights`: no training, no data set.

Of several processes the first alone moves and writes; the others see a cell in either place.
"""

import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from ddim.config import paths
from ddim.config.schema import Config
from ddim.records import published
from ddim.runtime.cli import selects, stage
from ddim.runtime.lock import exclusive
from ddim.stages.ready import ready

if TYPE_CHECKING:
    from ddim.sampling.cell import CellPlan
    from ddim.sampling.network import EpsModel

_TIMING = "timing.json"  # of a cell outside the grid, in its own folder


def run(cfg: Config) -> None:
    """Sample what is missing, or was sampled of something else."""
    published.require(cfg)
    from ddim.sampling import cell

    weights, network, first = cell.weights_in_use(cfg), Network(cfg), _is_first_process(cfg)
    by_hand = selects("cell") or cfg.sampler.scheduler is not None or cfg.weights is not None
    if first and not by_hand:
        move_out(cfg)
    plans = [(each, cell.plan(each, weights)) for each in ([cfg] if by_hand else cfg.cells())]
    with _locks(cfg, plans):
        for each, plan in plans:
            with _lock(each, plan):
                if is_there(each, plan, move=first):
                    print(f"{plan.name}: already there")
                    _remove_shards(plan, first=first)
                else:
                    _sample(each, plan, network.model)
    if by_hand and first:
        _preview(cfg)


class Network:
    """The trained network, loaded when the first cell needs it and once for all of them."""

    def __init__(self, cfg: Config) -> None:
        self._cfg = cfg
        self._model: EpsModel | None = None

    @property  # a cached_property holds a lock, and launchers of multiruns pickle this module
    def model(self) -> "EpsModel":
        """Called as eps_model(x, t)."""
        from ddim.sampling.cell import load_network

        if self._model is None:
            self._model = load_network(self._cfg)
        return self._model


def move_out(cfg: Config) -> None:
    """Move what is no cell of the grid from `samples` to `extra`; `_locks` says who waits."""
    grid = {paths.configured_cell(cell) for cell in cfg.cells()}
    for folder in paths.all_samples(cfg).glob("*/"):
        if folder.name not in grid:
            with exclusive(paths.lock(cfg, folder.name), folder.name, wait=_is_alone(cfg)):
                _move_out(cfg, folder)


def _move_out(cfg: Config, folder: Path) -> None:
    place = paths.extra(cfg) / folder.name
    if not folder.is_dir():  # another process has moved it meanwhile
        return
    if _is_newer(place, folder):  # sampled by hand since the cell left the grid
        shutil.rmtree(folder)
    else:
        _move(folder, place)
        _move_file(paths.timing(cfg, folder.name), place / _TIMING)


def is_there(cfg: Config, plan: "CellPlan", *, move: bool) -> bool:
    """Whether the configured cell's images are there, of exactly this plan.

    They may lie in `extra` although the cell is one of the grid by now: `move` them where it is.
    """
    from ddim.sampling.cell import is_sampled

    place, outside = paths.samples(cfg), paths.extra(cfg) / plan.name
    # `extra` first: what another process moves meanwhile is then seen in `samples`.
    waits_outside = place != outside and is_sampled(cfg, plan, outside)
    if is_sampled(cfg, plan):
        return True
    if waits_outside and move:
        _move_file(outside / _TIMING, paths.cell_timing(cfg))
        for suffix in (".json", ".npz", ".png"):  # its measurement: the grid's lie in reports/
            (outside / f"{plan.name}{suffix}").unlink(missing_ok=True)
        _move(outside, place)
    return waits_outside


def _is_newer(place: Path, folder: Path) -> bool:
    records = [path / paths.SAMPLED for path in (place, folder)]
    if not all(record.is_file() for record in records):
        return records[0].is_file()
    return records[0].stat().st_mtime > records[1].stat().st_mtime


def _move(folder: Path, place: Path) -> None:
    if place.exists():
        shutil.rmtree(place)
    place.parent.mkdir(parents=True, exist_ok=True)
    folder.replace(place)


def _move_file(path: Path, place: Path) -> None:
    if path.is_file():
        place.parent.mkdir(parents=True, exist_ok=True)
        path.replace(place)


def _locks(cfg: Config, plans: "list[tuple[Config, CellPlan]]") -> AbstractContextManager[object]:
    """Where several processes sample together: the locks of all their cells, from the start.

    The first process holds them for all. It cannot wait for one: the others would go on without it.
    """
    locks = ExitStack()
    if not _is_alone(cfg) and _is_first_process(cfg):
        with ExitStack() as taken:  # all or none
            for each, plan in plans:
                taken.enter_context(_exclusive(each, plan, wait=False))
            locks = taken.pop_all()
    return locks


def _lock(cfg: Config, plan: "CellPlan") -> AbstractContextManager[None]:
    """For the cell's files, where one process samples alone."""
    return _exclusive(cfg, plan, wait=True) if _is_alone(cfg) else nullcontext()


@contextmanager
def _exclusive(cfg: Config, plan: "CellPlan", *, wait: bool) -> Iterator[None]:
    """The cell's own folder, then that of its shards: experiments with one network share those."""
    with (
        exclusive(paths.cell_lock(cfg), plan.name, wait=wait),
        exclusive(paths.work_lock(paths.shards(plan.fingerprint)), plan.name, wait=wait),
    ):
        yield


def _sample(cfg: Config, plan: "CellPlan", model: "EpsModel") -> None:
    from ddim.sampling import cell
    from ddim.sampling.shards import sample_missing

    job = cell.shard_job(cfg, plan, model)
    sample_missing(job, plan.name, cfg.trainer)
    if _is_first_process(cfg):
        cell.collect(cfg, plan, job)


def _remove_shards(plan: "CellPlan", *, first: bool) -> None:
    """Remove those of a process that was killed when it had merged them."""
    folder = paths.shards(plan.fingerprint)
    if first and folder.is_dir():
        shutil.rmtree(folder)


def _is_alone(cfg: Config) -> bool:
    return cfg.trainer.devices * cfg.trainer.num_nodes == 1


def _is_first_process(cfg: Config) -> bool:
    if _is_alone(cfg):
        return True
    from ddim.runtime.lightning import is_global_zero

    return is_global_zero()


def _preview(cfg: Config) -> None:
    """A picture for whoever samples by hand; the report's are drawn when the cell is measured."""
    from ddim.tracking.preview import save_preview

    save_preview(paths.samples_file(cfg), paths.preview(cfg))


if __name__ == "__main__":
    stage(run, published.settings, ready)

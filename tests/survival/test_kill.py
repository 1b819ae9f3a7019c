"""kill -9 anywhere: the same command finishes, with the results of a run that nobody killed."""

import random
import shutil
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from helpers.survival import (
    Done,
    Repeated,
    Server,
    left_over,
    new_project,
    results,
    with_weights,
)

STAGE = ("-cn", "stage")
# In the order of the pipeline. The section `path` writes an animation beside its figures.
PROGRAMS = (
    ("ddim.compose", "--check"),
    ("ddim.stages.data", *STAGE),
    ("ddim.stages.features", *STAGE),
    ("ddim.stages.train", *STAGE),
    ("ddim.stages.reference", *STAGE),
    ("ddim.stages.sample", *STAGE),
    ("ddim.stages.evaluate", *STAGE),
    ("ddim.stages.reconstruct", *STAGE),
    ("ddim.stages.analysis", *STAGE, "analysis.section=path"),
    ("ddim.stages.report", *STAGE),
    ("ddim.track", "logger.mode=offline"),
)
RANDOM_MOMENTS = 3  # of each program; besides, one for each kind of file that it writes
CHECKPOINT_EVERY, SHARD = 5, 5  # steps, images (helpers.survival.SMALL)
KILL = signal.SIGKILL


@dataclass
class Whole:
    """A run that nobody ended: the project before and after each program, and how long it took."""

    folder: Path
    seconds: list[float] = field(default_factory=list)
    written: list[list[str]] = field(default_factory=list)

    def before(self, number: int) -> Path:
        return self.folder / str(number)


def run_whole(served: Server, folder: Path, programs: tuple[tuple[str, ...], ...]) -> Whole:
    whole = Whole(folder)
    for number, program in enumerate(programs):
        project = copied(whole.before(number), whole.before(number + 1))
        start = time.monotonic()
        done = served.run(project, *program, log=str(folder / "log"))
        assert done.status == 0, (program, done.output)
        whole.seconds.append(time.monotonic() - start)
        lines = (folder / "log").read_text().splitlines()
        (folder / "log").unlink()
        whole.written.append([line[5:] for line in lines if line.startswith("file ")])
    return whole


def copied(project: Path, place: Path) -> Path:
    """The project at another place, without the logs of its programs."""
    shutil.copytree(project, place, symlinks=True, ignore=shutil.ignore_patterns("output.*"))
    return place


def assert_same_as(whole: Whole, number: int, project: Path, done: Done) -> None:
    """The program has ended as if it had never been killed."""
    assert done.status == 0, done.output
    assert "Traceback" not in done.output
    assert results(project) == results(whole.before(number + 1))
    assert left_over(project) == []


# --- a handful in the plain suite ----------------------------------------------------------------

FEW = (PROGRAMS[1], PROGRAMS[5])


@pytest.fixture(scope="module")
def few(light: Server, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    folder = tmp_path_factory.mktemp("whole")
    (folder / "0").mkdir()
    with_weights(new_project(light, folder / "0"))
    return run_whole(light, folder, FEW)


@pytest.mark.parametrize(
    ("number", "file", "when"),
    [
        (0, "test.npy", "half"),
        (1, "shard_000005_000010.npz", "half"),
        (1, "samples.npy", "half"),
        (1, "sampled.json", "before"),
        (1, "sampled.json", "after"),
    ],
)
def test_a_program_killed_while_it_writes_is_finished_by_the_same_command(
    light: Server, few: Whole, tmp_path: Path, number: int, file: str, when: str
) -> None:
    project, log = copied(few.before(number), tmp_path / "project"), tmp_path / "log"
    at = [Path(name).name for name in few.written[number]].index(file)
    killed = light.run(project, *FEW[number], end=[at, when, KILL], log=str(log))
    assert killed.status == -KILL
    assert_same_as(few, number, project, light.run(project, *FEW[number], log=str(log)))
    assert Repeated.of(log).images <= SHARD


# --- all of them ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole(full: Server, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    folder = tmp_path_factory.mktemp("whole")
    (folder / "0").mkdir()
    new_project(full, folder / "0", "analysis.sections=[path]")
    return run_whole(full, folder, PROGRAMS)


def kind(file: str) -> str:
    """Files of one kind are written by the same lines."""
    path = Path(file)
    name = path.name.split("_")[0] if path.suffix == ".npz" else path.suffix or path.name
    return f"{path.parent.name if path.suffix == '.png' else ''}{name}"


def moments(whole: Whole, number: int) -> Iterator[dict[str, object]]:
    """When to kill: at random moments, and while each kind of file is written."""
    chance = random.Random(number)
    for _ in range(RANDOM_MOMENTS):
        yield {"after": chance.uniform(0, whole.seconds[number])}
    kinds = {kind(file): at for at, file in enumerate(whole.written[number])}
    for at in kinds.values():
        yield {"end": [at, chance.choice(["half", "before", "after"]), KILL]}


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(PROGRAMS)), ids=lambda n: PROGRAMS[n][0])
def test_kills_at_random_and_in_every_kind_of_file_change_nothing(
    full: Server, whole: Whole, tmp_path: Path, number: int
) -> None:
    """Prints its figures, which docs/reliability.md quotes: pytest -s."""
    program, kills, repeated = PROGRAMS[number], 0, Repeated()
    for i, moment in enumerate(moments(whole, number)):
        project, log = copied(whole.before(number), tmp_path / str(i)), tmp_path / f"log{i}"
        kills += kill(full, project, program, log, moment)
        done = full.run(project, *program, log=str(log))
        assert_same_as(whole, number, project, done)
        more = Repeated.of(log)
        assert more.steps <= CHECKPOINT_EVERY
        assert more.images <= SHARD
        repeated = Repeated(repeated.steps + more.steps, repeated.images + more.images)
        shutil.rmtree(project)
    again = f"{repeated.steps} steps and {repeated.images} images again"
    print(f"\n{program[0]}: {kills} kills, {again}")


def kill(
    served: Server, project: Path, program: tuple[str, ...], log: Path, moment: dict[str, object]
) -> bool:
    """Run the program and kill it; whether it was still running."""
    end = {"end": moment["end"]} if "end" in moment else {}
    running = served.start(project, *program, log=str(log), **end)
    if not end:
        after = moment["after"]
        assert isinstance(after, float)
        time.sleep(after)
        running.end(KILL)  # of one that has ended: nobody has waited for it yet, so it is still its
    return running.wait().status == -KILL

"""Two processes at one result: the second waits, or yields in one line; nothing is spoilt."""

from pathlib import Path

import pytest
from helpers.survival import Repeated, Server, left_over, new_project, results, with_weights

from ddim.runtime.lock import exclusive

STAGE = ("-cn", "stage")
SAMPLE = ("ddim.stages.sample", *STAGE)
CELL = "S2_etahat_seed0"
WAITS = "another process is at it; waiting for that to end"


def sampled_alone(light: Server, folder: Path, *overrides: str) -> dict[str, str]:
    """The results of a project in which one process has sampled."""
    folder.mkdir()
    project = with_weights(new_project(light, folder, *overrides))
    assert light.run(project, *SAMPLE).status == 0
    return results(project)


def test_two_processes_sample_one_grid_together(
    light: Server, project: Path, tmp_path: Path
) -> None:
    """By hand beside a multirun: each image is sampled once, and who waits says so."""
    log = str(tmp_path / "log")
    sweep = (*SAMPLE, "-m", "cell.steps=2,3", "cell.eta=hat")
    running = [light.start(project, *program, log=log) for program in (SAMPLE, sweep)]
    ended = [each.wait() for each in running]
    assert [each.status for each in ended] == [0, 0], ended
    assert Repeated.of(Path(log)).images == 0
    lines = "".join(each.output for each in ended).splitlines()
    assert all(line.endswith((WAITS, "already there", ".png")) for line in lines), lines
    alone = sampled_alone(light, tmp_path / "alone")
    assert {path: v for path, v in results(project).items() if "previews" not in path} == alone
    assert left_over(project) == []


def test_the_second_process_says_that_it_waits_for_the_cell(
    light: Server, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    with exclusive(Path(f"work/locks/digits-{CELL}.lock"), CELL):
        second = light.start(project, *SAMPLE, "cell.steps=2", "cell.eta=hat")
        while not second.file.exists() or WAITS not in second.file.read_text():
            pass
    ended = second.wait()
    assert ended.status == 0
    assert ended.output.startswith(f"{CELL}: {WAITS}\n")


def test_experiments_with_the_same_weights_share_shards_and_not_a_race(
    light: Server, project: Path, tmp_path: Path
) -> None:
    """What is sampled depends on the weights, not on the experiment's name."""
    log, other = str(tmp_path / "log"), "name=other"
    (project / "out/other").symlink_to(project / "out/digits")
    (project / "reports/other").symlink_to(project / "reports/digits")
    one = light.start(project, *SAMPLE, "cell.steps=5", "cell.eta=0.0", log=log)
    two = light.start(project, *SAMPLE, "cell.steps=5", "cell.eta=0.0", other, log=log)
    ended = [one.wait(), two.wait()]
    assert [each.status for each in ended] == [0, 0], ended
    assert all("Errno" not in each.output for each in ended)
    assert Repeated.of(Path(log)).images == 0
    assert left_over(project) == []


@pytest.mark.slow
def test_several_processes_yield_before_they_sample_anything(
    full: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They cannot wait: the first would wait alone. The last cell of the grid is locked."""
    project = with_weights(new_project(full, tmp_path))
    monkeypatch.chdir(project)
    several = ("trainer.devices=2", "trainer.strategy=ddp_spawn", "trainer.accelerator=cpu")
    with exclusive(Path("work/locks/digits-S3_etahat_seed0.lock"), "S3"):
        ended = full.run(project, *SAMPLE, *several)
    line = "S3_etahat_seed0: another process is at it; run again when it ends"
    assert (ended.status, ended.output) == (1, f"error: {line}\n")
    assert not (project / "out/digits/samples").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["data", "features", "train", "reference", "sample", "evaluate", "reconstruct", "report"],
)
def test_every_stage_beside_itself_gives_what_it_gives_alone(
    full: Server, chain: tuple[Path, dict[str, dict[str, str]]], name: str
) -> None:
    project, before = chain
    program = (f"ddim.stages.{name}", *STAGE)
    running = [full.start(project, *program) for _ in range(3)]
    ended = [each.wait() for each in running]
    assert [each.status for each in ended] == [0, 0, 0], ended
    assert all("Traceback" not in each.output for each in ended)
    assert left_over(project) == []
    before[name] = results(project)
    assert full.run(project, *program).status == 0
    assert results(project) == before[name]


@pytest.fixture(scope="module")
def chain(
    full: Server, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, dict[str, str]]]:
    """A project in which the stages run one after the other, each in its test."""
    project = new_project(full, tmp_path_factory.mktemp("project"), "analysis.sections=[]")
    assert full.run(project, "ddim.compose", "--check").status == 0
    return project, {}

"""Programs as child processes, the temporary projects they run in, and what is read of them."""

from pathlib import Path

import pytest
import torch
from helpers.networks import randomised, tiny

from benchmarks import commands, projects
from benchmarks.first_call import FIRST_CALL
from benchmarks.parts.whole import REST, Clock, draw
from benchmarks.plain import PlainUNet

STAGE = """
import torch
from ddim.sampling.network import EpsModel
print("before", flush=True)
EpsModel(torch.nn.Linear(1, 1))(torch.zeros(1), torch.zeros(1))
print("after", flush=True)
"""


def test_lines_come_as_they_are_printed(tmp_path: Path) -> None:
    lines: list[str] = []
    program = "import sys; print(1); print(2, file=sys.stderr)"
    finished = commands.run(["python", "-uc", program], tmp_path, on_line=lines.append)
    assert lines == ["1\n", "2\n"]
    assert finished.output == "1\n2\n"
    assert finished.peak > 2**20


def test_another_status_is_one_line(tmp_path: Path) -> None:
    program = "import sys; print('first'); sys.exit('last')"
    assert commands.run(["python", "-c", program], tmp_path, status=1).output == "first\nlast\n"
    with pytest.raises(ValueError, match=r"ended with 1: last$"):
        commands.run(["python", "-c", program], tmp_path)


def test_a_clone_runs_its_own_code() -> None:
    show = ["python", "-c", "import ddim; print(ddim.__file__)"]
    with projects.clone() as project:
        assert commands.run(show, project).output.startswith(str(project))
        assert not (project / "reports/digits").exists()
    assert not project.exists()


def test_a_copy_runs_the_code_of_the_checkout() -> None:
    show = ["python", "-c", "import ddim; print(ddim.__file__)"]
    with projects.copy() as project:
        assert commands.run(show, project).output.startswith(str(projects.ROOT / "src"))
        assert {path.name for path in project.iterdir()} == {"conf", "params.yaml", "reports"}
        assert len(projects.sampling_seconds(project)) > 0
    assert not project.exists()


def test_a_program_ends_at_the_first_call_of_its_network(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src/ddim").symlink_to(projects.ROOT / "src/ddim")
    (tmp_path / "src/program.py").write_text(STAGE)
    command = ["python", "-m", "benchmarks.first_call", "program"]
    assert commands.run(command, tmp_path).output == f"before\n{FIRST_CALL}\n"


def test_the_stages_of_a_run_are_told_apart(tmp_path: Path) -> None:
    clock = Clock()
    for line in ["Running stage 'train':", "> python", "Running stage 'analysis':"]:
        clock.line(line + "\n")
    clock.stop()
    assert list(clock.seconds) == [REST, "train", "analysis"]
    draw({"train": 3.0, "analysis": 1.0}, {"train": 2.0}, tmp_path / "whole.svg")
    assert "<svg" in (tmp_path / "whole.svg").read_text()


@pytest.mark.parametrize(
    "changes",
    [{}, {"blocks": 2, "in_channels": 3}, {"multipliers": [1, 2, 2], "attention": [2, 8]}],
)
def test_the_plain_network_is_ours(changes: dict) -> None:
    unet = randomised(tiny(**changes))
    plain = PlainUNet(unet.state_dict(), unet.arguments)
    x = torch.randn(3, unet.arguments["in_channels"], 8, 8)
    t = torch.tensor([1, 500, 1000])
    with torch.no_grad():
        torch.testing.assert_close(plain(x, t), unet(x, t), rtol=0, atol=1e-5)

"""The same mistakes as a user makes them: real processes, one line, status 1, nothing written."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.params_file import damaged
from helpers.pipeline import ROOT

SAMPLE = "ddim.stages.sample"
CASES = [
    (["ddim.compose", "train.stpes=10"], "train.stpes is no setting; did you mean train.steps?"),
    (["ddim.compose", "sample.num_images=50"], "evaluate.kid_subset_size must be at most 50"),
    (["ddim.compose", "--check"], "params.yaml, line 3: found character"),
    (["ddim.stages.train", "trainer=gpus"], "did you mean trainer=gpu?"),
    ([SAMPLE, "-cn", "stage"], "params.yaml, line 3: found character"),
    ([SAMPLE, "-m", "cell.steps=10,2000"], "cell.steps must be at most diffusion.T = 1000"),
    ([SAMPLE, "sample.num_images=100000000000"], "needs at least 6,400 GB"),
]


@pytest.mark.parametrize(("arguments", "line"), CASES, ids=[" ".join(case[0]) for case in CASES])
def test_a_mistake_costs_one_line_and_no_import_of_torch(
    tmp_path: Path, arguments: list[str], line: str
) -> None:
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    (tmp_path / "params.yaml").write_text(damaged("tab"))
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", *arguments],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    said = [said for said in done.stderr.splitlines() if not said.startswith("import time:")]
    assert done.returncode == 1
    assert done.stdout == ""
    assert len(said) == 1
    assert said[0].startswith("error: ")
    assert line in said[0]
    assert not re.search(r"\|\s+(torch|matplotlib|wandb|diffusers)$", done.stderr, re.MULTILINE)
    # Hydra makes a folder for its log before it calls a stage.
    assert {path.name for path in tmp_path.glob("out/*")} <= {"hydra"}
    assert {path.name for path in tmp_path.iterdir()} <= {"conf", "params.yaml", "out"}

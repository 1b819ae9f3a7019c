"""What README.md says of an experiment, and what it leaves out."""

import re
import shlex
from pathlib import Path

import pytest
from helpers import report_fixture as fixture

from ddim.records.cell import Cell
from ddim.records.experiment import Experiment
from ddim.records.reference import Reference
from ddim.records.results import Results, load
from ddim.report import content
from ddim.report.document import Code
from ddim.report.render import markdown


def readme(folder: Path) -> str:
    return markdown.render(content.document(load(folder)))


def commands(results: Results) -> list[str]:
    part = next(p for p in content.document(results).parts if p.anchor == "reproduce")
    code = next(block for block in part.blocks if isinstance(block, Code))
    return [line for line in code.text.splitlines() if line and not line.startswith("#")]


def test_first_lines_say_what_it_is(built: Results) -> None:
    head = (built.folder / "README.md").read_text().split("## ")[0]
    for text in ("digits", "1,797 scans", "figures/samples.png", "worst by far", "floor"):
        assert text in head


def test_a_note_on_the_data_stands_in_the_first_lines(small: Path) -> None:
    fixture.edit(Reference, small / "reference.json", data__note="JPEG copy")
    assert "JPEG copy" in readme(small).split("## ")[0]


def test_a_claim_stands_with_its_finding(built: Results) -> None:
    text = (built.folder / "README.md").read_text()
    _, _, part = text.partition("## What the lecture and the paper claim\n")
    assert "### Consistency (Fig. 5)\n\n*Claim:* With η = 0 the latent alone" in part
    assert "**At S = 50 an image is 0.021 from its S = 1000 self" in part
    assert "![A grid of images.](analysis/consistency/grid.png)" in part
    assert "| 0.0 | 0.11 | 0.0213 |" in part


@pytest.mark.parametrize(("kind", "text"), [("ema", "EMA"), ("raw", "raw")])
def test_imported_weights_have_no_training_to_tell(small: Path, kind: str, text: str) -> None:
    fixture.experiment(small, fixture.config(*fixture.SMALL, f"sample.weights={kind}"))
    fixture.imported(small, kind)
    page = readme(small)
    assert f"{text}, imported from x.bin;" in page
    assert f"Weights, SHA-256: {text} `" in page
    assert "figures/loss.png" not in page


def test_a_measure_that_was_not_taken_leaves_no_table(small: Path) -> None:
    score = "Inception score"
    assert score not in readme(small)
    paths = sorted((small / "cells").glob("*.json"))
    for path in paths:
        fixture.edit(Cell, path, measured__inception_score=9.0)
    assert score in readme(small)
    metrics = content.document(load(small)).metrics
    assert metrics["S10"]["eta0.0"]["inception_score"] == 9.0
    fixture.edit(Cell, paths[0], measured__inception_score=None)
    assert score not in readme(small)


def test_a_subsample_behind_precision_and_recall_is_told(small: Path) -> None:
    assert "evenly spread" not in readme(small)
    for path in (small / "cells").glob("*.json"):
        fixture.edit(Cell, path, measured__n_paired=(100, 1000))
    text = "That of the FID. Of these images, evenly spread: 100 generated and 1,000 reference."
    assert readme(small).count(text) == 2


def test_repeated_steps_of_the_published_rule_are_told(small: Path) -> None:
    for path in (small / "cells").glob("S100_*.json"):
        fixture.edit(Cell, path, sampled__trajectory__repeats_dropped=7)
    assert "trajectory: linear, repeated steps dropped: S = 100: 7;" in readme(small)


def test_the_exact_commands_are_every_stage_in_order(built: Results) -> None:
    lines = commands(built)
    assert lines[1:3] == ["python -m ddim.compose experiment=digits", "dvc repro"]
    modules = [re.findall(r"-m ddim\.(\S+)", line)[0] for line in lines[3:]]
    names = ["data", "features", "train", "reference", "sample", "evaluate", "reconstruct"]
    names += ["analysis", "report"]
    assert modules == [*(f"stages.{name}" for name in names), "track"]
    assert all("-cn stage" in line for line in lines[3:-1])


def test_the_command_to_compose_is_the_recorded_one(small: Path) -> None:
    arguments = ("experiment=cifar10_jpeg", "data.note='a b'", "sweep.eta=[0.0,hat]")
    fixture.edit(Experiment, small / "experiment.json", compose=arguments)
    (line,) = [x for x in commands(load(small)) if "ddim.compose" in x]
    assert tuple(shlex.split(line)[3:]) == arguments


def test_no_command_to_compose_is_told_where_a_file_of_conf_is_needed(small: Path) -> None:
    fixture.edit(Experiment, small / "experiment.json", compose=None)
    assert "ddim.compose" not in "".join(commands(load(small)))


def test_the_preparation_says_which_files_were_left_out_if_any_were(small: Path) -> None:
    path = small / "reference.json"
    assert "Preparation of the data: none\n" in readme(small)
    steps = {
        "data__preprocessing__split": "2 of 8 images held out",
        "data__preprocessing__crop": "centre 8x8",
    }
    fixture.edit(Reference, path, **steps)
    text = "Preparation of the data: split 2 of 8 images held out; crop centre 8x8"
    assert f"{text}\n" in readme(small)
    left_out = "500 files of other kinds (500 .heic)"
    fixture.edit(Reference, path, data__preprocessing__left_out=left_out)
    assert f"{text}; left out {left_out}\n" in readme(small)

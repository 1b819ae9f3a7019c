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
from ddim.report.document import Bullets, Code, Paragraph, Table
from ddim.report.render import markdown


def readme(folder: Path) -> str:
    return markdown.render(content.document(load(folder)))


def page(folder: Path) -> str:
    """The texts of index.html, a block a line."""
    texts = []
    for block in content.document(load(folder)).blocks():
        match block:
            case Paragraph() | Code():
                texts.append(block.text)
            case Bullets():
                texts += block.items
            case Table():
                texts += [block.title, *block.notes]
    return "\n".join([*texts, ""])


def commands(results: Results) -> list[str]:
    part = next(p for p in content.document(results).parts if p.anchor == "reproduce")
    code = next(block for block in part.more if isinstance(block, Code))
    return [line for line in code.text.splitlines() if line and not line.startswith("#")]


def test_first_lines_say_what_it_is(built: Results) -> None:
    head = (built.folder / "README.md").read_text().split("## ")[0]
    for text in ("digits", "1,797 scans", "figures/samples.png", "|**reproduced**|", "floor"):
        assert text in head


def test_the_readme_is_short(built: Results) -> None:
    """Every section there is, with texts as long as they may be: under 3,000 words (wc -w)."""
    assert len(built.sections) == 9
    text = (built.folder / "README.md").read_text()
    assert len(text.split()) < 3000
    alts = re.findall(r"!\[([^\]]*)\]", text)
    assert len(alts) == 4 + len(built.sections)  # montage, FID, its map, Table 2; one a section
    assert max(len(alt.split()) for alt in alts) <= 40


def test_what_is_for_the_page_alone_is_not_in_the_readme(built: Results) -> None:
    text = (built.folder / "README.md").read_text()
    for title in ("KID × 10³", "Protocol.", "Training", "Samples of every cell", "How to repro"):
        assert title not in text
        assert title in page(built.folder) or title in (built.folder / "index.html").read_text()


def test_a_note_on_the_data_stands_in_the_first_lines(small: Path) -> None:
    fixture.edit(Reference, small / "reference.json", data__note="JPEG copy")
    assert "JPEG copy" in readme(small).split("## ")[0]


def test_a_claim_stands_with_its_finding(built: Results) -> None:
    text = (built.folder / "README.md").read_text()
    _, _, part = text.partition("## What the lecture and the paper claim\n")
    claim = "*Claim:* With η = 0 the latent alone decides what the image shows."
    source = "(lecture, limitation 2 (02:01); paper, Sec. 5.2, Fig. 5)"
    assert f"### Consistency (Fig. 5)\n\n{claim} {source}\n" in part
    assert "**At S = 50 an image is 0.021 from its S = 1000 self" in part
    assert "(analysis/consistency/grid.png)" in part
    whole = (built.folder / "index.html").read_text()
    for others in ("analysis/consistency/more.csv", "Each column starts", "0.0213"):
        assert others not in part
        assert others in whole


@pytest.mark.parametrize(("kind", "text"), [("ema", "EMA"), ("raw", "raw")])
def test_imported_weights_have_no_training_to_tell(small: Path, kind: str, text: str) -> None:
    fixture.experiment(small, fixture.config(*fixture.SMALL, f"sample.weights={kind}"))
    fixture.imported(small, kind)
    whole = page(small)
    assert f"{text}, imported from x.bin;" in whole
    assert f"Weights, SHA-256: {text} `" in whole
    assert "loss" not in [getattr(b, "name", "") for b in content.document(load(small)).blocks()]


def test_a_measure_that_was_not_taken_leaves_no_table(small: Path) -> None:
    score = "Inception score"
    assert score not in page(small)
    paths = sorted((small / "cells").glob("*.json"))
    for path in paths:
        fixture.edit(Cell, path, measured__inception_score=9.0)
    assert score in page(small)
    metrics = content.document(load(small)).metrics
    assert metrics["S10"]["eta0.0"]["inception_score"] == 9.0
    fixture.edit(Cell, paths[0], measured__inception_score=None)
    assert score not in page(small)


def test_a_subsample_behind_precision_and_recall_is_told(small: Path) -> None:
    assert "evenly spread" not in page(small)
    for path in (small / "cells").glob("*.json"):
        fixture.edit(Cell, path, measured__n_paired=(100, 1000))
    text = "95 % interval. Of these images, evenly spread: 100 generated and 1,000 reference."
    assert page(small).count(text) == 2


def test_repeated_steps_of_the_published_rule_are_told(small: Path) -> None:
    for path in (small / "cells").glob("S100_*.json"):
        fixture.edit(Cell, path, sampled__trajectory__repeats_dropped=7)
    assert "trajectory: linear, repeated steps dropped: S = 100: 7;" in page(small)


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
    assert "Preparation of the data: none\n" in page(small)
    steps = {
        "data__preprocessing__split": "2 of 8 images held out",
        "data__preprocessing__crop": "centre 8x8",
    }
    fixture.edit(Reference, path, **steps)
    text = "Preparation of the data: split 2 of 8 images held out; crop centre 8x8"
    assert f"{text}\n" in page(small)
    left_out = "500 files of other kinds (500 .heic)"
    fixture.edit(Reference, path, data__preprocessing__left_out=left_out)
    assert f"{text}; left out {left_out}\n" in page(small)

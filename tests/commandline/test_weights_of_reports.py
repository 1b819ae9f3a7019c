"""`weights=<report>`: a fresh clone samples, with the report's settings and nobody else's files."""

from pathlib import Path

import numpy as np
import pytest
import torch

from ddim import sampler, schedule, weights
from ddim.images import to_uint8
from ddim.noise import Noise
from ddim.records import published
from ddim.records.cell import Sampled
from ddim.runtime import files

# The stage is imported by other tests, and run as a program here.
pytestmark = pytest.mark.filterwarnings("ignore:.*found in sys.modules after import")
FOLDER = Path("out/tiny-weights")


def test_a_clone_samples_without_training(ddim, project: Path) -> None:
    printed = ddim("sample", "weights=tiny", "cell.eta=1.0")
    picture = FOLDER / "previews" / "S6_eta1.0_seed0.png"
    assert f"first images: {picture}" in printed
    assert picture.is_file()
    cell = FOLDER / "extra" / "S6_eta1.0_seed0"
    record = Sampled.read(cell / "sampled.json", "")
    assert record.weights.sha256 == files.sha256(project / "reports/tiny/ema.safetensors")
    assert record.trajectory is not None
    assert record.trajectory.spacing == "quadratic"  # the report's, not conf/'s
    tau = schedule.trajectory(1000, 6, "quadratic")
    unet, _ = weights.load("reports/tiny/ema.safetensors")
    noise = Noise(0, range(20), (1, 8, 8))
    with torch.no_grad():
        arguments = (unet, noise.draw(), schedule.alpha_bar(), tau, 1.0)
        expected = to_uint8(sampler.sample(*arguments, randn_like=noise)).numpy()
    images = np.load(cell / "samples.npy")
    assert images.shape == (20, 1, 8, 8)
    assert np.abs(images.astype(int) - expected).max() <= 1
    assert "already there" in ddim("sample", "weights=tiny", "cell.eta=1.0")
    # What lies in reports/ is git's.
    assert {path.name for path in (project / "reports").iterdir()} == {"tiny"}


@pytest.mark.parametrize(
    "place", ["reports/tiny", "reports/tiny/ema.safetensors", "out/tiny/train/ema.safetensors"]
)
def test_weights_go_by_folder_and_file_too(project: Path, place: str) -> None:
    trained = project / "out" / "tiny" / "train" / "ema.safetensors"
    trained.parent.mkdir(parents=True)
    trained.write_bytes((project / "reports/tiny/ema.safetensors").read_bytes())
    found = published.find(place)
    assert found.report.resolve() == project / "reports" / "tiny"
    assert found.file == (Path(place) if "." in place else Path(place) / "ema.safetensors")
    assert published.settings(place)["weights"] == str(found.file)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sample", "weights=tinny"], "weights=tinny is no report; did you mean weights=tiny?"),
        (["sample", "weights="], "weights= is no report; with weights there are tiny"),
        (["sample", "weights=reports/none"], "weights=reports/none is no report"),
        (["sample", "weights=a/b.safetensors"], "it must be ema.safetensors or raw.safetensors"),
        (["sample", "weights=reports/tiny/raw.safetensors"], "no weights lie in reports/tiny"),
        (["sample", "weights=tiny", "experiment=mnist"], "experiment=mnist does not go with weig"),
        (["sample", "weights=tiny", "-cn", "stage"], "-cn stage does not go with weights=tiny"),
        (["sample", "weights=tiny", "cell.stpes=3"], "cell.stpes is no setting; did you mean cell"),
        (["sample", "weights=tiny", "cell.steps=0"], "cell.steps must be"),
        (
            ["sample", "cell.steps=2"],
            "no weights file out/digits/train/ema.safetensors: train first",
        ),
        (["train", "weights=tiny"], "weights=tiny is for cells by hand (sample, encode, inter"),
        (["compose", "weights=tiny"], "weights=tiny is for cells by hand"),
    ],
)
def test_a_mistake_is_one_line(ddim, arguments: list[str], message: str) -> None:
    said = ddim(*arguments, fails=True)
    assert said.startswith("error: ")
    assert message in said
    assert list(Path().glob("out/[!h]*")) == []  # but for Hydra's own folder


def test_without_weights_it_says_where_there_are_some(ddim) -> None:
    said = ddim("sample", "cell.steps=2", fails=True)
    assert "no weights file out/digits/train/ema.safetensors: train first (dvc repro), or" in said
    assert said.endswith("take a report's: weights=tiny")


def test_weights_that_are_not_the_reports_are_refused(ddim, project: Path) -> None:
    path = project / "reports" / "tiny" / "ema.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    said = ddim("sample", "weights=tiny", fails=True)
    assert "reports/tiny/ema.safetensors is not the file that reports/tiny/train.json is of" in said
    path.unlink()
    said = ddim("sample", "weights=tiny", fails=True)
    assert "no weights lie in reports/tiny; no report has weights here" in said


def test_a_pipeline_on_a_reports_weights_is_refused(ddim, project: Path) -> None:
    """Which `dvc exp run -S weights=tiny` would compose."""
    text = (project / "params.yaml").read_text().replace("weights: null", "weights: tiny", 1)
    (project / "params.yaml").unlink()
    (project / "params.yaml").write_text(text.partition("\n")[2])
    assert "weights=tiny is for cells by hand" in ddim("compose", "--check", fails=True)


def test_a_report_with_weights_of_the_other_kind_alone_names_them(project: Path) -> None:
    path = project / "reports" / "tiny" / "ema.safetensors"
    path.rename(path.with_name("raw.safetensors"))
    line = r"is missing: name the file that is there, weights=\S*reports/tiny/raw.safetensors$"
    with pytest.raises(FileNotFoundError, match=line):
        published.find("tiny")

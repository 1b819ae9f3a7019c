"""Weights, classifiers and resume points: as they were written, or refused or put aside."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from helpers import damage
from helpers.cells import cfg as cfg
from helpers.cells import planned, record, sample
from helpers.networks import TINY, randomised, same, tiny

from ddim import weights
from ddim.config import paths, schema
from ddim.evaluation.classifier import Classifier, load_classifier, save_classifier
from ddim.evaluation.features import CLASSIFIER_FILE, load_extractor
from ddim.records import features as records
from ddim.runtime import files
from ddim.sampling import cell
from ddim.sampling.round_trip import load_network

INFO = {"trained_steps": 7, "source": "trained here"}


@pytest.fixture(scope="module")
def ema(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "ema.safetensors"
    weights.save(path, randomised(tiny()), kind="ema", info=INFO)
    return path


def test_weights_are_read_as_they_were_written_or_refused(ema: Path) -> None:
    unet, metadata = weights.load(ema)

    def unchanged(read: Any) -> bool:
        return same(read[0], unet) and read[1] == metadata

    damages = damage.everything(ema.stat().st_size, count=40)
    header = int.from_bytes(ema.read_bytes()[:8], "little")
    damages += damage.flips(header, 40)  # where the tensors are named and described
    assert damage.check(ema, lambda: weights.load(ema), unchanged, damages) == 0


def changed(path: Path, change: Callable[[dict[str, Any], Any], Any]) -> None:
    """Write the file anew, its tensors and what it says of itself changed, its checksum not."""
    tensors = safetensors.torch.load_file(path)
    with safetensors.safe_open(path, "pt") as file:
        about = json.loads(file.metadata()[weights.KEY])
    about = change(tensors, about)
    text = about if isinstance(about, str) else json.dumps(about)
    safetensors.torch.save_file(tensors, path, {weights.KEY: text})


def without(name: str) -> Callable[[dict[str, Any], Any], Any]:
    return lambda _, about: {key: value for key, value in about.items() if key != name}


def nan(tensors: dict[str, Any], about: Any) -> Any:
    tensors["conv_in.bias"][0] = torch.nan
    return about


def one_value(tensors: dict[str, Any], about: Any) -> Any:
    tensors["conv_in.bias"][0] += 1e-6
    return about


METADATA: dict[str, Callable[[dict[str, Any], Any], Any]] = {
    "null": lambda *_: None,
    "a list": lambda *_: [1],
    "nothing": lambda *_: {},
    "no JSON": lambda *_: "{",
    "nested": lambda *_: "[" * 100_000,
    "no kind": without("kind"),
    "no arguments": without("arguments"),
    "no info": without("info"),
    "no version": without("version"),
    "no checksum": without("sha256"),
    "another version": lambda _, about: about | {"version": 3},
    "arguments as a list": lambda _, about: about | {"arguments": [8]},
    "other arguments": lambda _, about: about | {"arguments": {"layers": 3}},
    "arguments as text": lambda _, about: about | {"arguments": {**TINY, "channels": "16"}},
    "info as null": lambda _, about: about | {"info": None},
    "another kind": lambda _, about: about | {"kind": "raw"},
    "no kind there is": lambda _, about: about | {"kind": "best"},
    "more": lambda _, about: about | {"note": "x"},
    "NaN": nan,
    "one value": one_value,
}


@pytest.mark.parametrize("change", METADATA)
def test_weights_that_were_edited_are_refused(ema: Path, tmp_path: Path, change: str) -> None:
    path = tmp_path / "ema.safetensors"
    path.write_bytes(ema.read_bytes())
    changed(path, METADATA[change])
    assert damage.refused(lambda: weights.load(path), path, change) is not None


def test_weights_of_version_1_still_load_but_not_with_nan(ema: Path, tmp_path: Path) -> None:
    """They lie beside reports: without a checksum, which they lack."""
    path = tmp_path / "old.safetensors"
    path.write_bytes(ema.read_bytes())
    changed(path, lambda _, about: {key: about[key] for key in ("kind", "arguments", "info")})
    old, new = weights.load(path), weights.load(ema)
    assert same(old[0], new[0])
    assert old[1] == new[1]
    changed(path, nan)
    assert "NaN" in str(damage.refused(lambda: weights.load(path), path, "NaN"))


# The weights that the stages use


def test_raw_weights_under_the_name_of_the_average_are_refused(cfg: schema.Config) -> None:
    path = paths.weights_file(cfg)
    unet, _ = weights.load(path)
    weights.save(path, unet, kind="raw", info=INFO)
    record(cfg)  # even if the record is of them
    line = damage.refused(lambda: cell.weights_in_use(cfg), path, "raw")
    assert "holds raw weights, not ema" in str(line)


@pytest.mark.parametrize("use", [cell.weights_in_use, load_network])
def test_weights_of_another_training_are_refused(
    cfg: schema.Config, use: Callable[[schema.Config], object]
) -> None:
    path = paths.weights_file(cfg)
    unet, _ = weights.load(path)
    weights.save(path, unet, kind="ema", info={"trained_steps": 4, "source": "elsewhere"})
    line = damage.refused(lambda: use(cfg), path, "another training")
    assert "does not hold the weights that reports/digits/train.json describes" in str(line)


@pytest.mark.parametrize("content", ["", "null", "[]", "{}", '{"sha256": {}}'])
def test_a_training_without_its_record_is_named(cfg: schema.Config, content: str) -> None:
    paths.training_record(cfg).write_text(content)
    record_path = paths.training_record(cfg)
    assert damage.refused(lambda: cell.weights_in_use(cfg), record_path, content) is not None


def test_weights_that_do_not_say_their_source_are_named(cfg: schema.Config) -> None:
    path = paths.weights_file(cfg)
    weights.save(path, weights.load(path)[0], kind="ema", info={"trained_steps": 1})
    record(cfg)
    assert "source" in str(damage.refused(lambda: cell.weights_in_use(cfg), path, "no source"))


def test_a_network_that_gives_nan_is_named_with_cell_image_and_step(cfg: schema.Config) -> None:
    """Finite weights: the network's output overflows on the way."""
    path = paths.weights_file(cfg)
    unet, _ = weights.load(path)
    with torch.no_grad():
        unet.conv_out.bias.fill_(3e38)
    weights.save(path, unet, kind="ema", info=INFO)
    record(cfg)
    expected = r"^S2_eta0\.0_seed0: image 0 is not finite after step 1 of 2; the network gives NaN"
    with pytest.raises(ValueError, match=expected):
        sample(cfg)
    assert not cell.is_sampled(cfg, planned(cfg))


# The feature space


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("features") / CLASSIFIER_FILE
    save_classifier(path, Classifier(in_channels=1, image_size=8, classes=3, dim=8))
    return path


def test_a_classifier_is_read_as_it_was_written_or_refused(classifier: Path) -> None:
    whole = load_classifier(classifier).state_dict()

    def unchanged(read: Classifier) -> bool:
        return all(torch.equal(value, whole[name]) for name, value in read.state_dict().items())

    damages = damage.everything(classifier.stat().st_size, count=50)
    damages += damage.flips(1000, 60)
    assert damage.check(classifier, lambda: load_classifier(classifier), unchanged, damages) == 0


def test_a_classifier_of_another_training_is_refused(classifier: Path, tmp_path: Path) -> None:
    settings = schema.Features(name="classifier", dim=8, epochs=1, batch_size=8)
    path = tmp_path / CLASSIFIER_FILE
    path.write_bytes(classifier.read_bytes())
    space = records.FeatureSpace(
        name="classifier", description="", dim=8, sha256=files.sha256(path)
    )
    space.write(tmp_path / records.FILE)
    load_extractor(settings, tmp_path)
    torch.manual_seed(1)
    save_classifier(path, Classifier(in_channels=1, image_size=8, classes=3, dim=8))
    line = damage.refused(lambda: load_extractor(settings, tmp_path), path, "another one")
    assert "is another classifier than about.json describes" in str(line)


def test_two_equal_classifiers_are_equal_files(classifier: Path, tmp_path: Path) -> None:
    """No wall time in it: every measurement depends on its bytes."""
    save_classifier(tmp_path / "again.safetensors", load_classifier(classifier))
    assert (tmp_path / "again.safetensors").read_bytes() == classifier.read_bytes()

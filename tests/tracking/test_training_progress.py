"""What shows a training: FID and KID of previews are ours, and the configuration decides."""

import numpy as np
import pytest
import torch
from helpers import report_fixture, tiny
from pytorch_lightning import Callback

from ddim import schedule
from ddim.config import paths
from ddim.config.schema import Config
from ddim.evaluation.classifier import Classifier, save_classifier
from ddim.evaluation.features import extract
from ddim.evaluation.fid import ReferenceStatistics, fid
from ddim.evaluation.kid import kid
from ddim.images import to_uint8
from ddim.noise import Noise
from ddim.records import features
from ddim.records.features import FeatureSpace
from ddim.runtime import files
from ddim.sampler import sample
from ddim.tracking.training_progress import (
    PreviewQuality,
    ProgressLine,
    SampleGrid,
    preview,
    training_callbacks,
)

HELD_OUT = tiny.images(60)
SHAPE = HELD_OUT.shape[1:]
NUM_IMAGES = 60  # KID's subsets hold all images then, and leave nothing to chance


@pytest.fixture(autouse=True)
def _no_progress(monkeypatch):
    monkeypatch.setenv("CI", "true")


def extractor() -> Classifier:
    """An untrained feature space, always the same."""
    torch.manual_seed(3)
    return Classifier(in_channels=1, image_size=8, classes=3, dim=8).eval()


class Previews(Callback):
    """Keeps the previews of every validation."""

    def __init__(self):
        self.images = []

    def on_validation_end(self, trainer, pl_module):
        self.images.append(preview(trainer, range(NUM_IMAGES), seed=4, shape=SHAPE))


def fit(work, *callbacks, **changes):
    logger = tiny.RecordingLogger()
    settings = {"held_out": HELD_OUT, "validate_every": 15} | changes
    result = tiny.fit(tiny.net(), work, logger=logger, callbacks=callbacks, **settings)
    return result, logger


def test_loss_fid_and_kid_reach_the_logger_and_are_those_of_the_evaluation(tmp_path):
    previews = Previews()
    quality = PreviewQuality(extractor(), seed=4, batch_size=7, num_images=NUM_IMAGES)
    result, logger = fit(tmp_path / "shown", quality, previews)
    plain, _ = fit(tmp_path / "plain")
    assert tiny.same(result.raw, plain.raw)
    assert tiny.same(result.ema, plain.ema)
    steps = [15, 30]
    for name in ("val/loss", "val/fid", "val/kid"):
        assert [step for step, _ in logger.curve(name)] == steps

    reference = extract(extractor(), HELD_OUT, 16, "cpu")
    for i, images in enumerate(previews.images):
        features = extract(extractor(), images, 16, "cpu")
        expected_fid = fid(features, ReferenceStatistics.of(reference))
        expected_kid = kid(features, reference, subsets=1, subset_size=NUM_IMAGES, seed=0)
        assert logger.curve("val/fid")[i][1] == pytest.approx(expected_fid.value, rel=1e-3)
        assert logger.curve("val/kid")[i][1] == pytest.approx(expected_kid.value, rel=1e-3)
    assert logger.curve("val/fid")[0] != logger.curve("val/fid")[1]


def test_previews_are_of_the_averaged_weights_and_fixed_latents(tmp_path):
    previews = Previews()
    result, _ = fit(tmp_path, previews)
    network = tiny.net()
    network.load_state_dict(result.ema)
    network.eval()
    tau = schedule.trajectory(1000, 20)
    with torch.no_grad():
        x_0 = sample(network, Noise(4, range(NUM_IMAGES), SHAPE).draw(), tiny.ALPHA_BAR, tau)
    assert np.array_equal(previews.images[-1], to_uint8(x_0).numpy())


def test_one_held_out_image_is_too_few(tmp_path):
    quality = PreviewQuality(extractor(), seed=0, batch_size=8)
    with pytest.raises(ValueError, match=r"at least 2 held-out images, this data has 1"):
        fit(tmp_path, quality, held_out=HELD_OUT[:1])


def kinds(cfg: Config, *, logging: bool = True) -> list[type]:
    return [type(callback) for callback in training_callbacks(cfg, logging=logging)]


def test_the_configuration_decides_what_is_shown(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    validated = report_fixture.config("train.validate_every=10")
    silent = report_fixture.config("train.sample_every=0")
    assert kinds(silent) == [ProgressLine]
    assert kinds(report_fixture.config("train.sample_every=5")) == [ProgressLine, SampleGrid]
    assert kinds(validated, logging=False) == [ProgressLine]
    with pytest.raises(FileNotFoundError, match=r"about\.json is missing: make it with"):
        kinds(validated)

    place = paths.features(validated) / "classifier.safetensors"
    save_classifier(place, extractor())
    space = FeatureSpace("classifier", "tiny", 8, files.sha256(place))
    space.write(place.with_name(features.FILE))
    assert kinds(validated) == [ProgressLine, SampleGrid, PreviewQuality]

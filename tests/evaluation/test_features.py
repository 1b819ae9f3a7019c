"""Feature spaces: the classifier trained here, Inception, and the doors to both libraries."""

from functools import partial
from itertools import pairwise
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch

from ddim.config.schema import Evaluate, Features
from ddim.evaluation import features, metrics
from ddim.evaluation.classifier import (
    Classifier,
    load_classifier,
    save_classifier,
    train_classifier,
)
from ddim.evaluation.features import accuracy, extract, load_extractor, prepare, register
from ddim.evaluation.inception import FILE, Inception
from ddim.records.arrays import Split

CLASSIFIER = Features(name="classifier", dim=64, epochs=20, batch_size=128)


def digits() -> tuple[Split, Split]:
    """scikit-learn's digits as uint8, shuffled: 1,437 to train on and 360 held out."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    order = np.random.default_rng(0).permutation(len(bunch.target))
    images = np.round(bunch.images[order, None] * (255 / 16)).astype(np.uint8)
    labels = bunch.target[order].astype(np.int64)
    return Split(images[:1437], labels[:1437]), Split(images[1437:], labels[1437:])


@pytest.fixture(scope="module")
def train() -> Split:
    return digits()[0]


@pytest.fixture(scope="module")
def test() -> Split:
    return digits()[1]


@pytest.fixture(scope="module")
def classifier(train: Split) -> Classifier:
    return train_classifier(train.images, train.labels, dim=64, epochs=20, batch_size=128, seed=0)


# The classifier


def test_the_classifier_knows_digits(classifier: Classifier, test: Split) -> None:
    assert accuracy(classifier, test, batch_size=128, device="cpu") >= 0.97
    assert not classifier.training


def quick(train: Split, seed: int) -> np.ndarray:
    network = train_classifier(
        train.images[:128], train.labels[:128], dim=8, epochs=2, batch_size=50, seed=seed
    )
    return extract(network, train.images[:16], 16, "cpu")


def test_training_is_a_function_of_its_seed_alone(train: Split) -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = quick(train, seed=0)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    np.testing.assert_array_equal(quick(train, seed=0), first)
    assert np.abs(quick(train, seed=1) - first).max() > 1e-3


def test_training_says_how_far_it_is(train: Split) -> None:
    seen: list[int] = []
    train_classifier(
        train.images[:70],
        train.labels[:70],
        dim=8,
        epochs=3,
        batch_size=32,
        seed=0,
        progress=seen.append,
    )
    assert sum(seen) == 3 * 70


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [8, 16, 28, 32, 64])
def test_one_architecture_serves_all_sizes(size: int, channels: int) -> None:
    network = Classifier(in_channels=channels, image_size=size, classes=5, dim=12).eval()
    images = torch.zeros(2, channels, size, size, dtype=torch.uint8)
    assert network(images).shape == (2, 12)
    assert network.logits(images).shape == (2, 5)


@pytest.mark.parametrize("size", [4, 128])
def test_other_sizes_are_refused(size: int) -> None:
    with pytest.raises(ValueError, match=rf"data\.image_size={size}; use features=inception"):
        Classifier(in_channels=3, image_size=size, classes=5)


def test_images_of_another_shape_or_type_are_refused(classifier: Classifier) -> None:
    for images in (torch.zeros(1, 3, 8, 8, dtype=torch.uint8), torch.zeros(1, 1, 8, 8)):
        with pytest.raises(ValueError, match=r"takes uint8 images \[N,1,8,8\]"):
            classifier(images)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (None, "needs labels and this data has none: use features=inception"),
        (np.zeros(10, np.int64), r"got 10 labels in 0\.\.0 for 10 images"),
        (np.arange(9), "got 9 labels"),
        (np.arange(10) - 1, r"in -1\.\.8"),
    ],
)
def test_unusable_labels_are_refused(labels: np.ndarray | None, message: str) -> None:
    images = np.zeros((10, 1, 8, 8), np.uint8)
    with pytest.raises(ValueError, match=message):
        train_classifier(images, labels, dim=8, epochs=1, batch_size=5, seed=0)


def test_features_notice_noise_as_it_grows(classifier: Classifier, test: Split) -> None:
    """What FID is for here: noisier digits are farther from real ones."""
    reference = metrics.Reference.of(extract(classifier, test.images, 360, "cpu"))
    noise = np.random.default_rng(0).standard_normal(test.images.shape)
    found = []
    for level in (0, 16, 32, 64, 128):
        noisy = (test.images + level * noise).clip(0, 255).astype(np.uint8)
        found.append(metrics.fid(extract(classifier, noisy, 360, "cpu"), reference).value)
    assert found[0] < 1e-6
    assert all(a < b for a, b in pairwise(found)), found


# Its file


def test_a_saved_classifier_comes_back_as_it_was(
    classifier: Classifier, test: Split, tmp_path: Path
) -> None:
    path = tmp_path / "classifier.safetensors"
    save_classifier(path, classifier, about={"test_accuracy": 0.98})
    loaded, about = load_classifier(path)
    assert about == {"test_accuracy": 0.98}
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    expected = extract(classifier, test.images[:20], 20, "cpu")
    np.testing.assert_array_equal(extract(loaded, test.images[:20], 20, "cpu"), expected)


def test_a_file_that_is_missing_broken_or_foreign_is_named(
    classifier: Classifier, tmp_path: Path
) -> None:
    from safetensors.torch import save_file

    path = tmp_path / "classifier.safetensors"
    with pytest.raises(FileNotFoundError, match=r"classifier\.safetensors is missing"):
        load_extractor(CLASSIFIER, tmp_path)
    save_classifier(path, classifier, about={})
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"classifier\.safetensors is no classifier's weights"):
        load_extractor(CLASSIFIER, tmp_path)
    save_file({"weight": torch.zeros(3)}, path)
    with pytest.raises(ValueError, match=r"classifier\.safetensors is no classifier's weights"):
        load_extractor(CLASSIFIER, tmp_path)


def test_prepare_trains_saves_and_describes(
    train: Split, test: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = Split(train.images[:200], train.labels[:200])
    monkeypatch.setattr(features, "load", lambda _, split: few if split == "train" else test)
    small = Features(name="classifier", dim=8, epochs=1, batch_size=64)
    about = prepare(small, tmp_path, tmp_path, seed=0, device="cpu")
    assert {"name": "classifier", "dim": 8, "train_n": 200}.items() <= about.items()
    assert 0 <= about["test_accuracy"] <= 1
    assert len(about["sha256"]) == 64
    assert (tmp_path / "about.json").is_file()
    assert load_extractor(small, tmp_path).num_features == 8


# Extraction


def test_features_do_not_depend_on_the_batch_size(
    classifier: Classifier, test: Split, tmp_path: Path
) -> None:
    np.save(tmp_path / "images.npy", test.images)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    seen: list[int] = []
    one, many = (extract(classifier, mapped, size, "cpu", seen.append) for size in (7, 360))
    assert one.dtype == np.float32
    assert one.shape == (360, 64)
    assert seen == [7] * 51 + [3] + [360]
    np.testing.assert_allclose(one, many, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("images", [np.zeros((2, 1, 8, 8)), np.zeros((2, 64), np.uint8)])
def test_only_uint8_images_are_extracted(classifier: Classifier, images: np.ndarray) -> None:
    with pytest.raises(ValueError, match="uint8 images"):
        extract(classifier, images, 2, "cpu")


# torch-fidelity and torchmetrics on the same images


class Images(torch.utils.data.Dataset):
    """As torch-fidelity wants them: items are uint8 tensors [C,H,W]."""

    def __init__(self, images: np.ndarray) -> None:
        self.images = torch.from_numpy(np.array(images))

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, i: int) -> torch.Tensor:
        return self.images[i]


def fidelity(generated: np.ndarray, real: np.ndarray, **options: object) -> dict[str, float]:
    from torch_fidelity import calculate_metrics

    return calculate_metrics(
        input1=Images(generated),
        input2=Images(real),
        cuda=False,
        cache=False,
        save_cpu_ram=True,  # no worker processes
        isc=True,
        fid=True,
        kid=True,
        prc=True,
        kid_subsets=10,
        rng_seed=5,
        verbose=False,
        **options,
    )


def assert_same(ours: dict[str, float], theirs: dict[str, float], rel: float) -> None:
    assert ours["fid"] == pytest.approx(theirs["frechet_inception_distance"], rel=rel)
    assert ours["kid"] == pytest.approx(theirs["kernel_inception_distance_mean"], rel=rel)
    assert ours["inception_score"] == pytest.approx(theirs["inception_score_mean"], rel=rel)
    assert ours["precision"] == pytest.approx(theirs["precision"], abs=1e-6)
    assert ours["recall"] == pytest.approx(theirs["recall"], abs=1e-6)


def test_torch_fidelity_and_torchmetrics_agree_on_our_classifier(
    classifier: Classifier, train: Split, test: Split
) -> None:
    from torchmetrics.image.fid import FrechetInceptionDistance

    noise = np.random.default_rng(0).standard_normal(test.images.shape)
    generated = (test.images + 20 * noise).clip(0, 255).astype(np.uint8)
    found = extract(classifier, generated, 100, "cpu")
    ours = metrics.measure(
        found,
        extract(classifier, train.images, 100, "cpu"),
        Evaluate(kid_subsets=10, kid_subset_size=200, neighbours=3),
        seed=5,
        head=partial(features.logits, classifier, device="cpu"),
    )
    register(classifier, "ddim-digits-test")
    options = {"feature_extractor": "ddim-digits-test", "kid_subset_size": 200, "batch_size": 64}
    assert_same(ours, fidelity(generated, train.images, **options), rel=1e-4)

    metric = FrechetInceptionDistance(feature=classifier)
    with torch.inference_mode():
        metric.update(torch.from_numpy(train.images), real=True)
        metric.update(torch.from_numpy(generated), real=False)
    assert ours["fid"] == pytest.approx(float(metric.compute()), rel=1e-4)


# Inception: the true architecture with random weights, since the published ones are a download


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """He-initialised: with torch's own initialisation the features would all but vanish."""
    import torch_fidelity.feature_extractor_inceptionv3 as theirs

    class Unloaded(theirs.FeatureExtractorInceptionV3):
        def load_state_dict(self, *_: object, **__: object) -> None:  # type: ignore[override]
            """There is nothing to load yet."""

    patch = pytest.MonkeyPatch()
    with patch.context() as context:
        context.setattr(theirs, "load_state_dict_from_url", lambda *_, **__: None)
        network = Unloaded("inception-v3-compat", ["2048"])
    generator = torch.Generator().manual_seed(0)
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight, generator=generator)
    path = tmp_path_factory.mktemp("inception") / "random.pth"
    torch.save(network.state_dict(), path)
    return path


@pytest.fixture(scope="module")
def inception(weights: Path) -> Inception:
    configured = Features(name="inception", weights=str(weights), dim=2048, epochs=1, batch_size=8)
    folder = weights.parent
    prepare(configured, folder, folder, seed=0, device="cpu")
    extractor = load_extractor(configured, folder)
    assert isinstance(extractor, Inception)
    about = folder / "about.json"
    about.write_text(about.read_text().replace(extractor.sha256, "0" * 64))
    with pytest.raises(ValueError, match="not the file that the reference was measured with"):
        load_extractor(configured, folder)
    return extractor


def photographs(n: int, seed: int, power: float) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (255 * rng.random((n, 3, 32, 32)) ** power).astype(np.uint8)


def test_inception_numbers_are_torch_fidelitys_at_another_batch_size(
    inception: Inception, weights: Path
) -> None:
    generated, real = photographs(10, seed=0, power=1), photographs(5, seed=1, power=2)
    found = extract(inception, generated, 3, "cpu")
    ours = metrics.measure(
        found,
        extract(inception, real, 3, "cpu"),
        Evaluate(kid_subsets=10, kid_subset_size=5, neighbours=3),
        seed=5,
        head=partial(features.logits, inception, device="cpu"),
    )
    options = {"feature_extractor": "inception-v3-compat", "batch_size": 8, "kid_subset_size": 5}
    theirs = fidelity(generated, real, feature_extractor_weights_path=str(weights), **options)
    assert_same(ours, theirs, rel=1e-3)
    assert ours["fid"] > 0.1  # and not the vanishing features of a badly scaled network


def test_inception_sees_grey_images_as_grey_rgb(inception: Inception) -> None:
    grey = photographs(1, seed=0, power=1)[:, :1]
    expected = extract(inception, np.repeat(grey, 3, 1), 1, "cpu")
    np.testing.assert_allclose(extract(inception, grey, 1, "cpu"), expected, rtol=1e-5)


def test_inception_weights_that_are_missing_broken_or_foreign_are_named(
    weights: Path, tmp_path: Path
) -> None:
    with pytest.raises(FileNotFoundError, match=rf"features\.weights: no file .*{FILE}"):
        Inception(str(tmp_path / "absent.pth"))
    broken = tmp_path / "broken.pth"
    for content in (weights.read_bytes()[:100_000], b"", b"hello", b"<html>quota exceeded</html>"):
        broken.write_bytes(content)
        with pytest.raises(
            ValueError, match=r"^features\.weights: .*broken\.pth is no whole PyTorch file"
        ) as caught:
            Inception(str(broken))
        assert_one_line(caught.value)
    for content in ({"weight": torch.zeros(3)}, [torch.zeros(3)], {1: torch.zeros(3)}):
        torch.save(content, tmp_path / "foreign.pth")
        with pytest.raises(ValueError, match=r"foreign\.pth holds other weights") as caught:
            Inception(str(tmp_path / "foreign.pth"))
        assert_one_line(caught.value)


def assert_one_line(error: Exception) -> None:
    assert "\n" not in str(error)
    assert len(str(error)) < 400
    assert "weights_only" not in str(error)  # torch's advice to load it unsafely


def test_inception_weights_in_torchs_format_before_1_6(
    inception: Inception, weights: Path, tmp_path: Path
) -> None:
    """The published file is of that format: not a zip, and torch cannot map it into memory."""
    old = tmp_path / "old.pth"
    state = torch.load(weights, weights_only=True)
    torch.save(state, old, _use_new_zipfile_serialization=False)
    assert old.read_bytes()[:2] != b"PK"
    images = photographs(1, seed=0, power=1)
    expected = extract(inception, images, 1, "cpu")
    found = extract(Inception(str(old)), images, 1, "cpu")
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    old.write_bytes(old.read_bytes()[:-1000])
    with pytest.raises(ValueError, match=r"old\.pth is no whole PyTorch file"):
        Inception(str(old))


def test_a_download_that_fails_says_what_to_put_where(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise URLError("no network")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)
    with pytest.raises(FileNotFoundError, match=rf"no network.*{FILE}.*features\.weights"):
        Inception()

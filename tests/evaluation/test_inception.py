"""Inception: the true architecture with random weights, since the published ones are a download."""

from pathlib import Path
from urllib.error import URLError

import msgspec
import numpy as np
import pytest
import torch
from helpers.fidelity import metrics_of_images

from ddim.config.schema import Evaluate, Features
from ddim.evaluation.features import create_feature_space, extract, load_extractor
from ddim.evaluation.inception import Inception
from ddim.evaluation.inception_file import FILE
from ddim.evaluation.measure import CellEvaluator
from ddim.evaluation.reference import Reference
from ddim.records.features import FeatureSpace
from ddim.runtime import torch_file


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
    create_feature_space(configured, folder, folder, seed=0, device="cpu")
    extractor = load_extractor(configured, folder)
    assert isinstance(extractor, Inception)
    record = FeatureSpace.read(folder / "about.json", "")
    assert "other weights than the published ones" in record.description
    msgspec.structs.replace(record, sha256="0" * 64).write(folder / "about.json")
    with pytest.raises(ValueError, match="not the file that the reference was measured with"):
        load_extractor(configured, folder)
    return extractor


def photographs(n: int, seed: int, power: float) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (255 * rng.random((n, 3, 32, 32)) ** power).astype(np.uint8)


def test_inception_numbers_are_torch_fidelitys_at_another_batch_size(
    inception: Inception, weights: Path, tmp_path: Path
) -> None:
    generated, real = photographs(10, seed=0, power=1), photographs(5, seed=1, power=2)
    reference = Reference.of(extract(inception, real, 3, "cpu"), neighbours=3)
    evaluate = Evaluate(kid_subsets=10, kid_subset_size=5, neighbours=3, engine="ours")
    evaluator = CellEvaluator(
        inception, reference, evaluate, seed=5, batch_size=3, device="cpu", work=tmp_path
    )
    ours, _ = evaluator.measure(generated)
    theirs = metrics_of_images(
        generated,
        real,
        feature_extractor="inception-v3-compat",
        feature_extractor_weights_path=str(weights),
        batch_size=8,
        kid_subset_size=5,
    )
    assert ours.fid == pytest.approx(theirs["frechet_inception_distance"], rel=1e-3)
    assert ours.fid > 0.1  # and not the vanishing features of a badly scaled network
    assert ours.kid == pytest.approx(theirs["kernel_inception_distance_mean"], rel=1e-3)
    assert ours.inception_score == pytest.approx(theirs["inception_score_mean"], rel=1e-3)
    assert ours.precision == pytest.approx(theirs["precision"], abs=1e-6)
    assert ours.recall == pytest.approx(theirs["recall"], abs=1e-6)


def test_inception_sees_grey_images_as_grey_rgb(inception: Inception) -> None:
    grey = photographs(1, seed=0, power=1)[:, :1]
    expected = extract(inception, np.repeat(grey, 3, 1), 1, "cpu")
    np.testing.assert_allclose(extract(inception, grey, 1, "cpu"), expected, rtol=1e-5)


def test_inception_weights_that_are_missing_truncated_or_others_are_named(
    weights: Path, tmp_path: Path
) -> None:
    with pytest.raises(FileNotFoundError, match=rf"features\.weights: no file .*{FILE}"):
        Inception(str(tmp_path / "absent.pth"))
    broken = tmp_path / "broken.pth"
    for content in (weights.read_bytes()[:100_000], b"", b"hello", b"<html>quota exceeded</html>"):
        broken.write_bytes(content)
        with pytest.raises(
            ValueError, match=r"^features\.weights: .*broken\.pth is truncated or no PyTorch file"
        ) as caught:
            Inception(str(broken))
        assert_one_line(caught.value)
    for content in ({"weight": torch.zeros(3)}, [torch.zeros(3)], {1: torch.zeros(3)}):
        torch.save(content, tmp_path / "others.pth")
        with pytest.raises(ValueError, match=r"others\.pth holds other weights") as caught:
            Inception(str(tmp_path / "others.pth"))
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
    features = extract(Inception(str(old)), images, 1, "cpu")
    np.testing.assert_allclose(features, expected, rtol=1e-5)
    old.write_bytes(old.read_bytes()[:-1000])
    with pytest.raises(ValueError, match=r"old\.pth is truncated or no PyTorch file"):
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


def test_a_download_of_inception_that_is_damaged_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    path = tmp_path / "hub" / "checkpoints" / FILE
    path.parent.mkdir(parents=True)
    torch.save({"weight": torch.zeros(3)}, path)
    with pytest.raises(
        ValueError, match=rf"{FILE} is damaged \(its SHA-256 does not begin with 67"
    ):
        Inception()


@pytest.mark.parametrize("value", [torch.tensor([torch.nan]), torch.ones(3).to_sparse()])
def test_inception_weights_that_are_no_numbers_are_named(
    value: torch.Tensor, tmp_path: Path
) -> None:
    path = tmp_path / "mine.pth"
    torch.save({"fc.weight": value}, path)
    with pytest.raises(ValueError, match=r"mine\.pth: the tensor fc\.weight holds NaN, infinity"):
        Inception(str(path))
    assert not torch_file.is_finite(torch.ones(2, device="meta"))

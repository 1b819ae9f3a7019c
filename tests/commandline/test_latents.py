"""ddim encode, interpolate and edit: what they write, and what they say to a mistake."""

from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits

from ddim import sampler, schedule, weights
from ddim.commandline import edit, encode, interpolate
from ddim.config.schema import Config
from ddim.images import to_float, to_uint8
from ddim.noise import Noise
from ddim.records import prepared

FOLDER = Path("out/tiny-weights")
TAU = schedule.trajectory(1000, 6, "quadratic")


def network() -> torch.nn.Module:
    unet, _ = weights.load("reports/tiny/ema.safetensors")
    return unet


@torch.no_grad()
def encoded(images: np.ndarray) -> torch.Tensor:
    x_0 = to_float(torch.from_numpy(images))
    return sampler.encode(network(), x_0, schedule.alpha_bar(), TAU)


@torch.no_grad()
def decoded(x_T: torch.Tensor) -> np.ndarray:
    return to_uint8(sampler.sample(network(), x_T, schedule.alpha_bar(), TAU)).numpy()


def strip(monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
    """The images of every picture of strips that is drawn."""
    from ddim.plotting import canvas

    drawn: list[np.ndarray] = []
    draw = canvas.strips

    def kept(rows: np.ndarray, **options: object) -> bytes:
        drawn.append(rows)
        return draw(rows, **options)

    monkeypatch.setattr(canvas, "strips", kept)
    return drawn


@pytest.mark.filterwarnings("ignore:.*found in sys.modules after import")  # of this file
def test_held_out_images_are_encoded_and_decoded(ddim, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = strip(monkeypatch)
    printed = ddim("encode", "3", "5", "weights=tiny")
    assert "preparing digits in out/tiny-weights/data, once" in printed
    images = np.array(prepared.load(FOLDER / "data", "test").images[[3, 5]])
    x_T = encoded(images)
    for i, latent in zip((3, 5), x_T, strict=True):
        saved = np.load(FOLDER / "encoded" / f"{i}_S6.npy")
        assert saved.dtype == np.float32
        np.testing.assert_allclose(saved, latent.numpy(), atol=1e-4)
        assert f"{i}: latent out/tiny-weights/encoded/{i}_S6.npy" in printed
    (rows,) = drawn  # image, latent, decoded, difference
    assert np.array_equal(rows[:, 0], images)
    assert np.abs(rows[:, 2].astype(int) - decoded(x_T)).max() <= 1
    assert Image.open(FOLDER / "encoded" / "3_5_S6.png").size[0] > 300


def test_an_image_file_is_taken_at_the_networks_size(
    project: Path, cfg: Config, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    Image.fromarray(photo).save(project / "my photo.png")
    digit = load_digits().images[0].astype(np.uint8) * 15
    Image.fromarray(digit).save(project / "zero.png")
    encode.run(cfg, ["my photo.png", "zero.png"])
    printed = capsys.readouterr().out
    how = "taken as 8x8 grey (shorter side resized, centre cropped)"
    assert f"my photo.png: 60x40 pixels, {how}" in printed
    assert "zero.png: 8x8 pixels, taken as 8x8 grey (as it is)" in printed
    assert np.load(FOLDER / "encoded" / "my-photo_S6.npy").shape == (1, 8, 8)
    latent = np.load(FOLDER / "encoded" / "zero_S6.npy")
    np.testing.assert_allclose(latent, encoded(digit[None, None])[0], atol=1e-4)


def test_two_images_of_one_name_are_refused(project: Path, cfg: Config) -> None:
    for folder in ("a", "b"):
        (project / folder).mkdir()
        Image.new("L", (8, 8)).save(project / folder / "x.png")
    with pytest.raises(
        ValueError, match=r"^a/x.png and b/x.png .* written to x_S6.npy: rename one"
    ):
        encode.run(cfg, ["a/x.png", "b/x.png"])
    assert not (FOLDER / "encoded").exists()


def test_long_names_are_cut(project: Path, cfg: Config) -> None:
    first, second = (f"{letter * 120}.png" for letter in "\u00e4\u00f6")  # two bytes each
    for name in (first, second):
        Image.new("L", (8, 8)).save(project / name)
    encode.run(cfg, [first])
    interpolate.run(cfg, [first, second])
    edit.run(cfg, [first, "3", "8"])
    assert (FOLDER / "encoded" / f"{first[:40]}_S6.npy").is_file()
    assert (FOLDER / "interpolated" / f"{first[:40]}_{second[:40]}_S6.png").is_file()
    assert (FOLDER / "edited" / f"{first[:40]}_3_to_8_S6.png").is_file()


def test_images_are_prepared_again_when_their_settings_have_changed(
    cfg: Config, capsys: pytest.CaptureFixture[str]
) -> None:
    encode.run(cfg, ["3"])
    assert "preparing" not in capsys.readouterr().out
    fewer = replace(cfg, data=replace(cfg.data, held_out=0.5))
    for _ in range(2):
        encode.run(fewer, ["800"])
    assert capsys.readouterr().out.count("preparing digits in out/tiny-weights/data") == 1


def test_a_path_of_latents_ends_at_its_ends(
    cfg: Config, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn = strip(monkeypatch)
    interpolate.run(cfg, [])
    interpolate.run(cfg, ["2", "seed:9"])
    line = f"5 images from seed0 to seed1, S = 6: {FOLDER}/interpolated/seed0_seed1_S6.png"
    assert line in capsys.readouterr().out
    seeds, mixed = drawn
    assert seeds.shape == (2, 5, 1, 8, 8)
    x_T = torch.cat([Noise(seed, [0], (1, 8, 8)).draw() for seed in (0, 1, 9)])
    ends = decoded(x_T).astype(int)
    for row in seeds:  # slerp and the cross-fade have the same ends
        assert np.abs(row[[0, -1]] - ends[:2]).max() <= 1
    middle = decoded(sampler.slerp(x_T[:1], x_T[1:2], 0.5)).astype(int)
    assert np.abs(seeds[0, 2] - middle[0]).max() <= 1
    assert np.abs(seeds[1, 2] - ends[:2].mean(0)).max() <= 2
    image = np.array(prepared.load(FOLDER / "data", "test").images[2:3])
    assert np.abs(mixed[0, 0] - decoded(encoded(image))[0].astype(int)).max() <= 1
    assert np.abs(mixed[0, -1] - ends[2]).max() <= 1


def test_an_edit_moves_from_one_class_mean_to_another(
    cfg: Config, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn = strip(monkeypatch)
    edit.run(cfg, ["3", "8"])
    test, train = (prepared.load(FOLDER / "data", split) for split in ("test", "train"))
    assert test.labels is not None
    assert train.labels is not None
    label = int(test.labels[3])
    line = f"3, {label} to 8, strengths 0 to 1.5, S = 6: {FOLDER}/edited/3_{label}_to_8_S6.png"
    assert line in capsys.readouterr().out
    means = [
        encoded(np.array(train.images[np.flatnonzero(train.labels == k)[:3]])).mean(0)
        for k in (label, 8)
    ]
    image = np.array(test.images[3:4])
    moved = torch.stack([encoded(image)[0] + s * (means[1] - means[0]) for s in edit.STRENGTHS])
    (rows,) = drawn
    assert np.array_equal(rows[0, 0], image[0])
    assert np.abs(rows[0, 1:].astype(int) - decoded(moved)).max() <= 1


@pytest.mark.parametrize(
    ("program", "words", "message"),
    [
        (encode, [], "name an image to encode: a file, or a held-out image by its number"),
        (encode, ["seed:3"], "seed:3 is noise: name an image file, or a held-out image by num"),
        (encode, ["none.png"], "none.png is no file: name an image, a held-out image by its n"),
        (encode, ["360"], r"360: the held-out images are 0 to 359 \(digits\)"),
        (encode, ["conf/config.yaml"], r"conf/config.yaml \(not an image"),
        (interpolate, ["3"], "name two images or seeds to interpolate between, got 3"),
        (interpolate, ["seed:x", "seed:1"], "seed:x: a seed is a whole number, 0 or more"),
        (edit, ["3"], r"name an image and the class to move it to \(IMAGE \[FROM\] TO\), got 3"),
        (edit, ["3", "ten"], "ten is no class; There are: 0, 1, 2"),
        (edit, ["none.png", "1"], "none.png is no file"),
        (edit, ["x.png", "8"], "of an image file, say what it is too: IMAGE FROM TO"),
        (edit, ["x.png", "8", "8"], "the image is of class 8 already: name another one"),
    ],
)
def test_a_mistake_is_one_line(
    project: Path, cfg: Config, program: ModuleType, words: list[str], message: str
) -> None:
    Image.new("L", (8, 8)).save(project / "x.png")
    with pytest.raises((ValueError, OSError), match=f"^{message}"):
        program.run(cfg, words)


def test_without_weights_it_says_where_there_are_some(project: Path, cfg: Config) -> None:
    without = replace(cfg, weights=None, name="digits")
    with pytest.raises(
        FileNotFoundError, match=r"no weights file .*train first .*take a report's: weights=tiny"
    ):
        encode.run(without, ["3"])

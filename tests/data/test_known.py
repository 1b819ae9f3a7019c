"""The standard sets on tiny self-made copies: nothing here downloads."""

import pickle
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from helpers.datasets import config
from PIL import Image

from ddim.config.schema import Data
from ddim.data.known import celeba_crop
from ddim.data.prepare import prepare
from ddim.records.prepared import load

# -- MNIST -----------------------------------------------------------------------------------------


def write_mnist(root: Path, counts: dict[str, int]) -> dict[str, np.ndarray]:
    """The idx files of a tiny MNIST; returns its images."""
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True)
    made = {}
    for prefix, n in counts.items():
        made[prefix] = np.arange(n * 784, dtype=np.uint32).reshape(n, 28, 28).astype(np.uint8)
        head = struct.pack(">IIII", 0x803, n, 28, 28)
        (raw / f"{prefix}-images-idx3-ubyte").write_bytes(head + made[prefix].tobytes())
        labels = bytes(i % 10 for i in range(n))
        (raw / f"{prefix}-labels-idx1-ubyte").write_bytes(struct.pack(">II", 0x801, n) + labels)
    return made


def test_mnist_is_padded_to_32_with_black(tmp_path: Path) -> None:
    made = write_mnist(tmp_path, {"train": 12, "t10k": 3})
    record = prepare(config("mnist", tmp_path, 32, 1, download=True), tmp_path / "out")
    assert "2 black pixels on each side" in record.preprocessing.resize
    train = load(tmp_path / "out", "train")
    assert train.images.shape == (12, 1, 32, 32)
    assert np.array_equal(train.images[:, 0, 2:-2, 2:-2], made["train"])
    assert train.images.sum() == made["train"].sum()  # the border is 0
    assert train.labels is not None
    assert train.labels.tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]
    assert load(tmp_path / "out", "test").images.shape == (3, 1, 32, 32)


def test_mnist_as_it_is(tmp_path: Path) -> None:
    made = write_mnist(tmp_path, {"train": 2, "t10k": 2})
    prepare(config("mnist", tmp_path, 28, 1), tmp_path / "out")
    assert np.array_equal(load(tmp_path / "out", "test").images[:, 0], made["t10k"])


def test_a_missing_or_truncated_copy_says_what_to_put_where(tmp_path: Path) -> None:
    data = config("mnist", tmp_path, 28, 1)
    expected = (
        r"no complete copy of MNIST in data\.root=.*put MNIST/raw/.*or set data\.download=true"
    )
    with pytest.raises(ValueError, match=expected):
        prepare(data, tmp_path / "out")
    write_mnist(tmp_path, {"train": 2, "t10k": 2})
    path = tmp_path / "MNIST/raw/train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match=expected):
        prepare(data, tmp_path / "out")


def test_a_blocked_download_says_what_to_put_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import urllib.error
    import urllib.request

    def blocked(*_: object, **__: object) -> None:
        raise urllib.error.URLError("no route")

    monkeypatch.setattr(urllib.request, "urlopen", blocked)
    data = config("cifar10", tmp_path, 32, 3, download=True)
    with pytest.raises(ValueError, match=r"could not be downloaded.*put cifar-10-batches-py/"):
        prepare(data, tmp_path / "out")


# -- CIFAR-10 --------------------------------------------------------------------------------------


def test_cifar10_keeps_pixels_channels_and_labels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torchvision.datasets import CIFAR10

    # The checksums are those of the real files; without them the layout alone decides.
    monkeypatch.setattr(CIFAR10, "train_list", [["data_batch_1", None], ["data_batch_2", None]])
    monkeypatch.setattr(CIFAR10, "test_list", [["test_batch", None]])
    monkeypatch.setattr(CIFAR10, "meta", {**CIFAR10.meta, "md5": None})
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    rows = np.random.default_rng(0).integers(0, 256, (6, 3072), dtype=np.uint8)
    for i, name in enumerate(("data_batch_1", "data_batch_2", "test_batch")):
        batch = {"data": rows[2 * i : 2 * i + 2], "labels": [i, 9 - i]}
        (folder / name).write_bytes(pickle.dumps(batch))
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": [*"abcdefghij"]}))
    record = prepare(config("cifar10", tmp_path, 32, 3), tmp_path / "out")
    assert record.classes == (*"abcdefghij",)
    train, test = load(tmp_path / "out", "train"), load(tmp_path / "out", "test")
    # The files hold 1024 red, then green, then blue values, row by row.
    assert np.array_equal(train.images, rows[:4].reshape(4, 3, 32, 32))
    assert np.array_equal(test.images, rows[4:].reshape(2, 3, 32, 32))
    assert train.labels is not None
    assert train.labels.tolist() == [0, 9, 1, 8]


def test_cifar10s_pickles_are_opened_only_with_their_published_checksums(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, ...]:
            return Path.touch, (tmp_path / "ran",)

    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    batches = [f"data_batch_{i}" for i in range(1, 6)]
    for name in (*batches, "test_batch", "batches.meta"):
        (folder / name).write_bytes(pickle.dumps(Trap()))
    with pytest.raises(ValueError, match="no complete copy of CIFAR-10"):
        prepare(config("cifar10", tmp_path, 32, 3), tmp_path / "out")
    assert not (tmp_path / "ran").exists()


# -- CelebA ----------------------------------------------------------------------------------------


def gradient() -> Image.Image:
    """178x218, red = column, green = row."""
    pixels = np.zeros((218, 178, 3), np.uint8)
    pixels[..., 0] = np.arange(178)
    pixels[..., 1] = np.arange(218)[:, None]
    return Image.fromarray(pixels)


def test_celeba_crop_by_hand() -> None:
    crop = np.asarray(celeba_crop(gradient(), 128))
    assert crop.shape == (128, 128, 3)
    assert (crop[0, 0, 0], crop[0, -1, 0]) == (25, 152)  # columns 89 - 64 to 89 + 63
    assert (crop[0, 0, 1], crop[-1, 0, 1]) == (57, 184)  # rows 121 - 64 to 121 + 63


def test_celeba_resize_by_hand() -> None:
    # Halving bilinearly with antialiasing weighs 1 3 3 1: the mean of two neighbours on a ramp,
    # c + 0.5, which Pillow rounds up. Inside, that is 25 + 2 i + 1.
    small = np.asarray(celeba_crop(gradient(), 64))
    assert small.shape == (64, 64, 3)
    inside = np.arange(1, 63)
    assert np.array_equal(small[5, 1:-1, 0], 26 + 2 * inside)
    assert np.array_equal(small[1:-1, 5, 1], 58 + 2 * inside)


def test_celeba_crop_refuses_images_that_are_not_aligned() -> None:
    with pytest.raises(ValueError, match="178x218, this is 100x100"):
        celeba_crop(Image.new("RGB", (100, 100)), 64)


def write_celeba(root: Path, splits: Sequence[int]) -> None:
    """A tiny CelebA: image i is plain grey 10 i, in split splits[i] (0 train, 1 valid, 2 test)."""
    folder = root / "celeba"
    images = folder / "img_align_celeba"
    images.mkdir(parents=True)
    names = [f"{i + 1:06}.jpg" for i in range(len(splits))]
    for i, name in enumerate(names):
        Image.new("RGB", (178, 218), (10 * i,) * 3).save(images / name)

    def table(file: str, head: str, values: str) -> None:
        lines = [f"{name} {values}" for name in names]
        (folder / file).write_text(head + "\n".join(lines) + "\n")

    table("identity_CelebA.txt", "", "1")
    table("list_attr_celeba.txt", f"{len(names)}\nSmiling\n", "-1")
    table("list_bbox_celeba.txt", f"{len(names)}\nimage_id x y w h\n", "0 0 9 9")
    table("list_landmarks_align_celeba.txt", f"{len(names)}\nx y\n", "1 1")
    lines = [f"{name} {split}" for name, split in zip(names, splits, strict=True)]
    (folder / "list_eval_partition.txt").write_text("\n".join(lines) + "\n")


def test_celeba_uses_its_own_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from torchvision.datasets import CelebA

    unchecked = [(file_id, None, name) for file_id, _, name in CelebA.file_list]
    monkeypatch.setattr(CelebA, "file_list", unchecked)
    write_celeba(tmp_path, [0, 1, 2, 0, 2, 0])
    record = prepare(config("celeba", tmp_path, 64, 3), tmp_path / "out")
    assert "(89, 121)" in record.preprocessing.crop
    assert "bilinear" in record.preprocessing.resize
    train, test = load(tmp_path / "out", "train"), load(tmp_path / "out", "test")
    assert train.images.shape == (3, 3, 64, 64)
    assert [int(np.rint(image.mean())) for image in train.images] == [0, 30, 50]
    assert [int(np.rint(image.mean())) for image in test.images] == [20, 40]
    assert train.labels is None

    broken = tmp_path / "celeba/img_align_celeba/000004.jpg"
    broken.write_bytes(broken.read_bytes()[:200])
    with pytest.raises(ValueError, match=r"000004\.jpg"):
        prepare(config("celeba", tmp_path, 64, 3), tmp_path / "out")


# -- LSUN ------------------------------------------------------------------------------------------


def write_lmdb(path: Path, greys: Sequence[int], size: tuple[int, int]) -> None:
    import io

    lmdb = pytest.importorskip("lmdb")
    path.mkdir()
    with lmdb.open(str(path), map_size=1 << 22) as env, env.begin(write=True) as transaction:
        for i, grey in enumerate(greys):
            buffer = io.BytesIO()
            Image.new("RGB", size, (grey,) * 3).save(buffer, "WEBP", lossless=True)
            transaction.put(f"{i:04}".encode(), buffer.getvalue())


def test_lsun_lmdb(tmp_path: Path) -> None:
    write_lmdb(tmp_path / "church_outdoor_train_lmdb", [10, 20, 30], size=(40, 32))
    write_lmdb(tmp_path / "church_outdoor_val_lmdb", [40], size=(32, 50))
    record = prepare(config("lsun_church", tmp_path, 16, 3), tmp_path / "out")
    assert record.preprocessing.split == "the set's own train and val"
    train, test = load(tmp_path / "out", "train"), load(tmp_path / "out", "test")
    assert train.images.shape == (3, 3, 16, 16)
    assert train.images[:, 0, 0, 0].tolist() == [10, 20, 30]
    assert test.images.shape == (1, 3, 16, 16)


def test_lsun_as_a_folder_of_images(tmp_path: Path) -> None:
    (tmp_path / "bedroom").mkdir()
    for i in range(4):
        Image.new("RGB", (20, 16), (i, i, i)).save(tmp_path / "bedroom" / f"{i}.png")
    record = prepare(config("lsun_bedroom", tmp_path, 16, 3), tmp_path / "out")
    assert "bilinear" in record.preprocessing.resize
    assert (record.train_n, record.test_n) == (3, 1)


def test_missing_and_broken_lsun_say_what_to_put_where(tmp_path: Path) -> None:
    data = config("lsun_bedroom", tmp_path, 16, 3)
    with pytest.raises(FileNotFoundError, match=r"put bedroom_train_lmdb/ and bedroom_val_lmdb/"):
        prepare(data, tmp_path / "out")
    for split in ("train", "val"):
        (tmp_path / f"bedroom_{split}_lmdb").mkdir()
        (tmp_path / f"bedroom_{split}_lmdb" / "data.mdb").write_bytes(b"x" * 9000)
    with pytest.raises(ValueError, match="bedroom_train_lmdb is a truncated or invalid LMDB"):
        prepare(data, tmp_path / "out")


# -- conf/data -------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted(Path("conf/data").glob("*.yaml")), ids=lambda p: p.stem)
def test_every_shipped_set_fits_the_schema(path: Path) -> None:
    from omegaconf import OmegaConf

    from ddim.data.prepare import SOURCES

    node = OmegaConf.merge(OmegaConf.structured(Data), OmegaConf.load(path))
    if OmegaConf.is_missing(node, "root"):  # the user's own images
        node.root = "somewhere"
    whole = OmegaConf.create({"data": node})  # data.watch is made of data.root
    data = OmegaConf.to_object(whole.data)
    assert isinstance(data, Data)
    assert data.name in SOURCES
    assert not Path(data.root).is_absolute()

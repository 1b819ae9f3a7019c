"""Hostile folders and zips: each ends in one line that names the file and the way out."""

import io
import os
import re
import socket
import subprocess
import sys
import tempfile
import warnings
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.datasets import folder_config as config
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from ddim.data import decode, listing
from ddim.data.prepare import prepare
from ddim.records import prepared

linux = pytest.mark.skipif(sys.platform != "linux", reason="FIFOs, devices and names of Linux")


def png(size: tuple[int, int] = (4, 4)) -> bytes:
    out = io.BytesIO()
    Image.new("L", size, 7).save(out, "PNG")
    return out.getvalue()


def folder(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(png())
    return root


def refused(root: Path, out: Path) -> str:
    """The one line with which `root` is refused; nothing counts as prepared."""
    with pytest.raises((ValueError, OSError)) as caught:
        prepare(config(root), out)
    assert not (out / "about.json").exists()
    text = str(caught.value)
    assert text.isprintable(), ascii(text)
    return text


def png_that_says(width: int, height: int) -> bytes:
    """A PNG whose header declares a size that its few bytes of data do not hold."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data).to_bytes(4, "big")
        return len(data).to_bytes(4, "big") + kind + data + check

    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 0, 0, 0, 0])
    data = chunk(b"IDAT", zlib.compress(bytes(100)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + data + chunk(b"IEND", b"")


# -- kinds of files --------------------------------------------------------------------------------


def fifo(path: Path) -> None:
    os.mkfifo(path)


def bound_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(path))


def device(path: Path) -> None:
    try:
        os.mknod(path, 0o20644, os.makedev(1, 5))  # /dev/zero
    except PermissionError:
        pytest.skip("only root makes devices")


def sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(2**40)


@linux
@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (fifo, r"\(a FIFO, no regular file\)"),
        (bound_socket, r"\(a socket, no regular file\)"),
        (device, r"\(a device, no regular file\)"),
        (Path.mkdir, "no regular file"),
        (lambda path: path.symlink_to("/dev/zero"), r"\(a link out of the folder, to /dev/zero\)"),
        (lambda path: path.symlink_to("/etc/hostname"), r"\(a link out of the folder, to /etc/"),
        (lambda path: path.symlink_to("x.png"), r"\(a link that leads nowhere\)"),
        (sparse, r"\(1,099,511,627,776 bytes, the limit is 134,217,728\)"),
    ],
)
def test_only_regular_files_of_a_bounded_size_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], None], reason: str
) -> None:
    monkeypatch.chdir(tmp_path)
    root = folder(tmp_path / "images", "a.png", "b.png")
    make(root / "x.png")
    if (root / "x.png").is_dir():  # a folder's name may end in anything; it holds nothing here
        assert prepare(config(root), tmp_path / "out").train_n == 1
        return
    text = refused(root, tmp_path / "out")
    assert re.search(rf"data\.root=\S+: 1 image that .*remove or replace: x\.png {reason}", text)


@linux
def test_a_file_that_becomes_a_fifo_after_the_listing_is_refused_too(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(ValueError, match="a FIFO, no regular file"):
        listing.read_file(tmp_path / "a.png")


@linux
def test_a_root_that_is_neither_folder_nor_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "images.zip")
    assert "neither a folder nor a zip file" in refused(tmp_path / "images.zip", tmp_path / "out")


@linux
def test_a_folder_that_links_out_is_named(tmp_path: Path) -> None:
    folder(tmp_path / "elsewhere", "1.png")
    root = folder(tmp_path / "images", "a/1.png", "a/2.png")
    (root / "b").symlink_to(tmp_path / "elsewhere")
    text = refused(root, tmp_path / "out")
    assert f"b is a link out of the folder, to {tmp_path}/elsewhere: put the images" in text


@linux
def test_other_files_may_be_anything_as_they_are_never_opened(tmp_path: Path) -> None:
    root = folder(tmp_path / "images", "a.png", "b.png")
    os.mkfifo(root / "control")
    (root / "passwords.txt").symlink_to("/etc/passwd")
    left_out = prepare(config(root), tmp_path / "out").preprocessing.left_out
    assert left_out == "2 files of other kinds (1 without suffix, 1 .txt)"


def test_too_many_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = folder(tmp_path / "images", "1.png", "a/2.png", "b/3.png")
    packed = zipped(tmp_path, *((f"{i}.png", png()) for i in range(3)))
    monkeypatch.setattr(listing, "MAX_FILES", 2)
    for path in (root, packed):
        assert "holds more than 2 files, the limit" in refused(path, tmp_path / "out")


# -- names -----------------------------------------------------------------------------------------


@linux
@pytest.mark.parametrize(
    ("name", "printed"),
    [
        (b"a\nb", r"a\nb"),
        (b"a\x1b[31mb", r"a\x1b[31mb"),
        (b"caf\xe9", r"caf\udce9"),
        ("a\N{RIGHT-TO-LEFT OVERRIDE}b".encode(), r"a\u202eb"),
    ],
)
def test_a_class_whose_name_cannot_be_printed_is_named_escaped(
    tmp_path: Path, name: bytes, printed: str
) -> None:
    root = folder(tmp_path / "images", "z/1.png", "z/2.png", f"{os.fsdecode(name)}/1.png")
    text = refused(root, tmp_path / "out")
    assert text.endswith(f"or invalid UTF-8 in their names, rename them: {printed}")


@linux
@pytest.mark.parametrize("name", [b"a\n.png", b"\xff.png", b"\x1b]0;owned\x07.png"])
def test_a_files_own_name_is_escaped_where_it_is_printed(tmp_path: Path, name: bytes) -> None:
    root = folder(tmp_path / "images", "1.png", "2.png")
    (root / os.fsdecode(name)).write_bytes(b"no image")
    assert listing.printable(os.fsdecode(name)) in refused(root, tmp_path / "out")
    (root / os.fsdecode(name)).write_bytes(png())  # a good image may have any name
    assert prepare(config(root), tmp_path / "out").train_n == 2


@linux
def test_names_that_go_into_the_record_are_escaped(tmp_path: Path) -> None:
    root = folder(tmp_path / os.fsdecode(b"my\nimages\xff"), "1.png", "2.png")
    (root / os.fsdecode(b"x.a\nb\xff")).write_bytes(b"")
    record = prepare(config(root), tmp_path / "out")
    assert record.description == r"2 images from my\nimages\udcff"
    assert record.preprocessing.left_out == r"1 file of other kinds (1 .a\nb\udcff)"
    assert prepared.read(tmp_path / "out") == record


# -- contents --------------------------------------------------------------------------------------

EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 4 4\n%%EndComments\nshowpage\n%%EOF\n"


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tga"])
def test_no_external_program_is_started_for_eps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def started(*args: object, **kwargs: object) -> None:
        raise AssertionError(f"a program was started: {args}")

    monkeypatch.setattr(subprocess, "Popen", started)
    monkeypatch.setattr(os, "system", started)
    root = folder(tmp_path / "images", "1.png", "2.png")
    (root / name).write_bytes(EPS)
    text = refused(root, tmp_path / "out")
    assert f"{name} (not an image: accepted are PNG, JPEG, WebP, GIF, BMP, TIFF, PPM," in text


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ((13_304, 13_304), "13304x13304, 176,996,416 pixels, the limit is 89,478,485: make it sm"),
        ((60_000, 60_000), "Image size (3600000000 pixels) exceeds limit of"),
        ((2**31 - 1, 2**31 - 1), "exceeds limit of"),
    ],
)
def test_a_decompression_bomb_is_refused_by_its_header(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int], message: str
) -> None:
    def decoded(image: Image.Image) -> None:
        raise AssertionError("it was decoded")

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", decoded)
    root = tmp_path / "images"
    root.mkdir()
    for name in ("1.png", "2.png"):
        (root / name).write_bytes(png_that_says(*size))
    assert message in refused(root, tmp_path / "out")


def test_pillow_adds_no_warning_of_its_own(tmp_path: Path) -> None:
    """In a process of its own: pytest resets the filters of warnings."""
    root = folder(tmp_path / "images", "1.png")
    (root / "bomb.png").write_bytes(png_that_says(13_304, 13_304))
    code = f"""
from ddim.data.decode import ImageFile, decode
from pathlib import Path
decode(ImageFile("bomb.png", Path({str(root / "bomb.png")!r}).read_bytes), lambda image: image, 1)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "UnreadableError: bomb.png (13304x13304" in done.stderr
    assert "Warning" not in done.stderr


def test_an_image_that_is_a_line_is_not_resized_to_gigabytes(tmp_path: Path) -> None:
    root = folder(tmp_path / "images", "1.png", "2.png")
    (root / "line.png").write_bytes(png((1, 6_000_000)))
    text = refused(root, tmp_path / "out")
    assert "line.png (4x24000000, 96,000,000 pixels, the limit is 89,478,485" in text


def test_large_images_are_decoded_one_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "images"
    root.mkdir()
    for i in range(6):
        (root / f"{i}.png").write_bytes(png((64, 64)))
    monkeypatch.setattr(decode, "LARGE_PIXELS", 64 * 64 - 1)
    together: list[bool] = []
    original = decode.flattened

    def watched(image: Image.Image, channels: int) -> Image.Image:
        together.append(decode._ONE_AT_A_TIME.locked())
        return original(image, channels)

    monkeypatch.setattr(decode, "flattened", watched)
    prepare(config(root), tmp_path / "out")
    assert together == [True] * 6


# -- zips ------------------------------------------------------------------------------------------


def zipped(folder: Path, *members: tuple[str, bytes], method: int = zipfile.ZIP_STORED) -> Path:
    path = folder / "images.zip"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a name that comes twice
        with zipfile.ZipFile(path, "w", method) as archive:
            for name, content in members:
                archive.writestr(name, content)
    return path


GOOD = (("1.png", png()), ("2.png", png()))
with tempfile.TemporaryDirectory() as _folder:
    WHOLE_ZIP = zipped(Path(_folder), *GOOD, ("c/3.png", png())).read_bytes()


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ((("../x.png", png()),), "../x.png (a path out of the zip)"),
        ((("a/../../x.png", png()),), "a/../../x.png (a path out of the zip)"),
        ((("/etc/x.png", png()),), "/etc/x.png (a path out of the zip)"),
        ((("x.png", png()), ("x.png", png())), "x.png (2 times in the zip)"),
        ((("x\n.png", b""),), r"x\n.png (not an image"),
        ((("a\tb/1.png", png()), ("c/1.png", png())), r"rename them: a\tb"),
    ],
)
def test_a_zip_with_such_members_is_refused(
    tmp_path: Path, members: tuple[tuple[str, bytes], ...], message: str
) -> None:
    good = () if "rename" in message else GOOD
    assert message in refused(zipped(tmp_path, *good, *members), tmp_path / "out")
    assert sorted(p.name for p in tmp_path.iterdir()) in (["images.zip"], ["images.zip", "out"])


def test_an_encrypted_member_is_named(tmp_path: Path) -> None:
    path = zipped(tmp_path, *GOOD)
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1  # the flag in the list of members
    path.write_bytes(content)
    text = refused(path, tmp_path / "out")
    assert text.endswith("1.png (encrypted: unpack it and name the folder)")


def test_a_zip_bomb_is_refused_by_what_it_declares(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "RATIO_FROM", 10**6)
    path = zipped(tmp_path, *GOOD, ("x.bmp", bytes(10**7)), method=zipfile.ZIP_DEFLATED)
    text = refused(path, tmp_path / "out")
    assert "bytes of zip unpack to 10,000,1" in text
    assert text.endswith("over 200 times as many: if that is right, unpack it and name the folder")


def test_a_large_member_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = zipped(tmp_path, *GOOD)
    content = bytearray(path.read_bytes())
    at = content.rindex(b"PK\x01\x02") + 24  # the size that the last member declares
    content[at : at + 4] = (2**27 + 1).to_bytes(4, "little")
    path.write_bytes(bytes(10**6) + content)  # long enough that the ratio is not a bomb's
    text = refused(path, tmp_path / "out")
    assert text.endswith("2.png (134,217,729 bytes, the limit is 134,217,728)")


def test_members_that_overlap_are_refused(tmp_path: Path) -> None:
    """As in the zip bombs that unpack one block of data a thousand times."""
    path = zipped(tmp_path, *GOOD)
    content = bytearray(path.read_bytes())
    at = content.index(b"PK\x01\x02") + 20
    content[at : at + 4] = len(content).to_bytes(4, "little")
    path.write_bytes(content)
    assert "members overlap" in refused(path, tmp_path / "out")


def test_a_zip_in_a_zip_is_left_out_and_said(tmp_path: Path) -> None:
    inner = zipped(tmp_path, ("3.png", png())).read_bytes()
    record = prepare(config(zipped(tmp_path, *GOOD, ("more.zip", inner))), tmp_path / "out")
    assert record.preprocessing.left_out == "1 file of other kinds (1 .zip)"


def test_a_link_in_a_zip_is_only_text(tmp_path: Path) -> None:
    member = zipfile.ZipInfo("x.png")
    member.external_attr = 0o120777 << 16
    path = zipped(tmp_path, *GOOD)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(member, "/etc/hostname")
    assert "x.png (not an image" in refused(path, tmp_path / "out")


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_zip_is_read_or_refused_in_one_line(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "images.zip"
    content = bytearray(WHOLE_ZIP)
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.sampled_from([len(content), len(content) // 2]))])
    said = ""
    try:
        for entry in listing.listing(path):
            said = entry.wrong
            if not entry.wrong:
                decode.decode(entry.file, lambda image: image, channels=1)
    except (FileNotFoundError, ValueError) as error:
        said = str(error)
    assert said.isprintable(), ascii(said)

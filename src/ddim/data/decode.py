"""One image file of any common kind -> uint8 [C,H,W], and many of them on all cores."""

import io
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import islice

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.TiffImagePlugin import BITSPERSAMPLE, SAMPLEFORMAT, TiffImageFile

# All that is decoded. Of itself Pillow tries every format that it knows, whatever the file's name,
# and for EPS starts the external program gs.
FORMATS = {
    "PNG": "PNG",
    "JPEG": "JPEG",
    "WEBP": "WebP",
    "GIF": "GIF",
    "BMP": "BMP",
    "TIFF": "TIFF",
    "PPM": "PPM",
    "AVIF": "AVIF",
    "JPEG2000": "JPEG 2000",
    "TGA": "TGA",
    "QOI": "QOI",
}
MAX_PIXELS = 89_478_485  # of an image, as opened and as resized: where Pillow begins to warn
LARGE_PIXELS = 2**24  # from here on one image at a time is in memory, not one for each thread
BLOCK_FILES = 256  # image files in memory at a time
MAX_LISTED = 5  # unreadable files that the message names
SIXTEEN_BIT = ("PNG", "PPM", "JPEG2000")  # formats whose grey above 8 bits Pillow gives as 0..65535

COLOUR = (
    "turned upright by EXIF, transparency on white, 16-bit grey divided by 257 (12-bit by "
    "4095/255) and rounded, colour to grey by ITU-R 601-2 luma, first frame of animations"
)

Shape = Callable[[Image.Image], Image.Image]  # crop and resize

_ONE_AT_A_TIME = threading.Lock()
# Its warning says less than `_check_pixels`, and on several lines.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


@dataclass(frozen=True)
class ImageFile:
    """An image file: its name, for messages, and a way to its bytes."""

    name: str
    read: Callable[[], bytes]


class UnreadableError(ValueError):
    """An image file that cannot be decoded; the message starts with its name."""


def decoded(image_files: Iterable[ImageFile], shape: Shape, channels: int) -> Iterator[np.ndarray]:
    """Every image in order, uint8 [C,H,W]; Pillow decodes without Python's lock, so in threads.

    Raises ValueError naming the first few that cannot be read. The rest is still looked at, so
    that one run finds them all.
    """

    def attempt(image_file: ImageFile) -> np.ndarray | UnreadableError:
        try:
            return decode(image_file, shape, channels)
        except UnreadableError as error:
            return error

    left = iter(image_files)
    bad: list[UnreadableError] = []
    with ThreadPoolExecutor() as pool:
        while len(bad) < MAX_LISTED and (block := list(islice(left, BLOCK_FILES))):
            for result in pool.map(attempt, block):
                if isinstance(result, UnreadableError):
                    bad.append(result)
                elif not bad:
                    yield result
    if bad:
        count = f"at least {MAX_LISTED}" if len(bad) >= MAX_LISTED else str(len(bad))
        names = "; ".join(map(str, bad[:MAX_LISTED]))
        raise ValueError(f"unreadable images ({count}), remove or replace them: {names}")


def decode(image_file: ImageFile, shape: Shape, channels: int) -> np.ndarray:
    """One image, cropped and resized by `shape`, as uint8 [channels,H,W].

    Raises UnreadableError for a broken file, and for pixels whose range is not known.
    """
    try:
        with Image.open(io.BytesIO(image_file.read()), formats=list(FORMATS)) as image:
            check_pixels(image.size)
            large = image.width * image.height > LARGE_PIXELS
            with _ONE_AT_A_TIME if large else nullcontext():
                ImageOps.exif_transpose(image, in_place=True)  # a copy would not know its format
                flat = shape(flattened(image, channels))
    except Exception as error:  # Pillow's and zip's decoders raise almost anything
        reason = str(error) or type(error).__name__
        if isinstance(error, UnidentifiedImageError):
            reason = f"not an image: accepted are {', '.join(FORMATS.values())}"
        raise UnreadableError(f"{image_file.name} ({reason})") from error
    pixels = np.asarray(flat)  # [H,W] or [H,W,C]
    return np.ascontiguousarray(np.atleast_3d(pixels).transpose(2, 0, 1))


def check_pixels(size: tuple[int, int]) -> None:
    """Raise ValueError for more than MAX_PIXELS in an image of this (width, height)."""
    width, height = size
    if width * height > MAX_PIXELS:
        got = f"{width}x{height}, {width * height:,} pixels"
        raise ValueError(f"{got}, the limit is {MAX_PIXELS:,}: make it smaller")


def flattened(image: Image.Image, channels: int) -> Image.Image:
    """The opened `image` with 8 bits, no alpha, and 1 or 3 channels (mode "L" or "RGB")."""
    if image.mode == "F" or image.mode.startswith("I"):
        image = _eight_bits(image)
    if image.has_transparency_data:
        colour = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), colour)
    return image.convert("L" if channels == 1 else "RGB")


def _eight_bits(image: Image.Image) -> Image.Image:
    # Pillow's own conversion clips 16-bit values at 255.
    pixels = np.asarray(image)
    return Image.fromarray(np.rint(pixels / (_white(image) / 255)).astype(np.uint8))


def _white(image: Image.Image) -> int:
    """The value of white in a grey image of more than 8 bits, by what its file says.

    The mode does not tell: "I" is 16 bits of a PGM, and anything of a TIFF of 32 bits.
    """
    bits = 16 if image.format in SIXTEEN_BIT else 0
    if isinstance(image, TiffImageFile) and image.tag_v2.get(SAMPLEFORMAT, (1,)) == (1,):
        (bits,) = image.tag_v2[BITSPERSAMPLE]  # unsigned integers
    if image.mode == "F" or bits not in (12, 16):
        got = f"{image.format}, Pillow's mode {image.mode}"
        raise ValueError(f"pixels of unknown range ({got}): save it with 8 or 16 bits a channel")
    return 2**bits - 1


def resize_and_crop(image: Image.Image, size: int, resampling: Image.Resampling) -> Image.Image:
    """Resize the shorter side to `size` (Pillow antialiases), then crop the centre to a square.

    The arithmetic is torchvision's: the longer side is cut to an integer, the crop's corner is
    rounded. Raises ValueError if the resized image would have more than MAX_PIXELS.
    """
    shorter = min(image.size)
    width, height = (int(size * side / shorter) for side in image.size)
    check_pixels((width, height))  # of one that is a line
    if (width, height) != image.size:
        image = image.resize((width, height), resampling)
    left, top = round((width - size) / 2), round((height - size) / 2)
    return image.crop((left, top, left + size, top + size))


def describe_resize_and_crop(size: int, resampling: Image.Resampling) -> dict[str, str]:
    """What `resize_and_crop` does, for about.json."""
    method = resampling.name.lower()
    return {
        "resize": f"shorter side to {size}, Pillow {method} with antialiasing",
        "crop": f"centre {size}x{size}, after the resize",
    }

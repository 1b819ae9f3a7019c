"""Pictures in files: whether one is a whole PNG, every part of it with the CRC it was written with.

Pillow is imported when the first is looked at.
"""

from pathlib import Path

from ddim.runtime import files


def check(path: Path) -> None:
    """ValueError, which names no file, unless `path` holds a whole PNG.

    What the system says where it cannot read the file passes.
    """
    from PIL import Image

    try:
        with Image.open(path, formats=["PNG"]) as picture:
            picture.verify()
    except Exception as error:  # bytes that are no picture make Pillow raise nearly anything
        if files.is_not_read(error):
            raise
        raise ValueError(f"is no whole picture ({type(error).__name__})") from None

"""The one download of a file from the network: atomic, and verified where its SHA-256 is known."""

import http.client
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ddim.runtime.files import replacing

TIMEOUT = 60.0  # seconds that a connection may stand still


def download(url: str, path: Path, *, sha256: str | None) -> None:
    """Fetch `url` (http, https or file) to `path`, which appears only when it is complete.

    sha256: the file's, or how it begins; None where it is not known. Raises ValueError if the
    file has another one, OSError if it cannot be fetched.
    """
    import torch.hub

    prefix = None if sha256 is None else sha256.lower()
    try:
        with replacing(path, durable=True) as temporary, _timeout():
            torch.hub.download_url_to_file(url, str(temporary), hash_prefix=prefix, progress=False)
    except http.client.HTTPException as error:  # the connection broke: no OSError, of all things
        raise OSError(f"{type(error).__name__}: {error}") from error
    except RuntimeError as error:  # "invalid hash value (expected ..., got ...)"
        raise ValueError(f"{url} has another SHA-256: {error}") from None


@contextmanager
def _timeout() -> Iterator[None]:
    """torch.hub sets none, and would wait for ever for a server that has stopped to answer."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)

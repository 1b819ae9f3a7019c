"""A project whose every Python process says what it asks of the network, which is cut off."""

import os
import shutil
from pathlib import Path

# Python imports a module of this name from its path when it starts; dvc.yaml puts src on it.
# wandb's own service is no Python; its requests would fail where the network is cut off.
WATCHER = """
import sys
from pathlib import Path

ASKS = ("socket.connect", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname")
HERE = ("127.0.0.1", "localhost", "::1", "0.0.0.0", "", None)


def watch(event, args):
    if event in ASKS:
        address = args[0] if event.startswith("socket.get") else args[1]
        host = address[0] if isinstance(address, tuple) else address
        if host not in HERE and not (isinstance(address, (str, bytes)) and "/" in str(address)):
            with Path({asked!r}).open("a") as file:
                file.write(f"{{event}} {{address}}: {{' '.join(sys.orig_argv)}}\\n")


sys.addaudithook(watch)
"""


def watched(project: Path) -> Path:
    """The file that will hold a line for whatever the project's processes ask for."""
    asked = project.with_name(f"{project.name}-asked.txt")
    asked.touch()
    (project / "src" / "sitecustomize.py").write_text(WATCHER.format(asked=str(asked)))
    return asked


def cut() -> tuple[str, ...]:
    """What to put before a command so that it has no network; nothing where that needs root."""
    can = hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("unshare")
    up = shutil.which("ip")  # the loopback: wandb's service listens there
    if not (can and up):
        return ()
    return ("unshare", "--net", "sh", "-c", f'{up} link set lo up && exec "$@"', "sh")

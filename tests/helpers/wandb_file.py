"""Reads what an offline W&B run recorded: a LevelDB log whose records are wandb's protobufs.

wandb itself (0.31) has no reader for it in Python.
"""

import json
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

BLOCK, HEADER, PREAMBLE = 32768, 7, 7  # bytes; the preamble is ":W&B", an ident and a version
FULL, LAST = 1, 4  # kinds of chunk that end a record; first and middle ones are 2 and 3


def chunks(data: bytes) -> Iterator[bytes]:
    """The records' bytes."""
    assert data[:4] == b":W&B", "not a W&B run file"
    position, record = PREAMBLE, b""
    while position + HEADER <= len(data):
        left = BLOCK - position % BLOCK
        if left < HEADER:  # a block's end is padded
            position += left
            continue
        _, size, kind = struct.unpack_from("<IHB", data, position)
        position += HEADER + size
        if kind == 0 or position > len(data):
            return
        record += data[position - size : position]
        if kind in (FULL, LAST):
            yield record
            record = b""


def load(folder: Path, run_id: str = "*") -> dict[str, Any]:
    """The one finished run under <folder>/wandb, once wandb's own process has written it out."""
    found: list[Path] = []
    for _ in range(200):
        if found := list(folder.glob(f"wandb/offline-run-*/run-{run_id}.wandb")):
            break
        time.sleep(0.1)
    (path,) = found
    for _ in range(200):
        run = _read(path)
        if "exit" in run:
            return run
        time.sleep(0.1)
    raise TimeoutError(f"{path} has no end")


def _read(path: Path) -> dict[str, Any]:
    """Name, group, job, project, tags, config, history (rows), summary, exit, files (folder)."""
    from wandb.proto import wandb_internal_pb2 as wire

    run: dict[str, Any] = {"config": {}, "history": [], "summary": {}}
    run["files"] = path.parent / "files"
    for chunk in chunks(path.read_bytes()):
        record = wire.Record()
        record.ParseFromString(chunk)
        kind = record.WhichOneof("record_type")
        if kind == "run":
            header = record.run
            run |= {"name": header.display_name, "group": header.run_group, "job": header.job_type}
            run |= {"project": header.project, "tags": list(header.tags)}
            run["config"] |= _items(header.config.update)
        elif kind == "config":
            run["config"] |= _items(record.config.update)
        elif kind == "summary":
            run["summary"] |= _items(record.summary.update)
        elif kind == "history":
            run["history"].append(_items(record.history.item))
        elif kind == "exit":
            run["exit"] = record.exit.exit_code
    return run


def _items(items: Any) -> dict[str, Any]:
    return {item.key or ".".join(item.nested_key): json.loads(item.value_json) for item in items}

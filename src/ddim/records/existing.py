"""Whether a cell, a column of Table 2 or a section is there already: a record of a fingerprint."""

from pathlib import Path

from ddim.config import paths
from ddim.config.schema import Config
from ddim.records import commands, influences_file, section
from ddim.records.cell import Cell, CellKey
from ddim.records.reconstruction import Reconstruction
from ddim.records.results import read_sections
from ddim.runtime import picture_file


def is_measured(cfg: Config, fingerprint: str) -> bool:
    """Whether the configured cell's numbers are there, and each image's share in them, of this one.

    What each image contributes is kept for paired comparisons: a record without it is half done.
    """
    made_by = commands.evaluate(CellKey.of(cfg))
    recorded = _recorded(Cell, paths.cell_record(cfg), made_by)
    return recorded == fingerprint == _of_influences(paths.influences(cfg))


def _of_influences(path: Path) -> str | None:
    """The fingerprint in a file of influences; None where there is none, or an unreadable one."""
    if not path.is_file():
        return None
    try:
        about, _ = influences_file.read(path)
    except ValueError as error:
        print(error, flush=True)
        return None
    return str(about["fingerprint"])


def has_picture(path: Path) -> bool:
    """Whether the picture is there; with a line, a damaged one is not."""
    if not path.is_file():
        return False
    try:
        picture_file.check(path)
    except ValueError as error:
        print(f"{path} {error}", flush=True)
        return False
    return True


def is_reconstructed(cfg: Config, fingerprint: str) -> bool:
    """Whether the error of cell.steps steps is there, of this fingerprint."""
    made_by = commands.reconstruct(cfg.cell.steps)
    return _recorded(Reconstruction, paths.reconstruction_record(cfg), made_by) == fingerprint


def is_analysed(cfg: Config, name: str, fingerprint: str) -> bool:
    """Whether the section `name` is there, with its figures, of this fingerprint.

    With a line, one that is unreadable, or whose figures were changed, is not.
    """
    folder = paths.section(cfg, name)
    if not (folder / section.FILE).is_file():
        return False
    try:
        (there,) = read_sections(paths.reports(cfg), [name])
    except (FileNotFoundError, ValueError) as error:
        print(error, flush=True)
        return False
    return there.fingerprint == fingerprint


def _recorded(kind: type[Cell] | type[Reconstruction], path: Path, made_by: str) -> str | None:
    """The record's fingerprint; None where there is none, or, with a line, an unreadable one."""
    if not path.is_file():
        return None
    try:
        return kind.read(path, made_by).fingerprint
    except ValueError as error:
        print(error, flush=True)
        return None

"""Names and folders: what an experiment may be called, and where its images may not lie."""

import os
import re
from pathlib import Path

from ddim.runtime.refusals import refuse_unless

# Folders of the project that its programs write and delete in, or that are no data.
OURS = ("out", "work", "reports", ".dvc", ".git", "src", "conf", "tests", "docs")
LONGEST_NAME = 64  # characters: it stands in names of files, of at most 255
# `out/hydra` and `out/api` hold other things; the others are no names of files on Windows.
RESERVED = {"hydra", "api", "con", "prn", "aux", "nul"} | {
    f"{port}{i}" for port in ("com", "lpt") for i in range(10)
}


def check_name(name: str) -> None:
    """Raise ValueError unless an experiment can be called `name`: folders are, and commands."""
    ok = re.fullmatch(r"\w[\w-]*", name) is not None
    accepts = "letters, digits, '-' and '_', and no '-' at its start (it names folders)"
    refuse_unless(ok, "name", accepts, name)
    refuse_unless(not _is_number(name), "name", "a word, not a number", name)
    refuse_unless(len(name) <= LONGEST_NAME, "name", f"at most {LONGEST_NAME} characters", name)
    accepts = "another one: this one names something else on some systems or in out/"
    refuse_unless(name.lower() not in RESERVED, "name", accepts, name)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def check_root(root: str, *, is_of_images: bool) -> None:
    """Raise ValueError unless images may lie in `root` (data.root).

    What the pipeline writes, it also deletes, and a folder of images (is_of_images) is searched
    with all that is in it: nothing of the project may be inside.
    """
    refuse_unless(root.strip() != "", "data.root", "the path of a folder or a zip", root)
    project = Path.cwd().resolve()
    place = Path(os.path.realpath(root))  # Path.resolve raises for links that lead in a circle
    if place.is_relative_to(project) and place != project:
        inside = place.relative_to(project).parts[0]
        accepts = (
            f"outside of {inside}/, which is the project's own, as data/ or a folder elsewhere"
        )
        refuse_unless(inside not in OURS, "data.root", accepts, root)
    accepts = "a folder that holds images alone, not the project itself"
    holds_project = place == project or (is_of_images and project.is_relative_to(place))
    refuse_unless(not holds_project, "data.root", accepts, root)

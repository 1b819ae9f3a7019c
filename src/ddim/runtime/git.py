"""The git revision of the code that runs, for whoever asks later where a number comes from."""

import subprocess


def revision() -> str:
    """Short git revision of the working folder, "-dirty" if src/ or conf/ differ from it.

    "unknown" where there is no git or no repository, and the report says so.
    """
    head = _git("rev-parse", "--short", "HEAD")
    if head is None:
        return "unknown"
    return f"{head}-dirty" if _git("status", "--porcelain", "--", "src", "conf") else head


def head() -> str | None:
    """The commit that is checked out; None where there is none."""
    return _git("rev-parse", "--verify", "--quiet", "HEAD")


def committed(path: str) -> str | None:
    """The text of a file, relative to the working folder, in that commit; None if it has none."""
    return _git("show", f"HEAD:./{path}")


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None

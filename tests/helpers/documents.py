"""The commands and programs that README.md, CONTRIBUTING.md and docs/ show."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
DOCUMENTS += [path for kind in ("*.md", "*.ipynb") for path in sorted((ROOT / "docs").glob(kind))]
PROGRAMS = ("uv", "uvx", "ddim", "dvc", "python", "pip", "wandb", "git", "srun", "for")
PLACEHOLDER = re.compile(r"\.\.\.|…|\b[A-Z]{4,}\b(?!=)|key=value|<\w+>")


def text(document: Path) -> str:
    """A document; of a notebook its prose."""
    content = document.read_text(encoding="utf-8")
    if document.suffix != ".ipynb":
        return content
    cells = json.loads(content)["cells"]
    return "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")


def blocks(document: Path, *languages: str) -> Iterator[str]:
    """The fenced blocks of a document in these languages."""
    fenced = re.compile(rf"^ *```({'|'.join(languages)})\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
    for match in fenced.finditer(text(document)):
        yield match.group(2)


def commands(document: Path) -> list[str]:
    """Every command line of a document, comments and `uv run` taken off.

    Those of sh blocks, after the $ of console blocks, and code in the text that begins with a
    program and has no placeholder in it.
    """
    found = [line for block in blocks(document, "sh", "bash") for line in _lines(block)]
    for block in blocks(document, "console"):
        found += [line[2:] for line in _lines(block) if line.startswith("$ ")]
    prose = re.sub(r"^ *```.*?^ *```", "", text(document), flags=re.DOTALL | re.M)
    for code in re.findall(r"`([^`\n]+)`", prose):
        if code.split()[0] in PROGRAMS and " " in code and not PLACEHOLDER.search(code):
            found.append(code)
    return [bare(command) for command in found]


def bare(command: str) -> str:
    """A command without its comment, and without what installs or starts uv."""
    command = re.sub(r"\s+#.*$", "", command)
    command = re.sub(r"pip install uv && (?=uv run)", "", command)
    return " ".join(re.sub(r"\buv run (--group \w+ )?", "", command).split())


def _lines(block: str) -> list[str]:
    joined = re.sub(r"\\\n\s*", " ", block)
    return [line.strip() for line in joined.splitlines() if line.strip() and line.strip()[0] != "#"]

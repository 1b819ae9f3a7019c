"""The documents against the tree: links, paths, commands and settings that they name exist."""

import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from helpers.command_ways import WAYS
from helpers.imports import modules

from ddim.runtime import declared, refusals

ROOT = Path(__file__).parent.parent.parent
DOCUMENTS = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
DOCUMENTS += sorted((ROOT / "docs").glob("*.md"))
CURRENT = [path for path in DOCUMENTS if path.name != "CHANGELOG.md"]  # it names what is gone
FOLDERS = ("src", "conf", "docs", "tests", "benchmarks", ".github", ".ci", ".dvc/plots")
CONF = ROOT / "conf"
MODULES = {name.removeprefix("ddim.") for name in modules()}
each = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
each_current = pytest.mark.parametrize("document", CURRENT, ids=lambda path: path.name)


def anchors(path: Path) -> set[str]:
    """The anchors that a code-hosting site gives a document's headings."""
    headings = re.findall(r"^#+ +(.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(path: Path) -> Iterator[tuple[str, str]]:
    """(relative path, anchor) of every link and picture that leads to no other site."""
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
        if "://" not in target:
            name, _, anchor = target.partition("#")
            yield name, anchor


def code_of(path: Path) -> str:
    """What a document sets as code, without Python and commands that are meant to fail."""
    text = re.sub(r"```python.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    for command, way in WAYS.items():
        text = text.replace(command, "") if way.kind == "fails" else text
    return "\n".join(re.findall(r"```.*?```|`[^`\n]+`", text, re.DOTALL))


@each
def test_every_link_leads_somewhere(document: Path) -> None:
    for name, anchor in links(document):
        target = document.parent / name if name else document
        assert target.exists(), name
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target), f"{name}#{anchor}"


@each_current
def test_every_path_of_the_repository_that_is_named_exists(document: Path) -> None:
    pattern = rf"(?<![\w/.])((?:{'|'.join(map(re.escape, FOLDERS))})/[\w./-]*\w/?)"
    named = re.findall(pattern, document.read_text(encoding="utf-8"))
    examples = {"conf/hydra/launcher/ours.yaml", "conf/experiment/mine.yaml"}  # the reader's
    assert [path for path in named if not (ROOT / path).exists() and path not in examples] == []


@each_current
def test_every_test_file_that_is_named_exists(document: Path) -> None:
    named = set(re.findall(r"\btest_\w+\.py", document.read_text(encoding="utf-8")))
    assert named <= {path.name for path in (ROOT / "tests").rglob("test_*.py")}


@each
def test_every_module_that_is_run_exists(document: Path) -> None:
    run = set(re.findall(r"-m (ddim[\w.]*\w)", document.read_text(encoding="utf-8")))
    assert run <= set(modules())


@each_current
def test_every_override_is_one_that_a_command_accepts(document: Path) -> None:
    """`train.lr=1e-4`, `experiment=mnist`: the command line's own check of keys and groups."""
    code = code_of(document).replace("key=value", "").replace("experiment=mine", "")
    given = set(re.findall(r"(?<![\w./-])(\+?[a-z][\w./]*)=(?=[^\s=])", code))
    groups = {path.parent.relative_to(CONF).as_posix() for path in CONF.rglob("*.yaml")}
    schema = declared.registered()
    for key in given - groups:
        is_key = not declared.locate(key.lstrip("+"), schema).rest
        assert is_key or key.startswith(("hydra.", "hydra/")), key
    for group, choice in re.findall(rf"(?<![\w./-])({'|'.join(sorted(groups))})=([\w-]+)", code):
        plug_in = group.startswith("hydra/")  # of these most choices are Hydra's or a plug-in's
        assert plug_in or (CONF / group / f"{choice}.yaml").is_file(), f"{group}={choice}"


@each_current
def test_every_setting_that_is_named_is_one(document: Path) -> None:
    """`sample.precision`, `analysis.edit`: keys, or nodes of the configuration."""
    keys = set(declared.keys(declared.registered()))
    tops = "|".join(sorted({key.split(".")[0] for key in keys}))
    named = re.findall(rf"`((?:{tops})\.[a-z_.]+\w)`", code_of(document))
    files = {name for name in named if name.rsplit(".", 1)[1] in ("py", "npy", "json", "yaml")}
    assert set(named) - files - MODULES <= keys


def test_the_changelog_names_what_the_command_line_names() -> None:
    """Old keys and their new names, as whoever uses an old one is told."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    section = text.split("### Changed: configuration")[1].split("\n### ")[0]
    rows = re.findall(r"^\| `([\w./]+)` \| `([\w./]+)` \|$", section, re.MULTILINE)
    groups = {path.parent.relative_to(CONF).as_posix() for path in CONF.rglob("*.yaml")}
    assert len(rows) > 10
    for old, new in rows:
        told = refusals.unknown(old, declared.registered(), groups)
        assert told == f"{old} is called {new} now"


def test_the_table_of_edits_is_that_of_the_pipeline() -> None:
    """docs/architecture.md, "What each edit makes stale", against dvc.yaml."""
    stages: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    table = text.split("## What each edit makes stale")[1].split("\n## ")[0]
    named = set()
    for units, stale in re.findall(r"^\| (`.+`) \| (.+) \|$", table, re.MULTILINE):
        for unit in re.findall(r"`([^`]+)`", units):
            dep = f"src/ddim/{unit.rstrip('/')}"
            actual = [name for name, stage in stages.items() if dep in stage["deps"]]
            assert (", ".join(actual) or "none") == stale, unit
            named.add(unit.rstrip("/"))
    package = ROOT / "src/ddim"
    there = {path.name for path in package.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert named == {name for name in there if name[0] != "_"}


def benchmark_modules() -> list[str]:
    """Every module of the package `benchmarks`, dotted."""
    files = sorted((ROOT / "benchmarks").rglob("*.py"))
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in files]
    return [name.removesuffix(".__init__") for name in names]


@pytest.mark.parametrize("module", benchmark_modules())
def test_a_benchmark_imports_what_is_there(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else runs all of them."""
    monkeypatch.syspath_prepend(str(ROOT))
    importlib.import_module(module)


def test_every_part_of_the_benchmarks_is_a_module_that_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(str(ROOT))
    parts = importlib.import_module("benchmarks.parts").PARTS
    there = {name.removeprefix("benchmarks.parts.") for name in benchmark_modules()}
    assert set(parts) <= there
    for name in parts:
        assert callable(importlib.import_module(f"benchmarks.parts.{name}").run), name

"""What pip users install is the set that uv resolved and that these tests run on, by checksum."""

import json
import re
import shutil
import subprocess
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent.parent
CONSTRAINTS, REQUIREMENTS = ROOT / "constraints.txt", ROOT / "requirements.txt"
HASH = re.compile(r"\s+--hash=sha256:[0-9a-f]{64}")


def lines(path: Path) -> list[str]:
    """A pin a line, continued ones joined."""
    return path.read_text().replace("\\\n", "").splitlines()


def pins(path: Path = CONSTRAINTS) -> dict[str, str]:
    """Name -> version of every line that applies to this machine."""
    versions = {}
    for line in lines(path):
        pin, _, marker = HASH.sub("", line).partition(" ; ")
        if not marker or Marker(marker).evaluate():
            name, _, number = pin.partition("==")
            versions[name.split("[")[0]] = number.strip()
    return versions


@pytest.mark.parametrize("path", [CONSTRAINTS, REQUIREMENTS], ids=lambda path: path.name)
def test_every_line_is_a_name_and_a_version_and_carries_no_host(path: Path) -> None:
    for line in lines(path):
        pin = HASH.sub("", line).strip()
        assert re.fullmatch(r"[A-Za-z0-9._-]+(\[[\w,-]+\])?==[\w.+!-]+( ; .+)?", pin), line


def test_every_requirement_has_checksums() -> None:
    assert [line for line in lines(REQUIREMENTS) if not HASH.search(line)] == []


def test_the_requirements_are_the_constraints_of_what_the_project_needs() -> None:
    constraints, requirements = pins(), pins(REQUIREMENTS)
    assert requirements.items() <= constraints.items()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = {canonicalize_name(Requirement(text).name) for text in project["dependencies"]}
    assert needed <= requirements.keys()


def test_what_is_installed_is_what_is_pinned() -> None:
    different = {}
    for name, number in pins().items():
        try:
            installed = version(name)
        except PackageNotFoundError:  # a dev or extra package that this environment leaves out
            continue
        if installed != number:
            different[name] = (installed, number)
    assert not different, "regenerate constraints.txt, see CONTRIBUTING.md"
    assert len(pins()) > 50


@pytest.mark.skipif(
    shutil.which("uv") is None or not (ROOT / "uv.lock").is_file(),
    reason="needs uv, and the lock that `uv run` writes",
)
def test_the_bill_of_materials_names_what_is_pinned(tmp_path: Path) -> None:
    """CONTRIBUTING's command, from the lock alone."""
    path = tmp_path / "sbom.cdx.json"
    command = ["uv", "export", "-q", "--format", "cyclonedx1.5", "--no-dev", "-o", str(path)]
    subprocess.run([*command, "--frozen", "--offline"], cwd=ROOT, check=True, capture_output=True)
    content = json.loads(path.read_text())
    assert content["bomFormat"] == "CycloneDX"
    listed = {part["name"]: part["version"] for part in content["components"]}
    assert listed["torch"] == pins()["torch"]

"""The code behind a result is computed from the imports, unit by unit."""

from pathlib import Path

import pytest

from ddim.records import code, fingerprints


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small house: sampler.py <- room a <- stage; plumbing; a room that nothing imports."""
    files = {
        "sampler.py": "import torch",
        "schedule.py": "x = 1",
        "a/__init__.py": "",
        "a/one.py": "def f():\n    from ddim.sampler import sample",
        "a/two.py": "from ddim.runtime.files import sha256\nfrom ddim import schedule",
        "a/page.css": "body {}",
        "b/__init__.py": "",
        "b/three.py": "from ddim.a.one import f",
        "typed/__init__.py": "",
        "runtime/files.py": "from ddim.b.three import g",
        "stages/go.py": (
            "from typing import TYPE_CHECKING\nfrom ddim.a import one\n"
            "if TYPE_CHECKING:\n    from ddim.typed import T"
        ),
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(code, "PACKAGE", tmp_path)
    code._members.cache_clear()
    code.checksum.cache_clear()
    yield tmp_path
    code._members.cache_clear()
    code.checksum.cache_clear()


def test_a_stage_depends_on_rooms_and_modules_and_on_no_plumbing(package: Path) -> None:
    assert code.units("ddim.stages.go") == {"a", "sampler.py", "schedule.py"}
    assert code.units("ddim.b") == {"a", "b", "sampler.py", "schedule.py"}
    assert code.units("ddim.schedule") == {"schedule.py"}


@pytest.mark.parametrize(
    ("file", "moves"),
    [
        ("sampler.py", True),
        ("a/page.css", True),
        ("a/two.py", True),
        ("runtime/files.py", False),
        ("stages/go.py", False),
        ("b/three.py", False),
        ("typed/__init__.py", False),
    ],
)
def test_an_edit_moves_the_fingerprint_of_what_depends_on_it(
    package: Path, file: str, moves: bool
) -> None:
    before = fingerprints.fingerprint({"n": 1}, "ddim.a")
    (package / file).write_text("# edited")
    code.checksum.cache_clear()  # a process takes its code to be what it was at its start
    assert (fingerprints.fingerprint({"n": 1}, "ddim.a") != before) == moves


def test_another_value_is_another_fingerprint() -> None:
    one = fingerprints.fingerprint({"n": 1, "m": [1, 2]}, "ddim.schedule")
    assert fingerprints.fingerprint({"m": [1, 2], "n": 1}, "ddim.schedule") == one
    assert fingerprints.fingerprint({"n": 1, "m": [2, 1]}, "ddim.schedule") != one
    assert len(one) == 16

"""What all sections share: how one is run, saved and refused."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from helpers.analysis_fixture import context, gaussian, settings

from ddim.analysis import invert, ode, path, section_runner
from ddim.analysis.section_content import FigureContent, SectionContent
from ddim.config.checks import SECTIONS
from ddim.plotting import canvas
from ddim.records.prepared import Split
from ddim.records.section import Section


def content(height: float) -> SectionContent:
    with canvas.canvas() as figure:
        canvas.curve(figure.axes[0], 0, [1, 2], [1, height], "a")
    figure_content = FigureContent(
        file="a.png", content=figure.png, caption="c", alt="a", columns=["x"], rows=[[1], [2]]
    )
    return SectionContent(finding="f", figures=(figure_content,))


def save(height: float, folder: Path) -> Section:
    module = SimpleNamespace(TITLE="Title", CLAIM="claim", SOURCE="source")
    return content(height).save(folder, name="x", order=1, module=module)


def test_a_section_is_replaced_and_its_bytes_depend_on_its_numbers_alone(tmp_path: Path) -> None:
    folder = tmp_path / "x"
    assert Section.read((save(2, folder), folder / "section.json")[1], "") == save(2, folder)
    first = (folder / "a.png").read_bytes()
    (folder / "left_over.png").write_bytes(b"old")
    save(2, folder)
    assert (folder / "a.png").read_bytes() == first
    assert not (folder / "left_over.png").exists()
    save(3, folder)
    assert (folder / "a.png").read_bytes() != first


@pytest.mark.parametrize("module", [invert, path])
def test_too_many_images_asked_for_names_the_key(module: object) -> None:
    few = context(test=Split(gaussian(4, 0), None))
    with pytest.raises(
        ValueError, match=r"analysis\.num_images must be at most the 4 held-out images, got 16"
    ):
        module.measure(few)  # type: ignore[attr-defined]


def test_every_configured_section_has_its_module() -> None:
    from importlib import import_module

    for name in (*SECTIONS, section_runner.BY_HAND):
        module = import_module(f"ddim.analysis.{name}")
        assert module.TITLE
        assert module.CLAIM
        assert callable(module.measure)
        assert callable(module.present)


def test_running_a_section_writes_its_folder_and_prints_its_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cfg = settings()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(section_runner, "Context", context)
    section = section_runner.run_section(cfg, "ode")
    assert capsys.readouterr().out == f"{ode.TITLE}: {section.finding}\n"
    folder = tmp_path / "reports/digits/analysis/ode"
    assert Section.read(folder / "section.json", "") == section
    assert section.order == SECTIONS.index("ode") + 1
    with pytest.raises(ValueError, match=r"analysis\.section must be one of"):
        section_runner.run_section(cfg, "odd")

"""Measures, presents and saves one section: what the stage `analysis` calls."""

from importlib import import_module

from ddim.analysis.context import Context
from ddim.analysis.section_content import SectionModule
from ddim.config import paths
from ddim.config.checks import SECTIONS
from ddim.config.schema import Config
from ddim.records.section import Section

BY_HAND = "appendix_a"  # no section of the pipeline: it trains a network of its own


def run_section(cfg: Config, name: str) -> Section:
    """Measure the section `name`, write its folder and print its finding."""
    if name not in (*SECTIONS, BY_HAND):
        raise ValueError(f"analysis.section must be one of {SECTIONS}, got {name!r}")
    module: SectionModule = import_module(f"ddim.analysis.{name}")
    content = module.present(module.measure(Context(cfg)))
    section = content.save(
        paths.section(cfg, name),
        name=name,
        order=[*SECTIONS, BY_HAND].index(name) + 1,
        module=module,
    )
    print(f"{section.title}: {section.finding}")
    return section

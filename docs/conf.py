"""The documentation site, built by Sphinx: README, docs/, the committed reports, the docstrings.

The sources are the repository's own files where they lie, so that a link or a picture that works on
a code-hosting site works here too, and nothing is copied into git. The site asks no other server
for anything: fonts are the system's, formulae are drawn, the search is a script beside the pages.
"""

import os
import re
import shutil
from html import escape
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.ext import autosummary
from ziamath import Latex
from ziamath import config as formulae

ROOT = Path(__file__).parent.parent

project = "ddim"
root_doc = "docs/index"
include_patterns = [
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "docs/**",
    "reports/*/README.md",
    "reports/*/timings/README.md",
    "benchmarks/results/*.md",
]
exclude_patterns = [".*", "out", "work", "data", "src", "tests", "wandb", "docs/_*"]
templates_path = [str(ROOT / "docs/_templates")]  # of pages and of autosummary

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "myst_nb",
]
default_role = "code"  # docstrings set code in single backticks
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "show-inheritance": False}
autodoc_preserve_defaults = True
highlight_language = "text"  # of blocks that name no language: the docstrings' tables and formulae
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4
nb_execution_mode = "off"  # a test executes the notebook; here its committed outputs are shown

suppress_warnings = ["ref.python"]  # two rooms may each have a type of one name in their signatures

html_theme = "furo"
html_title = "ddim"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_copyright = False
html_math_renderer = "drawn"
html_additional_pages = {"index": "to_home.html"}

autosummary.WELL_KNOWN_ABBREVIATIONS += ("App.", "Eq.", "Fig.", "Sec.")  # they end no sentence
formulae.svg2 = False  # no symbols, whose names would repeat within a page
FORMULA_SIZE = 16  # pixels of an em of text
SECTIONS = re.compile(r"(Args|Attributes|Raises|Returns|Yields):")
ITEM = re.compile(r"(- |\d+\. )")


def as_rest(lines: list[str]) -> list[str]:
    """A docstring as reStructuredText: indented blocks, formulae and tables, are literal blocks.

    What belongs to a section of Google's style or to a list keeps its indentation.
    """
    rest: list[str] = []
    keeps, literal = False, False
    for line in lines:
        if line.startswith(" ") and not keeps and not literal:
            rest += ["", "::", ""]
            literal = True
        elif line and not line.startswith(" "):
            rest += [""] if literal else []
            keeps = bool(SECTIONS.fullmatch(line) or ITEM.match(line))
            literal = False
        rest.append(line if literal else _without_markup(line))
    return rest


def _without_markup(line: str) -> str:
    """`*` and `|` as themselves, where they do not stand in backticks."""
    parts = line.split("`")
    return "`".join(p if i % 2 else re.sub(r"([*|])", r"\\\1", p) for i, p in enumerate(parts))


def _docstring(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    lines[:] = as_rest(lines)


def _skip_field(
    app: Sphinx, what: str, name: str, obj: Any, skip: bool, options: Any
) -> bool | None:
    """Fields of a NamedTuple stand in its signature; their own docstrings say their number only."""
    return True if (getattr(obj, "__doc__", "") or "").startswith("Alias for field") else None


def _inline_formula(writer: Any, node: nodes.Element) -> None:
    writer.body.append(_drawn(node.astext(), inline=True))
    raise nodes.SkipNode


def _formula_on_its_own(writer: Any, node: nodes.Element) -> None:
    writer.body.append(f'<div class="formula">{_drawn(node.astext(), inline=False)}</div>')
    raise nodes.SkipNode


def _drawn(tex: str, *, inline: bool) -> str:
    """A formula as SVG in the text's colour: MathML looks right only where a math font is."""
    formula = Latex(tex, size=FORMULA_SIZE, inline=inline, color="currentColor")
    down = f"vertical-align: {formula.getyofst() / FORMULA_SIZE:.3f}em" if inline else ""
    named = f'<svg role="img" aria-label="{escape(tex)}" style="{down}" '
    return str(formula.svg()).replace("<svg ", named, 1)


def _link_files(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Files that a page links to lie in the site where they lie in the repository."""
    for node in list(doctree.findall(addnodes.download_reference)):
        path = Path(app.env.relfn2path(node["reftarget"], docname)[0])
        target = Path(app.outdir) / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, target)
        uri = os.path.relpath(path, Path(docname).parent)
        node.replace_self(nodes.reference("", "", *node.children, refuri=uri, internal=True))


def _copy_no_downloads(app: Sphinx, env: BuildEnvironment) -> None:
    env.dlfiles.clear()  # _link_files copies them


def _forget_modules(app: Sphinx) -> None:
    """The generated pages of the API, if one is of a module that is gone: others list it."""
    folder = ROOT / "docs/api"
    modules = [ROOT / "src" / page.stem.replace(".", "/") for page in folder.glob("ddim*.rst")]
    if not all(module.is_dir() or module.with_suffix(".py").is_file() for module in modules):
        shutil.rmtree(folder)


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the above."""
    app.add_html_math_renderer("drawn", (_inline_formula, None), (_formula_on_its_own, None))
    app.connect("builder-inited", _forget_modules, priority=1)  # before autosummary
    app.connect("autodoc-process-docstring", _docstring, priority=1)  # before napoleon
    app.connect("autodoc-skip-member", _skip_field)
    app.connect("env-updated", _copy_no_downloads)
    app.connect("doctree-resolved", _link_files)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

"""Whatever notes, names and records say, what is written runs nothing and reaches nothing."""

import base64
import csv
import hashlib
import html
import io
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from helpers import report_fixture as fixture
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from ddim.records.reference import Reference
from ddim.records.results import load
from ddim.records.section import FILE, Section
from ddim.records.verdict import Verdict
from ddim.report import content, escaping
from ddim.report.document import (
    Bullets,
    Code,
    Document,
    Panel,
    Paragraph,
    Part,
    Picture,
    Row,
    Table,
    Value,
)
from ddim.report.render import latex, markdown, page
from ddim.runtime.files import csv_text
from ddim.runtime.printable import printable

HOSTILE = [
    "![p](http://127.0.0.1:9/p.png)",
    "![p][r]\n\n[r]: http://127.0.0.1:9/p.png",
    "![p](//127.0.0.1:9/p.png)",
    "![p](../../secret.png)",
    "![p](data:image/svg+xml;base64,PHN2Zz4=)",
    "[c](javascript:alert(1))",
    "[c](JaVa&#115;cript:alert(1))",
    "[c](data:text/html;base64,PHNjcmlwdD4=)",
    "[c](file:///etc/passwd)",
    "[c](vbscript:x)",
    "<javascript:alert(1)>",
    "<script>window.hacked = 1</script>",
    "</script><script>window.hacked = 1</script>",
    "<img src=x onerror=window.hacked=1>",
    "<svg onload=window.hacked=1>",
    '" onmouseover="window.hacked=1',
    "</title></style><base href=http://127.0.0.1:9/><meta http-equiv=refresh content=0>",
    "<link rel=stylesheet href=http://127.0.0.1:9/x.css>",
    "a\n\n# Not our heading\n\n<iframe src=http://127.0.0.1:9></iframe>",
    "{{ 7 * 7 }} {% include '/etc/passwd' %}",
    r"\input{/etc/passwd} \write18{id} $x$ % #1 ^^M",
    "a|b\n|---|\n`<b>`",
    "\x1b]0;owned\x07 \u202e reversed \0",
]
ALL = " ".join(HOSTILE)


def tokens(text: str) -> list[Any]:
    """Of a parser that knows HTML, pictures and links of every scheme."""
    parser = MarkdownIt("commonmark", {"html": True}).enable("table")
    parser.validateLink = lambda _: True
    flat = parser.parse(text)
    return [*flat, *(child for token in flat for child in token.children or ())]


def assert_harmless(text: str) -> None:
    for token in tokens(text):
        if token.type in ("html_inline", "html_block"):
            assert re.fullmatch(r"<br>|</?sub>", token.content.strip()), token.content
        if token.type == "image":
            assert not re.match(r"[a-z]+:|/|\.\.", token.attrs["src"], re.IGNORECASE), token.attrs
        if token.type == "link_open":
            scheme = re.match(r"([a-z][\w+.-]*):", token.attrs["href"], re.IGNORECASE)
            assert scheme is None or scheme[1].lower() in ("http", "https"), token.attrs


WORDS = [
    "http://h/",
    "javascript:",
    "data:",
    "script",
    "&#106;",
    "&lt;",
    "](",
    "![",
    "<!--",
    "-->",
    "onload=",
    "\x1b[0m",
    "é",
]
pieces = st.sampled_from([*"![]()<>`*_\\|#:/&;\"' \n\tx", *WORDS, "img src=x", "<a href=", "[r]: "])
texts = st.lists(pieces, max_size=14).map("".join)


@given(texts)
def test_a_harmless_text_is_harmless_whatever_it_was(text: str) -> None:
    assert_harmless(escaping.harmless(text))


@given(texts)
def test_a_harmless_text_stays_so_in_a_list_a_caption_and_a_table(text: str) -> None:
    clean = escaping.harmless(text)
    assert_harmless(f"- {clean}\n\n*{clean}* [Numbers](a.csv).\n\n|a|b|\n|-|-|\n|{clean}|x|\n")


@given(texts | st.text())
def test_plain_words_are_shown_as_they_are(text: str) -> None:
    shown = MarkdownIt("commonmark").renderInline(escaping.plain(f"a{text}b"))
    expected = printable(" ".join(f"a{text}b".split()))
    assert html.unescape(shown) == html.unescape(expected.replace("&", "&amp;"))


def test_ordinary_texts_are_left_alone() -> None:
    for text in (
        "**FID** *rises* with η: 0.0 < 0.2 < 0.5, `code`, a_b, x̂₀",
        "[cells](tables/cells.csv), [p](https://arxiv.org/abs/2010.02502) ![a](figures/a.png)",
        "|a|b|\n|---|---|\n|1|2|",
    ):
        assert escaping.harmless(text) == text
    assert escaping.plain("CIFAR-10, JPEG copy (image_folder)") == (
        "CIFAR-10, JPEG copy (image_folder)"
    )


# -- a document whose every text is hostile --------------------------------------------------------


def document(folder: Path, text: str) -> Document:
    (folder / "a.png").write_bytes(b"")
    verdict = Verdict(claim=text, source=text, paper=text, ours=text, test=text, word="reproduced")
    value = Value(text, 1.0, small=text, bold=True, paper=text, tip=(text,))
    table = Table(
        "t", text, text, (text, text), (Row(text, (value, value), text),) * 2,
        footer=(Row(text, (value,)),), notes=(text,), bold_means=text,
    )  # fmt: skip
    picture = Picture(Path("a.png"), text, text, data=Path("a.csv"))
    blocks = [Paragraph(text), Bullets((text,)), table, picture, Panel((verdict,), text)]
    code = Code(text, summary=text)
    parts = [Part(text, "x", blocks, [Part(text, "y", blocks, more=[code])])]
    return Document(text, text, folder, blocks, parts, text, {"text": text})


@pytest.mark.parametrize("text", [*HOSTILE, ALL])
def test_readme(tmp_path: Path, text: str) -> None:
    readme = markdown.render(document(tmp_path, text))
    assert_harmless(readme)
    headings = re.findall("^#+ .*$", readme, re.MULTILINE)
    assert len(headings) == 3  # the title and two parts


class Parsed(HTMLParser):
    """The page's elements, as a browser would see them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []  # those that a browser would run
        self.runs = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.runs = tag == "script" and "type" not in dict(attrs)
        if self.runs:
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self.runs = False

    def handle_data(self, data: str) -> None:
        if self.runs:
            self.scripts[-1] += data


@pytest.mark.parametrize("text", [*HOSTILE, ALL])
def test_page(tmp_path: Path, text: str) -> None:
    parsed = Parsed(page.render(document(tmp_path, text)))
    tags = [tag for tag, _ in parsed.elements]
    assert not {"iframe", "base", "link", "svg", "object", "embed", "form"} & set(tags)
    assert tags.count("script") == 3  # two of data, one of ours
    for tag, attributes in parsed.elements:
        assert not [name for name in attributes if name.startswith("on")], attributes
        if "src" in attributes:
            assert str(attributes["src"]).startswith("data:image/png;base64,"), attributes
        if tag == "a":
            scheme = re.match(r"([a-zA-Z][\w+.-]*):", str(attributes["href"]))
            assert scheme is None or scheme[1].lower() in ("http", "https"), attributes
    (policy,) = [a["content"] for t, a in parsed.elements if a.get("http-equiv")]
    (script,) = parsed.scripts
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in str(policy)
    assert str(policy).startswith("default-src 'none'; base-uri 'none'; form-action 'none'; ")


@given(texts)
def test_markdown_on_the_page_has_no_picture_and_no_html(text: str) -> None:
    for shown in (page._markdown(text), page._inline(text)):
        tags = {tag for tag, _ in Parsed(shown).elements}
        assert not tags & {"img", "script", "svg", "iframe", "base", "link", "style", "input"}
        for _, attributes in Parsed(shown).elements:
            assert not [name for name in attributes if name.startswith("on")]
            assert not re.match(
                r"\s*(javascript|data|file|vbscript):", attributes.get("href") or ""
            )


@pytest.mark.parametrize("path", [Path("/etc/hostname.png"), Path("../secret.png")])
def test_a_picture_outside_of_the_report_is_not_embedded(tmp_path: Path, path: Path) -> None:
    stolen = Document("t", "s", tmp_path, [Picture(path, "alt")], [])
    for render in (markdown.render, page.render):
        with pytest.raises(ValueError, match=r"lies outside of the report's folder"):
            render(stolen)


MACROS = {"textbackslash", "textasciitilde", "textasciicircum", "ensuremath", "textquotedbl"}


@pytest.mark.parametrize("text", [*HOSTILE, ALL])
def test_latex(tmp_path: Path, text: str) -> None:
    source = latex.escape(text)
    assert "\n" not in source
    for name in re.findall(r"\\([A-Za-z]+)", source):
        assert name not in ("input", "include", "write", "openin", "openout", "def", "csname"), name
    bare = re.sub(r"\\.", "", source)  # what is left after the escaped characters
    assert not re.search(r"[#%&_]|\^\^", bare), bare
    label = latex.render(Table(r"a}\input{x", "t", "c", ("d",), ()))
    assert r"\label{tab:a--input-x}" in label


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1+cmd|' /C calc'!A0", "@SUM(1)", "\t=1", "\r=1"])
def test_csv_holds_no_formula(text: str) -> None:
    read = list(csv.reader(io.StringIO(csv_text((text, "b"), [[text, -1.5]]), newline="")))
    shown = f"'{text}".replace("\r", "\n")  # a bare \r would end the row
    assert read == [[shown, "b"], [shown, "-1.5"]]


# -- records ---------------------------------------------------------------------------------------


def test_the_note_is_shown_as_it_is_in_readme_and_page(small: Path) -> None:
    reference = Reference.read(small / "reference.json", "x")
    note = "![p](http://h/p.png) *JPEG* <b>copy</b>"
    fixture.edit(
        Reference, small / "reference.json", data=fixture.changed(reference.data, note=note)
    )
    made = content.document(load(small))
    readme = markdown.render(made)
    assert_harmless(readme)
    assert r"!\[p\](http://h/p.png) \*JPEG\* \<b\>copy\</b\>" in readme
    assert isinstance(made.lead[0], Paragraph)
    assert html.escape(note) in page._markdown(made.lead[0].text)


@pytest.mark.parametrize("field", ["file", "data"])
@pytest.mark.parametrize("name", ["../../../x.png", "/etc/passwd", "a b.png", "x](http://h).png"])
def test_a_section_that_names_other_files_is_refused(tmp_path: Path, field: str, name: str) -> None:
    fixture.section(tmp_path / "reports")
    path = next((tmp_path / "reports").rglob(FILE))
    whole = Section.read(path, "x")
    changed = path.read_text().replace(getattr(whole.figures[0], field), name)
    path.write_text(changed)
    with pytest.raises(ValueError, match=r"section\.json: must name files by letters.*`x`$"):
        Section.read(path, "x")


def test_a_section_under_another_name_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "reports" / "digits"
    fixture.experiment(folder, fixture.config(*fixture.SMALL, "analysis.sections=[ode]"))
    fixture.edit(Section, folder / "analysis" / "ode" / FILE, name="../../../x")
    with pytest.raises(ValueError, match=r"describes another section \('../../../x'\)"):
        load(folder)

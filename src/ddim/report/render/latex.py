"""Tables as LaTeX (booktabs), for people who write papers."""

import re
from functools import cache

from pylatexenc.latexencode import (
    RULE_REGEX,
    UnicodeToLatexConversionRule,
    UnicodeToLatexEncoder,
)

from ddim.report.document import Row, Table, Value
from ddim.runtime.printable import printable

# A letter and the combining circumflex after it: the library puts accents on Latin letters only.
_HATS = [
    (re.compile(f"{letter}\N{COMBINING CIRCUMFLEX ACCENT}"), rf"\\ensuremath{{\\hat{{{latex}}}}}")
    for letter, latex in (("σ", r"\\sigma"), ("x", "x"))
]


def escape(text: str) -> str:
    """Plain text -> LaTeX, on one line; the report's symbols become mathematics."""
    return str(_encoder().unicode_to_latex(printable(" ".join(text.split()))))


@cache
def _encoder() -> UnicodeToLatexEncoder:
    hats = UnicodeToLatexConversionRule(RULE_REGEX, _HATS)
    return UnicodeToLatexEncoder(conversion_rules=[hats, "defaults"], unknown_char_warning=False)


def render(table: Table) -> str:
    """A table environment that needs only the package booktabs."""
    head = " & ".join(escape(text) for text in (table.corner, *table.columns))
    lines = [
        "% needs \\usepackage{booktabs}",
        r"\begin{table}",
        r"\centering",
        f"\\caption{{{escape(table.title)}}}",
        f"\\label{{tab:{re.sub(r'[^A-Za-z0-9_.-]', '-', table.name)}}}",
        f"\\begin{{tabular}}{{l{'r' * len(table.columns)}}}",
        r"\toprule",
        f"{head} \\\\",
        r"\midrule",
        *(_row(row) for row in table.rows),
        *([r"\midrule"] if table.footer else []),
        *(_footer(row, len(table.columns)) for row in table.footer),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _row(row: Row) -> str:
    return " & ".join([escape(row.label), *map(_value, row.values)]) + r" \\"


def _footer(row: Row, width: int) -> str:
    return f"{escape(row.label)} & \\multicolumn{{{width}}}{{r}}{{{_value(row.values[0])}}} \\\\"


def _value(value: Value) -> str:
    text = escape(value.text)
    text = f"\\textbf{{{text}}}" if value.bold else text
    small = f" {{\\scriptsize ({escape(value.small)})}}" if value.small else ""
    paper = f" {{\\scriptsize [{escape(value.paper)}]}}" if value.paper else ""
    return text + small + paper

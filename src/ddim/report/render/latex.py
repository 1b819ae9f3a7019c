"""Tables as LaTeX (booktabs), for people who write papers."""

from ddim.report.document import Row, Table, Value
from ddim.report.numbers import ETA_HAT

# The hat combines with the letter before it, so that sigma-hat and x-hat are replaced first.
_SYMBOLS = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "&": r"\&",
    "%": r"\%",
    "#": r"\#",
    "$": r"\$",
    "_": r"\_",
    "^": r"\^{}",
    "~": r"\~{}",
    "η": r"$\eta$",
    "×": r"$\times$",
    "±": r"$\pm$",
    "≈": r"$\approx$",
    "−": r"$-$",
    "–": "--",
    "→": r"$\to$",
    "·": r"$\cdot$",
    "ε": r"$\epsilon$",
    "σ": r"$\sigma$",
    "₀": r"$_0$",
    "‖": r"$\|$",
} | {digit: f"$^{{{plain}}}$" for digit, plain in zip("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789", strict=True)}
_HATS = {ETA_HAT: r"$\hat{\sigma}$", "x̂": r"$\hat{x}$"}


def escape(text: str) -> str:
    """Plain text -> LaTeX; the report's symbols become mathematics."""
    found, i = [], 0
    while i < len(text):
        pair = text[i : i + 2]
        if pair in _HATS:
            found.append(_HATS[pair])
            i += 2
        else:
            found.append(_SYMBOLS.get(text[i], text[i]))
            i += 1
    return "".join(found)


def render(table: Table) -> str:
    """A table environment that needs only \\usepackage{booktabs}."""
    head = " & ".join(escape(text) for text in (table.corner, *table.columns))
    lines = [
        "% needs \\usepackage{booktabs}",
        r"\begin{table}",
        r"\centering",
        f"\\caption{{{escape(table.title)}}}",
        f"\\label{{tab:{table.name}}}",
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
    text = f"\\textbf{{{text}}}" if value.best else text
    small = f" {{\\scriptsize ({escape(value.small)})}}" if value.small else ""
    beside = f" {{\\scriptsize [{escape(value.paper)}]}}" if value.paper else ""
    return text + small + beside

"""The last thing a user sees of a run: Table 1 and the findings, on the terminal."""

from ddim.records.aggregate import FID
from ddim.records.results import Results
from ddim.report import findings, tables


def summary(results: Results) -> None:
    """Print the FID table with the best of every column marked, and the findings."""
    from rich.console import Console
    from rich.table import Table

    found = tables.quality(results, FID)
    assert found is not None
    shown = Table()
    shown.add_column(found.corner)
    for column in found.columns:
        shown.add_column(column, justify="right")
    for row in found.rows:
        values = [f"[bold green]{v.text}[/]" if v.best else v.text for v in row.values]
        shown.add_row(row.label, *values)
    console = Console()
    console.print(f"[bold]{results.cfg.name}: {found.title}[/]")
    console.print(shown)
    for row in found.footer:
        console.print(f"{row.label}: {row.values[0].text}", highlight=False)
    for sentence in findings.sentences(results):
        console.print(f"• {sentence}", highlight=False)

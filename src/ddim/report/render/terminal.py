"""The last thing a user sees of a run: Table 1 and the verdicts, on the terminal."""

from ddim.evaluation.aggregate import FID
from ddim.records.results import Results
from ddim.report import findings, tables, verdicts
from ddim.runtime.printable import printable


def summary(results: Results) -> None:
    """Print the FID table with the best of every column marked, the verdicts and the floor."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    fid = tables.quality(results, FID)
    assert fid is not None
    table = Table()
    table.add_column(fid.corner)
    for column in fid.columns:
        table.add_column(column, justify="right")
    for row in fid.rows:
        values = [f"[bold green]{v.text}[/]" if v.bold else v.text for v in row.values]
        table.add_row(row.label, *values)
    console = Console()
    console.print(f"[bold]{results.cfg.name}: {fid.title}[/]")
    console.print(table)
    for row in fid.footer:
        console.print(f"{row.label}: {row.values[0].text}", highlight=False)
    panel = verdicts.panel(results)
    console.print(verdicts.summary(panel), highlight=False)
    for verdict in panel:
        claim, ours = (escape(printable(text)) for text in (verdict.claim, verdict.ours))
        line = f"[bold]{verdict.word:12}[/] {claim} ({ours})"
        console.print(line, highlight=False)
    for sentence in findings.sentences(results):
        console.print(sentence, highlight=False)

"""Results -> the report as a Document: its parts and their order. Timings are not part of it."""

from dataclasses import replace

from ddim.evaluation.aggregate import FID, KID, PRECISION, RECALL, SCORE
from ddim.records.results import Results
from ddim.report import (
    findings,
    glossary,
    numbers,
    paper,
    plots,
    protocol,
    reproduction,
    sections,
    tables,
    timings,
    verdicts,
)
from ddim.report.document import Block, Browser, Bullets, Document, Montage, Panel, Paragraph, Part
from ddim.report.escaping import plain
from ddim.report.metrics_json import everything

LINKS = (
    "Everything else is in [index.html](index.html): KID, precision, recall, protocol, every "
    "figure, configuration, commands. Numbers: [cells](tables/cells.csv), "
    "[verdicts](tables/verdicts.csv), [all](tables/metrics.csv). Wall times, devices and dates "
    "are no results: [timings](timings/README.md)."
)


def document(results: Results) -> Document:
    """The results of one experiment: README.md shows its blocks, index.html `more` as well."""
    parts = [
        _quality(results),
        _reconstruction(results),
        sections.part(results),
        _samples(results),
        _training(results),
        glossary.part(),
        reproduction.part(results),
    ]
    return Document(
        title=f"DDIM on {results.cfg.name}",
        subtitle=(
            "One network trained as a DDPM, sampled by every member of the DDIM family: "
            f"{_counts(results)}."
        ),
        folder=results.folder,
        lead=_lead(results),
        parts=[part for part in parts if part.blocks or part.more or part.parts],
        see_also=LINKS,
        metrics=everything(results),
    )


def with_timings(report: Document, results: Results) -> Document:
    """`report` and the timings, before the last part: what index.html shows."""
    *parts, last = report.parts
    return replace(report, parts=[*parts, timings.part(results), last])


def _counts(results: Results) -> str:
    text = f"{len(results.steps)} numbers of steps × {len(results.etas)} values of η"
    return text if len(results.seeds) == 1 else f"{text} × {len(results.seeds)} seeds"


def _lead(results: Results) -> list[Block]:
    description = plain(results.reference.data.description.rstrip("."))
    names = f"**Experiment** {results.cfg.name}. **Data** {protocol.data(results)}"
    blocks: list[Block] = [Paragraph(f"{names}: {description}. {tables.comparison(results)}")]
    panel = verdicts.panel(results)
    if panel:
        blocks.append(Paragraph(f"**{verdicts.summary(panel)}**"))
        blocks.append(Panel(panel, verdicts.RULE, verdicts.anchors(results)))
    blocks.append(_montage(results))
    if sentences := findings.sentences(results):
        blocks.append(Bullets(tuple(sentences)))
    return blocks


def _montage(results: Results) -> Montage:
    """The paper's Figure 3: few and many steps, every eta."""
    steps = [s for s in results.steps if s in (10, 100)]
    if len(steps) < 2:
        steps = sorted({min(results.steps), max(results.steps)})
    rows = tuple(f"S = {s}" for s in steps)
    columns = tuple(map(numbers.eta_label, results.etas))
    pictures = tuple(
        tuple(results.picture(results.first_seed(s, eta).key) for eta in results.etas)
        for s in steps
    )
    return Montage(
        name="samples",
        rows=rows,
        columns=columns,
        pictures=pictures,
        alt=f"Generated images, rows {' and '.join(rows)}, a column for each η.",
        caption="Not selected: the first images of each cell. The same x_T everywhere.",
    )


def _quality(results: Results) -> Part:
    """FID; on the page the paper's table, FID at infinite n and the other measures too."""
    number = paper.number(results.cfg.table)
    fid = tables.quality(results, FID)
    assert fid is not None
    blocks: list[Block] = [fid, plots.fid(results), plots.heat_map(results)]
    infinite = tables.infinite(results)
    more: list[Block] = [
        Paragraph(f"**Protocol.** {protocol.line(results)}."),
        *([infinite] if infinite else []),
        tables.published(results),
    ]
    others = {each: tables.quality(results, each) for each in (KID, PRECISION, RECALL, SCORE)}
    names = f"KID, precision, recall{', Inception score' if others[SCORE] else ''}"
    inner = Part(names, "measures", more=[table for table in others.values() if table])
    return Part(
        f"Table {number}. Image quality against steps and η", "quality", blocks, [inner], more
    )


def _reconstruction(results: Results) -> Part:
    blocks: list[Block] = [tables.reconstruction(results), plots.reconstruction(results)]
    more: list[Block] = [
        Paragraph(
            f"**Protocol.** {protocol.reconstruction(results)}. "
            f"{tables.reconstruction_comparison(results)}"
        ),
        _decoded(results),
    ]
    return Part("Table 2. Encode an image, decode it again", "reconstruction", blocks, more=more)


def _decoded(results: Results) -> Montage:
    """Held-out images and what they become, with the fewest steps and with the most."""
    ends = sorted({min(results.reconstructions), max(results.reconstructions)})
    return Montage(
        name="reconstructions",
        rows=tuple(f"S = {s}" for s in ends),
        columns=("originals above, decoded below",),
        pictures=tuple((results.reconstruction_picture(s),) for s in ends),
        alt="Held-out images above, the same decoded below, for the fewest and the most steps.",
        caption="Held-out images, encoded and decoded with as many steps.",
    )


def _samples(results: Results) -> Part:
    pictures = {
        (s, eta): results.picture(results.first_seed(s, eta).key)
        for s in results.steps
        for eta in results.etas
    }
    etas = tuple((eta, numbers.eta_label(eta)) for eta in results.etas)
    browser = Browser(tuple(results.steps), etas, pictures)
    text = "Every cell starts from the same noise x_T: a position is one image at every setting."
    return Part("Samples of every cell", "samples", more=[Paragraph(text), browser])


def _training(results: Results) -> Part:
    training = results.training
    text = f"{numbers.count(training.parameters)} parameters, {plain(training.source)}"
    if (recipe := training.recipe) is not None:
        steps = numbers.count(recipe.steps)
        text += f": {steps} steps of {recipe.batch_size} images, {recipe.precision}"
    blocks: list[Block] = [Paragraph(f"{text}.")]
    if (plot := plots.loss(results)) is not None:
        blocks.append(plot)
    return Part("Training", "training", more=blocks)

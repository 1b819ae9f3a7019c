"""Results -> the report as a Document: its parts and their order. Timings are not part of it."""

from dataclasses import replace

from ddim.evaluation.aggregate import (
    FID,
    KID,
    PRECISION,
    RECALL,
    SCORE,
    Measure,
    Pair,
    adjacent_pairs,
    table,
)
from ddim.records.results import Results
from ddim.report import (
    findings,
    numbers,
    paper,
    plots,
    protocol,
    reproduction,
    sections,
    tables,
    timings,
)
from ddim.report.document import Block, Browser, Bullets, Document, Montage, Paragraph, Part
from ddim.report.metrics_json import metrics
from ddim.report.render import markdown

TIMINGS = "Wall times, devices and dates are no results: [timings](timings/README.md)."


def document(results: Results) -> Document:
    """The results of one experiment: what README.md shows."""
    parts = [
        _quality(results),
        _reconstruction(results),
        _samples(results),
        sections.part(results),
        _training(results),
        reproduction.part(results),
    ]
    return Document(
        title=f"DDIM on {results.reference.data.name}",
        subtitle=(
            "One network trained as a DDPM, sampled by every member of the DDIM family: "
            f"{_counts(results)}."
        ),
        folder=results.folder,
        lead=_lead(results),
        parts=[part for part in parts if part.blocks or part.parts],
        see_also=f"{markdown.PAGE} {TIMINGS}",
        metrics=metrics(results),
    )


def with_timings(report: Document, results: Results) -> Document:
    """`report` and the timings, before the last part: what index.html shows."""
    *parts, last = report.parts
    return replace(report, parts=[*parts, timings.part(results), last])


def _counts(results: Results) -> str:
    text = f"{len(results.steps)} numbers of steps × {len(results.etas)} values of η"
    return text if len(results.seeds) == 1 else f"{text} × {len(results.seeds)} seeds"


def _lead(results: Results) -> list[Block]:
    description = results.reference.data.description.rstrip(".")
    names = f"**Experiment** {results.cfg.name}. **Data** {protocol.data(results)}"
    return [
        Paragraph(f"{names}: {description}. {tables.comparison(results)}"),
        _montage(results),
        Bullets(tuple(findings.sentences(results))),
    ]


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
        alt=f"Grids of generated images, rows {' and '.join(rows)}, columns {', '.join(columns)}.",
        caption="Not selected: the first images of each cell. The same x_T everywhere.",
    )


def _quality(results: Results) -> Part:
    """FID, and the other measures in a part of their own."""
    number = paper.number(results.cfg.table)
    fid = tables.quality(results, FID)
    assert fid is not None
    others: list[Block] = []
    for measure in (KID, PRECISION, RECALL, SCORE):
        if (other := tables.quality(results, measure)) is not None:
            others.append(other)
            others += _differences(results, measure) if measure is KID else []
    score = ", Inception score" if tables.quality(results, SCORE) else ""
    inner = Part(f"KID, precision, recall{score}", "measures", others)
    blocks: list[Block] = [fid, plots.fid(results), *_differences(results, FID)]
    return Part(f"Table {number}. Image quality against steps and η", "quality", blocks, [inner])


def _differences(results: Results, measure: Measure) -> list[Block]:
    """Which adjacent cells really differ; the others are named."""
    values = table(results.cells, results.cfg, measure)
    pairs = adjacent_pairs(values, results.steps, results.etas)
    if not pairs:
        return []
    chance = [_pair(pair) for pair in pairs if not pair.differs]
    name = measure.title.split(" ×")[0]
    text = (
        f"Of the {len(pairs)} differences in {name} between adjacent cells (the next S in "
        f"the row, the next η in the column), {len(pairs) - len(chance)} are larger than their "
        "intervals"
    )
    if not chance:
        return [Paragraph(f"{text}: all of them.")]
    other = "one" if len(chance) == 1 else str(len(chance))
    summary = f"The other {other} may be chance: the intervals overlap"
    return [Paragraph(f"{text}."), Bullets(tuple(chance), summary)]


def _pair(pair: Pair) -> str:
    """'η = 0.0: S = 100 → 1000' or 'S = 100: η = 0.0 → σ̂'."""
    (s, eta), (s_next, eta_next) = pair.first, pair.second
    if eta == eta_next:
        return f"{numbers.eta_label(eta)}: S = {s} → {s_next}"
    return f"S = {s}: {numbers.eta_label(eta)} → {numbers.eta_label(eta_next)}"


def _reconstruction(results: Results) -> Part:
    steps = min(results.reconstructions)
    picture = sections.picture(
        results,
        results.reconstruction_picture(steps),
        f"Two rows of images: originals above, decoded with S = {steps} below.",
        f"Originals above, decoded below, S = {steps}.",
    )
    blocks: list[Block] = [tables.reconstruction(results), plots.reconstruction(results), picture]
    return Part("Table 2. Encode an image, decode it again", "reconstruction", blocks)


def _samples(results: Results) -> Part:
    pictures = {
        (s, eta): results.picture(results.first_seed(s, eta).key)
        for s in results.steps
        for eta in results.etas
    }
    etas = tuple((eta, numbers.eta_label(eta)) for eta in results.etas)
    browser = Browser(tuple(results.steps), etas, pictures)
    text = "Every cell starts from the same noise x_T: a position is one image at every setting."
    return Part("Samples of every cell", "samples", [Paragraph(text), browser])


def _training(results: Results) -> Part:
    training = results.training
    text = f"{numbers.count(training.parameters)} parameters, {training.source}"
    if (recipe := training.recipe) is not None:
        steps = numbers.count(recipe.steps)
        text += f": {steps} steps of {recipe.batch_size} images, {recipe.precision}"
    blocks: list[Block] = [Paragraph(f"{text}.")]
    if (plot := plots.loss(results)) is not None:
        blocks.append(plot)
    return Part("Training", "training", blocks)

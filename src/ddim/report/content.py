"""Results -> the report as a Document: what is said, in which order."""

import shlex
from collections import Counter
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

from omegaconf import OmegaConf
from PIL import Image

from ddim.config import params
from ddim.config.schema import Config
from ddim.records.aggregate import FID, KID, PRECISION, RECALL, SCORE, Measure, grid, neighbours
from ddim.records.results import Key, Results, Section
from ddim.report import findings, numbers, paper, protocol, tables
from ddim.report.document import (
    Block,
    Browser,
    Bullets,
    Code,
    Document,
    Montage,
    Paragraph,
    Part,
    Picture,
    Plot,
    Row,
    Series,
    Table,
    Value,
)
from ddim.report.metrics_json import metrics

PIXELATED_BELOW = 400  # pixels wide: smaller pictures are enlarged without smoothing


def document(results: Results) -> Document:
    """The whole report of one experiment."""
    parts = [
        _quality(results),
        _reconstruction(results),
        _samples(results),
        _time(results),
        _lecture(results),
        _training(results),
        _made(results),
    ]
    return Document(
        title=f"DDIM on {results.protocol['data']['name']}",
        subtitle=(
            "One network trained as a DDPM, sampled by every member of the DDIM family: "
            f"{_counts(results)}."
        ),
        folder=results.folder,
        lead=_lead(results),
        parts=[part for part in parts if part.blocks or part.parts],
        metrics=metrics(results),
    )


def _counts(results: Results) -> str:
    text = f"{len(results.steps)} numbers of steps × {len(results.etas)} values of η"
    return text if len(results.seeds) == 1 else f"{text} × {len(results.seeds)} seeds"


def _lead(results: Results) -> list[Block]:
    data = results.protocol["data"]
    about = f"**Experiment** {results.cfg.name}. **Data** {protocol.data(results)}: "
    return [
        Paragraph(f"{about}{data['description'].rstrip('.')}. {tables.comparison(results)}"),
        _montage(results),
        Bullets(tuple(findings.sentences(results))),
    ]


def _montage(results: Results) -> Montage:
    """The paper's Figure 3: few and many steps, every eta."""
    shown = [s for s in results.steps if s in (10, 100)]
    if len(shown) < 2:
        shown = sorted({min(results.steps), max(results.steps)})
    rows = tuple(f"S = {s}" for s in shown)
    columns = tuple(map(numbers.eta_label, results.etas))
    pictures = tuple(
        tuple(results.first_seed(s, eta).sampled.picture for eta in results.etas) for s in shown
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
    number = paper.number(results.cfg.table)
    main = tables.quality(results, FID)
    assert main is not None
    more = [tables.quality(results, m) for m in (KID, PRECISION, RECALL, SCORE)]
    blocks: list[Block] = [main, _quality_plot(results, FID), *_differences(results, FID)]
    others: list[Block] = []
    for table in filter(None, more):
        others.append(table)
        if table.name.endswith("_kid"):
            others += _differences(results, KID)
    score = ", Inception score" if more[-1] else ""
    inner = Part(f"KID, precision, recall{score}", "measures", others)
    return Part(f"Table {number}. Image quality against steps and η", "quality", blocks, [inner])


def _differences(results: Results, measure: Measure) -> list[Block]:
    """Which neighbouring cells really differ; the others are named."""
    values = grid(results, measure)
    pairs = neighbours(values, results.steps, results.etas)
    if not pairs:
        return []
    chance = [pair.text for pair in pairs if not pair.apart]
    name = measure.title.split(" ×")[0]
    said = (
        f"Of the {len(pairs)} differences in {name} between neighbouring cells (the next S in "
        f"the row, the next η in the column), {len(pairs) - len(chance)} are larger than their "
        "intervals"
    )
    if not chance:
        return [Paragraph(f"{said}: all of them.")]
    other = "one" if len(chance) == 1 else str(len(chance))
    summary = f"The other {other} may be chance: the intervals overlap"
    return [Paragraph(f"{said}."), Bullets(tuple(chance), summary)]


def _quality_plot(results: Results, measure: Measure) -> Plot:
    values = grid(results, measure)
    series, data = [], []
    for eta in results.etas:
        row = {s: values[s, eta] for s in sorted(results.steps)}
        intervals = {s: value.interval or (value.mean, value.mean) for s, value in row.items()}
        for s, value in row.items():
            n = results.first_seed(s, eta).measured.n_generated
            data.append((s, eta, value.mean, *intervals[s], n))
        series.append(
            Series(
                eta,
                numbers.eta_label(eta),
                tuple(map(float, row)),
                tuple(value.mean for value in row.values()),
                tuple(low for low, _ in intervals.values()),
                tuple(high for _, high in intervals.values()),
            )
        )
    floor = results.protocol["floor"]
    low, high = floor[f"{measure.key}_interval"]
    return Plot(
        name=measure.key,
        title="FID against the number of steps",
        x_label="steps S",
        y_label="FID",
        series=tuple(series),
        alt=f"FID against the number of steps on logarithmic axes. {_ends(series, measure)}",
        columns=("S", "eta", measure.key, "low", "high", "n"),
        data=tuple(data),
        caption="Bars: 95 % intervals. Dotted: the floor, real against held-out real images.",
        x_ticks=tuple(map(float, sorted(results.steps))),
        level=Series("floor", "floor", (), (floor[measure.key],), (low,), (high,)),
    )


def _ends(series: list[Series], measure: Measure) -> str:
    parts = [
        f"{s.label}: {measure.text(s.y[0])} at S = {s.x[0]:g}, "
        f"{measure.text(s.y[-1])} at S = {s.x[-1]:g}"
        for s in series
    ]
    return "; ".join(parts) + "."


def _reconstruction(results: Results) -> Part:
    columns = [results.reconstruct[s] for s in sorted(results.reconstruct)]
    series = Series(
        "error",
        "reconstruction error",
        tuple(float(c.steps) for c in columns),
        tuple(c.error for c in columns),
        tuple(c.interval[0] for c in columns),
        tuple(c.interval[1] for c in columns),
    )
    ends = [f"{numbers.small(c.error)} at S = {c.steps}" for c in (columns[0], columns[-1])]
    plot = Plot(
        name="error",
        title="Reconstruction error against the number of steps",
        x_label="steps S",
        y_label="mean squared error",
        series=(series,),
        alt=f"Reconstruction error against steps on logarithmic axes: {' and '.join(ends)}.",
        columns=("S", "error", "low", "high"),
        data=tuple((c.steps, c.error, *c.interval) for c in columns),
        caption="Encode a held-out image with S steps, decode it with the same S.",
        x_ticks=series.x,
    )
    shown = columns[0]
    picture = _picture(
        results,
        shown.picture,
        f"Two rows of images: originals above, decoded with S = {shown.steps} below.",
        f"Originals above, decoded below, S = {shown.steps}.",
    )
    title = "Table 2. Encode an image, decode it again"
    return Part(title, "reconstruction", [tables.reconstruction(results), plot, picture])


def _picture(results: Results, path: Path, alt: str, caption: str) -> Picture:
    with Image.open(path) as image:
        small = image.width < PIXELATED_BELOW
    return Picture(path.relative_to(results.folder), alt, caption, pixelated=small)


def _samples(results: Results) -> Part:
    pictures = {
        (s, eta): results.first_seed(s, eta).sampled.picture
        for s in results.steps
        for eta in results.etas
    }
    etas = tuple((eta, numbers.eta_label(eta)) for eta in results.etas)
    browser = Browser(tuple(results.steps), etas, pictures)
    text = "Every cell starts from the same noise x_T: a position is one image at every setting."
    return Part("Samples of every cell", "samples", [Paragraph(text), browser])


def _time(results: Results) -> Part:
    series, data = [], []
    for eta in results.etas:
        each = {
            s: [results.cells[Key(s, eta, seed)].sampled for seed in results.seeds]
            for s in sorted(results.steps)
        }
        means = [fmean(m.seconds_per_image for m in made) for made in each.values()]
        data += [
            (s, eta, made[0].nfe, fmean(m.seconds for m in made), mean)
            for (s, made), mean in zip(each.items(), means, strict=True)
        ]
        x = tuple(map(float, each))
        series.append(Series(eta, numbers.eta_label(eta), x, tuple(means)))
    plot = Plot(
        name="time",
        title="Wall time against the number of steps",
        x_label="steps S",
        y_label="seconds per image",
        series=tuple(series),
        alt="Seconds per image against the number of steps on logarithmic axes, a curve per η.",
        columns=("S", "eta", "nfe", "seconds", "seconds_per_image"),
        data=tuple(data),
        x_ticks=tuple(map(float, sorted(results.steps))),
    )
    return Part("What a step costs", "time", [tables.time(results), plot])


def _lecture(results: Results) -> Part:
    parts = [_section(results, section) for section in results.sections]
    return Part("The lecture, shown", "lecture", [], parts)


def _section(results: Results, section: Section) -> Part:
    blocks: list[Block] = [
        Paragraph(f"*The lecture says:* {section.claim}"),
        Paragraph(f"**{section.finding}**"),
    ]
    if section.text.strip():
        blocks.append(Paragraph(section.text))
    blocks += [_section_picture(results, section, figure) for figure in section.figures]
    blocks += [_section_table(section, i) for i in range(len(section.tables))]
    return Part(section.title, f"lecture-{section.name}", blocks)


def _section_picture(results: Results, section: Section, figure: dict[str, str]) -> Picture:
    path = section.folder / figure["file"]
    picture = _picture(results, path, figure["alt"], figure["caption"])
    data = figure.get("data")
    return replace(picture, data=picture.path.with_name(data)) if data else picture


def _section_table(section: Section, index: int) -> Table:
    table = section.tables[index]
    corner, *columns = map(str, table["columns"])
    rows = [Row(_said(first), tuple(_value(v) for v in others)) for first, *others in table["rows"]]
    name = f"lecture_{section.name}" + (f"_{index + 1}" if len(section.tables) > 1 else "")
    return Table(name, str(table["title"]), corner, tuple(columns), tuple(rows))


def _value(value: object) -> Value:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return Value(_said(value), float(value) if number else None)  # type: ignore[arg-type]


def _said(value: object) -> str:
    """Integers as they are, other numbers with four significant digits, text as it is."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _training(results: Results) -> Part:
    about = results.training
    text = f"{numbers.count(about['parameters'])} parameters, {about['source']}"
    if "steps" in about:
        text += (
            f": {numbers.count(about['steps'])} steps of {about['batch_size']} images in "
            f"{numbers.duration(about['seconds'])} on {about['device']}, {about['precision']}"
        )
    text += "."
    blocks: list[Block] = [Paragraph(text)]
    if about["loss"]:
        steps, loss = zip(*about["loss"], strict=True)
        blocks.append(
            Plot(
                name="loss",
                title="Training loss",
                x_label="training step",
                y_label="mean squared error of ε",
                series=(Series("loss", "loss", tuple(map(float, steps)), tuple(loss)),),
                alt=f"Training loss, {loss[0]:.3g} at first and {loss[-1]:.3g} at the last step.",
                columns=("step", "loss"),
                data=tuple(zip(steps, loss, strict=True)),
                x_log=False,
            )
        )
    return Part("Training", "training", blocks)


def _made(results: Results) -> Part:
    """Commands, revisions, checksums and the whole configuration."""
    revisions = Counter(cell.sampled.revision for cell in results.cells.values())
    said = [f"`{revision}` ({n} cells)" for revision, n in revisions.items()]
    about, reference = results.training, results.protocol["reference"]
    facts = [
        f"Preparation of the data: {_preparation(results)}",
        f"Git revision of the sampling: {numbers.listed(said)}",
        f"Weights, SHA-256: {_checksums(about)}",
        f"Data, SHA-256 of the training split: `{results.protocol['data']['train_sha256']}`",
        f"Reference, SHA-256: `{reference['sha256']}`; features, SHA-256: "
        f"`{results.protocol['features']['sha256']}`",
    ]
    configuration = OmegaConf.to_yaml(OmegaConf.structured(results.cfg))
    return Part(
        "How it was made",
        "made",
        [
            Bullets(tuple(facts)),
            Code(_commands(results, next(iter(revisions))), "sh"),
            Code(configuration, "yaml", "The whole configuration (params.yaml)"),
        ],
    )


def _checksums(training: dict[str, Any]) -> str:
    """Of both kinds of weights; only one kind is ever imported."""
    kinds = (("EMA", "ema_sha256"), ("raw", "raw_sha256"))
    return ", ".join(f"{name} `{training[key]}`" for name, key in kinds if key in training)


def _preparation(results: Results) -> str:
    """How the images were split, cropped and resized, in the words of the data's stage."""
    data = results.protocol["data"]
    keys = ("split", "crop", "resize", "pixels", "left_out")
    words = [f"{key.replace('_', ' ')} {data[key]}" for key in keys if key in data]
    return "; ".join(words) or "none"


def _commands(results: Results, revision: str) -> str:
    """What to type, in the project's root: everything at once, or stage by stage."""
    steps, etas, seeds = (
        ",".join(map(str, values)) for values in (results.steps, results.etas, results.seeds)
    )
    columns = ",".join(map(str, results.reconstruct))
    grid = f"-m cell.steps={steps} cell.eta={etas} cell.seed={seeds}"
    stage = "python -m ddim.stages."
    single = ("data", "features", "train", "reference")
    lines = [
        f"git checkout {revision.removesuffix('-dirty')}",
        "export PYTHONPATH=src",
        *_compose(results.cfg),
        "dvc repro",
        "",
        "# the same, stage by stage; params.yaml holds the configuration below",
        *(f"{stage}{name} -cn stage" for name in single),
        *(f"{stage}{name} -cn stage {grid}" for name in ("sample", "evaluate")),
        f"{stage}reconstruct -cn stage -m cell.steps={columns}",
        *(f"{stage}{section.name} -cn stage" for section in results.sections),
        f"{stage}report -cn stage",
        "python -m ddim.track",
    ]
    return "\n".join(lines)


def _compose(cfg: Config) -> list[str]:
    """The command that writes params.yaml; none if no file of conf/experiment/ can start it."""
    experiment = cfg.name.replace("-", "_")
    if not (params.CONF / "experiment" / f"{experiment}.yaml").is_file():
        return []
    given = [f"experiment={experiment}"]
    added = params.changes(given, cfg)
    return [] if added is None else [shlex.join(["python", "-m", "ddim.compose", *given, *added])]

"""Make tables/steadiness.{csv,html}: whether each judge agrees with itself."""

from collections.abc import Iterator

from judgemerge.core import files
from judgemerge.core.frames import with_labels
from judgemerge.core.items import Item, VerdictFile, read_items, read_verdicts
from judgemerge.core.logs import logged
from judgemerge.evaluate import steadiness
from judgemerge.evaluate.estimates import Settings
from judgemerge.judge import failures, sampling
from judgemerge.prompting.prompts import load_template
from judgemerge.report import pages

Pair = tuple[str, str]


def main(
    items: dict[str, str],
    verdicts: dict[Pair, VerdictFile],
    replies: dict[Pair, tuple[str, str]],
    singly: dict[str, str],
    statistics: dict,
    labels: dict[str, str],
    table: str,
    page: str,
) -> None:
    """Write the table and its page; `replies` holds the file of replies and the prompt by judge and benchmark."""
    settings = Settings(statistics["resamples"], statistics["confidence"], statistics["seed"])
    loaded = {benchmark: read_items(path) for benchmark, path in items.items()}
    rows = [{"benchmark": name, **row} for name, found in loaded.items() for row in _recorded(found, settings)]
    said = {pair: list(read_verdicts(*file)) for pair, file in failures.divide(verdicts)[0].items()}
    for (judge, benchmark), own in said.items():
        found = loaded[benchmark]
        made = steadiness.transitivity_rows(found, own, judge, settings) if found[0].protocol == "pairwise" else []
        if (singly.get(judge), benchmark) in said:
            made.append(steadiness.gap_row(found, said[(singly[judge], benchmark)], own, singly[judge], settings))
        if (judge, benchmark) in replies:
            made += _drawn(found, *replies[(judge, benchmark)], settings)
        rows += [{"judge": judge, "benchmark": benchmark, **row} for row in made]
    frame = steadiness.steadiness_table(rows)
    with files.atomic_writer(table) as file:
        frame.to_csv(file, index=False)
    with files.atomic_writer(page) as file:
        file.write(
            pages.page(
                pages.steadiness.TITLE, pages.steadiness.INTRO, pages.steadiness.sections(with_labels(frame, labels))
            )
        )


def _recorded(items: list[Item], settings: Settings) -> Iterator[dict]:
    """Yield the alpha of the scores that the benchmark's own judge gave, where it gave several."""
    values = {item.id: item.extra["gpt4_scores"] for item in items if len(item.extra.get("gpt4_scores", ())) > 1}
    if values:
        yield {"judge": steadiness.RECORDED, **steadiness.alpha_row(items, values, settings)}


def _drawn(items: list[Item], replies: str, prompt: str, settings: Settings) -> list[dict]:
    benchmark = items[0].benchmark
    rows = [row for row in files.read_jsonl(replies) if row["benchmark"] == benchmark]
    made = steadiness.redraw_rows(items, [(row["item"], row.get(sampling.DRAWS, 1)) for row in rows], settings)
    runs = sampling.by_run(rows, load_template(prompt).reply)
    if len(runs) > 1:
        values: dict[str, list[float]] = {}
        for verdict in (verdict for verdicts in runs.values() for verdict in verdicts if verdict.score is not None):
            values.setdefault(verdict.item, []).append(verdict.score)
        made.append(steadiness.alpha_row(items, values, settings))
    return made


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        drawn = zip(snakemake.input.replies, snakemake.params.prompts, strict=True)
        main(
            items=dict(zip(snakemake.params.names, snakemake.input.item_sets, strict=True)),
            verdicts={
                (judge, benchmark): VerdictFile(path, benchmark)
                for (judge, benchmark), path in zip(snakemake.params.pairs, snakemake.input.verdicts, strict=True)
            },
            replies=dict(zip(map(tuple, snakemake.params.drawn), drawn, strict=True)),
            singly=snakemake.params.singly,
            statistics=snakemake.params.statistics,
            labels=snakemake.params.labels,
            table=snakemake.output.table,
            page=snakemake.output.page,
        )

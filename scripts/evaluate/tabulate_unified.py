"""Make tables/unified.csv and unified.html: judges on all benchmarks of pairs as myendless1/llm-as-a-judge counts."""

import pandas as pd

from judgemerge.core import files
from judgemerge.core.frames import read_table, with_labels
from judgemerge.core.items import VerdictFile, read_items, read_verdicts
from judgemerge.core.logs import logged
from judgemerge.evaluate.estimates import DECIMALS
from judgemerge.evaluate.published import Case, unified
from judgemerge.judge import failures
from judgemerge.report import pages

COLUMNS = ("benchmark", "judge", "origin", "items", "drawn_from", "rows", "errors", *pages.unified.VALUES)
COLUMNS = (*COLUMNS, *pages.unified.SAID)


def main(
    items: dict[str, str],
    drawn_from: dict[str, int | None],
    verdicts: dict[str, dict[str, VerdictFile]],
    labels: dict[str, str],
    table: str,
    page: str,
) -> None:
    """Write one row per benchmark and judge, and the quoted figures of the benchmarks in `items`."""
    records = []
    for benchmark, path in items.items():
        judged, _ = failures.divide(verdicts[benchmark])
        case = Case(read_items(path), {judge: list(read_verdicts(*file)) for judge, file in judged.items()})
        records += [_computed(counted, drawn_from.get(benchmark)) for counted in unified.counted_rows(case)]
        records += [_quoted(figure) for figure in unified.quoted() if figure.benchmark == benchmark]
    with files.atomic_writer(table) as file:
        pd.DataFrame(records, columns=list(COLUMNS)).round(DECIMALS).to_csv(file, index=False)
    with files.atomic_writer(page) as file:
        file.write(
            pages.page(
                "As one judge from many data sets counts",
                pages.unified.INTRO,
                pages.unified_sections(with_labels(read_table(table), labels)),
            )
        )


def _computed(counted: unified.Counted, drawn_from: int | None) -> dict:
    values = unified.measures(counted)
    return {
        "benchmark": counted.benchmark,
        "judge": counted.judge,
        "origin": "computed",
        "items": counted.n_items,
        "drawn_from": drawn_from,
        "rows": len(counted.truth),
        "errors": counted.errors,
        "accuracy": values["accuracy"],
        "accuracy_errors_as_ties": values[f"accuracy{unified.AS_TIES}"],
        **{name: values[f"{name}_of_first"] for name in ("precision", "recall", "f1")},
        **{name: values[name] for name in ("macro_precision", "macro_recall", "macro_f1")},
        **{f"said_{name}": n for name, n in unified.said(counted).items() if name != "error"},
    }


def _quoted(figure: unified.Quoted) -> dict:
    return {
        "benchmark": figure.benchmark,
        "judge": figure.judge,
        "origin": "quoted",
        "rows": figure.rows,
        "accuracy_errors_as_ties": figure.accuracy,
        "f1": figure.f1,
    }


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        pairs = dict(zip(map(tuple, snakemake.params.judged), snakemake.input.verdicts, strict=True))
        names = snakemake.params.benchmarks
        counts = [files.read_json(path) for path in snakemake.input.counts]
        main(
            items=dict(zip(names, snakemake.input.item_sets, strict=True)),
            drawn_from={name: count.get("drawn_from") for name, count in zip(names, counts, strict=True)},
            verdicts={
                name: {judge: VerdictFile(path, name) for (of, judge), path in pairs.items() if of == name}
                for name in names
            },
            labels=snakemake.params.labels,
            table=snakemake.output.table,
            page=snakemake.output.page,
        )

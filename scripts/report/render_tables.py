"""Make tables/{agreement,comparisons,humans,bias,items}.html: the CSV tables as pages for the report."""

from collections.abc import Callable, Mapping

import pandas as pd

from judgemerge.core import files
from judgemerge.core.frames import read_table, with_labels
from judgemerge.core.logs import logged
from judgemerge.data import overlap
from judgemerge.judge import failures
from judgemerge.prompting.prompts import load_template
from judgemerge.report import pages

AGREEMENT = (
    "Each cell is the value with its {confidence} interval, prompts resampled as clusters. n counts items, errors "
    "counts replies that could not be read; an error is never a tie. A dash is a value that does not exist; hover over "
    "it for the reason."
)
WARNING = (
    " Warning: {benchmarks} share prompts with sets that judges were or may have been trained on; see the table "
    "'Overlap with training data'."
)
ITEMS = "What every item set holds, and what was mended or set aside on the way."
PAGES: dict[str, tuple[str, str, Callable]] = {
    "agreement": ("Agreement", AGREEMENT, pages.agreement_sections),
    "comparisons": ("Which judge is better", pages.comparisons.INTRO, pages.comparison_sections),
    "humans": ("People, and judges among them", pages.humans.INTRO, pages.human_sections),
    "bias": ("What sways the judges", pages.bias.INTRO, pages.bias_sections),
}


def main(
    tables: Mapping[str, str],
    written: Mapping[str, str],
    overlap_tables: list[str],
    labels: dict[str, str],
    left_out: list[str],
    confidence: float,
    prompts: Mapping[str, Mapping[str, str]],
    prompt_paths: list[str],
) -> None:
    """Write one page per table; `tables` and `written` hold CSV and HTML files by the name of the table,
    `labels` the words for every judge, in the order in which they are shown.

    `overlap_tables` is the table of shared prompts, or empty where nothing was compared. `prompts` gives the prompt of
    each judge that was asked, by protocol, `prompt_paths` their files.
    """
    note = f" Not run, because neither a mirror nor downloads are set: {', '.join(left_out)}." if left_out else ""
    for path in overlap_tables:
        shared = overlap.affected(pd.read_csv(path).fillna({"note": ""}).to_dict("records"))
        note += WARNING.format(benchmarks=", ".join(shared)) if shared else ""
    agreement = read_table(tables["agreement"])
    failed = failures.missing(zip(agreement["judge"], agreement["benchmark"], agreement["note"], strict=True))
    wordings = {template.name: template.wording for template in map(load_template, prompt_paths)}
    asked = {labels[judge]: prompts[judge] for judge in labels if judge in prompts}
    for name, (title, intro, make_sections) in PAGES.items():
        text = intro.format(confidence=f"{100 * confidence:g} %") + failed + (note if name == "agreement" else "")
        sections = make_sections(with_labels(read_table(tables[name]), labels), list(labels.values()))
        sections += pages.prompt_sections(asked, wordings) if name == "agreement" else []
        _write(written[name], title, text, sections)
    _write(written["item_counts"], "Items", ITEMS, [("Counts", pages.frame(_item_counts(tables["item_counts"])))])


def _write(path: str, title: str, intro: str, sections: list[tuple[str, str]]) -> None:
    with files.atomic_writer(path) as file:
        file.write(pages.page(title, intro, sections))


def _item_counts(path: str) -> pd.DataFrame:
    """Return one row per item set, the counts that all have first."""
    counts = pd.read_csv(path, dtype=str).pivot(index="benchmark", columns="count", values="value")
    first = [name for name in ("protocol", "rows", "items", "judgeable", "not_public", "clusters") if name in counts]
    return counts[[*first, *(name for name in counts if name not in first)]].reset_index()


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            tables={name: path for name, path in snakemake.input.items() if name not in ("overlap", "prompts")},
            written=dict(snakemake.output.items()),
            overlap_tables=list(snakemake.input.overlap),
            labels=snakemake.params.labels,
            left_out=snakemake.params.left_out,
            confidence=snakemake.params.confidence,
            prompts=snakemake.params.prompts,
            prompt_paths=list(snakemake.input.prompts),
        )

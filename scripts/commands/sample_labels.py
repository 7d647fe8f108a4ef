"""Draw what people are to label of what a study judges: a sheet to fill in, and the record of what was drawn.

Example: python scripts/commands/sample_labels.py --study config/config.yaml --of demo_pairwise --labels 60
"""

from collections.abc import Sequence
from pathlib import Path

import _package  # noqa: F401
from judgemerge.compare.answer_judging import PAIRS
from judgemerge.compare.label_items import shown_items
from judgemerge.core import files
from judgemerge.core.errors import JudgemergeError
from judgemerge.core.items import Item, read_items, read_verdicts
from judgemerge.evaluate.labels import draw, sheet, strata_of
from judgemerge.study.layout import ANSWERS, ITEMS, QUESTIONS, VERDICTS, Layout
from judgemerge.study.study import Study
from study_options import read_study, run_command


def main(
    study_file: str,
    of: str,
    labels: int,
    seed: int | None = None,
    by: str = "",
    equal: bool = False,
    metric: str = PAIRS,
    directory: str = "labels",
    config: Sequence[str] = (),
) -> str:
    """Write the sheet and the record; return what to do with them. A sheet that is there is never written over."""
    study = read_study(study_file, config)
    items = {item.id: item for item in read_shown(study, of, metric)}
    name = of if metric == PAIRS else f"{of}_{metric}"
    table, record = Path(directory, f"{name}.csv"), Path(directory, f"{name}.draw.json")
    for path in (table, record):
        if path.exists():
            raise JudgemergeError(f"{path} is there already, and may hold votes; move it away, or name another --dir")
    drawn = draw(
        strata(study, of, by, items),
        labels,
        study.settings.seed if seed is None else seed,
        equal,
        of=of,
        metric=metric,
        protocol=next(iter(items.values())).protocol,
        by=by,
    )
    files.write_json(record, drawn.plain())
    with files.atomic_writer(table) as file:
        file.write(sheet(drawn, items))
    words = "A, B or tie" if drawn.protocol == "pairwise" else "a grade"
    return (
        f"{table}: {len(drawn.drawn)} of {len(items)} to label; fill in `vote` ({words}), then add to the study\n"
        f"corrected:\n  {of}: {{votes: {table}, draw: {record}{'' if metric == PAIRS else f', metric: {metric}'}}}"
    )


def read_shown(study: Study, of: str, metric: str) -> list[Item]:
    """Return what people can be shown of a benchmark or a comparison; what has not been made yet is named."""
    layout = Layout(study.name)
    comparison = study.settings.model_comparisons.get(of)
    if comparison is None and of not in study.benchmarks:
        known = ", ".join([*study.benchmarks, *study.settings.model_comparisons])
        raise JudgemergeError(f"{study.where} has no benchmark or comparison '{of}'; it has {known}")
    if comparison is None:
        path = layout.path(ITEMS, of)
        require(study, [path])
        items = read_items(path)
        return [item for item in items if item.judgeable] or items
    questions, answers = layout.path(QUESTIONS, of), layout.each(ANSWERS, study.comparisons.answers(of))
    require(study, [questions, *answers])
    metrics = {entry.name: entry for entry in study.comparisons.metrics(of)}
    if metric not in (PAIRS, *metrics):
        raise JudgemergeError(f"comparison '{of}' has no metric '{metric}'; it has {', '.join(metrics) or 'none'}")
    return list(shown_items(comparison, questions, answers, metrics.get(metric)))


def strata(study: Study, of: str, by: str, items: dict[str, Item]) -> dict[str, str]:
    """Return unit → stratum: all, the category, or what a judge of the benchmark said in the original order."""
    if by in ("", "category"):
        return strata_of(items.values(), by)
    if of not in study.benchmarks or by not in study.judges_of(of):
        raise JudgemergeError(f"--by is '{by}': give category, or a judge of '{of}' whose verdicts divide the items")
    path = Layout(study.name).path(VERDICTS, by, study.suite_of(of))
    require(study, [path])
    said = {one.item: one for one in read_verdicts(path, of) if one.order == "original"}
    outcomes = {name: said[name].outcome if name in said else "error" for name in items}
    return {name: f"{said[name].score:g}" if outcome == "score" else outcome for name, outcome in outcomes.items()}


def require(study: Study, paths: Sequence[str]) -> None:
    """Refuse to draw from files that the study has not made yet."""
    missing = [path for path in paths if not Path(path).is_file()]
    if missing:
        raise JudgemergeError(
            f"{missing[0]} is not there yet; make it first: snakemake --cores 2 --configfile {study.where} -- "
            f"{' '.join(missing)}"
        )


if __name__ == "__main__":
    run_command(
        __doc__,
        main,
        of={"required": True, "help": "benchmark of the suites, or comparison of models"},
        labels={"required": True, "type": int, "help": "how many to label"},
        seed={"type": int, "help": "seed of the draw (the study's)"},
        by={"default": "", "help": "strata: category, or a judge whose verdicts divide the items"},
        equal={"action": "store_true", "help": "as many from every stratum, not in proportion to its size"},
        metric={"default": PAIRS, "help": "of a comparison: grade single answers by this metric instead of pairs"},
        directory={"flag": "--dir", "default": "labels", "help": "folder for sheet and record (labels)"},
    )

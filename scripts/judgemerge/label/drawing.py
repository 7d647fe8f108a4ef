"""What people can be shown of a study, and the draw of what they are: of a benchmark, or of a comparison of models.

Draws are files in a folder of labels: `make label` and `make sample-labels` share them, so that a sheet and the page
ask about the same units.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from judgemerge.compare.answer_judging import PAIRS
from judgemerge.compare.label_items import shown_items
from judgemerge.core.errors import JudgemergeError
from judgemerge.core.items import Item, read_items, read_verdicts
from judgemerge.evaluate.labels import Draw, draw, strata_of
from judgemerge.prompting.rubric_metrics import Metric, load_metric, metric_sources
from judgemerge.study.layout import ANSWERS, ITEMS, QUESTIONS, SOURCE, SOURCES, VERDICTS, Layout
from judgemerge.study.study import Study

Items = Mapping[str, Item]  # by unit


class LabelFiles(NamedTuple):
    """The files about one part that is labelled."""

    sheet: Path
    draw: Path
    votes: Path
    items: Path
    desk: Path

    @classmethod
    def of(cls, folder: str | Path, of: str, metric: str = PAIRS) -> "LabelFiles":
        """Return the files about a benchmark or a comparison; answers that are graded have files of their own."""
        name = of if metric == PAIRS else f"{of}_{metric}"
        endings = (".csv", ".draw.json", ".votes.jsonl", ".items.jsonl", ".desk.json")
        return cls(*(Path(folder, f"{name}{ending}") for ending in endings))


def read_shown(study: Study, of: str, metric: str = PAIRS) -> dict[str, Item]:
    """Return unit → what people can be shown of it; what has not been made yet is named."""
    layout = Layout(study.name)
    comparison = study.settings.model_comparisons.get(of)
    if comparison is None and of not in study.benchmarks:
        known = ", ".join([*study.benchmarks, *study.settings.model_comparisons])
        raise JudgemergeError(f"{study.where} has no benchmark or comparison '{of}'; it has {known or 'none'}")
    if comparison is None:
        if metric != PAIRS:
            raise JudgemergeError(f"--metric is '{metric}', but '{of}' is a benchmark, which has none; leave it out")
        path = layout.path(ITEMS, of)
        require(study, [path])
        items = read_items(path)
        shown = [item for item in items if item.judgeable] or items
    else:
        questions, answers = layout.path(QUESTIONS, of), layout.each(ANSWERS, study.comparisons.answers(of))
        require(study, [questions, *answers])
        shown = list(shown_items(comparison, questions, answers, metric_of(study, of, metric)))
    if not shown:
        raise JudgemergeError(f"'{of}' of {study.where} has nothing that people could label: no item is left")
    return {item.id: item for item in shown}


def metric_of(study: Study, of: str, metric: str) -> Metric | None:
    """Return the metric by which answers of a comparison are graded, with its words; None where pairs are compared.

    Words of others lie in raw files, which a study that has judged by them has fetched.
    """
    if metric == PAIRS:
        return None
    files_by_name = {path.stem: path for path in study.comparisons.metric_files(of)}
    if metric not in files_by_name:
        listed = ", ".join(files_by_name) or "none"
        raise JudgemergeError(f"comparison '{of}' has no metric '{metric}'; it has {listed}")
    layout, path = Layout(study.name), files_by_name[metric]
    require(study, layout.each(SOURCE, metric_sources(path)))
    return load_metric(path, layout.path(SOURCES))


def with_writers(study: Study, of: str, metric: str, items: Items) -> Items:
    """Return the items with who wrote each response, which those of a comparison do not say where people see them."""
    comparison = study.settings.model_comparisons.get(of)
    if comparison is None:
        return items
    if metric == PAIRS:
        return {unit: replace(item, models=tuple(comparison.models)) for unit, item in items.items()}
    endings = {f"/{model}": model for model in sorted(comparison.models, key=len)}
    return {
        unit: replace(item, models=tuple([name for ending, name in endings.items() if unit.endswith(ending)][-1:]))
        for unit, item in items.items()
    }


def strata(study: Study, of: str, by: str, items: Items) -> dict[str, str]:
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


def draw_units(
    study: Study, of: str, items: Items, labels: int, seed: int | None, by: str, equal: bool, metric: str
) -> Draw:
    """Return a draw of so many of the items, by the study's seed where none is given."""
    if labels < 1:
        raise JudgemergeError(f"{labels} labels of '{of}' are asked for; ask for one or more")
    protocol = next(iter(items.values())).protocol
    seed = study.settings.seed if seed is None else seed
    return draw(strata(study, of, by, items), labels, seed, equal, of=of, metric=metric, protocol=protocol, by=by)


def kept_draw(path: Path, items: Items, of: str, **asked: object) -> Draw:
    """Return the draw of a file; one of something else than what is `asked` for, or of other items, is refused.

    What is asked is `metric`, and `labels`, `seed` or `by` unless they are None.
    """
    drawn = Draw.read(path)
    kept = drawn._asdict() | {"labels": len(drawn.drawn)}
    for name, value in {"of": of, **asked}.items():
        if value is not None and kept[name] != value:
            raise JudgemergeError(
                f"{path} was drawn with {name} {kept[name]!r}, and {value!r} is asked for now; leave it out to go on, "
                "or name another folder for another draw (DIR=…)"
            )
    lost = [unit for unit in drawn.strata if unit not in items]
    if lost or len(drawn.strata) != len(items):
        what = f"'{lost[0]}' is there no longer" if lost else f"there were {len(drawn.strata)} then"
        raise JudgemergeError(
            f"{path} was drawn from other items than the {len(items)} that '{of}' has now: {what}; draw again into "
            "another folder (DIR=…)"
        )
    return drawn


def corrected_entry(of: str, votes: Path, paths: LabelFiles, metric: str) -> str:
    """Return what a study says to have its judges corrected by votes."""
    more = "" if metric == PAIRS else f", metric: {metric}"
    return f"corrected:\n  {of}: {{votes: {votes}, draw: {paths.draw}{more}}}"

"""Say before a study runs what it can show: items that separate two judges, labels for kappa, people and win rates.

It reads the verdicts that are there, of this study or of others below results/, and loads no model.
Example: python scripts/commands/plan_study.py --study config/config.yaml --difference 0.03 --power 0.8
"""

import glob
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import _package  # noqa: F401
from judgemerge.core import files
from judgemerge.core.errors import JudgemergeError
from judgemerge.core.items import Item, Verdict, read_items, read_verdicts
from judgemerge.evaluate.labels import read_labels
from judgemerge.evaluate.outlook import USUAL, Need, Outlook, Targets, needs, of_counts, of_verdicts, page
from judgemerge.evaluate.units import Scores
from judgemerge.judge.baselines import BASELINES
from judgemerge.study.layout import ITEMS, VERDICTS, Layout
from judgemerge.study.study import Study
from study_options import read_study, run_command


def main(
    study_file: str,
    difference: float = Targets().difference,
    power: float = Targets().power,
    kappa: float = Targets().kappa,
    width: float = Targets().width,
    epsilon: float | None = None,
    earlier: Sequence[str] = (),
    write: str | None = None,
    config: Sequence[str] = (),
) -> str:
    """Return the plan in words; `write` names a CSV or JSON file that takes it as rows."""
    refuse_nonsense({"difference": difference, "power": power, "kappa": kappa, "width": width, "epsilon": epsilon})
    study = read_study(study_file, config)
    targets = Targets(difference, power, study.settings.statistics.confidence, kappa, width)
    outlooks = [outlook_of(study, benchmark, earlier, epsilon) for benchmark in study.benchmarks]
    if not outlooks:
        raise JudgemergeError(f"{study.where}: no benchmark is run; give --config downloads=true or mirror=DIR")
    rows = [row for outlook in outlooks for row in needs(outlook, targets, labels_of(study, outlook.benchmark))]
    told = f"{study.name}: {page(rows, targets, outlooks)}"
    return told if write is None else f"{told}\n\n{write_rows(write, rows)}"


def refuse_nonsense(given: dict[str, float | None]) -> None:
    """Refuse shares that are not between 0 and 1."""
    for name, value in given.items():
        if value is not None and not 0 < value < 1:
            raise JudgemergeError(f"--{name} is {value:g}; give a number between 0 and 1, 0.03 for three points")


def outlook_of(study: Study, benchmark: str, earlier: Sequence[str], epsilon: float | None) -> Outlook:
    """Return the outlook of a benchmark; it says nothing about replacing people where labels are facts."""
    rule = Scores(study).epsilons()[benchmark] if epsilon is None else epsilon
    outlook = judged_outlook(study, benchmark, earlier, rule)
    has_people = study.labelled_by_people(benchmark) or outlook.basis["duels"] != USUAL
    return outlook if has_people else replace(outlook, epsilon=None)


def judged_outlook(study: Study, benchmark: str, earlier: Sequence[str], epsilon: float) -> Outlook:
    """Return what the verdicts that are there say of a benchmark, those of earlier studies where there are no own."""
    own = Layout(study.name).path(ITEMS, benchmark)
    verdicts = dict(own_verdicts(study, benchmark))
    if Path(own).is_file() and len(verdicts) > 1:
        return of_verdicts(read_items(own), verdicts, BASELINES, epsilon, "this study")
    usual = counted(study, benchmark, epsilon)
    for name in earlier:
        path = Layout(name).path(ITEMS, benchmark)
        if Path(path).is_file() and (others := dict(verdicts_of(name, benchmark))):
            shown = of_verdicts(read_items(path), others, BASELINES, epsilon, f"study {name}")
            return replace(shown, n_items=usual.n_items or shown.n_items, n_prompts=usual.n_prompts or shown.n_prompts)
    return usual


def own_verdicts(study: Study, benchmark: str) -> Iterator[tuple[str, list[Verdict]]]:
    """Yield each judge of a benchmark with its verdicts, as far as they are there."""
    layout = Layout(study.name)
    for judge, suite in Scores(study).judges_in_suites(benchmark):
        path = layout.path(VERDICTS, judge, suite)
        if Path(path).is_file() and (some := list(read_verdicts(path, benchmark))):
            yield judge, some


def verdicts_of(name: str, benchmark: str) -> Iterator[tuple[str, list[Verdict]]]:
    """Yield each judge of another study's results that has verdicts on a benchmark."""
    for path in sorted(glob.glob(Layout(glob.escape(name)).path(VERDICTS, "*", "*"))):
        if some := list(read_verdicts(path, benchmark)):
            yield Path(path).parent.name, some


def counted(study: Study, benchmark: str, epsilon: float) -> Outlook:
    """Return the usual outlook: of the items if they are there, else of the counts of config/benchmarks.yaml."""
    own = Layout(study.name).path(ITEMS, benchmark)
    if Path(own).is_file():
        items: list[Item] = read_items(own)
        return of_verdicts(items, {}, BASELINES, epsilon, "this study")
    expected = study.catalogues.benchmarks[benchmark].get("expected", {})
    n_items = study.asked_items(benchmark)
    is_whole = n_items == expected.get("items")
    return of_counts(
        benchmark,
        study.protocol(benchmark),
        n_items,
        expected.get("clusters") if is_whole else None,
        expected.get("truth"),
        epsilon,
    )


def labels_of(study: Study, benchmark: str) -> int | None:
    """Return how many labels the study has for a corrected number on a benchmark, None where it has none yet."""
    labelled = study.settings.corrected.get(benchmark)
    if labelled is None:
        return None
    if labelled.from_truth:
        return labelled.from_truth
    path = Layout(study.name).path(ITEMS, benchmark)
    if not Path(path).is_file():
        return None
    votes, _ = read_labels(labelled, study.protocol(benchmark), [item.id for item in read_items(path)])
    return len(votes)


def write_rows(path: str, rows: Sequence[Need]) -> str:
    """Write the rows as CSV or JSON, as the file's name says; return a sentence about it."""
    if path.endswith(".json"):
        files.write_json(path, [row._asdict() for row in rows])
    elif path.endswith(".csv"):
        import pandas as pd

        from judgemerge.core.frames import write_table

        table = pd.DataFrame(rows, columns=list(Need._fields))
        counts = ["needed", "least", "most", "present"]
        write_table(path, table.astype(dict.fromkeys(counts, "Int64")))
    else:
        raise JudgemergeError(f"--write {path}: end the name with .csv or .json")
    return f"{path}: {len(rows)} rows"


if __name__ == "__main__":
    run_command(
        __doc__,
        main,
        difference={"type": float, "default": Targets().difference, "help": "of two judges, 0.03 is three points"},
        power={"type": float, "default": Targets().power, "help": "chance to show it where it is there (0.8)"},
        kappa={"type": float, "default": Targets().kappa, "help": "half the interval of kappa (0.1)"},
        width={"type": float, "default": Targets().width, "help": "half the interval of a corrected win rate (0.05)"},
        epsilon={"type": float, "help": "of the alternative annotator test (the study's)"},
        earlier={"nargs": "+", "default": [], "metavar": "NAME", "help": "studies below results/ to learn from"},
        write={"metavar": "FILE", "help": "CSV or JSON file that takes the plan as rows"},
    )

"""model_comparison_{comparison}.csv: two models on the same questions, as judges see them."""

import html
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from judgemerge.compare.answer_judging import PAIRS, JudgedAnswer, read_results
from judgemerge.core import files
from judgemerge.report.drawing import COLOURS, dot, finish, judge_rows, mark, panel_grid
from judgemerge.report.markup import TEXT, details, frame, part, span
from judgemerge.report.material import fields_of
from judgemerge.report.table import (
    DETECTABLE,
    INTERVAL,
    Axes,
    Column,
    Drawing,
    Figure,
    Finding,
    Frame,
    Inputs,
    Page,
    Study,
    Table,
    View,
)
from judgemerge.settings.comparisons import ModelComparison
from judgemerge.study.layout import (
    ANSWERS,
    ANSWERS_RECORD,
    JUDGED_ANSWERS,
    JUDGED_BY,
    JUDGED_BY_RECORD,
    MODEL_COMPARISON_DISAGREEMENTS,
    QUESTIONS,
    Layout,
)

if TYPE_CHECKING:
    from judgemerge.compare.answering import Answer
    from judgemerge.compare.comparison_tables import Disagreement
    from judgemerge.core.items import Item
    from judgemerge.prompting.rubric_metrics import Metric

COLUMNS = {
    "judge": Column("name of the judge; empty for what the answers cost", TEXT),
    "measure": Column("score, spread_of_draws, difference, an outcome of pairs, or a cost"),
    "metric": Column("name of the metric, or pairs"),
    "model": Column("model that the row is about; for differences, second − first"),
    "value": Column("the measure; empty where it is undefined"),
    **INTERVAL,
    **DETECTABLE,
    "n": Column("number of answers, pairs or questions"),
    "errors": Column("number of replies that could not be read"),
    "note": Column("why a value is undefined"),
}
INTRO = (
    "{first} (first) and {second} (second) answered the same {n} questions of {questions}. Judges did not"
    " learn who wrote what: pairs were shown in both orders, single answers were graded alone. "
    "Differences are second − first; intervals are {confidence} and resample questions. There are no "
    "human labels: the table shows what the judges prefer, not what is better."
)
EMPTY_CONTEXT = (
    "As in the published comparison, the judges were shown an empty context. Their grades of faithfulness"
    " are meaningless and shown only for comparison with the published figures."
)
KINDS = {
    "against_rubric": "The pair goes one way, the grades go the other",
    "orders": "Another verdict in the swapped order",
    "gap": "Grades that differ most",
}


class Texts(NamedTuple):
    """What is shown of the cases for manual inspection."""

    questions: Mapping[str, str]
    answers: Mapping[str, Mapping[tuple[str, int], "Answer"]]  # by model and unit
    replies: Mapping[str, Sequence[JudgedAnswer]]  # by judge
    cases: Mapping[str, Sequence["Disagreement"]]  # by judge

    def of(self, judge: str, case: "Disagreement") -> list[tuple[str, str]]:
        """Return the headed texts of one case: question, answers, and what the judge wrote of them."""
        unit = (case.question, case.sample)
        answers = {model: of_model[unit] for model, of_model in self.answers.items()}
        texts = [("Question", self.questions[case.question])]
        texts += [
            (f"Answer of {model}", answer.text or f"({answer.reason or 'empty'})") for model, answer in answers.items()
        ]
        return texts + [
            (f"Judge: {_about(reply)}", reply.reply if reply.reply is not None else f"({reply.reason})")
            for metric in dict.fromkeys((case.metric, PAIRS))
            for reply in self.replies[judge]
            if (reply.metric, reply.question, reply.sample) == (metric, *unit)
        ]


def _about(reply: JudgedAnswer) -> str:
    """Return what was judged."""
    return f"pair, {reply.order} order" if reply.metric == PAIRS else f"{reply.metric} of {reply.model}"


def signed_span(row: Any, signed: bool = False) -> str:
    """Return a value with its interval; a dash where there is none."""
    # Seconds per token of a small model would all be 0.000.
    small = 0 < abs(row.value) < 0.01 and str(row.measure).startswith("seconds")
    form = f"{'+' if signed else ''}{'.2g' if small else '.3f'}"
    return span(row.value + 0.0, row.ci_low, row.ci_high, form)


def _rows(rows: Frame, columns: Sequence[str], signed: bool = False) -> str:
    values = [signed_span(row, signed) for row in rows.itertuples()]
    return frame(rows[list(columns)].assign(value=values, n=rows.n, errors=rows.errors, note=rows.note))


def _scores(table: Frame) -> str:
    rows = table[table.measure.isin(["score", "spread_of_draws"])]
    return _rows(rows, ["judge", "metric", "model", "measure"]) if len(rows) else "<p>No metric was judged.</p>"


def _differences(table: Frame) -> str:
    rows = table[table.measure == "difference"]
    sentences = "".join(f"<p>{html.escape(_sentence(row))}</p>" for row in rows.itertuples())
    return sentences + _rows(rows, ["judge", "metric"], signed=True) if len(rows) else "<p>None.</p>"


def _sentence(row: Any) -> str:
    name = f"{row.judge}, {row.metric}: "
    if math.isnan(row.value):
        return f"{name}no difference can be given ({row.note})."
    if math.isnan(row.ci_low):
        return f"{name}{row.model} differs by {row.value:+.3f} (n {row.n}; {row.note})."
    sure = row.ci_low > 0 or row.ci_high < 0
    verdict = "the interval excludes 0" if sure else "the interval includes 0: no difference is shown"
    if not sure and not math.isnan(row.detectable):
        verdict += f", and one below {row.detectable:.3f} would hardly have been (power .8)"
    return f"{name}{row.model} differs by {signed_span(row, signed=True)}, n {row.n}; {verdict}."


def _pairs(table: Frame) -> str:
    intro = (
        "<p>Won, tied or lost means the same verdict in both orders; a verdict that follows the position is "
        "inconsistent and no tie. Shares are of the pairs that could be read in both orders.</p>"
    )
    return intro + _rows(table[table.metric == PAIRS], ["judge", "measure"])


def _costs(table: Frame, answers: Mapping[str, Mapping[tuple, "Answer"]]) -> str:
    batches = "; ".join(f"{model}: {_batches(of_model.values())}" for model, of_model in answers.items())
    intro = (
        "Of the time of a batch every answer gets an equal share, without the time for loading; intervals of seconds "
        "take the answers of a batch as independent, which they are not. Longer answers take longer, so seconds per "
        f"token stand beside them. Answers per batch: {batches}."
    )
    return f"<p>{html.escape(intro)}</p>" + _rows(table[table.judge == ""], ["model", "measure"])


def _batches(answers: Iterable["Answer"]) -> str:
    sizes = Counter(answer.batch for answer in answers if answer.batch)
    return f"{min(sizes)} to {max(sizes)}" if sizes else "unknown"


def _failures(table: Frame) -> str:
    import pandas as pd

    lines = []
    for measure in ("score", "difference"):
        counted = table[table.measure == f"{measure}_failures_as_minus_one"]
        others = {(row.judge, row.metric, row.model): row for row in counted.itertuples()}
        for row in table[table.measure == measure].itertuples():
            name = (row.judge, row.metric, row.model)
            ours, theirs = (signed_span(either, measure == "difference") for either in (row, others[name]))
            lines.append((*name, measure, ours, row.n, theirs, others[name].n, row.errors))
    if not lines:
        return "<p>No metric was judged.</p>"
    head = ["judge", "metric", "model", "what", "left out (ours)", "n", "as −1", "n with failures", "failures"]
    intro = "<p>The same grades counted in both ways; only the column “left out” is used elsewhere.</p>"
    return intro + frame(pd.DataFrame(lines, columns=head))


def _published(published: Frame) -> str:
    from judgemerge.compare.comparison_tables import without_failures

    runs = []
    for run, rows in published.groupby("run", sort=False):
        first, second = (next(rows[rows.side == side].itertuples()) for side in ("first", "second"))
        n, n_unread = int(first.questions), int(first.unread_in_all)
        would = [f"{without_failures(row.mean_score, n, n_unread):.3f} ({row.model})" for row in (first, second)]
        runs.append(
            f"{run}: {second.mean_score:g} for {second.model} and {first.mean_score:g} for {first.model}, "
            f"difference {second.mean_score - first.mean_score:+.3f}, without an interval. {n_unread} of "
            f"{n} replies could not be read and stands as −1 in its mean; whose it was is not recorded. Left "
            f"out, that mean would be {' or '.join(would)}."
        )
    intro = (
        "Quoted, not repeated: other questions, another judge and other settings than here. Faithfulness was judged "
        "against a context that was empty, so the figures say nothing about faithfulness."
    )
    sentences = "".join(f"<p>{html.escape(text)}</p>" for text in [intro, *runs])
    return sentences + frame(published)


def _reading(texts: Texts, n_shown: int, file: str) -> str:
    text = (
        f"<p>At most {n_shown} of each kind and judge; all of them are in {html.escape(file)}. "
        "What models wrote is shown as text.</p>"
    )
    for judge, cases in texts.cases.items():
        inner = ""
        for kind, title in KINDS.items():
            of_kind = [case for case in cases if case.kind == kind]
            items = "".join(_one(case, texts.of(judge, case)) for case in of_kind[:n_shown])
            inner += part(f"{title}: {len(of_kind)}", items or "<p>None.</p>")
        text += part(judge, inner)
    return text


def _one(case: "Disagreement", texts: Sequence[tuple[str, str]]) -> str:
    gap = "" if case.gap is None else f", second − first {case.gap:+g}"
    head = f"question {case.question}, draw {case.sample + 1}: {case.metric}{gap}"
    head += f", pair: {case.outcome}" if case.outcome else ""
    body = "".join(
        f"<p><b>{html.escape(name)}</b></p><pre style='white-space: pre-wrap'>{html.escape(text or '–')}</pre>"
        for name, text in texts
    )
    return details(head, body)


def _method(entry: ModelComparison, records: Iterable[Mapping], metrics: Iterable["Metric"]) -> str:
    import pandas as pd

    method = {
        "questions": entry.questions,
        "generation": entry.generation.plain(),
        "inputs": entry.inputs or "by name",
    }
    for record in records:
        judge, model, prompts = (record.get(name) for name in ("judge", "model", "prompts"))
        names = ("digest", "settings", "failures", "empty")
        method[f"judge {judge}" if judge else f"answers of {model}"] = {
            name: value for name, value in record.items() if name in names
        } | {name: value for name, value in record.items() if name == "at_the_limit"}
        if judge:
            method["prompts"] = {kind: prompt["name"] for kind, prompt in prompts.items()}
    rows = [{"what": name, "is": str(value)} for name, value in method.items()]
    return frame(pd.DataFrame(rows)) + "".join(
        part(metric.name, f"<p>{html.escape(metric.criteria)}</p><pre>{html.escape(metric.rubric)}</pre>")
        for metric in metrics
    )


# ---- what the page is made from ----


def comparisons(study: Study) -> list[str]:
    """Return the comparisons of the study."""
    return list(study.settings.model_comparisons)


def page_files(study: Study, comparison: str) -> dict[str, list[str]]:
    """Return the files of one comparison by what they hold."""
    plan, layout = study.comparisons, Layout(study.name)
    answers, judgments = plan.answers(comparison), plan.judgments(comparison)
    return {
        "questions": [layout.path(QUESTIONS, comparison)],
        "answers": layout.each(ANSWERS, answers),
        "results": layout.each(JUDGED_BY, judgments),
        "records": layout.each(ANSWERS_RECORD, answers) + layout.each(JUDGED_BY_RECORD, judgments),
        "disagreements": [layout.path(MODEL_COMPARISON_DISAGREEMENTS, comparison)],
        "metrics": plan.metric_paths(comparison),
        "published": plan.published(comparison),
    }


def page_inputs(study: Study, comparison: str) -> Inputs:
    """Return everything that the page shows; what judges said is one folder."""
    folder = Layout(study.name).path(JUDGED_ANSWERS, comparison)
    paths = [path for of_kind in page_files(study, comparison).values() for path in of_kind]
    return Inputs(files=list(dict.fromkeys(folder if path.startswith(f"{folder}/") else path for path in paths)))


def page_parameters(study: Study, comparison: str) -> dict[str, Any]:
    """Return the comparison, its files, and the words for its judges."""
    entry = study.settings.model_comparisons[comparison]
    return {
        "entry": entry.plain(),
        "paths": page_files(study, comparison),
        "labels": {judge: study.labels.get(judge, judge) for judge in entry.judges},
    }


def page(
    table: Frame, view: View, entry: Mapping, paths: Mapping[str, Sequence[str]], labels: Mapping[str, str]
) -> Page:
    """Return scores, differences, pairs, costs, failures, and what a person should read."""
    import pandas as pd

    from judgemerge.prompting import rubric_metrics

    plan, where = ModelComparison.of(entry), Paths(**paths)
    texts = _texts(plan, where, labels)
    parts = [("Empty context", f"<p>{html.escape(EMPTY_CONTEXT)}</p>")] if plan.empty_context else []
    parts += [("Mean scores", _scores(table)), ("Paired differences", _differences(table))]
    if (table.metric == PAIRS).any():
        parts.append(("Pairs, from the second model's side", _pairs(table)))
    parts += [
        ("What the answers cost", _costs(table, texts.answers)),
        ("If a grade that cannot be read counted as −1", _failures(table)),
    ]
    parts += [("Published results (quoted)", _published(pd.read_csv(path, sep="\t"))) for path in where.published[:1]]
    file = f"tables/{Path(where.disagreements[0]).name}"
    metrics = map(rubric_metrics.load_metric, where.metrics)
    parts += [
        ("Cases for manual inspection", _reading(texts, plan.show, file)),
        ("Method", _method(plan, map(files.read_json, where.records), metrics)),
    ]
    first, second = plan.models
    return view.page(parts, first=first, second=second, n=len(texts.questions), questions=plan.questions)


class Paths(NamedTuple):
    """The files of one comparison by what they hold."""

    questions: Sequence[str]
    answers: Sequence[str]
    results: Sequence[str]
    records: Sequence[str]
    disagreements: Sequence[str]
    metrics: Sequence[str]
    published: Sequence[str]


def _texts(entry: ModelComparison, paths: Paths, labels: Mapping[str, str]) -> Texts:
    """Read what is shown of the cases; judges are named by their words."""
    from judgemerge.compare.answering import read_answers
    from judgemerge.compare.comparison_tables import Disagreement
    from judgemerge.core.items import read_items

    judges = [labels[judge] for judge in entry.judges]
    cases: dict[str, list[Disagreement]] = {judge: [] for judge in judges}
    for row in files.read_jsonl(paths.disagreements[0]):
        cases[labels[row["judge"]]].append(fields_of(Disagreement, row))
    return Texts(
        questions={item.id: _question(item) for path in paths.questions for item in read_items(path)},
        answers={model: read_answers(path) for model, path in zip(entry.models, paths.answers, strict=True)},
        replies={judge: read_results(path) for judge, path in zip(judges, paths.results, strict=True)},
        cases=cases,
    )


def _question(item: "Item") -> str:
    """Return the question as judges see it, or its turns where the answers between them are not known."""
    from judgemerge.prompting import rubric_metrics
    from judgemerge.prompting.prompts import Unrenderable

    try:
        return rubric_metrics.transcript(item)
    except Unrenderable:
        return "\n\n".join(item.turns)


# ---- figure ----

OUTCOMES = {
    "win": ("second wins", COLOURS["expert"]),
    "tie": ("tie", "#cccccc"),
    "inconsistent": ("follows the position", "#eecf8e"),
    "lose": ("first wins", COLOURS["base"]),
}


def draw_comparison(table: Frame, kinds: Mapping[str, str], panels: Sequence[str]) -> Drawing:
    """Draw a row per judge: scores of both models by metric, their difference, and the shares of the pairs."""
    from matplotlib.patches import Patch

    of_judges = table[table.judge.notna() & (table.judge != "")]
    scores = of_judges[of_judges.measure == "score"]
    differences = of_judges[of_judges.measure == "difference"]
    pairs = of_judges[of_judges.metric == PAIRS]
    judges, metrics = list(of_judges.judge.unique()), list(scores.metric.unique())
    shades = dict(zip(scores.model.unique(), (COLOURS["base"], COLOURS["expert"]), strict=False))
    names = [title for metric in metrics for title in (f"{metric}: score", f"{metric}: second − first")]
    figure, axes = panel_grid(
        {name: len(judges) + 1 for name in [*names, *(["pairs"] if len(pairs) else [])]}, columns=2, share=False
    )
    for title, panel in axes.items():
        panel.set_title("pairs, both orders" if title == "pairs" else title)
        judge_rows(panel, judges)
    for row in scores.itertuples():
        number = list(shades).index(row.model)
        dot(axes[f"{row.metric}: score"], judges.index(row.judge) + 0.24 * number - 0.12, row, shades[row.model])
    for metric in metrics:
        panel = axes[f"{metric}: second − first"]
        panel.axvline(0, color="#999999", linewidth=0.8)
        for row in differences[differences.metric == metric].itertuples():
            dot(panel, judges.index(row.judge), row, COLOURS["merge"])
    marks = [mark(model, shade=shade) for model, shade in shades.items()]
    if len(pairs):
        _shares(axes["pairs"], pairs, judges)
        marks += [Patch(color=shade, label=label) for label, shade in OUTCOMES.values()]
    return finish(
        figure, "", marks, "First and second are the models of the comparison, in its order. n and errors: table."
    )


def _shares(panel: Axes, rows: Frame, judges: Sequence[str]) -> None:
    """Draw the shares of a judge's pairs one after the other."""
    panel.set_xlim(0, 1)
    shares = {(row.judge, row.measure): row.value for row in rows.itertuples() if not math.isnan(row.value)}
    for y, judge in enumerate(judges):
        start = 0.0
        for outcome, (_, shade) in OUTCOMES.items():
            share = shares.get((judge, outcome), 0.0)
            if share:
                panel.barh(y, share, left=start, height=0.6, color=shade, edgecolor="white")
            start += share


def findings(table: Frame, kinds: Mapping[str, str]) -> list[Finding]:
    """Return the difference of the two models by every judge and metric, and who won the pairs."""
    sentences = [_sentence(row) for row in table[table.measure == "difference"].itertuples()]
    for judge, rows in table[(table.metric == PAIRS) & table.measure.isin(OUTCOMES)].groupby("judge", sort=False):
        shares = ", ".join(
            f"{OUTCOMES[row.measure][0]} {span(row.value, row.ci_low, row.ci_high)}" for row in rows.itertuples()
        )
        sentences.append(f"{judge}, pairs (n {rows.n.max()}): {shares}.")
    return [Finding("What judges prefer; no person has judged these answers", sentences)] if sentences else []


TABLE = Table(
    title="Model comparison {part}",
    caption="Two models on the same questions, judged blind: mean scores, the paired difference and the shares of"
    " pairs won, tied, lost, or decided by the position. Differences are second − first. There are no "
    "human labels.",
    columns=COLUMNS,
    condition=comparisons,
    parts=comparisons,
    intro=INTRO,
    page=page,
    page_inputs=page_inputs,
    page_parameters=page_parameters,
    findings=findings,
    figures={
        "model_comparison": Figure(
            label="Model comparison {part}",
            caption="Mean scores of both models by metric, the paired difference with its interval, and the judges' "
            "verdicts on the pairs in both orders.",
            draw=draw_comparison,
            on_first_page=True,
        ),
    },
)

"""model_comparison_{comparison}.csv: two models on the same questions, as judges see them."""

import html
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from judgemerge.compare.answer_judging import PAIRS, by_unit
from judgemerge.core import files
from judgemerge.report.drawing import COLOURS, dot, finish, judge_rows, mark, panel_grid
from judgemerge.report.markup import details, frame, part
from judgemerge.report.table import Column, Figure, Inputs, Page, Section, Table, View
from judgemerge.study.layout import (
    ANSWERS,
    ANSWERS_RECORD,
    JUDGED_ANSWERS,
    MODEL_COMPARISON_DISAGREEMENTS,
    QUESTIONS,
    Layout,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as Drawing

    from judgemerge.core.items import Item
    from judgemerge.study.study import Study

COLUMNS = {
    "judge": Column("name of the judge; empty for what the answers cost"),
    "measure": Column("score, spread_of_draws, difference, an outcome of pairs, or a cost"),
    "metric": Column("name of the metric, or pairs"),
    "model": Column("model that the row is about; for differences, second − first"),
    "value": Column("the measure; empty where it is undefined"),
    "ci_low": Column("lower end of the confidence interval"),
    "ci_high": Column("upper end of the confidence interval"),
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


def sections(
    table: "pd.DataFrame",
    entry: Mapping,
    about: Mapping,
    disagreements: Mapping[str, Sequence[Mapping]],
    texts: Mapping,
    published: "pd.DataFrame | None",
    comparison: str,
) -> list[Section]:
    """Return all sections; `disagreements` are by judge, `texts` (question, answers, replies) what they show."""
    parts = [("Empty context", f"<p>{html.escape(EMPTY_CONTEXT)}</p>")] if entry["empty_context"] else []
    parts += [("Mean scores", _scores(table)), ("Paired differences", _differences(table))]
    if (table["metric"] == "pairs").any():
        parts.append(("Pairs, from the second model's side", _pairs(table)))
    parts += [
        ("What the answers cost", _costs(table, about)),
        ("If a grade that cannot be read counted as −1", _failures(table)),
    ]
    if published is not None:
        parts.append(("Published results (quoted)", _published(published)))
    parts.append(("Cases for manual inspection", _reading(disagreements, texts, entry, comparison)))
    return [*parts, ("Method", _method(about))]


def signed_span(row: "pd.Series", signed: bool = False) -> str:
    """Return a value with its interval; a dash where there is none."""
    if math.isnan(row["value"]):
        return "–"
    sign = "+" if signed else ""
    # Seconds per token of a small model would all be 0.000.
    small = 0 < abs(row["value"]) < 0.01 and str(row["measure"]).startswith("seconds")
    form = f"{sign}.2g" if small else f"{sign}.3f"
    inner = "" if math.isnan(row["ci_low"]) else f" [{row['ci_low']:{form}}, {row['ci_high']:{form}}]"
    return f"{row['value'] + 0.0:{form}}{inner}"


def _rows(rows: "pd.DataFrame", columns: Mapping[str, str], signed: bool = False) -> str:
    listing = rows[list(columns)].rename(columns=columns)
    listing["value"] = [signed_span(row, signed) for _, row in rows.iterrows()]
    return frame(listing.assign(n=rows["n"], errors=rows["errors"], note=rows["note"]))


def _scores(table: "pd.DataFrame") -> str:
    rows = table[table["measure"].isin(["score", "spread_of_draws"])]
    columns = {"judge": "judge", "metric": "metric", "model": "model", "measure": "measure"}
    return _rows(rows, columns) if len(rows) else "<p>No metric was judged.</p>"


def _differences(table: "pd.DataFrame") -> str:
    rows = table[table["measure"] == "difference"]
    sentences = "".join(f"<p>{html.escape(_sentence(row))}</p>" for _, row in rows.iterrows())
    return sentences + _rows(rows, {"judge": "judge", "metric": "metric"}, signed=True) if len(rows) else "<p>None.</p>"


def _sentence(row: "pd.Series") -> str:
    name = f"{row['judge']}, {row['metric']}: "
    if math.isnan(row["value"]):
        return f"{name}no difference can be given ({row['note']})."
    if math.isnan(row["ci_low"]):
        return f"{name}{row['model']} differs by {row['value']:+.3f} (n {row['n']}; {row['note']})."
    sure = row["ci_low"] > 0 or row["ci_high"] < 0
    verdict = "the interval excludes 0" if sure else "the interval includes 0: no difference is shown"
    return f"{name}{row['model']} differs by {signed_span(row, signed=True)}, n {row['n']}; {verdict}."


def _pairs(table: "pd.DataFrame") -> str:
    rows = table[table["metric"] == "pairs"]
    intro = (
        "<p>Won, tied or lost means the same verdict in both orders; a verdict that follows the position is "
        "inconsistent and no tie. Shares are of the pairs that could be read in both orders.</p>"
    )
    return intro + _rows(rows, {"judge": "judge", "measure": "measure"})


def _costs(table: "pd.DataFrame", about: Mapping) -> str:
    rows = table[table["judge"] == ""]
    batches = "; ".join(f"{model}: {sizes}" for model, sizes in about["batches"].items())
    intro = (
        "Of the time of a batch every answer gets an equal share, without the time for loading; intervals of seconds "
        "take the answers of a batch as independent, which they are not. Longer answers take longer, so seconds per "
        f"token stand beside them. Answers per batch: {batches}."
    )
    return f"<p>{html.escape(intro)}</p>" + _rows(rows, {"model": "model", "measure": "measure"})


def _failures(table: "pd.DataFrame") -> str:
    import pandas as pd

    keys = ["judge", "metric", "model"]
    both = []
    for excluded, counted in (
        ("score", "score_failures_as_minus_one"),
        ("difference", "difference_failures_as_minus_one"),
    ):
        ours = table[table["measure"] == excluded].set_index(keys)
        theirs = table[table["measure"] == counted].set_index(keys)
        signed = excluded == "difference"
        for name, row in ours.iterrows():
            other = theirs.loc[name]
            line = {"judge": name[0], "metric": name[1], "model": name[2], "what": excluded}
            line |= {"left out (ours)": signed_span(row, signed), "n": row["n"]}
            both.append(
                line | {"as −1": signed_span(other, signed), "n with failures": other["n"], "failures": row["errors"]}
            )
    if not both:
        return "<p>No metric was judged.</p>"
    intro = "<p>The same grades counted in both ways; only the column “left out” is used elsewhere.</p>"
    return intro + frame(pd.DataFrame(both))


def _published(published: "pd.DataFrame") -> str:
    from judgemerge.compare.comparison_tables import without_failures

    runs = []
    for run, rows in published.groupby("run", sort=False):
        first, second = (rows[rows["side"] == side].iloc[0] for side in ("first", "second"))
        counts = int(first["questions"]), int(first["unread_in_all"])
        would = [f"{without_failures(row['mean_score'], *counts):.3f} ({row['model']})" for row in (first, second)]
        runs.append(
            f"{run}: {second['mean_score']:g} for {second['model']} and {first['mean_score']:g} for {first['model']}, "
            f"difference {second['mean_score'] - first['mean_score']:+.3f}, without an interval. {counts[1]} of "
            f"{counts[0]} replies could not be read and stands as −1 in its mean; whose it was is not recorded. Left "
            f"out, that mean would be {' or '.join(would)}."
        )
    intro = (
        "Quoted, not repeated: other questions, another judge and other settings than here. Faithfulness was judged "
        "against a context that was empty, so the figures say nothing about faithfulness."
    )
    sentences = "".join(f"<p>{html.escape(text)}</p>" for text in [intro, *runs])
    return sentences + frame(published)


def _reading(disagreements: Mapping[str, Sequence[Mapping]], texts: Mapping, entry: Mapping, comparison: str) -> str:
    file = f"tables/model_comparison_{comparison}.disagreements.jsonl"
    text = (
        f"<p>At most {entry['show']} of each kind and judge; all of them are in {html.escape(file)}. "
        "What models wrote is shown as text.</p>"
    )
    for judge, rows in disagreements.items():
        inner = ""
        for kind, title in KINDS.items():
            of_kind = [row for row in rows if row["kind"] == kind]
            items = "".join(_one(judge, row, texts) for row in of_kind[: entry["show"]])
            inner += part(f"{title}: {len(of_kind)}", items or "<p>None.</p>")
        text += part(judge, inner)
    return text


def _one(judge: str, row: Mapping, texts: Mapping) -> str:
    unit = (row["question"], row["sample"])
    gap = "" if row["gap"] is None else f", second − first {row['gap']:+g}"
    head = f"question {unit[0]}, draw {unit[1] + 1}: {row['metric']}{gap}"
    head += f", pair: {row['outcome']}" if row["outcome"] else ""
    visible = [("Question", texts["questions"][unit[0]])]
    visible += [(f"Answer of {model}", text) for model, text in texts["answers"][unit].items()]
    for metric in dict.fromkeys((row["metric"], PAIRS)):
        visible += [(f"Judge: {what}", text) for what, text in texts["replies"][judge].get((metric, *unit), [])]
    body = "".join(
        f"<p><b>{html.escape(name)}</b></p><pre style='white-space: pre-wrap'>{html.escape(text or '–')}</pre>"
        for name, text in visible
    )
    return details(head, body)


def _method(about: Mapping) -> str:
    import pandas as pd

    rows = [{"what": name, "is": str(value)} for name, value in about["method"].items()]
    metrics = "".join(
        part(metric.name, f"<p>{html.escape(metric.criteria)}</p><pre>{html.escape(metric.rubric)}</pre>")
        for metric in about["metrics"]
    )
    return frame(pd.DataFrame(rows)) + metrics


# ---- what the page is made from ----


def comparisons(study: "Study") -> list[str]:
    """Return the comparisons of the study."""
    return list(study.settings["model_comparisons"])


def has_comparisons(study: "Study") -> bool:
    """The study compares models."""
    return bool(comparisons(study))


def page_files(study: "Study", comparison: str) -> dict[str, list[str]]:
    """Return the files of one comparison by what they hold."""
    plan, layout = study.comparisons, Layout(study.name)
    answers, judgments = plan.answers(comparison), plan.judgments(comparison)
    return {
        "questions": [layout.path(QUESTIONS, comparison)],
        "answers": layout.each(ANSWERS, answers),
        "results": layout.each(JUDGED_ANSWERS + "/{judge}.jsonl", judgments),
        "records": layout.each(ANSWERS_RECORD, answers) + layout.each(JUDGED_ANSWERS + "/{judge}.json", judgments),
        "disagreements": [layout.path(MODEL_COMPARISON_DISAGREEMENTS, comparison)],
        "metrics": plan.metric_paths(comparison),
        "published": plan.published(comparison),
    }


def page_inputs(study: "Study", comparison: str) -> Inputs:
    """Return everything that the page shows; what judges said is one folder."""
    folder = Layout(study.name).path(JUDGED_ANSWERS, comparison)
    paths = [path for of_kind in page_files(study, comparison).values() for path in of_kind]
    return Inputs(files=list(dict.fromkeys(folder if path.startswith(f"{folder}/") else path for path in paths)))


def page_parameters(study: "Study", comparison: str) -> dict[str, Any]:
    """Return the comparison, its files, and the words for its judges."""
    entry = study.settings["model_comparisons"][comparison]
    return {
        "comparison": comparison,
        "entry": entry,
        "paths": page_files(study, comparison),
        "labels": {judge: study.labels.get(judge, judge) for judge in entry["judges"]},
    }


def page(
    table: "pd.DataFrame",
    view: View,
    comparison: str,
    entry: Mapping,
    paths: Mapping[str, Sequence[str]],
    labels: Mapping[str, str],
) -> Page:
    """Return scores, differences, pairs, costs, failures, and what a person should read."""
    import pandas as pd

    from judgemerge.core.items import read_items
    from judgemerge.prompting import rubric_metrics

    items = {item.id: item for item in read_items(paths["questions"][0])}
    answers = {
        model: by_unit(files.read_jsonl(path)) for model, path in zip(entry["models"], paths["answers"], strict=True)
    }
    results = {
        labels[judge]: list(files.read_jsonl(path))
        for judge, path in zip(entry["judges"], paths["results"], strict=True)
    }
    disagreements: dict[str, list] = {label: [] for label in results}
    for row in files.read_jsonl(paths["disagreements"][0]):
        disagreements[labels[row["judge"]]].append(row)
    about = {
        "metrics": [rubric_metrics.load_metric(path) for path in paths["metrics"]],
        "batches": {model: _batches(of_model.values()) for model, of_model in answers.items()},
        "method": _method_of(entry, [files.read_json(path) for path in paths["records"]]),
    }
    published = pd.read_csv(paths["published"][0], sep="\t") if paths["published"] else None
    texts = {
        "questions": {question: _question(item) for question, item in items.items()},
        "answers": _answer_texts(answers),
        "replies": {judge: _replies(rows) for judge, rows in results.items()},
    }
    first, second = entry["models"]
    parts = sections(table, entry, about, disagreements, texts, published, comparison)
    return view.page(parts, first=first, second=second, n=len(items), questions=entry["questions"])


def _answer_texts(answers: Mapping[str, Mapping[tuple, Mapping]]) -> dict[tuple, dict[str, str]]:
    """Return the text of both answers, or why there is none, by question and draw."""
    return {
        unit: {
            model: of_model[unit]["text"] or f"({of_model[unit]['reason'] or 'empty'})"
            for model, of_model in answers.items()
        }
        for unit in next(iter(answers.values()))
    }


def _question(item: "Item") -> str:
    """Return the question as judges see it, or its turns where the answers between them are not known."""
    from judgemerge.prompting import rubric_metrics
    from judgemerge.prompting.prompts import Unrenderable

    try:
        return rubric_metrics.transcript(item)
    except Unrenderable:
        return "\n\n".join(item.turns)


def _replies(judged: list[dict]) -> dict[tuple, list[tuple[str, str]]]:
    """Return (metric, question, draw) → (what was judged, the reply); one metric's unit has a reply per model."""
    replies: dict[tuple, list[tuple[str, str]]] = {}
    for row in judged:
        what = f"pair, {row['order']} order" if row["metric"] == PAIRS else f"{row['metric']} of {row['model']}"
        text = row["reply"] if row["reply"] is not None else f"({row['reason']})"
        replies.setdefault((row["metric"], row["question"], row["sample"]), []).append((what, text))
    return replies


def _batches(rows: Iterable[Mapping]) -> str:
    sizes = Counter(row["batch"] for row in rows if row["batch"])
    return f"{min(sizes)} to {max(sizes)}" if sizes else "unknown"


def _method_of(entry: dict, records: list[dict]) -> dict:
    method = {
        "questions": entry["questions"],
        "generation": entry["generation"],
        "inputs": entry["inputs"] or "by name",
    }
    for record in records:
        who = f"judge {record['judge']}" if "judge" in record else f"answers of {record['model']}"
        method[who] = {
            key: value for key, value in record.items() if key in ("digest", "settings", "failures", "empty")
        }
        method[who] |= {key: record[key] for key in ("at_the_limit",) if key in record}
        if "judge" in record:
            method["prompts"] = {kind: prompt["name"] for kind, prompt in record["prompts"].items()}
    return method


# ---- figure ----

OUTCOMES = {
    "win": ("second wins", COLOURS["expert"]),
    "tie": ("tie", "#cccccc"),
    "inconsistent": ("follows the position", "#eecf8e"),
    "lose": ("first wins", COLOURS["base"]),
}


def draw_comparison(table: "pd.DataFrame", kinds: Mapping[str, str], panels: Sequence[str]) -> "Drawing":
    """Draw a row per judge: scores of both models by metric, their difference, and the shares of the pairs."""
    from matplotlib.patches import Patch

    judged = table[table["judge"].notna() & (table["judge"] != "")]
    metrics = list(dict.fromkeys(judged.loc[judged["measure"] == "score", "metric"]))
    judges = list(dict.fromkeys(judged["judge"]))
    models = list(dict.fromkeys(judged.loc[judged["measure"] == "score", "model"]))
    names = [title for metric in metrics for title in (f"{metric}: score", f"{metric}: second − first")]
    names += ["pairs"] if (judged["metric"] == "pairs").any() else []
    figure, axes = panel_grid({name: len(judges) + 1 for name in names}, columns=2, share=False)
    shades = dict(zip(models, (COLOURS["base"], COLOURS["expert"]), strict=False))
    for metric in metrics:
        of_metric = judged[judged["metric"] == metric]
        _draw_scores(
            axes[f"{metric}: score"], of_metric[of_metric["measure"] == "score"], judges, shades, f"{metric}: score"
        )
        _difference(axes[f"{metric}: second − first"], of_metric[of_metric["measure"] == "difference"], judges, metric)
    marks = [mark(model, shade=shade) for model, shade in shades.items()]
    if "pairs" in names:
        _shares(axes["pairs"], judged[judged["metric"] == "pairs"], judges)
        marks += [Patch(color=shade, label=label) for label, shade in OUTCOMES.values()]
    return finish(
        figure, "", marks, "First and second are the models of the comparison, in its order. n and errors: table."
    )


def _draw_scores(panel, rows: "pd.DataFrame", judges: Sequence[str], shades: Mapping[str, str], title: str) -> None:
    panel.set_title(title)
    judge_rows(panel, judges)
    for number, (model, shade) in enumerate(shades.items()):
        for _, row in rows[rows["model"] == model].iterrows():
            dot(panel, judges.index(row["judge"]) + 0.24 * number - 0.12, row, shade)


def _difference(panel, rows: "pd.DataFrame", judges: Sequence[str], metric: str) -> None:
    panel.set_title(f"{metric}: second − first")
    judge_rows(panel, judges)
    panel.axvline(0, color="#999999", linewidth=0.8)
    for _, row in rows.iterrows():
        dot(panel, judges.index(row["judge"]), row, COLOURS["merge"])


def _shares(panel, rows: "pd.DataFrame", judges: Sequence[str]) -> None:
    panel.set_title("pairs, both orders")
    judge_rows(panel, judges)
    panel.set_xlim(0, 1)
    for y, judge in enumerate(judges):
        values = rows[rows["judge"] == judge].set_index("measure")["value"]
        start = 0.0
        for outcome, (_, shade) in OUTCOMES.items():
            share = values.get(outcome, float("nan"))
            if math.isnan(share):
                continue
            panel.barh(y, share, left=start, height=0.6, color=shade, edgecolor="white")
            start += share


TABLE = Table(
    title="Model comparison {part}",
    caption="Two models on the same questions, judged blind: mean scores, the paired difference and the shares of"
    " pairs won, tied, lost, or decided by the position. Differences are second − first. There are no "
    "human labels.",
    columns=COLUMNS,
    wanted=has_comparisons,
    parts=comparisons,
    intro=INTRO,
    page=page,
    page_inputs=page_inputs,
    page_parameters=page_parameters,
    figures={
        "model_comparison": Figure(
            label="Model comparison {part}",
            caption="Mean scores of both models by metric, the paired difference with its interval, and the judges' "
            "verdicts on the pairs in both orders.",
            draw=draw_comparison,
        ),
    },
)

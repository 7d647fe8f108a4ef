"""The page of a model comparison: scores, differences, pairs, costs, failures, and what a person should read."""

import html
from collections.abc import Mapping, Sequence

import pandas as pd

from judgemerge.compare.answer_judging import PAIRS
from judgemerge.report.pages.markup import details, frame, part

INTRO = (
    "{first} (first) and {second} (second) answered the same {n} questions of {questions}. Judges were never told who "
    "wrote what: pairs were shown in both orders, single answers were graded alone. Differences are second − first; "
    "intervals are {confidence} and resample questions. No person judged these answers: the table says what the judges "
    "prefer, not what is better."
)
EMPTY_CONTEXT = (
    "As in the published comparison, the judges were shown an empty context. What they say of faithfulness to it means "
    "nothing; it stands here only to be compared with the published figures."
)
KINDS = {
    "against_rubric": "The pair goes one way, the grades go the other",
    "orders": "Another verdict in the swapped order",
    "gap": "Grades that differ most",
}


def sections(
    table: pd.DataFrame,
    entry: Mapping,
    about: Mapping,
    found: Mapping[str, Sequence[Mapping]],
    texts: Mapping,
    published: pd.DataFrame | None,
    comparison: str,
) -> list[tuple[str, str]]:
    """Return all sections; `found` are disagreements by judge, `texts` (question, answers, replies) what they show."""
    made = [("Mean scores", _scores(table)), ("Paired differences", _differences(table))]
    if (table["metric"] == "pairs").any():
        made.append(("Pairs, from the second model's side", _pairs(table)))
    made += [
        ("What the answers cost", _costs(table, about)),
        ("If a grade that cannot be read counted as −1", _failures(table)),
    ]
    if published is not None:
        made.append(("The published comparison, as what it was", _published(published)))
    made.append(("For a person to read", _reading(found, texts, entry, comparison)))
    made.append(("How it was done", _method(about)))
    if entry["empty_context"]:
        made.insert(0, ("Empty context", f"<p>{html.escape(EMPTY_CONTEXT)}</p>"))
    return made


def span(row: pd.Series, signed: bool = False) -> str:
    """Return a value with its interval; a dash where there is none."""
    if pd.isna(row["value"]):
        return "–"
    sign = "+" if signed else ""
    # Seconds per token of a small model would all be 0.000.
    small = 0 < abs(row["value"]) < 0.01 and str(row["measure"]).startswith("seconds")
    form = f"{sign}.2g" if small else f"{sign}.3f"
    inner = "" if pd.isna(row["ci_low"]) else f" [{row['ci_low']:{form}}, {row['ci_high']:{form}}]"
    return f"{row['value'] + 0.0:{form}}{inner}"


def _shown(rows: pd.DataFrame, columns: Mapping[str, str], signed: bool = False) -> str:
    shown = rows[list(columns)].rename(columns=columns)
    shown["value"] = [span(row, signed) for _, row in rows.iterrows()]
    return frame(shown.assign(n=rows["n"], errors=rows["errors"], note=rows["note"]))


def _scores(table: pd.DataFrame) -> str:
    rows = table[table["measure"].isin(["score", "spread_of_draws"])]
    columns = {"judge": "judge", "metric": "metric", "model": "model", "measure": "measure"}
    return _shown(rows, columns) if len(rows) else "<p>No metric was judged.</p>"


def _differences(table: pd.DataFrame) -> str:
    rows = table[table["measure"] == "difference"]
    said = "".join(f"<p>{html.escape(_sentence(row))}</p>" for _, row in rows.iterrows())
    return said + _shown(rows, {"judge": "judge", "metric": "metric"}, signed=True) if len(rows) else "<p>None.</p>"


def _sentence(row: pd.Series) -> str:
    name = f"{row['judge']}, {row['metric']}: "
    if pd.isna(row["value"]):
        return f"{name}no difference can be given ({row['note']})."
    if pd.isna(row["ci_low"]):
        return f"{name}{row['model']} differs by {row['value']:+.3f} (n {row['n']}; {row['note']})."
    sure = row["ci_low"] > 0 or row["ci_high"] < 0
    verdict = "the interval excludes 0" if sure else "the interval includes 0: no difference is shown"
    return f"{name}{row['model']} differs by {span(row, signed=True)}, n {row['n']}; {verdict}."


def _pairs(table: pd.DataFrame) -> str:
    rows = table[table["metric"] == "pairs"]
    intro = (
        "<p>Won, tied or lost means the same verdict in both orders; a verdict that follows the position is "
        "inconsistent and no tie. Shares are of the pairs that could be read in both orders.</p>"
    )
    return intro + _shown(rows, {"judge": "judge", "measure": "measure"})


def _costs(table: pd.DataFrame, about: Mapping) -> str:
    rows = table[table["judge"] == ""]
    batches = "; ".join(f"{model}: {sizes}" for model, sizes in about["batches"].items())
    intro = (
        "Of the time of a batch every answer gets an equal share, without the time for loading; intervals of seconds "
        "take the answers of a batch as independent, which they are not. Longer answers take longer, so seconds per "
        f"token stand beside them. Answers per batch: {batches}."
    )
    return f"<p>{html.escape(intro)}</p>" + _shown(rows, {"model": "model", "measure": "measure"})


def _failures(table: pd.DataFrame) -> str:
    keys = ["judge", "metric", "model"]
    both = []
    for left_out, counted in (
        ("score", "score_failures_as_minus_one"),
        ("difference", "difference_failures_as_minus_one"),
    ):
        ours = table[table["measure"] == left_out].set_index(keys)
        theirs = table[table["measure"] == counted].set_index(keys)
        signed = left_out == "difference"
        for name, row in ours.iterrows():
            other = theirs.loc[name]
            line = {"judge": name[0], "metric": name[1], "model": name[2], "what": left_out}
            line |= {"left out (ours)": span(row, signed), "n": row["n"]}
            both.append(line | {"as −1": span(other, signed), "n with failures": other["n"], "failures": row["errors"]})
    if not both:
        return "<p>No metric was judged.</p>"
    intro = "<p>The same grades counted in both ways; only the column “left out” is used elsewhere.</p>"
    return intro + frame(pd.DataFrame(both))


def _published(published: pd.DataFrame) -> str:
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
    said = "".join(f"<p>{html.escape(text)}</p>" for text in [intro, *runs])
    return said + frame(published)


def _reading(found: Mapping[str, Sequence[Mapping]], texts: Mapping, entry: Mapping, comparison: str) -> str:
    file = f"tables/model_comparison_{comparison}.disagreements.jsonl"
    said = (
        f"<p>At most {entry['show']} of each kind and judge; all of them stand in {html.escape(file)}. "
        "What models wrote is shown as text.</p>"
    )
    for judge, rows in found.items():
        inner = ""
        for kind, title in KINDS.items():
            own = [row for row in rows if row["kind"] == kind]
            items = "".join(_one(judge, row, texts) for row in own[: entry["show"]])
            inner += part(f"{title}: {len(own)}", items or "<p>None.</p>")
        said += part(judge, inner)
    return said


def _one(judge: str, row: Mapping, texts: Mapping) -> str:
    unit = (row["question"], row["sample"])
    gap = "" if row["gap"] is None else f", second − first {row['gap']:+g}"
    head = f"question {unit[0]}, draw {unit[1] + 1}: {row['metric']}{gap}"
    head += f", pair: {row['outcome']}" if row["outcome"] else ""
    shown = [("Question", texts["questions"][unit[0]])]
    shown += [(f"Answer of {model}", text) for model, text in texts["answers"][unit].items()]
    for metric in dict.fromkeys((row["metric"], PAIRS)):
        shown += [(f"Judge: {what}", text) for what, text in texts["replies"][judge].get((metric, *unit), [])]
    body = "".join(
        f"<p><b>{html.escape(name)}</b></p><pre style='white-space: pre-wrap'>{html.escape(text or '–')}</pre>"
        for name, text in shown
    )
    return details(head, body)


def _method(about: Mapping) -> str:
    rows = [{"what": name, "is": str(value)} for name, value in about["method"].items()]
    metrics = "".join(
        part(metric.name, f"<p>{html.escape(metric.criteria)}</p><pre>{html.escape(metric.rubric)}</pre>")
        for metric in about["metrics"]
    )
    return frame(pd.DataFrame(rows)) + metrics

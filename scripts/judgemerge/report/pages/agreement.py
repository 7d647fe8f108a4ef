"""The page of agreement.csv."""

import html
from collections.abc import Mapping, Sequence

import pandas as pd

from judgemerge.report.pages.markup import grid, notes, value_cell

ENDINGS = ("_first", "_swapped")  # metrics of one order


def agreement_sections(table: pd.DataFrame, judges: Sequence[str]) -> list[tuple[str, str]]:
    """Return one section per benchmark and rules.

    House rules: a row per judge, a column per metric, `value [low, high]`. Published rules have many metrics and no
    intervals: a row per metric, a column per judge; people (annotators, constant judges) come after the judges.
    """
    sections = []
    for (benchmark, protocol, rules), rows in table.groupby(["benchmark", "protocol", "rules"], sort=False):
        present = list(dict.fromkeys(rows["judge"]))
        order = [judge for judge in judges if judge in present] + [judge for judge in present if judge not in judges]
        heading = f"{benchmark} ({protocol}, {rules} rules)"
        sections.append((heading, _by_metric(rows, order) if rules == "published" else _by_judge(rows, order)))
    return sections


def prompt_sections(prompts: Mapping[str, Mapping[str, str]], wordings: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return a section with the prompts of every judge that was asked, none without such judges.

    `prompts` is judge → protocol → prompt, `wordings` prompt → whose words these are, own or published.
    """
    lines = []
    for judge, asked in prompts.items():
        words = {protocol: wordings[name] for protocol, name in asked.items()}
        if len(set(words.values())) > 1:
            words = {protocol: f"{word} ({protocol})" for protocol, word in words.items()}
        cells = [judge, asked.get("pairwise", ""), asked.get("pointwise", ""), ", ".join(dict.fromkeys(words.values()))]
        lines.append([html.escape(cell) for cell in cells])
    return [("Prompts", grid(["judge", "pairwise prompt", "pointwise prompt", "whose words"], lines))] if lines else []


def _by_judge(rows: pd.DataFrame, judges: Sequence[str]) -> str:
    metrics = [metric for metric in rows["metric"].unique() if not _is_said_elsewhere(rows, metric)]
    cells = {(row.judge, row.metric): value_cell(row) for row in rows.itertuples()}
    counts = rows.groupby("judge")[["n", "errors"]].max()
    lines = [
        [html.escape(judge), counts.loc[judge, "n"], counts.loc[judge, "errors"]]
        + [cells.get((judge, metric), "") for metric in metrics]
        for judge in judges
    ]
    return grid(["judge", "n", "errors", *metrics], lines)


def _is_said_elsewhere(rows: pd.DataFrame, metric: str) -> bool:
    """Return whether a metric of one order says no more than the pooled one: every judge was recorded in both orders.

    Accuracy is shown in each order whatever judges there are.
    """
    pooled = next((metric.removesuffix(ending) for ending in ENDINGS if metric.endswith(ending)), None)
    if pooled is None or pooled == "accuracy":
        return False
    values = rows.pivot_table(index="judge", columns="metric", values="value")
    return metric not in values or (pooled in values and values.loc[values[metric].notna(), pooled].notna().all())


def _by_metric(rows: pd.DataFrame, judges: Sequence[str]) -> str:
    metrics = list(rows["metric"].unique())
    cells = {(row.judge, row.metric): value_cell(row) for row in rows.itertuples()}
    sizes = rows.groupby("metric")["n"].agg(["min", "max"])
    lines = [
        [html.escape(metric), "–".join(map(str, dict.fromkeys(sizes.loc[metric])))]
        + [cells.get((judge, metric), "") for judge in judges]
        for metric in metrics
    ]
    return grid(["metric", "n", *judges], lines) + notes(zip(rows["metric"], rows["note"], strict=True))

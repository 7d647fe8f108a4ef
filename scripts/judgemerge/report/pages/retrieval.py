"""The page of retrieval.csv and retrieval_differences.csv: gained, forgotten, and what happened to the data."""

import html
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from judgemerge.embed import decisions as rounds
from judgemerge.report.pages.markup import frame, grid, part, value_cell

INTRO = (
    "How well each embedding model finds the right text for a question: on the study's own documents (target) and on "
    "other tasks. Values have {confidence} intervals; documents are resampled as clusters. Differences from the base "
    "are paired: the same questions, the same resamples. tuned is the iteration with the highest recall, which "
    "was chosen on these very questions and so flatters it a little; "
    "mixed_50 is half of it and half of the base. n counts questions, errors rows of a set that could not be used."
)
_LEFT_OUT = 40  # problems that are listed by name on the page; all of them are in the counts file


def read_published(path: str | Path) -> tuple[pd.DataFrame, str]:
    """Return the published numbers and the comment that says where they stand."""
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    comment = " ".join(line.lstrip("# ") for line in lines if line.startswith("#"))
    return pd.read_csv(path, sep="\t", comment="#"), comment


def sections(
    table: pd.DataFrame,
    differences: pd.DataFrame,
    published: tuple[pd.DataFrame, str],
    decisions: Sequence[Mapping],
    documents: Mapping,
    counts: Mapping[str, Mapping],
    losses: Sequence[Mapping],
) -> list[tuple[str, str]]:
    """Return the sections of the page."""
    stop = next(decision for decision in decisions if decision["stop"])
    return [
        (
            "Why it stopped",
            f"<p>After iteration {stop['iteration']}: {html.escape(stop['reason'])}.</p>"
            f"<p>{html.escape(rounds.choice(decisions))}</p>" + _decisions(decisions),
        ),
        ("Gained and forgotten", _by_task(table)),
        ("Difference from the base", _differences(differences)),
        *([("Weights from examples", "".join(map(_weights, losses)))] if losses else []),
        ("Published: LM-Cocktail", _published(*published)),
        ("What happened to the data", _data(documents, counts)),
    ]


def _decisions(decisions: Sequence[Mapping]) -> str:
    lines = []
    for number, decision in enumerate(decisions, 1):
        if decision.get("passed_over"):
            lines.append([str(number), "–", "–", "–", "not needed"])
            continue
        rise = "undefined" if decision["increase"] is None else f"{decision['increase']:+.1f} %"
        values = [f"{decision[name]:.3f}" for name in ("before", "after")]
        lines.append([str(number), *values, rise, html.escape(decision["reason"])])
    return grid(["iteration", "recall before", "recall after", "relative increase", "decision"], lines)


def _by_task(table: pd.DataFrame) -> str:
    """Return a table per metric: a line per model, a column per task."""
    blocks = []
    tasks = table.drop_duplicates("task").set_index("task")
    head = [
        "model",
        "share of tuned",
        *(f"{task} ({row.role}, n {row.n}, errors {row.errors})" for task, row in tasks.iterrows()),
    ]
    for metric, rows in table.groupby("metric", sort=False):
        lines = []
        for model, own in rows.groupby("model", sort=False):
            cells = {row.task: value_cell(row) for row in own.itertuples()}
            share = own["tuned_share"].iloc[0]
            first = [html.escape(model), "" if np.isnan(share) else f"{share:.2f}"]
            lines.append([*first, *(cells.get(task, "") for task in tasks.index)])
        blocks.append(part(metric, grid(head, lines)))
    return "".join(blocks)


def _differences(differences: pd.DataFrame) -> str:
    blocks = []
    for metric, rows in differences.groupby("metric", sort=False):
        tasks = list(dict.fromkeys(rows["task"]))
        lines = []
        for (model, against), own in rows.groupby(["model", "against"], sort=False):
            cells = {row.task: _signed(row) for row in own.itertuples()}
            lines.append([f"{html.escape(model)} − {html.escape(against)}", *(cells.get(task, "") for task in tasks)])
        blocks.append(part(metric, grid(["difference", *map(html.escape, tasks)], lines)))
    return "".join(blocks)


def _signed(row) -> str:
    if np.isnan(row.value):
        return "–"
    if np.isnan(row.ci_low):
        return f"{row.value:+.3f} <small>{html.escape(str(row.note))}</small>"
    clear = row.ci_low > 0 or row.ci_high < 0
    text = f"{row.value:+.3f} <small>[{row.ci_low:+.3f}, {row.ci_high:+.3f}] p {row.p:.2g} n {row.n}</small>"
    return f"<b>{text}</b>" if clear else text


def _weights(manifest: Mapping) -> str:
    found = manifest["made_by"]["losses"]
    lines = [
        [html.escape(name), f"{found['losses'][name]['value']:.4f}", f"{weight:.4f}"]
        for name, weight in found["weights"].items()
    ]
    text = (
        f"softmax(−loss / {found['temperature']:g}) on {found['examples']} questions of the evaluation set with "
        f"{found['negatives']} wrong texts each, loss as LM-Cocktail defines it for encoders."
    )
    return f"<p>{html.escape(text)}</p>" + grid(["model", "loss", "weight"], lines)


def _published(rows: pd.DataFrame, comment: str) -> str:
    tables = []
    for title, own in rows.groupby("table", sort=False):
        shown = own[["model", "target", "other"]].rename(columns={"other": own["tasks"].iloc[0]})
        tables.append(part(title, frame(shown)))
    note = "Other models, tasks and metrics than ours: compare the direction, not the numbers."
    return f"<p>{html.escape(comment)} {note}</p>" + "".join(tables)


def _data(documents: Mapping, counts: Mapping[str, Mapping]) -> str:
    languages = ", ".join(f"{name} {n}" for name, n in documents["languages"].items())
    text = (
        f"{documents['documents']} documents in {documents['chunks']} chunks ({languages}); {documents['duplicates']} "
        f"exact duplicates dropped; {documents['left_out']} files left out."
    )
    problems = documents["problems"]
    listed = "".join(
        f"<li>{html.escape(problem['file'])}: {html.escape(problem['problem'])}"
        f"{' – left out' if problem['left_out'] else ''}</li>"
        for problem in problems[:_LEFT_OUT]
    )
    more = f"<p>and {len(problems) - _LEFT_OUT} more, see target.counts.json</p>" if len(problems) > _LEFT_OUT else ""
    lines = [[html.escape(_step(path)), html.escape(_counted(found))] for path, found in counts.items()]
    return f"<p>{html.escape(text)}</p><ul>{listed}</ul>{more}" + grid(["step", "counts"], lines)


def _step(path: str) -> str:
    path = Path(path)
    name = path.name.removesuffix(".counts.json")
    return f"iteration {path.parent.name}: {name}" if path.parent.name.isdigit() else f"evaluation set: {name}"


def _counted(found: Mapping) -> str:
    if found.get("passed_over"):
        return "not needed"
    flat = {key: value for key, value in found.items() if not isinstance(value, dict)}
    flat |= {key: value for inner in found.values() if isinstance(inner, dict) for key, value in inner.items()}
    return ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in flat.items())

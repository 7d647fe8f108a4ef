"""retrieval.csv and retrieval_differences.csv: what fine-tuning an embedding model gave, and what was forgotten."""

import html
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from judgemerge.core import files
from judgemerge.embed.plan import TARGET
from judgemerge.report.drawing import DARK, dot, finish, judge_rows, mark, panel_grid
from judgemerge.report.markup import crosstab, frame, grid, part
from judgemerge.report.table import Column, Figure, Inputs, Page, Section, Table, View
from judgemerge.study.layout import (
    CHUNK_COUNTS,
    DECISION,
    ENCODER_MANIFEST,
    GENERATED_COUNTS,
    TASK_COUNTS,
    TRAINING_COUNTS,
    Layout,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as Drawing

    from judgemerge.embed.decisions import Decision
    from judgemerge.study.study import Study

COLUMNS = {
    "model": Column("name of the embedding model or reranker"),
    "kind": Column("base, iteration, tuned, mixed, reranked, cocktail or other"),
    "tuned_share": Column("share of the fine-tuned model in a mixture"),
    "task": Column("name of the task"),
    "role": Column("target: the study's own documents; other: another task"),
    "metric": Column("recall, MRR or nDCG at a depth"),
    "value": Column("the metric; empty where it is undefined"),
    "ci_low": Column("lower end of the confidence interval, documents resampled"),
    "ci_high": Column("upper end of the confidence interval"),
    "n": Column("number of questions"),
    "errors": Column("number of rows of the set that could not be used"),
    "note": Column("why a value is undefined"),
}
PUBLISHED = "config/lm_cocktail.tsv"
INTRO = (
    "How well each embedding model finds the right text for a question: on the study's own documents (target) and on "
    "other tasks. Values have {confidence} intervals; documents are resampled as clusters. Differences from the base "
    "are paired: the same questions, the same resamples. tuned is the iteration with the highest recall, which "
    "was chosen on these very questions and so flatters it a little; "
    "mixed_50 is half of it and half of the base. n counts questions, errors rows of a set that could not be used."
)
_MOST_PROBLEMS = 40  # problems that are listed by name on the page; all of them are in the counts file


def read_published(path: str) -> tuple["pd.DataFrame", str]:
    """Return the published numbers and the comment that says where they are from."""
    import pandas as pd

    lines = Path(path).read_text(encoding="utf-8").splitlines()
    comment = " ".join(line.lstrip("# ") for line in lines if line.startswith("#"))
    return pd.read_csv(path, sep="\t", comment="#"), comment


def sections(
    table: "pd.DataFrame",
    differences: "pd.DataFrame",
    published: tuple["pd.DataFrame", str],
    decisions: Sequence["Decision"],
    documents: Mapping,
    counts: Mapping[str, Mapping],
    losses: Sequence[Mapping],
) -> list[Section]:
    """Return the sections of the page."""
    from judgemerge.embed import decisions as rounds

    stop = next(decision for decision in decisions if decision.stop)
    return [
        (
            "Why it stopped",
            f"<p>After iteration {stop.iteration}: {html.escape(stop.reason)}.</p>"
            f"<p>{html.escape(rounds.choice(decisions))}</p>" + _decisions(decisions),
        ),
        ("Gained and forgotten", _by_task(table)),
        ("Difference from the base", _differences(differences)),
        *([("Weights from examples", "".join(map(_weights, losses)))] if losses else []),
        ("Published: LM-Cocktail", _published(*published)),
        ("What happened to the data", _data(documents, counts)),
    ]


def _decisions(decisions: Sequence["Decision"]) -> str:
    lines = []
    for number, decision in enumerate(decisions, 1):
        if decision.passed_over:
            lines.append([str(number), "–", "–", "–", "not needed"])
            continue
        rise = "undefined" if decision.increase is None else f"{decision.increase:+.1f} %"
        values = [f"{recall:.3f}" for recall in (decision.before, decision.after)]
        lines.append([str(number), *values, rise, html.escape(decision.reason)])
    return grid(["iteration", "recall before", "recall after", "relative increase", "decision"], lines)


def _by_task(table: "pd.DataFrame") -> str:
    """Return a table per metric: a line per model, a column per task."""
    blocks = []
    tasks = table.drop_duplicates("task").set_index("task")
    for metric, rows in table.groupby("metric", sort=False):
        shares = rows.drop_duplicates("model").set_index("model")["tuned_share"]
        wide = crosstab(rows, "model", "task").html(
            ["model", "share of tuned"],
            columns=tasks.index,
            names=lambda model, shares=shares: [model, "" if math.isnan(shares[model]) else f"{shares[model]:.2f}"],
            titles=lambda task: f"{task} ({tasks.role[task]}, n {tasks.n[task]}, errors {tasks.errors[task]})",
        )
        blocks.append(part(metric, wide))
    return "".join(blocks)


def _differences(differences: "pd.DataFrame") -> str:
    return "".join(
        part(metric, crosstab(rows, ("model", "against"), "task", _signed).html(["difference"], names=_minus))
        for metric, rows in differences.groupby("metric", sort=False)
    )


def _minus(pair: tuple[str, str]) -> list[str]:
    return [" − ".join(pair)]


def _signed(row: Any) -> str:
    if math.isnan(row.value):
        return "–"
    if math.isnan(row.ci_low):
        return f"{row.value:+.3f} <small>{html.escape(str(row.note))}</small>"
    clear = row.ci_low > 0 or row.ci_high < 0
    text = f"{row.value:+.3f} <small>[{row.ci_low:+.3f}, {row.ci_high:+.3f}] p {row.p:.2g} n {row.n}</small>"
    return f"<b>{text}</b>" if clear else text


def _weights(manifest: Mapping) -> str:
    losses = manifest["made_by"]["losses"]
    lines = [
        [html.escape(name), f"{losses['losses'][name]['value']:.4f}", f"{weight:.4f}"]
        for name, weight in losses["weights"].items()
    ]
    text = (
        f"softmax(−loss / {losses['temperature']:g}) on {losses['examples']} questions of the evaluation set with "
        f"{losses['negatives']} wrong texts each, loss as LM-Cocktail defines it for encoders."
    )
    return f"<p>{html.escape(text)}</p>" + grid(["model", "loss", "weight"], lines)


def _published(rows: "pd.DataFrame", comment: str) -> str:
    tables = []
    for title, of_table in rows.groupby("table", sort=False):
        listing = of_table[["model", "target", "other"]].rename(columns={"other": of_table["tasks"].iloc[0]})
        tables.append(part(title, frame(listing)))
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
        for problem in problems[:_MOST_PROBLEMS]
    )
    more = (
        f"<p>and {len(problems) - _MOST_PROBLEMS} more, see target.counts.json</p>"
        if len(problems) > _MOST_PROBLEMS
        else ""
    )
    lines = [[html.escape(_step(path)), html.escape(_counted(counted))] for path, counted in counts.items()]
    return f"<p>{html.escape(text)}</p><ul>{listed}</ul>{more}" + grid(["step", "counts"], lines)


def _step(path: str) -> str:
    path = Path(path)
    name = path.name.removesuffix(".counts.json")
    return f"iteration {path.parent.name}: {name}" if path.parent.name.isdigit() else f"evaluation set: {name}"


def _counted(counts: Mapping) -> str:
    if counts.get("passed_over"):
        return "not needed"
    flat = {key: value for key, value in counts.items() if not isinstance(value, dict)}
    flat |= {key: value for inner in counts.values() if isinstance(inner, dict) for key, value in inner.items()}
    return ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in flat.items())


# ---- what the page is made from ----


def has_embedding(study: "Study") -> bool:
    """The study trains an embedding model."""
    return study.embedding is not None


def page_files(study: "Study") -> dict[str, list[str]]:
    """Return the files of the study's embedding part by what they hold."""
    plan, layout = study.embedding, Layout(study.name)
    return {
        "decisions": layout.each(DECISION, plan.iterations),
        "documents": [layout.path(CHUNK_COUNTS, TARGET)],
        "counts": [
            *layout.each(GENERATED_COUNTS, plan.iterations),
            *layout.each(TRAINING_COUNTS, plan.iterations),
            *layout.each(TASK_COUNTS, plan.task_roles),
        ],
        "mixtures": layout.each(ENCODER_MANIFEST, [*plan.mixes, *plan.cocktails]),
    }


def page_inputs(study: "Study") -> Inputs:
    """Return everything that the page shows."""
    paths = [path for of_kind in page_files(study).values() for path in of_kind]
    return Inputs(tables=["retrieval_differences"], files=[PUBLISHED, *paths])


def page_parameters(study: "Study") -> dict[str, Any]:
    """Return the files of the page."""
    return {"paths": page_files(study)}


def page(table: "pd.DataFrame", view: View, paths: Mapping[str, Sequence[str]]) -> Page:
    """Return what was gained and forgotten, and what happened to the data; published tables stand beside ours."""
    from judgemerge.embed import decisions as rounds

    manifests = map(files.read_json, paths["mixtures"])
    parts = sections(
        table,
        view.material.table("retrieval_differences"),
        read_published(PUBLISHED),
        rounds.read(paths["decisions"]),
        files.read_json(paths["documents"][0]),
        {path: files.read_json(path) for path in paths["counts"]},
        [manifest for manifest in manifests if "losses" in manifest["made_by"]],
    )
    return view.page(parts)


# ---- figures ----

SHADES = {"base": "#4c6a92", "iteration": "#7fb8b0", "tuned": "#2a9d8f", "mixed": "#d1495b", "reranked": "#8d6a9f",
          "other": "#b08a3c", "cocktail": "#a44a6b"}  # fmt: skip
NAMES = {
    "base": "base model",
    "iteration": "one iteration",
    "tuned": "fine-tuned (chosen iteration)",
    "mixed": "mixed with the base",
    "reranked": "fine-tuned, then reranked",
    "other": "model of others",
    "cocktail": "mixture of several models",
}


def recall_rows(table: "pd.DataFrame") -> "pd.DataFrame":
    """Return the rows of recall@k, the metric that decides."""
    return table[table["metric"].str.startswith("recall@")]


def draw_retrieval(table: "pd.DataFrame", kinds: dict[str, str], panels: Sequence[str] = ()) -> "Drawing":
    """One panel per metric on the target task, one row per model, each value with its interval."""
    rows = table[table["role"] == "target"]
    metrics = {metric: len(part) for metric, part in rows.groupby("metric", sort=False)}
    figure, axes = panel_grid(metrics, share=False)
    for metric in metrics:
        part = rows[rows["metric"] == metric]
        for position, (_, row) in enumerate(part.iterrows()):
            dot(axes[metric], position, row, SHADES[row["kind"]])
        base = part[part["kind"] == "base"]["value"]
        axes[metric].axvline(base.iloc[0], color=SHADES["base"], linewidth=0.8, linestyle=":", zorder=0)
        judge_rows(axes[metric], [model_label(name) for name in part["model"]])
        axes[metric].set_title(f"{metric} (n = {part['n'].max()})", fontsize=8.5)
    marks = [mark(NAMES[kind], shade=shade) for kind, shade in SHADES.items() if kind in set(rows["kind"])]
    return finish(figure, "value on the study's own documents", marks)


def forgetting(table: "pd.DataFrame", kinds: dict[str, str], panels: Sequence[str] = ()) -> "Drawing":
    """One panel per task: recall over the share of the fine-tuned model, from the base to the fine-tuned model."""
    rows = recall_rows(table)
    rows = rows[rows["kind"].isin(["base", "mixed", "tuned"])]
    tasks = list(dict.fromkeys(rows["task"]))
    figure, axes = panel_grid({task: 6 for task in tasks}, share=False)
    for task in tasks:
        part = rows[rows["task"] == task].sort_values("tuned_share")
        by_share = part[part["model"] != "mixed_by_loss"]
        panel = axes[task]
        panel.plot(by_share["tuned_share"], by_share["value"], color=DARK, linewidth=1.0, zorder=1)
        panel.fill_between(
            by_share["tuned_share"], by_share["ci_low"], by_share["ci_high"], color=DARK, alpha=0.08, linewidth=0
        )
        for _, row in part.iterrows():
            by_loss = row["model"] == "mixed_by_loss"
            _upright(panel, row, SHADES[row["kind"]], "D" if by_loss else "o", not by_loss)
        base = part[part["kind"] == "base"]["value"].iloc[0]
        panel.axhline(base, color=SHADES["base"], linewidth=0.8, linestyle=":", zorder=0)
        role = "the study's own documents" if part["role"].iloc[0] == "target" else f"other task: {task}"
        panel.set_title(f"{role} (n = {part['n'].max()})", fontsize=8.5)
        panel.set_xticks([0, 0.25, 0.5, 0.75, 1])
        panel.tick_params(labelsize=8)
    axes[tasks[0]].set_ylabel(rows["metric"].iloc[0], fontsize=9)
    marks = [mark(NAMES[kind], shade=SHADES[kind]) for kind in ("base", "mixed", "tuned")]
    if (rows["model"] == "mixed_by_loss").any():
        marks.append(mark("mixed by losses on examples", "D", SHADES["mixed"], False))
    return finish(figure, "share of the fine-tuned model in the mixture (0: base, 1: fine-tuned)", marks)


def model_label(model: str) -> str:
    """Return a model's name as it is shown."""
    if model.startswith("mixed_") and model[6:].isdigit():
        return f"{int(model[6:])} % tuned"
    return model.replace("_", " ")


def _upright(axes, row: "pd.Series", shade: str, marker: str, filled: bool) -> None:
    """Draw a value with its interval above its share of the fine-tuned model; an undefined one is left out."""
    if math.isnan(row["value"]):
        return
    x = row["tuned_share"]
    axes.plot([x, x], [row["ci_low"], row["ci_high"]], color=shade, linewidth=1.4, solid_capstyle="round")
    face = shade if filled else "white"
    axes.plot(x, row["value"], marker, color=shade, markerfacecolor=face, markersize=5, markeredgewidth=1.1, zorder=3)


TABLE = Table(
    title="Retrieval: gains and forgetting",
    caption="Every embedding model on every task, its paired difference from the base model, why the iterations "
    "stopped, what was dropped on the way, and the published tables of LM-Cocktail. The numbers are in "
    "``retrieval.csv`` and ``retrieval_differences.csv``.",
    columns=COLUMNS,
    wanted=has_embedding,
    intro=INTRO,
    page=page,
    page_inputs=page_inputs,
    page_parameters=page_parameters,
    in_record=True,
    also=["_differences"],
    figures={
        "retrieval": Figure(
            label="Retrieval before and after fine-tuning",
            caption="Recall, MRR and nDCG on questions about the study's own documents, with 95 % intervals (documents "
            "are resampled). The dotted line is the base model. *tuned* is the iteration that was good enough; "
            "*reranked* models sort the first texts of the fine-tuned model anew.",
            draw=draw_retrieval,
            about_judges=False,
        ),
        "forgetting": Figure(
            label="Catastrophic forgetting: base, tuned, mixed",
            caption="What is gained on the study's own documents and lost elsewhere when the fine-tuned model is mixed "
            "with its base: recall over the share of the fine-tuned model, with 95 % intervals. Left end: base; right "
            "end: fine-tuned. Dotted: the base's value. Each panel has its own scale. Differences with paired "
            "intervals are in ``retrieval_differences.csv``; LM-Cocktail's published tables are on the page beside it.",
            draw=forgetting,
            about_judges=False,
        ),
    },
)

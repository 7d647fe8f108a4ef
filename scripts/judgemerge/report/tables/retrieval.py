"""retrieval.csv and retrieval_differences.csv: what fine-tuning an embedding model gave, and what was forgotten."""

import html
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from judgemerge.core import files
from judgemerge.embed.plan import TARGET
from judgemerge.report.drawing import DARK, dot, finish, judge_rows, mark, panel_grid, point
from judgemerge.report.markup import Crosstab, frame, grid, part, span
from judgemerge.report.material import fields_of
from judgemerge.report.table import (
    Axes,
    Column,
    Drawing,
    Figure,
    Finding,
    Frame,
    Inputs,
    Page,
    Section,
    Study,
    Table,
    View,
)
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
    from judgemerge.embed.decisions import Decision

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


class Documents(NamedTuple):
    """What was counted while the study's own documents were cut into chunks."""

    documents: int
    chunks: int
    duplicates: int
    left_out: int
    languages: Mapping[str, int]
    problems: Sequence[Mapping]


class Losses(NamedTuple):
    """What the weights of a mixture follow from."""

    losses: Mapping[str, Mapping]
    weights: Mapping[str, float]
    temperature: float
    examples: int
    negatives: int


def read_published(path: str) -> tuple[Frame, str]:
    """Return the published numbers and the comment that says where they are from."""
    import pandas as pd

    lines = Path(path).read_text(encoding="utf-8").splitlines()
    comment = " ".join(line.lstrip("# ") for line in lines if line.startswith("#"))
    return pd.read_csv(path, sep="\t", comment="#"), comment


def sections(
    table: Frame,
    differences: Frame,
    published: tuple[Frame, str],
    decisions: Sequence["Decision"],
    documents: Mapping,
    counts: Mapping[str, Mapping],
    manifests: Iterable[Mapping],
) -> list[Section]:
    """Return the sections of the page; `counts` are by path, `manifests` those of mixtures."""
    from judgemerge.embed import decisions as rounds

    stop = next(decision for decision in decisions if decision.stop)
    losses = [manifest["made_by"].get("losses") for manifest in manifests]
    weights = "".join(_weights(fields_of(Losses, row)) for row in losses if row)
    return [
        (
            "Why it stopped",
            f"<p>After iteration {stop.iteration}: {html.escape(stop.reason)}.</p>"
            f"<p>{html.escape(rounds.choice(decisions))}</p>" + _decisions(decisions),
        ),
        ("Gained and forgotten", _by_task(table)),
        ("Difference from the base", _differences(differences)),
        *([("Weights from examples", weights)] if weights else []),
        ("Published: LM-Cocktail", _published(*published)),
        ("What happened to the data", _data(fields_of(Documents, documents), counts)),
    ]


def _decisions(decisions: Sequence["Decision"]) -> str:
    lines = []
    for number, decision in enumerate(decisions, 1):
        if decision.passed_over:
            lines.append([str(number), "–", "–", "–", "not needed"])
            continue
        rise = "undefined" if decision.increase is None else f"{decision.increase:+.1f} %"
        recalls = [f"{decision.before:.3f}", f"{decision.after:.3f}"]
        lines.append([str(number), *recalls, rise, html.escape(decision.reason)])
    return grid(["iteration", "recall before", "recall after", "relative increase", "decision"], lines)


def _by_task(table: Frame) -> str:
    """Return a table per metric: a line per model, a column per task."""
    blocks = []
    tasks = table.drop_duplicates("task").set_index("task")
    for metric, rows in table.groupby("metric", sort=False):
        shares = rows.drop_duplicates("model").set_index("model").tuned_share
        wide = Crosstab(rows, "model", "task").html(
            ["model", "share of tuned"],
            columns=tasks.index,
            names=lambda model, shares=shares: [model, "" if math.isnan(shares[model]) else f"{shares[model]:.2f}"],
            titles=lambda task: f"{task} ({tasks.role[task]}, n {tasks.n[task]}, errors {tasks.errors[task]})",
        )
        blocks.append(part(metric, wide))
    return "".join(blocks)


def _differences(differences: Frame) -> str:
    return "".join(
        part(metric, Crosstab(rows, ("model", "against"), "task", _signed).html(["difference"], names=_minus))
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
    text = f"{row.value:+.3f} <small>[{row.ci_low:+.3f}, {row.ci_high:+.3f}] p {row.p:.2g} n {row.n}"
    text += "</small>" if math.isnan(row.detectable) else f", shows {row.detectable:.3f}</small>"
    return f"<b>{text}</b>" if clear else text


def _weights(of: Losses) -> str:
    lines = [
        [html.escape(name), f"{of.losses[name]['value']:.4f}", f"{weight:.4f}"] for name, weight in of.weights.items()
    ]
    text = (
        f"softmax(−loss / {of.temperature:g}) on {of.examples} questions of the evaluation set with "
        f"{of.negatives} wrong texts each, loss as LM-Cocktail defines it for encoders."
    )
    return f"<p>{html.escape(text)}</p>" + grid(["model", "loss", "weight"], lines)


def _published(rows: Frame, comment: str) -> str:
    tables = []
    for title, of_table in rows.groupby("table", sort=False):
        listing = of_table[["model", "target", "other"]].rename(columns={"other": of_table.tasks.iloc[0]})
        tables.append(part(title, frame(listing)))
    note = "Other models, tasks and metrics than ours: compare the direction, not the numbers."
    return f"<p>{html.escape(comment)} {note}</p>" + "".join(tables)


def _data(counts: Documents, steps: Mapping[str, Mapping]) -> str:
    from judgemerge.embed.documents import Problem

    languages = ", ".join(f"{name} {n}" for name, n in counts.languages.items())
    text = (
        f"{counts.documents} documents in {counts.chunks} chunks ({languages}); {counts.duplicates} "
        f"exact duplicates dropped; {counts.left_out} files left out."
    )
    listed = "".join(
        f"<li>{html.escape(row.file)}: {html.escape(row.problem)}{' – left out' if row.left_out else ''}</li>"
        for row in (Problem(**problem) for problem in counts.problems[:_MOST_PROBLEMS])
    )
    n_more = len(counts.problems) - _MOST_PROBLEMS
    more = f"<p>and {n_more} more, see {Path(CHUNK_COUNTS).name.format(collection=TARGET)}</p>" if n_more > 0 else ""
    lines = [[html.escape(_step(path)), html.escape(_counted(step))] for path, step in steps.items()]
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


def has_embedding(study: Study) -> bool:
    """The study trains an embedding model."""
    return study.embedding is not None


def page_files(study: Study) -> dict[str, list[str]]:
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


def page_inputs(study: Study) -> Inputs:
    """Return everything that the page shows."""
    paths = [path for of_kind in page_files(study).values() for path in of_kind]
    return Inputs(tables=["retrieval_differences"], files=[PUBLISHED, *paths])


def page_parameters(study: Study) -> dict[str, Any]:
    """Return the files of the page."""
    return {"paths": page_files(study)}


def page(table: Frame, view: View, paths: Mapping[str, Sequence[str]]) -> Page:
    """Return what was gained and forgotten, and what happened to the data; published tables stand beside ours."""
    from judgemerge.embed import decisions as rounds

    parts = sections(
        table,
        view.material.table("retrieval_differences"),
        read_published(PUBLISHED),
        rounds.read(paths["decisions"]),
        files.read_json(*paths["documents"]),
        {path: files.read_json(path) for path in paths["counts"]},
        map(files.read_json, paths["mixtures"]),
    )
    return view.page(parts)


# ---- figures ----

SHADES = {"base": "#4c6a92", "iteration": "#7fb8b0", "tuned": "#2a9d8f", "mixed": "#d1495b", "reranked": "#8d6a9f",
          "other": "#b08a3c", "cocktail": "#a44a6b"}  # fmt: skip
BY_LOSS = "mixed_by_loss"
NAMES = {
    "base": "base model",
    "iteration": "one iteration",
    "tuned": "fine-tuned (chosen iteration)",
    "mixed": "mixed with the base",
    "reranked": "fine-tuned, then reranked",
    "other": "model of others",
    "cocktail": "mixture of several models",
}


def recall_rows(table: Frame) -> Frame:
    """Return the rows of recall@k, the metric that decides."""
    return table[table.metric.str.startswith("recall@")]


def draw_retrieval(table: Frame, kinds: dict[str, str], panels: Sequence[str] = ()) -> Drawing:
    """One panel per metric on the target task, one row per model, each value with its interval."""
    rows = table[table.role == "target"]
    parts = dict(list(rows.groupby("metric", sort=False)))
    figure, axes = panel_grid({metric: len(part) for metric, part in parts.items()}, share=False)
    for metric, of_metric in parts.items():
        for position, row in enumerate(of_metric.itertuples()):
            dot(axes[metric], position, row, SHADES[row.kind])
        _base_line(axes[metric].axvline, of_metric)
        judge_rows(axes[metric], [model_label(name) for name in of_metric.model])
        axes[metric].set_title(f"{metric} (n = {of_metric.n.max()})", fontsize=8.5)
    marks = [mark(NAMES[kind], shade=shade) for kind, shade in SHADES.items() if kind in set(rows.kind)]
    return finish(figure, "value on the study's own documents", marks)


def _base_line(draw: Callable, rows: Frame) -> None:
    """Draw the base model's value as a dotted line."""
    draw(rows.value[rows.kind == "base"].iloc[0], color=SHADES["base"], linewidth=0.8, linestyle=":", zorder=0)


def forgetting(table: Frame, kinds: dict[str, str], panels: Sequence[str] = ()) -> Drawing:
    """One panel per task: recall over the share of the fine-tuned model, from the base to the fine-tuned model."""
    rows = recall_rows(table)
    rows = rows[rows.kind.isin(["base", "mixed", "tuned"])]
    parts = dict(list(rows.groupby("task", sort=False)))
    figure, axes = panel_grid(dict.fromkeys(parts, 6), share=False)
    for task, unsorted in parts.items():
        of_task, panel = unsorted.sort_values("tuned_share"), axes[task]
        by_share = of_task[of_task.model != BY_LOSS]
        panel.plot(by_share.tuned_share, by_share.value, color=DARK, linewidth=1.0, zorder=1)
        interval = by_share.ci_low, by_share.ci_high
        panel.fill_between(by_share.tuned_share, *interval, color=DARK, alpha=0.08, linewidth=0)
        for row in of_task.itertuples():
            _upright(panel, row)
        _base_line(panel.axhline, of_task)
        role = "the study's own documents" if of_task.role.iloc[0] == "target" else f"other task: {task}"
        panel.set_title(f"{role} (n = {of_task.n.max()})", fontsize=8.5)
        panel.set_xticks([0, 0.25, 0.5, 0.75, 1])
        panel.tick_params(labelsize=8)
    next(iter(axes.values())).set_ylabel(rows.metric.iloc[0], fontsize=9)
    marks = [mark(NAMES[kind], shade=SHADES[kind]) for kind in ("base", "mixed", "tuned")]
    if (rows.model == BY_LOSS).any():
        marks.append(mark("mixed by losses on examples", "D", SHADES["mixed"], False))
    return finish(figure, "share of the fine-tuned model in the mixture (0: base, 1: fine-tuned)", marks)


def model_label(model: str) -> str:
    """Return a model's name as it is shown."""
    if model.startswith("mixed_") and model[6:].isdigit():
        return f"{int(model[6:])} % tuned"
    return model.replace("_", " ")


def _upright(axes: Axes, row: Any) -> None:
    """Draw a value with its interval above its share of the fine-tuned model; an undefined one is left out."""
    if math.isnan(row.value):
        return
    shade, by_loss = SHADES[row.kind], row.model == BY_LOSS
    axes.plot([row.tuned_share] * 2, [row.ci_low, row.ci_high], color=shade, linewidth=1.4, solid_capstyle="round")
    point(axes, row.tuned_share, row.value, shade, "D" if by_loss else "o", not by_loss, 5)


def findings(table: Frame, kinds: Mapping[str, str]) -> list[Finding]:
    """Return recall of base, tuned and mixed models, on the study's own documents and elsewhere."""
    rows = recall_rows(table)
    rows = rows[rows.kind.isin(["base", "tuned", "mixed", "cocktail"])]
    lines = [
        [task, role, str(of_task.n.max()), model_label(row.model), span(row.value, row.ci_low, row.ci_high)]
        for (task, role), of_task in rows.groupby(["task", "role"], sort=False)
        for row in of_task.itertuples()
    ]
    own = rows[rows.role == "target"].drop_duplicates("kind").set_index("kind")
    sentences = [
        f"Own documents, {row.metric}: {model_label(row.model)} {span(row.value, row.ci_low, row.ci_high)} "
        f"(n {row.n}, {row.errors} rows left out)."
        for row in own.itertuples()
    ]
    head = ["task", "role", "n", "model", rows.metric.iloc[0] if len(rows) else "recall"]
    return [Finding("What tuning gained, and what it forgot", sentences, head, lines)]


TABLE = Table(
    title="Retrieval: gains and forgetting",
    caption="Every embedding model on every task, its paired difference from the base model, why the iterations "
    "stopped, what was dropped on the way, and the published tables of LM-Cocktail. The numbers are in "
    "``retrieval.csv`` and ``retrieval_differences.csv``.",
    columns=COLUMNS,
    condition=has_embedding,
    intro=INTRO,
    page=page,
    page_inputs=page_inputs,
    page_parameters=page_parameters,
    in_record=True,
    findings=findings,
    also=["_differences"],
    figures={
        "retrieval": Figure(
            label="Retrieval before and after fine-tuning",
            caption="Recall, MRR and nDCG on questions about the study's own documents, with 95 % intervals (documents "
            "are resampled). The dotted line is the base model. *tuned* is the iteration that was good enough; "
            "*reranked* models sort the first texts of the fine-tuned model anew.",
            draw=draw_retrieval,
            on_first_page=True,
            about_judges=False,
        ),
        "forgetting": Figure(
            label="Catastrophic forgetting: base, tuned, mixed",
            caption="What is gained on the study's own documents and lost elsewhere when the fine-tuned model is mixed "
            "with its base: recall over the share of the fine-tuned model, with 95 % intervals. Left end: base; right "
            "end: fine-tuned. Dotted: the base's value. Each panel has its own scale. Differences with paired "
            "intervals are in ``retrieval_differences.csv``; LM-Cocktail's published tables are on the page beside it.",
            draw=forgetting,
            on_first_page=True,
            about_judges=False,
        ),
    },
)

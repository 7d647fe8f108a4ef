"""The model card of a merge: recipe, parents with digests, seed, threads, versions, and its agreement when known."""

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from judgemerge.core.card_metadata import head, licence_fields
from judgemerge.merge.model_index import model_index
from judgemerge.merge.recipes import Making, Merge

if TYPE_CHECKING:
    import pandas as pd

_WEIGHED = "softmax(−loss / {temperature:g}) over {n_examples} of {n_given} examples ({examples}, kind {kind})."
_TEST = (
    "By the alternative annotator test (arXiv:2501.10970): yes where the merge beats half of the annotators, each "
    "compared with the others' labels. ρ is how often it is at least as near to them as the annotator."
)
_VERSIONS = ("python", "mergekit", "torch", "transformers", "safetensors", "numpy")


class About(NamedTuple):
    """What a study knows of a merge besides: its own name, its prompts, parent → name on the hub, the merge's licence.

    `source` is the address where the study is published, `confidence` the coverage of the intervals.
    """

    study: str = ""
    prompts: str = ""
    repos: Mapping[str, str] = MappingProxyType({})
    licence: str | None = None
    source: str | None = None
    confidence: float = 0.95


def card(
    name: str,
    manifest: Mapping,
    agreement: "pd.DataFrame | None" = None,
    about: Mapping[str, Any] | None = None,
    metrics: Collection[str] = (),
) -> str:
    """Return the card as Markdown; `manifest` is the merge's (its digest may not be known yet), `agreement` the table.

    `about` are the fields of `About`. The agreement is shown beside that of the parents, in our own rules, with
    intervals, n and errors, in these `metrics`; others stand in tables/agreement.csv.
    """
    making, versions, digest = Making.of(manifest["made_by"]), manifest["versions"], manifest.get("digest")
    merge, of_study = Merge.of(making.merge), About(**(about or {}))
    engine = "judgemerge" if merge.is_ours else "mergekit"
    rows = None if agreement is None else shown_rows(agreement, metrics)
    lines = [
        *head(_metadata(name, making, of_study, engine, rows)),
        f"# {name}",
        "",
        f"A merge by `{merge.method.name}` ({merge.method.paper}): {merge.method.text}. Computed by {engine}.",
        "",
        *([f"Digest: `{digest}`", ""] if digest else []),
        *(f"{label}: {text}.  " for label, text in (("Study", of_study.study), ("Prompts", of_study.prompts)) if text),
        "",
        "## Recipe",
        "",
        "```yaml",
        yaml.safe_dump({name: _recipe(making.merge)}, sort_keys=False, allow_unicode=True).rstrip(),
        "```",
        "",
        f"Seed {merge.seed}, {making.threads} thread{'' if making.threads == 1 else 's'}: both decide the last bits of "
        "some methods.",
        "",
        "## Parents",
        "",
        "| model | role | digest |",
        "|---|---|---|",
        *(f"| {parent} | {_role(parent, merge)} | `{digest}` |" for parent, digest in making.parents.items()),
        "",
        *_donor(making.donor, merge.allow),
        *_weighed(making.weights),
        *_left_out(making.left_out),
        "## Tools",
        "",
        ", ".join(f"{tool} {versions[tool]}" for tool in _VERSIONS if tool in versions),
        "",
        *agreement_lines(name, making.parents, rows),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _metadata(name: str, making: Making, about: About, engine: str, rows: "pd.DataFrame | None") -> dict[str, Any]:
    """Return what the hub reads: licence, what the merge was made from, and its agreement with people."""
    source = {"name": f"judgemerge, study {about.study}", "url": about.source} if about.source else {}
    index = [] if rows is None else model_index(name, rows[rows.judge == name], about.confidence, source)
    return {
        "library_name": "transformers",
        **licence_fields(about.licence),
        "base_model": [about.repos.get(parent, parent) for parent in making.parents],
        "base_model_relation": "merge",
        "tags": ["merge", engine],
        **({"model-index": index} if index else {}),
    }


def shown_rows(table: "pd.DataFrame", metrics: Collection[str]) -> "pd.DataFrame":
    """Return the rows that a card shows: of our own rules, in these metrics."""
    return table[(table.rules == "house") & table.metric.isin(metrics)]


def _recipe(entry: Mapping) -> dict:
    """Return the entry of the study without what is left at its default."""
    unset = {"parameters": {}, "adapters": False, "engine": "mergekit"}
    return {key: value for key, value in entry.items() if key not in unset or value != unset[key]}


def _role(parent: str, merge: Merge) -> str:
    roles = ["base"] if parent == merge.base else []
    return " and ".join([*roles, *(["parent"] if parent in merge.models else [])]) or "base of an adapter"


def _donor(donor: str | None, allow: Collection[str]) -> list[str]:
    if donor is None:
        return []
    differing = f" Allowed to differ between the models: {', '.join(allow)}." if allow else ""
    return [f"Config, tokenizer, chat template and generation settings: those of {donor}.{differing}", ""]


def _weighed(weights: Mapping | None) -> list[str]:
    if not weights or "losses" not in weights:
        return []
    losses = {model: loss["value"] for model, loss in weights["losses"].items()}
    return [
        "## Weights",
        "",
        _WEIGHED.format_map(weights),
        "",
        "| model | loss | weight |",
        "|---|---|---|",
        *(f"| {model} | {losses[model]:.4f} | {weight:.4f} |" for model, weight in weights["weights"].items()),
        "",
    ]


def _left_out(names: Sequence[str]) -> list[str]:
    what = "copies of tied weights, buffers, heads and poolers that not all have"
    return [f"Left out ({what}): {', '.join(names)}.", ""] if names else []


def agreement_lines(name: str, parents: Mapping, rows: "pd.DataFrame | None") -> list[str]:
    """Return the part of a card that says how far a model agrees with people, beside its parents."""
    if rows is None:
        return []
    of_merge = rows[rows.judge == name]
    if of_merge.empty:
        return ["## Agreement with people", "", "Not judged in this study.", ""]
    others = [parent for parent in parents if (rows.judge == parent).any()]
    lines = [
        "## Agreement with people",
        "",
        f"| benchmark | metric | {name} | interval | n | errors |{''.join(f' {other} |' for other in others)}",
        "|---" * (6 + len(others)) + "|",
    ]
    by_key = {(row.judge, row.benchmark, row.metric): row for row in rows.itertuples()}
    for row in of_merge.itertuples():
        beside = [_with_interval(by_key.get((other, row.benchmark, row.metric))) for other in others]
        cells = [
            row.benchmark,
            row.metric,
            _number(row.value),
            _interval(row),
            f"{row.n:g}",
            f"{row.errors:g}",
            *beside,
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return [*lines, ""]


def answers(name: str, table: "pd.DataFrame") -> str:
    """Return whether a merge may replace people, a line per benchmark (replaceability.csv); nothing if not judged."""
    rows = table[(table.judge == name) & (table.metric == "answer")]
    if rows.empty:
        return ""
    lines = [f"- {row.benchmark} (ε = {row.epsilon:g}): {row.note}" for row in rows.itertuples()]
    return "\n".join(["", "## May it replace people?", "", *lines, "", _TEST]) + "\n"


def _number(value: float | None) -> str:
    return "–" if value is None or value != value else f"{value:.3f}"  # NaN is the one number unlike itself


def _with_interval(row) -> str:
    return "–" if row is None else _number(row.value) + ("" if _interval(row) == "–" else f" ({_interval(row)})")


def _interval(row) -> str:
    return "–" if row.ci_low != row.ci_low else f"{row.ci_low:.3f} to {row.ci_high:.3f}"

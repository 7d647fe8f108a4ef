"""The model card of a merge: recipe, parents with digests, seed, threads, versions, and its agreement when known."""

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

import yaml

from judgemerge.merge.recipes import Merge

if TYPE_CHECKING:
    import pandas as pd

_VERSIONS = ("python", "mergekit", "torch", "transformers", "safetensors", "numpy")


def card(
    name: str,
    manifest: Mapping,
    agreement: "pd.DataFrame | None" = None,
    about: Mapping[str, object] | None = None,
    metrics: Collection[str] = (),
) -> str:
    """Return the card as Markdown; `manifest` is the merge's (its digest may not be known yet), `agreement` the table.

    `about` says what the study knows besides: `repos` (parent → its name on the hub), `licence`, and what is written as
    a line of its own (study, prompts).

    The agreement is shown beside that of the parents, in our own rules, with intervals, n and errors, in these
    `metrics`; others stand in tables/agreement.csv.
    """
    made_by = manifest["made_by"]
    entry = made_by["merge"]
    merge = Merge.of(entry)
    about = about or {}
    repos = about.get("repos", {})
    engine = "judgemerge" if merge.is_ours else "mergekit"
    lines = [
        "---",
        "library_name: transformers",
        *([f"license: {about['licence'].lower()}"] if about.get("licence") else []),
        yaml.safe_dump({"base_model": [repos.get(parent, parent) for parent in made_by["parents"]]}).rstrip(),
        "base_model_relation: merge",
        f"tags: [merge, {engine}]",
        "---",
        "",
        f"# {name}",
        "",
        f"A merge by `{merge.method.name}` ({merge.method.paper}): {merge.method.text}. Computed by {engine}.",
        "",
        *([f"Digest: `{manifest['digest']}`", ""] if "digest" in manifest else []),
        *(f"{key[0].upper()}{key[1:]}: {about[key]}.  " for key in ("study", "prompts") if about.get(key)),
        "",
        "## Recipe",
        "",
        "```yaml",
        yaml.safe_dump({name: _recipe(entry)}, sort_keys=False, allow_unicode=True).rstrip(),
        "```",
        "",
        f"Seed {merge.seed}, {made_by['threads']} thread{'' if made_by['threads'] == 1 else 's'}: both decide the last "
        "bits of some methods.",
        "",
        "## Parents",
        "",
        "| model | role | digest |",
        "|---|---|---|",
        *(f"| {parent} | {_role(parent, merge)} | `{digest}` |" for parent, digest in made_by["parents"].items()),
        "",
        *_donor(made_by.get("donor"), merge.allow),
        *_weighed(made_by.get("weights")),
        *_left_out(made_by.get("left_out", [])),
        "## Tools",
        "",
        ", ".join(f"{tool} {manifest['versions'][tool]}" for tool in _VERSIONS if tool in manifest["versions"]),
        "",
        *_agreement(name, made_by["parents"], agreement, metrics),
    ]
    return "\n".join(lines).rstrip() + "\n"


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
    rows = [
        f"| {model} | {weights['losses'][model]['value']:.4f} | {weight:.4f} |"
        for model, weight in weights["weights"].items()
    ]
    return [
        "## Weights",
        "",
        f"softmax(−loss / {weights['temperature']:g}) over {weights['n_examples']} of {weights['n_given']} examples "
        f"({weights['examples']}, kind {weights['kind']}).",
        "",
        "| model | loss | weight |",
        "|---|---|---|",
        *rows,
        "",
    ]


def _left_out(names: list[str]) -> list[str]:
    what = "copies of tied weights, buffers, heads and poolers that not all have"
    return [f"Left out ({what}): {', '.join(names)}.", ""] if names else []


def _agreement(name: str, parents: Mapping, table: "pd.DataFrame | None", metrics: Collection[str]) -> list[str]:
    if table is None:
        return []
    rows = table[(table.rules == "house") & table.metric.isin(metrics)]
    of_merge = rows[rows["judge"] == name]
    if of_merge.empty:
        return ["## Agreement with people", "", "Not judged in this study.", ""]
    others = [parent for parent in parents if (rows["judge"] == parent).any()]
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


def _number(value: float | None) -> str:
    return "–" if value is None or value != value else f"{value:.3f}"  # NaN is the one number unlike itself


def _with_interval(row) -> str:
    return "–" if row is None else _number(row.value) + ("" if _interval(row) == "–" else f" ({_interval(row)})")


def _interval(row) -> str:
    return "–" if row.ci_low != row.ci_low else f"{row.ci_low:.3f} to {row.ci_high:.3f}"

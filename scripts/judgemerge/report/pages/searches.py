"""The pages of searches and of the screening of foundation models."""

import html
from collections.abc import Sequence

import pandas as pd

from judgemerge.report.pages.markup import frame

SEARCH = (
    "Trials of search {search}: {rounds} rounds of {width}, {how}. Trial 0 is the study's own setting. The value is "
    "{metric} on the development set{s} {development}, with its {confidence} interval; the best of many trials looks "
    "better there than it is, so what counts is its row in the tables of the held-out benchmarks, which no trial has "
    "seen."
)
PROPOSED = "each round proposed from all earlier ones ({sampler}, seed {seed})"
GRID = "every combination of the choices once"
SCREENING = (
    "Every foundation model after the same number of fine-tuning steps: loss per token of held-out answers and bits "
    "per byte, each with its {confidence} interval (prompts resampled). Tokenizers cut texts differently, so between "
    "models with different vocabularies only bits per byte can be compared."
)


def search_sections(trials: pd.DataFrame, weights: pd.DataFrame, space: Sequence[str]) -> list[tuple[str, str]]:
    """Return the sections of one search: what came out, all trials, what mattered."""
    best, default = trials[trials["best"]].iloc[0], trials[trials["trial"] == 0].iloc[0]
    n_pruned = int((trials["state"] == "pruned").sum())
    gain = _span(best, "difference", "difference_low", "difference_high", signed=True)
    said = (
        f"Best is trial {best['trial']} with {best['value']:.3f}; the study's own setting has {default['value']:.3f}"
        + (f" (difference {gain}). " if best["trial"] != 0 else ". ")
        + f"{len(trials)} trials, {n_pruned} of them given up early."
    )
    shown = trials[["trial", "round", "state", *space]].copy()
    for name in space:
        shown[name] = [f"{value:.4g}" if isinstance(value, float) else value for value in trials[name]]
    shown["value"] = [_span(row, "value", "ci_low", "ci_high") for _, row in trials.iterrows()]
    shown["minus trial 0"] = [
        _span(row, "difference", "difference_low", "difference_high", signed=True) for _, row in trials.iterrows()
    ]
    # Several development sets: what each of them says; the evaluation loss, and what was published of the same trial.
    for name in trials.columns[trials.columns.get_loc("difference_high") + 1 : trials.columns.get_loc("n")]:
        shown[name] = ["–" if pd.isna(value) else f"{value:.3f}" for value in trials[name]]
    shown = shown.assign(n=trials["n"], errors=trials["errors"], note=trials["note"])
    sections = [("Result", f"<p>{html.escape(said)}</p>"), ("Trials", frame(shown))]
    if len(weights):
        listed = weights.assign(importance=[f"{value:.2f}" for value in weights["importance"]])
        sections.append(("Share of the variance that each parameter explains", frame(listed)))
    else:
        why = "Not computed: it takes four complete trials that differ in their values."
        sections.append(("Share of the variance that each parameter explains", f"<p>{why}</p>"))
    return sections


def screening_sections(table: pd.DataFrame) -> list[tuple[str, str]]:
    """Return the section of the screening."""
    shown = table[["base", "parameters", "steps"]].copy()
    shown["loss per token"] = [_span(row, "loss", "loss_low", "loss_high") for _, row in table.iterrows()]
    shown["bits per byte"] = [_span(row, "bits_per_byte", "bpb_low", "bpb_high") for _, row in table.iterrows()]
    shown = shown.assign(**{name: table[name] for name in ("n", "clusters", "too_long", "note")})
    return [("After fine-tuning", frame(shown))]


def _span(row: pd.Series, value: str, low: str, high: str, signed: bool = False) -> str:
    """Return a value with its interval; a dash where there is none."""
    if pd.isna(row[value]):
        return "–"
    form = "+.3f" if signed else ".3f"
    inner = "" if pd.isna(row[low]) else f" [{row[low]:{form}}, {row[high]:{form}}]"
    return f"{row[value]:{form}}{inner}"

"""search_{search}.csv: every trial of a search with its value on the development sets."""

import html
import math
from collections.abc import Mapping, Sequence
from typing import Any

from judgemerge.report.drawing import COLOURS, finish, mark, panel_grid
from judgemerge.report.markup import frame, span, spans
from judgemerge.report.table import INTERVAL, Column, Drawing, Figure, Frame, Inputs, Page, Section, Study, Table, View

COLUMNS = {
    "trial": Column("number of the trial; 0 is the study's own setting"),
    "round": Column("round that proposed it"),
    "state": Column("complete or pruned (given up early)"),
    "metric": Column("what is optimized; the columns before it are the parameters that are searched"),
    "value": Column("its value on the development sets"),
    **INTERVAL,
    "difference": Column("value minus that of trial 0 on the same items"),
    "difference_low": Column("lower end of its confidence interval"),
    "difference_high": Column("upper end of its confidence interval"),
    "detectable": Column("the smallest difference that the development sets would have shown (power .8)"),
    "n": Column(
        "number of items; the columns before it are single development sets with their intervals, losses, and "
        "published values"
    ),
    "errors": Column("number of unreadable verdicts"),
    "best": Column("whether this is the trial that the search ends with"),
    "non_dominated": Column("of several development sets: no trial is as good on all of them and better on one"),
    "note": Column("what the value is where the trial was given up"),
}
DIFFERENCE = ("difference", "difference_low", "difference_high")
INTRO = (
    "Trials of search {search}: {rounds} rounds of {width}, {how}. Trial 0 is the study's own setting. The value is "
    "{metric} on the development set{s} {development}, with its {confidence} interval; the best of many trials looks "
    "better there than it is, so what counts is its row in the tables of the held-out benchmarks, which no trial has "
    "seen."
)
NOT_JUDGED = (
    "The model that the search ends with is not among the judges, so whether it beats a fixed recipe is not known."
)
PROPOSED = "each round proposed from all earlier ones ({sampler}, seed {seed})"
GRID = "every combination of the choices once"


def searches(study: Study) -> list[str]:
    """Return the searches of the study."""
    return list(study.searches)


def page_inputs(study: Study, search: str) -> Inputs:
    """Return what goes with the trials: which parameters mattered, the best one's optimism, its model on benchmarks."""
    return Inputs(tables=[f"search_{search}.{part}" for part in ("importance", "optimism", "test")])


def page_parameters(study: Study, search: str) -> dict[str, Any]:
    """Return the search."""
    return {"search": search, "entry": study.searches[search].plain()}


def page(table: Frame, view: View, search: str, entry: dict) -> Page:
    """Return what came out, all trials, and what mattered."""
    from judgemerge.search import searching
    from judgemerge.settings.searches import Search
    from judgemerge.settings.section import typed

    settings = typed(entry, Search)
    targets, label = searching.targets(settings), searching.label(settings)
    words = entry | {
        "search": search,
        "how": GRID if settings.sampler == "grid" else PROPOSED.format(**entry),
        "metric": label if len(targets) == 1 else f"the {label}",
        "development": " and ".join(targets),
        "s": "s" if len(targets) > 1 else "",
    }
    weights, flattery, test = (
        view.material.table(f"search_{search}.{part}") for part in ("importance", "optimism", "test")
    )
    parts = sections(table, weights, list(searching.space(settings)))
    return view.page([parts[0], *results(flattery, test), *parts[1:]], **words)


def results(flattery: Frame, test: Frame) -> list[Section]:
    """Return what the best trial's value is worth: without the optimism of its choice, and on benchmarks."""
    row = next(flattery.itertuples())
    if isinstance(row.note, str) and row.note:
        luck = f"Not computed: {row.note}."
    else:
        gap = span(row.optimism, row.optimism_low, row.optimism_high, "+.3f")
        rest = span(row.corrected, row.corrected_low, row.corrected_high)
        luck = (
            "The best trial was chosen on the prompts that its value is from. Chosen again in "
            f"{row.resamples} resamples of them, the best of {row.trials} trials is {gap} better on the prompts of its "
            "resample than on those that were left out (mean, and the middle of the resamples); "
            f"trial {row.trial} is chosen in {row.chosen_again:.0%} of them. Without this optimism its {row.metric} is "
            f"{rest} (n = {row.n}, errors {row.errors})."
        )
    if not len(test):
        return [("What choosing added", f"<p>{html.escape(luck)}</p>"), ("On benchmarks", f"<p>{NOT_JUDGED}</p>")]
    n_better, n_worse = ((test.verdict == word).sum() for word in ("better", "worse"))
    n_compared = int((test.fixed.notna() & (test.fixed != "")).sum())
    beats = (
        f"Beside the fixed recipe that is best on the same benchmark, it is better on {n_better} of {n_compared} "
        f"benchmarks and worse on {n_worse}; on the others no difference is shown."
    )
    listing = test[["benchmark", "metric"]].copy()
    listing["value"] = spans(test, "value", "ci_low", "ci_high")
    listing["best fixed recipe"] = test.fixed.fillna("")
    listing["minus it"] = spans(test, *DIFFERENCE, "+.3f")
    listing["it is"] = test.verdict.fillna("")
    if test.gap.notna().any():
        listing["development minus test"] = spans(test, "gap", "gap_low", "gap_high", "+.3f")
    listing = listing.assign(n=test.n, errors=test.errors, note=test.note.fillna(""))
    return [
        ("What choosing added", f"<p>{html.escape(luck)}</p>"),
        ("On benchmarks", f"<p>{beats}</p>{frame(listing)}"),
    ]


def sections(trials: Frame, weights: Frame, space: Sequence[str]) -> list[Section]:
    """Return the sections of one search: what came out, all trials, what mattered."""
    best, default = (next(trials[rows].itertuples()) for rows in (trials.best, trials.trial == 0))
    n_pruned = int((trials.state == "pruned").sum())
    gain = span(best.difference, best.difference_low, best.difference_high, "+.3f")
    summary = (
        f"Best is trial {best.trial} with {best.value:.3f}; the study's own setting has {default.value:.3f}"
        + (f" (difference {gain}). " if best.trial != 0 else ". ")
        + f"{len(trials)} trials, {n_pruned} of them given up early."
    )
    listing = trials[["trial", "round", "state", *space]].copy()
    for name in space:
        listing[name] = [f"{value:.4g}" if isinstance(value, float) else value for value in trials[name]]
    listing["value"] = spans(trials, "value", "ci_low", "ci_high")
    listing["minus trial 0"] = spans(trials, *DIFFERENCE, "+.3f")
    # Several development sets: what each of them says; the evaluation loss, and what was published of the same trial.
    more = list(trials.columns[trials.columns.get_loc("difference_high") + 1 : trials.columns.get_loc("n")])
    ends = [name for name in more if name.endswith((".low", ".high")) and not name.startswith("published.")]
    for name in more:
        low, high = (f"{name.rpartition('.')[0]}.{end}" for end in ("low", "high"))
        if name in ends:
            continue
        if low in ends:
            listing[name] = spans(trials, name, low, high)
        else:
            listing[name] = ["–" if math.isnan(value) else f"{value:.3f}" for value in trials[name]]
    listing = listing.assign(n=trials.n, errors=trials.errors, note=trials.note)
    importance = "<p>Not computed: it takes four complete trials that differ in their values.</p>"
    if len(weights):
        importance = frame(weights.assign(importance=[f"{value:.2f}" for value in weights.importance]))
    front = []
    if "non_dominated" in trials:
        undominated = listing[trials.non_dominated].assign(
            chosen=["chosen" if is_best else "" for is_best in trials.best[trials.non_dominated]]
        )
        rule = (
            "No other trial is as good on every development set and better on one. The search ends with the one whose "
            "mean over the sets is best; of equal ones with the earliest."
        )
        front = [("Trials that no other one beats", f"<p>{rule}</p>{frame(undominated)}")]
    return [
        ("Result", f"<p>{html.escape(summary)}</p>"),
        *front,
        ("Trials", frame(listing)),
        ("Share of the variance that each parameter explains", importance),
    ]


# ---- figure ----


def draw_search(table: Frame, kinds: Mapping[str, str], panels: Sequence[str]) -> Drawing:
    """Draw the value of every trial against each parameter and against the round, with the default and the best."""
    import pandas as pd
    from matplotlib.ticker import MaxNLocator, NullFormatter

    first = table.columns.get_loc("state") + 1
    space = list(table.columns[first : table.columns.get_loc("metric")])
    names = ["trial", *space]
    figure, axes = panel_grid({name: 8 for name in names}, columns=3, share=False)
    metric = table.metric.iloc[0]
    for name in names:
        panel = axes[name]
        panel.set_title(name)
        places, labels = _places(table[name])
        for place, row in zip(places, table.itertuples(), strict=True):
            if math.isnan(row.value) or math.isnan(place):
                continue
            shade, marker, filled = _look(row)
            if not math.isnan(row.ci_low):
                panel.plot([place] * 2, [row.ci_low, row.ci_high], color=shade, linewidth=1, alpha=0.6)
            panel.plot(
                place, row.value, marker, color=shade, markerfacecolor=shade if filled else "white", markersize=5
            )
        if labels:
            panel.set_xticks(range(len(labels)), labels)
            panel.set_xlim(-0.5, len(labels) - 0.5)
        elif name != "trial" and _is_log(table[name]):
            panel.set_xscale("log")
            panel.xaxis.set_minor_formatter(NullFormatter())  # labels of minor ticks run into each other
        elif pd.api.types.is_integer_dtype(table[name]):
            panel.xaxis.set_major_locator(MaxNLocator(integer=True))
        panel.set_ylabel(metric, fontsize=8)
    marks = [
        mark("trial", "o", COLOURS["baseline"]),
        mark("the study's own setting", "s", COLOURS["base"]),
        mark("best trial", "D", COLOURS["merge"]),
    ]
    if (table.state == "pruned").any():
        marks.append(mark("given up early", "o", COLOURS["baseline"], filled=False))
    return finish(figure, "value of the parameter", marks, "Values on the development sets, with intervals.")


def _places(values: Any) -> tuple[list[float], list[str]]:
    """Return a place on the x axis per trial, and labels where the values have no order."""
    import pandas as pd

    numbers = pd.to_numeric(values, errors="coerce")
    if numbers.notna().sum() == values.notna().sum() and values.dtype != bool:
        return list(numbers.astype(float)), []
    labels = list(dict.fromkeys(map(str, values.dropna())))
    return [float(labels.index(str(value))) if pd.notna(value) else math.nan for value in values], labels


def _is_log(values: Any) -> bool:
    """Return whether the values span more than one order of magnitude above 0."""
    import pandas as pd

    numbers = pd.to_numeric(values, errors="coerce").dropna()
    return len(numbers) > 1 and numbers.min() > 0 and numbers.max() / numbers.min() > 10


def _look(row: Any) -> tuple[str, str, bool]:
    if row.best:
        return COLOURS["merge"], "D", True
    if row.trial == 0:
        return COLOURS["base"], "s", True
    return COLOURS["baseline"], "o", row.state != "pruned"


TABLE = Table(
    title="Search {part}",
    caption="All trials of the search with their settings, values and intervals on the development sets, and their "
    "differences from the study's own setting (trial 0) on the same items. The best trial is a model of its own, which "
    "is judged on the held-out benchmarks.",
    columns=COLUMNS,
    condition=searches,
    parts=searches,
    intro=INTRO,
    page=page,
    page_inputs=page_inputs,
    page_parameters=page_parameters,
    figures={
        "search": Figure(
            label="Search {part}",
            caption="Every trial of the search against each of its parameters. Values are those on the development "
            "sets; the tables of the held-out benchmarks, which no trial used, show the value of the best one.",
            draw=draw_search,
            about_judges=False,
        ),
    },
)

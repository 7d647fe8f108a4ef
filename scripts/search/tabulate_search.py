"""Make tables/search_{search}.csv and .importance.csv: every trial of a search, and what mattered."""

from collections.abc import Iterable

import pandas as pd

from judgemerge.core import files
from judgemerge.core.items import Item, read_items, read_verdicts
from judgemerge.core.logs import logged
from judgemerge.evaluate.comparisons import compare_benchmark
from judgemerge.evaluate.estimates import UNDEFINED, Estimate, mean_of
from judgemerge.evaluate.score import score_benchmark
from judgemerge.search import searching
from judgemerge.search.trials import verdict_file

DIFFERENCE = ("difference", "difference_low", "difference_high")


def main(
    search: dict,
    default: dict,
    results: list[str],
    folders: list[str],
    development: dict[str, str],
    statistics: dict,
    table: str,
    importance: str,
) -> None:
    """Write the trials with intervals from their verdicts, and the differences to trial 0 on the same items.

    `development` are the files of the sets by name. With several sets each has a column of its own as well.
    """
    read = [files.read_json(path) for path in results]
    complete = {
        f"{one['trial']}": folder for one, folder in zip(read, folders, strict=True) if one["state"] == "complete"
    }
    settings = {
        "n_resamples": statistics["resamples"],
        "confidence": statistics["confidence"],
        "seed": statistics["seed"],
    }
    targets = searching.targets(search)
    found = {
        own: estimates(read_items(development[own]), own, metric, complete, settings)
        if metric != searching.EVALUATION_LOSS  # a loss has no interval: it is one number per training
        else {"value": {}, "difference": {}}
        for own, metric in targets.items()
    }
    others = searching.read_published(search["published"]) if "published" in search else []
    best = searching.best(search, read)["trial"]
    space = list(search["space"])
    rows = []
    for result in read:
        trial, params = f"{result['trial']}", {**default, **result["params"]}
        row = {"trial": result["trial"], "round": result["round"], "state": result["state"]}
        row |= {key: params.get(key) for key in space} | {"metric": searching.label(search), "value": result["value"]}
        value, difference = (
            mean_of([found[own][kind].get(trial, UNDEFINED) for own in targets]) for kind in ("value", "difference")
        )
        row |= {"ci_low": value.low, "ci_high": value.high}
        row |= dict(zip(DIFFERENCE, (difference.value, difference.low, difference.high), strict=True))
        if len(targets) > 1:
            row |= {
                f"{own}.{metric}": found[own]["value"].get(trial, UNDEFINED).value for own, metric in targets.items()
            }
        row |= {"evaluation_loss": result["evaluation_loss"]} if "evaluation_loss" in result else {}
        theirs = searching.published_row(others, {key: params[key] for key in space if key in params})
        row |= {f"published.{name}": value for name, value in theirs.items()}
        row |= {"n": result["n"], "errors": result["errors"], "best": result["trial"] == best}
        row["note"] = "given up early; the value is the last one reported" if result["state"] == "pruned" else ""
        rows.append(row)
    trials_table = pd.DataFrame(rows)
    last = ["n", "errors", "best", "note"]  # what only some trials have stands before them
    trials_table = trials_table[[*(name for name in trials_table.columns if name not in last), *last]]
    weighty = searching.importances(search, read, default)
    weights = pd.DataFrame({"parameter": list(weighty), "importance": list(weighty.values())})
    for path, frame in ((table, trials_table), (importance, weights)):
        with files.atomic_writer(path) as file:
            frame.to_csv(file, index=False)


def estimates(
    items: Iterable[Item], name: str, metric: str, complete: dict[str, str], settings: dict
) -> dict[str, dict[str, Estimate]]:
    """Return {value, difference} of one development set: trial → its metric, and that minus trial 0's."""
    items = list(items)
    said = {trial: list(read_verdicts(verdict_file(folder, name))) for trial, folder in complete.items()}
    scores = score_benchmark(items, said, **settings)
    scores = scores[scores["metric"] == metric]
    values = {row.judge: Estimate(row.value, row.ci_low, row.ci_high) for row in scores.itertuples()}
    pairs = compare_benchmark(items, said, **settings, metrics=[metric])
    pairs = pairs[(pairs["metric"] == metric) & pairs["test"].str.contains("bootstrap") & (pairs["judge_a"] == "0")]
    differences = {row.judge_b: Estimate(-row.difference, -row.ci_high, -row.ci_low) for row in pairs.itertuples()}
    return {"value": values, "difference": differences}


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            search=snakemake.params.search,
            default=snakemake.params.default,
            results=list(snakemake.input.results),
            folders=list(snakemake.input.folders),
            development=dict(zip(searching.targets(snakemake.params.search), snakemake.input.development, strict=True)),
            statistics=snakemake.params.statistics,
            table=snakemake.output.table,
            importance=snakemake.output.importance,
        )

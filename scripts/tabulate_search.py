"""Make tables/search_{search}.csv, .importance.csv and .html: every trial of a search, and what mattered."""

from pathlib import Path

import pandas as pd

from judgemerge import files, pages, searching
from judgemerge.agreement.comparisons import compare_benchmark
from judgemerge.agreement.score import score_benchmark
from judgemerge.items import read_items, read_verdicts
from judgemerge.logs import logged


def main(
    name: str,
    search: dict,
    default: dict,
    results: list[str],
    folders: list[str],
    development: str,
    statistics: dict,
    table: str,
    importance: str,
    page: str,
) -> None:
    """Write the trials with intervals from their verdicts, and the differences to trial 0 on the same items."""
    read = [files.read_json(path) for path in results]
    items = read_items(development)
    said = {
        f"{result['trial']}": list(read_verdicts(Path(folder, "verdicts.jsonl")))
        for result, folder in zip(read, folders, strict=True)
        if result["state"] == "complete"
    }
    settings = {
        "n_resamples": statistics["resamples"],
        "confidence": statistics["confidence"],
        "seed": statistics["seed"],
    }
    scores = score_benchmark(items, said, **settings)
    differences = compare_benchmark(items, said, **settings)
    best = searching.best(search, read)["trial"]
    space = list(search["space"])
    rows = []
    for result in read:
        params = {**default, **result["params"]}
        row = {"trial": result["trial"], "round": result["round"], "state": result["state"]}
        row |= {name: params.get(name) for name in space} | {"metric": search["metric"], "value": result["value"]}
        row |= _interval(scores, str(result["trial"]), search["metric"])
        row |= _difference(differences, str(result["trial"]), search["metric"])
        row |= {"n": result["n"], "errors": result["errors"], "best": result["trial"] == best}
        row["note"] = "given up early; the value is the last one reported" if result["state"] == "pruned" else ""
        rows.append(row)
    trials = pd.DataFrame(rows)
    found = searching.importances(search, read, default)
    weights = pd.DataFrame({"parameter": list(found), "importance": list(found.values())})
    for path, frame in ((table, trials), (importance, weights)):
        with files.atomic_writer(path) as file:
            frame.to_csv(file, index=False)
    intro = pages.searches.SEARCH.format(confidence=f"{100 * statistics['confidence']:g} %", search=name, **search)
    with files.atomic_writer(page) as file:
        file.write(pages.page(f"Search {name}", intro, pages.searches.search_sections(trials, weights, space)))


def _interval(scores: pd.DataFrame, trial: str, metric: str) -> dict:
    found = scores[(scores["judge"] == trial) & (scores["metric"] == metric)]
    row = found.iloc[0] if len(found) else {}
    return {key: row.get(key) for key in ("ci_low", "ci_high")}


def _difference(differences: pd.DataFrame, trial: str, metric: str) -> dict:
    """Return trial − trial 0 with its interval; compared are the bootstrap's rows, in either direction."""
    chosen = differences[(differences["metric"] == metric) & differences["test"].str.contains("bootstrap")]
    found = chosen[(chosen["judge_a"] == "0") & (chosen["judge_b"] == trial)]
    if not len(found):
        return {"difference": None, "difference_low": None, "difference_high": None}
    row = found.iloc[0]
    return {"difference": -row["difference"], "difference_low": -row["ci_high"], "difference_high": -row["ci_low"]}


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            name=snakemake.wildcards.search,
            search=snakemake.params.search,
            default=snakemake.params.default,
            results=list(snakemake.input.results),
            folders=list(snakemake.input.folders),
            development=snakemake.input.development,
            statistics=snakemake.params.statistics,
            table=snakemake.output.table,
            importance=snakemake.output.importance,
            page=snakemake.output.page,
        )

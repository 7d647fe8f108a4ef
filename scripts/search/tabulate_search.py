"""Make tables/search_{search}.csv and what goes with it: importances, the best trial's optimism, its model on test."""

from collections.abc import Mapping, Sequence

import pandas as pd

from judgemerge.core.frames import write_table
from judgemerge.core.items import VerdictFile, read_items, read_verdicts
from judgemerge.core.logs import logged
from judgemerge.judge import failures
from judgemerge.search import searching
from judgemerge.search.on_benchmarks import OnBenchmark, on_benchmark
from judgemerge.search.optimism import Optimism, optimism
from judgemerge.search.trials import verdict_file
from judgemerge.search.trials_table import best_estimates, trials_table
from judgemerge.settings.report import Statistics
from judgemerge.settings.searches import Search
from judgemerge.settings.section import typed


def optimism_table(
    search: Search,
    table: pd.DataFrame,
    folders: Mapping[int, str],
    development: Mapping[str, str],
    settings: Statistics,
) -> pd.DataFrame:
    """Return one row: by how much the best trial's value flatters it. `folders` are those of complete trials."""
    sets = {name: list(read_items(path)) for name, path in development.items()}
    losses = searching.EVALUATION_LOSS in searching.targets(search).values()
    verdicts = {
        name: {number: list(read_verdicts(verdict_file(folder, name))) for number, folder in folders.items()}
        for name in ([] if losses else sets)
    }
    row = optimism(search, table[table.best].iloc[0], sets, verdicts, settings)
    return pd.DataFrame([row], columns=Optimism._fields)


def benchmarks_table(
    winner: str,
    pairs: Sequence[tuple[str, str]],
    items: Mapping[str, str],
    verdicts: Sequence[str],
    on_development: Mapping[str, tuple],
    settings: Statistics,
) -> pd.DataFrame:
    """Return a row per benchmark; `on_development` are metric and value of development sets by their other part."""
    rows = []
    for benchmark, path in items.items():
        files = {
            judge: VerdictFile(file, benchmark)
            for (judge, name), file in zip(pairs, verdicts, strict=True)
            if name == benchmark
        }
        by_judge = {judge: list(read_verdicts(*file)) for judge, file in failures.divide(files)[0].items()}
        if winner in by_judge:
            rows.append(on_benchmark(list(read_items(path)), by_judge, winner, settings, on_development.get(benchmark)))
    return pd.DataFrame(rows, columns=OnBenchmark._fields)


if "snakemake" in globals():
    inputs, params, outputs = snakemake.input, snakemake.params, snakemake.output
    with logged(snakemake.log[0]):
        search, results = typed(params.search, Search), searching.read_results([*inputs.trials, *inputs.results])
        development = dict(zip(searching.targets(search), inputs.development, strict=True))
        settings = Statistics.of(params.statistics)
        folders = {one.trial: str(searching.trial_folder(params.folder, one.trial)) for one in results}
        table = trials_table(search, params.default, results, list(folders.values()), development, settings)
        write_table(outputs.table, table)
        importances = searching.importances(search, results, params.default)
        weights = pd.DataFrame(list(importances.items()), columns=["parameter", "importance"])
        write_table(outputs.importance, weights)
        complete = {one.trial: folders[one.trial] for one in results if one.state == "complete"}
        write_table(outputs.optimism, optimism_table(search, table, complete, development, settings))
        own = best_estimates(search, table)
        on_development = {
            benchmark: own[name]
            for benchmark, name in params.held_out.items()
            if name in own and not searching.lower_is_better(own[name][0])
        }
        pairs = [tuple(pair) for pair in params.tested]
        items = dict(zip(dict.fromkeys(name for _, name in pairs), inputs.benchmarks, strict=True))
        winner = searching.best_name(snakemake.wildcards.search)
        write_table(outputs.test, benchmarks_table(winner, pairs, items, inputs.verdicts, on_development, settings))

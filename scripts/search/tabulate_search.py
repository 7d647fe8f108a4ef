"""Make tables/search_{search}.csv and .importance.csv: every trial of a search, and what mattered."""

import pandas as pd

from judgemerge.core.frames import write_table
from judgemerge.core.logs import logged
from judgemerge.search import searching
from judgemerge.search.trials_table import trials_table
from judgemerge.settings.report import Statistics
from judgemerge.settings.searches import Search
from judgemerge.settings.section import typed

if "snakemake" in globals():
    inputs, params = snakemake.input, snakemake.params
    with logged(snakemake.log[0]):
        search, results = typed(params.search, Search), searching.read_results([*inputs.trials, *inputs.results])
        development = dict(zip(searching.targets(search), inputs.development, strict=True))
        settings = Statistics.of(params.statistics)
        folders = [searching.trial_folder(params.folder, result.trial) for result in results]
        table = trials_table(search, params.default, results, folders, development, settings)
        importances = searching.importances(search, results, params.default)
        write_table(snakemake.output.table, table)
        weights = pd.DataFrame(list(importances.items()), columns=["parameter", "importance"])
        write_table(snakemake.output.importance, weights)

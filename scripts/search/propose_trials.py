"""Make searches/{search}/round_{round}.json: the settings of the trials of one round, from all earlier results."""

from judgemerge.core import files
from judgemerge.core.logs import logged
from judgemerge.search import searching
from judgemerge.settings.searches import Search
from judgemerge.settings.section import typed

if "snakemake" in globals():
    with logged(snakemake.log[0]):
        search, number = typed(snakemake.params.search, Search), int(snakemake.wildcards.round)
        earlier = searching.read_results(snakemake.input)
        trials = searching.proposals(search, number, earlier, snakemake.params.default)
        files.write_json(snakemake.output[0], {"round": number, "trials": trials})

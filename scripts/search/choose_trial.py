"""Make searches/{search}/best.json: the trial with the best value on the development sets."""

from judgemerge.core import files
from judgemerge.core.logs import logged
from judgemerge.search import searching
from judgemerge.settings.searches import Search
from judgemerge.settings.section import typed

if "snakemake" in globals():
    with logged(snakemake.log[0]):
        search, results = typed(snakemake.params.search, Search), searching.read_results(snakemake.input)
        files.write_json(snakemake.output[0], searching.choice(search, results))

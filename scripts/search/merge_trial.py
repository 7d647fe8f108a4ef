"""Make searches/{search}/trial_{trial}: a merge with other parameters, judged on the development sets."""

from pathlib import Path

from judgemerge.core import processes
from judgemerge.core.logs import logged
from judgemerge.merge import runs
from judgemerge.search import running, searching
from judgemerge.settings.searches import Search
from judgemerge.settings.section import typed

if "snakemake" in globals():
    inputs, params = snakemake.input, snakemake.params
    search = typed(params.search, Search)
    processes.end_cleanly()
    with logged(snakemake.log[0]):
        running.run_merge(
            running.Trial(
                search=search,
                number=int(snakemake.wildcards.trial),
                round_file=inputs.proposed,
                earlier=list(inputs.earlier),
                default=params.default,
                development=dict(zip(searching.targets(search), inputs.development, strict=True)),
                prompts=params.prompts,
                judging=params.judging,
                folder=Path(snakemake.output.folder),
                result=snakemake.output.result,
                sources=params.sources,
            ),
            merge=params.merge,
            parents=runs.Parents.at(inputs.models, inputs.manifests, inputs.adapters, params.bases),
            threads=snakemake.threads,
        )

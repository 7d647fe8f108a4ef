"""Make searches/{search}/trial_{trial}: a merge with other parameters, judged on the development sets."""

from judgemerge.core import processes
from judgemerge.core.logs import logged
from judgemerge.merge import runs
from judgemerge.search import running

if "snakemake" in globals():
    inputs, params = snakemake.input, snakemake.params
    processes.end_cleanly()
    with logged(snakemake.log[0]):
        trial = (params.search, snakemake.wildcards.trial, inputs.proposed, inputs.earlier, inputs.development)
        asked = {name: params[name] for name in ("default", "prompts", "judging", "sources")}
        running.run_merge(
            running.Trial.at(*trial, **snakemake.output, **asked),
            merge=params.merge,
            parents=runs.Parents.at(inputs.models, inputs.manifests, inputs.adapters, params.bases),
            threads=snakemake.threads,
        )

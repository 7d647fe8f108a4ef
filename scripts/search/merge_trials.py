"""Make searches/{search}/results.json: every trial of a search for a merge, merged in memory and judged."""

from judgemerge.core import files, processes
from judgemerge.core.logs import Progress, logged
from judgemerge.merge import runs
from judgemerge.search.merge_trials import MergeTrials

if "snakemake" in globals():
    inputs, params = snakemake.input, snakemake.params
    processes.end_cleanly()
    with logged(snakemake.log[0]):
        search = MergeTrials.at(
            params.search,
            params.folder,
            merge=params.merge,
            parents=runs.Parents.at(inputs.models, inputs.manifests, inputs.adapters, params.bases),
            threads=snakemake.threads,
            development=inputs.development,
            prompt_contents=params.prompt_contents,
            trial_settings={name: params[name] for name in ("default", "prompts", "judging", "sources")},
        )
        results = search.run(Progress("trials"))
        files.write_json(snakemake.output[0], [result.row() for result in results])

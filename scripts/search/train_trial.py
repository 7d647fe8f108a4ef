"""Make searches/{search}/trial_{trial}: an expert trained with other settings, and judged on the development sets."""

from pathlib import Path

from judgemerge.core.logs import logged
from judgemerge.search import running, searching
from judgemerge.settings.searches import Search
from judgemerge.settings.section import typed
from judgemerge.train import experts, runs

if "snakemake" in globals():
    inputs, params = snakemake.input, snakemake.params
    search = typed(params.search, Search)
    with logged(snakemake.log[0]):
        running.run_training(
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
            ),
            expert=params.expert,
            data=experts.Data(
                items=dict(zip(params.expert["train_on"], inputs.item_sets, strict=True)),
                left_out=inputs.left_out,
                templates=experts.load_templates(params.training_prompts, inputs.prompts, params.sources),
            ),
            common=params.common,
            start=runs.Start.at(inputs.model, inputs.manifest, params.seed, snakemake.threads, params.work),
        )

"""Make searches/{search}/trial_{trial}: an expert trained with other settings, and judged on the development sets."""

from judgemerge.core.logs import logged
from judgemerge.search import running
from judgemerge.train import experts, runs

if "snakemake" in globals():
    inputs, params = snakemake.input, snakemake.params
    with logged(snakemake.log[0]):
        trial = (params.search, snakemake.wildcards.trial, inputs.proposed, inputs.earlier, inputs.development)
        asked = {name: params[name] for name in ("default", "prompts", "judging", "sources")}
        running.run_training(
            running.Trial.at(*trial, **snakemake.output, **asked),
            expert=params.expert,
            data=experts.Data(
                items=dict(zip(params.expert["train_on"], inputs.item_sets, strict=True)),
                left_out=inputs.left_out,
                templates=experts.load_templates(params.training_prompts, inputs.prompts, params.sources),
            ),
            common=params.common,
            start=runs.Start.at(inputs.model, inputs.manifest, params.seed, snakemake.threads, params.work),
        )

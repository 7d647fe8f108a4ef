"""Make adapters/{expert}: what LLaMA-Factory trains on the expert's item sets, a LoRA adapter or a whole model."""

from judgemerge.core.logs import logged
from judgemerge.train import experts, runs

if "snakemake" in globals():
    files, settings, results = snakemake.input, snakemake.params, snakemake.output
    with logged(snakemake.log[0]):
        experts.train_expert(
            expert=settings.expert,
            data=experts.Data(
                items=dict(zip(settings.expert["train_on"], files.item_sets, strict=True)),
                left_out=files.left_out,
                templates=experts.load_templates(settings.prompts, files.prompts, settings.sources),
                evaluation=list(files.evaluation),
            ),
            common=settings.common,
            start=runs.Start.at(files.model, files.manifest, settings.seed, snakemake.threads, settings.work),
            results=experts.Results(results.adapter, results.recipe, results.curve),
        )

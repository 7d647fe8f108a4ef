"""Make checkpoints/{expert}.verdicts.jsonl: what base, kept checkpoints and end say of development sets."""

from judgemerge.core import models
from judgemerge.core.catalogues import load_yaml
from judgemerge.core.logs import logged
from judgemerge.search import checkpoints

if "snakemake" in globals():
    inputs, params = snakemake.input, snakemake.params
    with logged(snakemake.log[0]):
        checkpoints.judge(
            checkpoints.Asked(
                development=dict(zip(params.sets, inputs.development, strict=True)),
                prompts=params.prompts,
                judging=params.judging,
                sources=params.sources,
                store=params.store,
            ),
            trained=inputs.adapter,
            base=inputs.model,
            base_digest=models.described(inputs.model, inputs.manifest)["digest"],
            threads=snakemake.threads,
            form=load_yaml(inputs.recipe)["asked_by"],
            target=snakemake.output[0],
        )

"""Make model_comparisons/{comparison}/answers/{model}.jsonl: one model's answers, going on where a kill left off."""

import os

from judgemerge.compare.answering import Respondent, answer_questions
from judgemerge.core.logs import logged
from judgemerge.settings.comparisons import Generation

if "snakemake" in globals():
    inputs, params = snakemake.input, snakemake.params
    how = (params.settings, params.endpoint, os.environ, snakemake.threads, snakemake.resources)
    with logged(snakemake.log[0]):
        answer_questions(
            Respondent.at([*inputs.model, inputs.manifest], *how),
            questions=inputs.questions,
            generation=Generation.of(params.generation),
            store=params.store,
            user=f"{snakemake.wildcards.comparison}_answers",
            **snakemake.output,
        )

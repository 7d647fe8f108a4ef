"""Make model_comparisons/{comparison}/answers/{model}.jsonl: one model's answers, going on where a kill left off."""

import os

from judgemerge.compare.answering import Respondent, answer_questions
from judgemerge.core.logs import logged
from judgemerge.settings.comparisons import Generation

if "snakemake" in globals():
    params, resources = snakemake.params, snakemake.resources
    with logged(snakemake.log[0]):
        answer_questions(
            Respondent.at(
                [*snakemake.input.model, snakemake.input.manifest],
                params.settings,
                params.endpoint,
                os.environ,
                threads=snakemake.threads,
                batch_tokens=resources.batch_tokens,
                gpus=resources.get("judge_gpus", 0),
            ),
            questions=snakemake.input.questions,
            generation=Generation.of(params.generation),
            store=params.store,
            user=f"{snakemake.wildcards.comparison}_answers",
            answers=snakemake.output.answers,
            record=snakemake.output.record,
        )

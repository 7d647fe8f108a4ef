"""Make model_comparisons/{comparison}/replies/{judge}.jsonl: what one judge writes about both models' answers."""

import os

from judgemerge.compare.answer_judging import judge_answers
from judgemerge.compare.answering import Respondent
from judgemerge.core.logs import logged
from judgemerge.judge import interpreters
from judgemerge.settings.comparisons import ModelComparison

# A process that vLLM spawns for a further GPU reads this file again, under another name.
if "snakemake" in globals() and __name__ == "__main__":
    params, resources = snakemake.params, snakemake.resources
    with logged(snakemake.log[0]):
        respondent = Respondent.at(
            [*snakemake.input.model, snakemake.input.manifest],
            params.settings,
            params.endpoint,
            os.environ,
            threads=snakemake.threads,
            batch_tokens=resources.batch_tokens,
            gpus=resources.get("judge_gpus", 0),
        )
        interpreters.enter(respondent.backend_name)
        judge_answers(
            respondent,
            comparison=ModelComparison.of(params.comparison),
            questions=snakemake.input.questions,
            answer_files=list(snakemake.input.answers),
            metric_files=list(snakemake.input.metrics),
            folders=("config/prompts", params.sources),
            store=params.store,
            user=f"{snakemake.wildcards.comparison}_judged",
            replies=snakemake.output.replies,
            record=snakemake.output.record,
        )

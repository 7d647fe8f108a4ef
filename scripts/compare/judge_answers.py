"""Make model_comparisons/{comparison}/replies/{judge}.jsonl: what one judge writes about both models' answers."""

import os

from judgemerge.compare.answer_judging import judge_answers
from judgemerge.compare.answering import Respondent
from judgemerge.core.logs import logged
from judgemerge.judge import interpreters
from judgemerge.settings.comparisons import ModelComparison

# A process that vLLM spawns for a further GPU reads this file again, under another name.
if "snakemake" in globals() and __name__ == "__main__":
    inputs, params = snakemake.input, snakemake.params
    how = (params.settings, params.endpoint, os.environ, snakemake.threads, snakemake.resources)
    with logged(snakemake.log[0]):
        respondent = Respondent.at([*inputs.model, inputs.manifest], *how)
        interpreters.enter(respondent.backend_name)
        judge_answers(
            respondent,
            comparison=ModelComparison.of(params.comparison),
            questions=inputs.questions,
            answer_files=list(inputs.answers),
            metric_files=list(inputs.metrics),
            folders=("config/prompts", params.sources),
            store=params.store,
            user=f"{snakemake.wildcards.comparison}_judged",
            **snakemake.output,
        )

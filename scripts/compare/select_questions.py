"""Make model_comparisons/{comparison}/questions.jsonl: the questions that both models get, checked for every metric."""

from judgemerge.compare.answer_judging import select_questions
from judgemerge.core.logs import logged
from judgemerge.settings.comparisons import ModelComparison

if "snakemake" in globals():
    with logged(snakemake.log[0]):
        select_questions(
            item_file=snakemake.input.item_set,
            metric_files=list(snakemake.input.metrics),
            comparison=ModelComparison.of(snakemake.params.comparison),
            categories=snakemake.params.categories,
            seed=snakemake.params.seed,
            questions=snakemake.output.questions,
            record=snakemake.output.record,
        )

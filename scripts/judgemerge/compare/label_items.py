"""What people are shown of a comparison of two models: pairs of answers, or single answers, without who wrote them."""

from collections.abc import Iterator, Sequence

from judgemerge.compare.answer_judging import LACKS, pair_items, single_items
from judgemerge.compare.answering import read_answers
from judgemerge.core.items import Item, read_items
from judgemerge.prompting.rubric_metrics import Metric
from judgemerge.settings.comparisons import ModelComparison


def shown_items(
    comparison: ModelComparison, questions: str, answer_files: Sequence[str], metric: Metric | None
) -> Iterator[Item]:
    """Yield what can be shown: the pairs of answers, or with a metric every answer that it grades."""
    answers = {model: read_answers(path) for model, path in zip(comparison.models, answer_files, strict=True)}
    how = (comparison.models, read_items(questions), answers, comparison.generation.samples)
    items = (
        pair_items(*how) if metric is None else single_items(metric, *how, comparison.inputs, comparison.empty_context)
    )
    yield from (item for item in items if LACKS not in item.extra)

"""Comparisons of two models by their answers, and of variants of one judge."""

from typing import Annotated

from judgemerge.settings.section import Section, key, limits, section


@section
class Generation(Section):
    """How both models answer.

    As published for Flow-Judge's comparison - max_new_tokens 128, temperature 1.5, min_p 0.1.
    """

    max_new_tokens: int = key("Longest answer in tokens.", 256, minimum=1)
    temperature: float = key("0 decodes greedily.", 0, minimum=0)
    top_p: float = key("Share of the probability mass that is sampled from.", 1, exclusiveMinimum=0, maximum=1)
    min_p: float = key(
        "Tokens less likely than this share of the likeliest are not sampled; 0 keeps all.", 0, minimum=0, maximum=1
    )
    seed: int = key("Seed from which the seed of every question and sample is derived.", 42, minimum=0)
    samples: int = key("Answers sampled per question; the page shows their spread.", 1, minimum=1)


@section
class ComparisonPrompts(Section):
    """Prompts of the judges."""

    pairwise: str | None = key("Prompt for pairs; unset: no pairs are judged.", None)
    rubric: str = key("Prompt that shows a metric with its inputs.", "rubric_pointwise")
    rubric_no_inputs: str = key("Prompt for metrics that need no input.", "rubric_pointwise_no_inputs")


@section
class ModelComparison(Section):
    """Two models that answer the same questions, and who judges their answers."""

    models: tuple[str, ...] = key(
        "The two models; the second is compared with the first.", minItems=2, maxItems=2, uniqueItems=True
    )
    questions: str = key("Item set whose prompts both models answer; no expert may be trained on it.")
    limit: int | None = key(
        "Questions that are sampled with the study's seed; their ids are kept. Unset means all.", None, minimum=1
    )
    generation: Generation = key(default={})
    metrics: tuple[str, ...] = key(
        "Metrics that single answers are graded by: names of config/metrics/, or paths of YAML files.",
        [],
        uniqueItems=True,
    )
    inputs: dict[str, str] = key(
        "Field of the question from which an input of the metrics is taken, where the names differ: prompt, "
        "reference, category, better_response (of a pair), or a key of `extra`.",
        {},
    )
    empty_context: bool = key(
        "Show an empty context, as the published comparison did; its faithfulness then means nothing. Without it an "
        "empty input is an error.",
        False,
    )
    judges: tuple[str, ...] = key(
        "Models of the study that judge: made, merged, quantized, behind an endpoint.", minItems=1, uniqueItems=True
    )
    prompts: ComparisonPrompts = key(default={})
    max_prompt_tokens: int | None = key(
        "A longer prompt is not cut but counted; unset: judging.max_prompt_tokens.", None, minimum=1
    )
    show: int = key("Disagreements of each kind and judge that the page shows.", 10, minimum=0)
    published: str | None = key("File with the figures of a published comparison, quoted on the page.", None)


@section
class AblationTable(Section):
    """One published table of variants."""

    published: str = key("File with the printed values: row, side, column, value, source.")
    rows: dict[str, str | Annotated[tuple[str, ...], limits(uniqueItems=True)]] = key(
        "Row of the table → judge of this study, or several of them; `[]` for a row that is only quoted.",
        minProperties=1,
    )

    def judges(self) -> dict[str, tuple[str, ...]]:
        """Return the judges that stand for each row; none for one that is only quoted."""
        return {row: (judges,) if isinstance(judges, str) else tuple(judges) for row, judges in self.rows.items()}


@section
class Ablation(Section):
    """Variants of one judge beside a published table of variants, and the curve over alpha."""

    benchmarks: dict[str, str] = key("Column of the published tables → benchmark.", minProperties=1)
    tables: dict[str, AblationTable] = key("Published tables by name; the first one is also drawn.", minProperties=1)
    sweep: str | None = key("A merge with a grid of alpha.", None)


@section
class LabelledPart(Section):
    """People's votes on a part of what a benchmark or a comparison of models judges; they correct the judges."""

    checks = {"anyOf": [{"required": ["votes"]}, {"required": ["from_truth"]}]}

    votes: str | None = key(
        "File with the votes: that of `make label`, a sheet of `make sample-labels`, filled in, or rows with `item`, "
        "`vote` and, if there are several people, `annotator` (CSV, TSV or JSON lines). Pairs are voted on with A, B "
        "or tie.",
        None,
        minLength=1,
    )
    draw: str | None = key(
        "The record of what was drawn, which `make label` or `make sample-labels` wrote beside the votes. Unset: every "
        "item with a vote was drawn with the same chance.",
        None,
        minLength=1,
    )
    from_truth: int | None = key(
        "In place of votes: the truth of this many items, drawn with the study's seed, is taken for labels. What "
        "labels of this number would say of a benchmark whose truth is known.",
        None,
        minimum=1,
    )
    metric: str = key(
        "Of a comparison of models: what people voted on, the pairs of answers or single answers by a metric.", "pairs"
    )
    slices: tuple[str, ...] = key(
        "Groups of items that get numbers of their own: category, or a key of the items' `extra`.", [], uniqueItems=True
    )

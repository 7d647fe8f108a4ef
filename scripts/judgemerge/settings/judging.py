"""Who judges what, and how judges are asked."""

from typing import Any, Literal

from judgemerge.settings.models import Prompts, chat_template, template_arguments
from judgemerge.settings.section import Section, key, section


@section
class Suite(Section):
    """A list of benchmarks that one job answers with one judge."""

    benchmarks: tuple[str, ...] = key("Names from config/benchmarks.yaml.", minItems=1)
    development: tuple[str, ...] | None = key(
        "Item sets that the judges of the suite answer as well, and that stand in no table of agreement: the "
        "probabilities of verdicts are calibrated on them, and tables/calibration.csv shows what that does on the "
        "benchmarks (docs/calibration.md). Never a benchmark of any suite.",
        None,
        minItems=1,
        uniqueItems=True,
    )
    optional: bool = key("Run only when raw files are available: with a mirror, or with downloads=true.", False)
    limit: int | None = key(
        "Items sampled from each item set of the suite with the study's seed; the counts and every n show "
        "it. Unset means all.",
        None,
        minimum=1,
    )

    @property
    def item_sets(self) -> tuple[str, ...]:
        """What judges answer: the benchmarks, then the development sets."""
        return (*self.benchmarks, *self.development_sets)

    @property
    def development_sets(self) -> tuple[str, ...]:
        """The development sets; empty where there are none."""
        return self.development or ()


@section
class PairsFromGrades(Section):
    """Pairs from grades (pointwise-to-pairwise): judges that also judge pairs by grading each response separately;
    `direct` then appears among the judges of pairs as `direct_from_grades`. The higher grade wins, equal grades are a
    tie.
    """

    judges: tuple[str, ...] = key("Models among the judges.", [], uniqueItems=True)
    prompt: str | None = key(
        "Prompt that single responses are graded with; the default is judging.prompts.pointwise.", None
    )
    suites: tuple[str, ...] | None = key("Suites whose pairs are judged this way; unset means all.", None)
    tie_resamples: int = key(
        "Further samples of both grades, for pairs with equal grades whose truth is not a tie, as in "
        "Prometheus (2); the first sample with unequal grades counts. Every response is sampled 1 + tie_resamples "
        "times. 0 keeps ties.",
        0,
        minimum=0,
    )


@section
class JudgeSettings(Section):
    """How one judge is asked, where it differs from the others."""

    pairwise: str | None = key("Prompt for pairs.", None)
    pointwise: str | None = key("Prompt for single answers.", None)
    backend: str | None = key("Backend of this judge.", None)
    chat_template: str | None = chat_template()
    template_arguments: dict[str, Any] | None = template_arguments()
    gpus: int | None = key("GPUs that this judge's weights are spread over.", None, minimum=1)


@section
class Sampling(Section):
    """Sampling replies instead of decoding greedily (scripts/judgemerge/judge/sampling.py)."""

    temperature: float = key("0 decodes greedily.", 0, minimum=0)
    top_p: float = key("Share of the probability mass that is sampled from.", 1, exclusiveMinimum=0, maximum=1)
    repetition_penalty: float = key("Divides the odds of tokens that were used; 1 does nothing.", 1, exclusiveMinimum=0)
    runs: int = key("Samples of every grade; the mean counts. Pairs are sampled once.", 1, minimum=1)
    seed: int = key("Seed of the samples.", 42, minimum=0)


@section
class Judging(Section):
    """How model judges answer."""

    prompts: Prompts = key("Prompt per protocol, from config/prompts/.", {})
    judges: dict[str, JudgeSettings] = key(
        "Prompts, backend and other settings of single judges, where they differ from the ones above.", {}
    )
    backend: str = key(
        "Backend of judges with safetensors weights, a module of scripts/judgemerge/judge/backends/; vllm "
        "is for GPUs and needs a separate environment (docs/judging.md). Quantized models and endpoints have their "
        "own backends.",
        "transformers",
    )
    gpus: int | None = key(
        "GPUs that the weights of each judge are spread over, where the study has any (`gpus`); unset means "
        "one. The plan refuses judges that do not fit.",
        None,
        minimum=1,
    )
    rubric: str | None = key(
        "Rubric of items that have none of their own, for prompts with {rubric} or {criterion}: a name of "
        "config/rubrics/ or the path of a YAML file. A benchmark can name its own (`rubric` in "
        "config/benchmarks.yaml).",
        None,
    )
    categories: dict[str, str | dict[str, str]] = key(
        "Category whose criteria a benchmark's items get, for prompts with `criteria`: one category for all "
        "of its items, or one for each of its own categories. Unset: the item's own category.",
        {},
    )
    retries: int = key(
        "How often an unreadable reply is sampled again, as published for Prometheus; self_consistency.csv counts "
        "it. Needs sampling.",
        0,
        minimum=0,
        maximum=20,
    )
    sampling: Sampling = key(default={})
    batch_tokens: int = key("Tokens per batch, padding included; the memory knob.", 16384, minimum=1)
    max_prompt_tokens: int = key("A longer prompt is not cut: it is the error prompt_too_long.", 4096, minimum=1)
    reply_tokens: int | None = key(
        "Tokens of a reply at most, where its prompt allows more (`max_new_tokens`); unset: as the prompt says.",
        None,
        minimum=1,
    )
    dtype: Literal["float32", "float16", "bfloat16", "auto"] = key(
        "Number format of the weights while judging.", "auto"
    )

    def for_judge(self, judge: str) -> JudgeSettings:
        """Return what differs for one judge."""
        return self.judges.get(judge, NOTHING_OF_ITS_OWN)


NOTHING_OF_ITS_OWN = JudgeSettings()

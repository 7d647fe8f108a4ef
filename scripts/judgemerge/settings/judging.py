"""Who judges what, and how judges are asked."""

from typing import Any, Literal

from judgemerge.settings.models import Prompts
from judgemerge.settings.section import Section, key, section


@section
class Suite(Section):
    """A list of benchmarks that one job answers with one judge."""

    benchmarks: tuple[str, ...] = key("Names from config/benchmarks.yaml.", minItems=1)
    optional: bool = key("Run only when raw files can be had: with a mirror, or with downloads=true.", False)
    limit: int | None = key(
        "Items drawn from each benchmark of the suite, by the study's seed; the counts and every n say so. Unset "
        "means all.",
        None,
        minimum=1,
    )


@section
class PairsFromGrades(Section):
    """Judges that also judge pairs by grading both responses on their own; `direct` then appears among the judges of
    pairs as `direct_from_grades`. The higher grade wins, equal grades are a tie.
    """

    judges: tuple[str, ...] = key("Models among the judges.", [], uniqueItems=True)
    prompt: str | None = key(
        "Prompt that single responses are graded with; the default is judging.prompts.pointwise.", None
    )
    suites: tuple[str, ...] | None = key("Suites whose pairs are judged so; unset means all.", None)
    tie_resamples: int = key(
        "Further samples of both grades, for pairs whose grades are equal and whose truth is no tie, as Prometheus "
        "does (2); the first sample with unequal grades counts. Every response is graded 1 + tie_resamples times. 0 "
        "leaves ties as they are.",
        0,
        minimum=0,
    )


@section
class JudgeSettings(Section):
    """How one judge is asked, where it differs from the others."""

    pairwise: str | None = key("Prompt for pairs.", None)
    pointwise: str | None = key("Prompt for single answers.", None)
    backend: str | None = key("What this judge answers with.", None)
    chat_template: str | None = key("The form it is asked in, instead of its own.", None, minLength=1)
    template_arguments: dict[str, Any] | None = key("What its chat template gets besides the messages.", None)
    gpus: int | None = key("GPUs that this judge's weights are spread over.", None, minimum=1)


@section
class Sampling(Section):
    """Drawing replies instead of decoding greedily (scripts/judgemerge/judge/sampling.py)."""

    temperature: float = key("0 decodes greedily.", 0, minimum=0)
    top_p: float = key("Share of the probability that is drawn from.", 1, exclusiveMinimum=0, maximum=1)
    repetition_penalty: float = key("Divides the odds of tokens that were used; 1 does nothing.", 1, exclusiveMinimum=0)
    runs: int = key("Draws of every grade; the mean counts. Pairs are drawn once.", 1, minimum=1)
    seed: int = key("Seed of the draws.", 42, minimum=0)


@section
class Judging(Section):
    """How model judges answer."""

    prompts: Prompts = key("Prompt per protocol, from config/prompts/.", {})
    judges: dict[str, JudgeSettings] = key(
        "Prompts of single judges, by judge, and their backend, where they differ from the ones above.", {}
    )
    backend: str = key(
        "What judges with weights in safetensors answer with, a module of scripts/judgemerge/judge/backends/; vllm "
        "needs a GPU and an environment of its own "
        "(docs/judging.md). Quantized models and endpoints have their own.",
        "transformers",
    )
    gpus: int | None = key(
        "GPUs that the weights of each judge are spread over, where the study has any (`gpus`); one unless said. "
        "Judges that do not fit are refused in the plan.",
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
        "Whose criteria a benchmark's items get, for prompts with `criteria`: one category for all of its items, or a "
        "category per category of its own. Unset: the item's own category.",
        {},
    )
    retries: int = key(
        "How often a reply that cannot be read is drawn again, as published for Prometheus; counted in the table of "
        "steadiness. Needs sampling.",
        0,
        minimum=0,
        maximum=20,
    )
    sampling: Sampling = key(default={})
    batch_tokens: int = key("Tokens per batch, padding included; the memory knob.", 16384, minimum=1)
    max_prompt_tokens: int = key("A longer prompt is not cut: it is the error prompt_too_long.", 4096, minimum=1)
    dtype: Literal["float32", "float16", "bfloat16", "auto"] = key(
        "Number format of the weights while judging.", "auto"
    )

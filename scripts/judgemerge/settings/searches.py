"""Searches for settings of experts and parameters of merges, and the screening of foundation models."""

from typing import Annotated, Literal

from judgemerge.settings.section import Section, key, limits, section
from judgemerge.settings.training_keys import LLAMAFACTORY, LlamaFactory


@section
class Choices(Section):
    """Values that may be tried, without order."""

    choices: tuple[float | str | bool, ...] = key("Values without order.", minItems=2, uniqueItems=True)


@section
class Range(Section):
    """A span of values that may be tried, of whole numbers where both ends are."""

    low: float = key("Lowest value.")
    high: float = key("Highest value.")
    log: bool = key("Sample on a logarithmic scale.", False)


Span = Choices | Range


@section
class _Search(Section):
    """What every search says."""

    expert = merge = patience = published = layers = None  # of which a search of the other kind has none
    filters = ()

    rounds: int = key("Rounds; each one waits for the trials of the one before.", 4, minimum=1)
    width: int = key("Trials of one round; they run side by side.", 4, minimum=1)
    sampler: Literal["tpe", "random", "grid", "cmaes", "nsgaii"] = key(
        "How trials are proposed: tree-structured Parzen estimator, at random, every combination of the choices "
        "(grid), covariance matrix adaptation (cmaes, of numbers alone), or a genetic algorithm that looks for trials "
        "which no other one beats on every development set (nsgaii).",
        "tpe",
    )
    seed: int = key("Seed of the proposals.", 7, minimum=0)
    development: str | Annotated[dict[str, str], limits(minProperties=1)] = key(
        "Item set that trials are judged on; or several, each with its metric: their mean decides."
    )
    metric: str = key(
        "Metric that decides, where development is one set: a metric of the agreement tables, or evaluation_loss.",
        "accuracy",
    )
    pruning: Literal["none", "median"] = key(
        "Stop a trial early when it is worse than the median of earlier rounds at the same point (median), or"
        " never (none). Points are training steps of an expert, judged items of a merge.",
        "none",
    )
    pruning_every: int = key(
        "Distance between these points, and between the evaluations that `patience` counts.", 50, minimum=1
    )
    pruning_after: int = key("No trial is stopped before this point.", 0, minimum=0)

    @property
    def kind(self) -> str:
        """What is searched: an `expert` or a `merge`."""
        return "expert" if self.expert else "merge"

    @property
    def target(self) -> str:
        """The expert or the merge that the search starts from."""
        return self.expert or self.merge


@section
class ExpertSearch(_Search):
    """A search for settings of an expert."""

    expert: str = key("Expert whose settings are searched.")
    space: dict[str, Span] = key("Search space, by LLaMA-Factory key.", minProperties=1)
    patience: int | None = key(
        "Evaluations on the development sets without a lower loss after which a training ends; the checkpoint with "
        "the lowest one is kept. Unset: trainings end with their steps.",
        None,
        minimum=1,
    )
    published: str | None = key(
        "Tab-separated file with published trials, a column per parameter of the space; quoted beside ours.", None
    )


@section
class MergeSearch(_Search):
    """A search for parameters of a merge."""

    merge: str = key("Merge whose parameters are searched.")
    space: dict[str, Span] = key("Search space, by path in the merge (models.a.weight, parameters.t).", minProperties=1)
    layers: int | None = key(
        "Number of groups of neighbouring layers, each with its own value of every parameter of the space; what is in "
        "no layer has one as well.",
        None,
        minimum=1,
    )
    filters: tuple[str, ...] = key(
        "Parts of a layer with their own values, as they are named behind its number in the names of tensors "
        "(self_attn, mlp); what is left of a layer has one as well.",
        [],
        uniqueItems=True,
    )


Search = ExpertSearch | MergeSearch


@section
class Screening(Section):
    """Base-model selection: foundation models are fine-tuned for the same number of steps each and compared by their
    loss on held-out answers.
    """

    bases: tuple[str, ...] = key("Names from `models`.", minItems=1, uniqueItems=True)
    train_on: tuple[str, ...] = key(
        "Item sets of pairs (the better response is the target) or conversations.", minItems=1
    )
    evaluate_on: tuple[str, ...] = key("Item sets whose answers are held out.", minItems=1)
    steps: int = key("Training steps of every base.", minimum=1)
    limit: int | None = key(
        "Held-out items that the loss is computed on, sampled with the study's seed. Unset means all.", None, minimum=1
    )
    templates: dict[str, str] = key("LLaMA-Factory's template by base, where it differs from the study's.", {})
    prompt: str = key("Prompt of mode likelihood that shows the conversations.", "likelihood_pairwise")
    settings: LlamaFactory = key("LLaMA-Factory keys of the screening alone.", {}, **LLAMAFACTORY)

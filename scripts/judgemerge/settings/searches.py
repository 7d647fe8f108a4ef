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
    log: bool = key("Equal ratios are equally likely.", False)


Span = Choices | Range


@section
class _Search(Section):
    """What every search says."""

    expert = merge = patience = published = None  # of which a search of the other kind has none

    rounds: int = key("Rounds; each one waits for the trials of the one before.", 4, minimum=1)
    width: int = key("Trials of one round; they run side by side.", 4, minimum=1)
    sampler: Literal["tpe", "random", "grid"] = key(
        "How trials are proposed: tree-structured Parzen estimator, at random, or every combination of the choices "
        "(grid).",
        "tpe",
    )
    seed: int = key("Seed of the proposals.", 7, minimum=0)
    development: str | Annotated[dict[str, str], limits(minProperties=1)] = key(
        "Item set that trials are judged on; or several, each with its metric: their mean counts."
    )
    metric: str = key(
        "What counts, where development is one set: a metric of the agreement tables, or evaluation_loss.", "accuracy"
    )
    pruning: Literal["none", "median"] = key(
        "Give up a trial that is worse than the median of earlier rounds at the same point (median), or none. Points "
        "are training steps of an expert, judged items of a merge.",
        "none",
    )
    pruning_every: int = key(
        "Distance of these points, and of the evaluations that `patience` looks at.", 50, minimum=1
    )
    pruning_after: int = key("No trial is given up before this point.", 0, minimum=0)

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
    space: dict[str, Span] = key("What is searched over, by LLaMA-Factory key.", minProperties=1)
    patience: int | None = key(
        "Evaluations on the development sets without a lower loss after which a training ends; the checkpoint with "
        "the lowest one is kept. Unset: trainings end with their steps.",
        None,
        minimum=1,
    )
    published: str | None = key(
        "Tab-separated file with somebody else's trials, a column per parameter of the space; quoted beside ours.", None
    )


@section
class MergeSearch(_Search):
    """A search for parameters of a merge."""

    merge: str = key("Merge whose parameters are searched.")
    space: dict[str, Span] = key(
        "What is searched over, by path in the merge (models.a.weight, parameters.t).", minProperties=1
    )


Search = ExpertSearch | MergeSearch


@section
class Screening(Section):
    """Foundation models compared before one is chosen: each is fine-tuned for the same number of steps, then the loss
    on held-out answers is taken.
    """

    bases: tuple[str, ...] = key("Names from `models`.", minItems=1, uniqueItems=True)
    train_on: tuple[str, ...] = key("Item sets of pairs (the better response is learnt) or conversations.", minItems=1)
    evaluate_on: tuple[str, ...] = key("Item sets whose answers are held out.", minItems=1)
    steps: int = key("Training steps of every base.", minimum=1)
    limit: int | None = key(
        "Held-out items that the loss is taken on, drawn by the study's seed. Unset means all.", None, minimum=1
    )
    templates: dict[str, str] = key("LLaMA-Factory's template by base, where it is not the study's.", {})
    prompt: str = key("Prompt of mode likelihood that shows the conversations.", "likelihood_pairwise")
    settings: LlamaFactory = key("LLaMA-Factory keys of the screening alone.", {}, **LLAMAFACTORY)

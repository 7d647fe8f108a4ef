"""Metrics of pairs: how often the outcome is the truth, in one order, in both, by class, and beyond chance."""

import numpy as np

from judgemerge.evaluate.counts import Outcomes, divide
from judgemerge.evaluate.metrics import metric


@metric(
    "accuracy",
    protocol="pairwise",
    proportion=True,
    uses=("search", "headline", "comparisons", "groups", "raters", "card"),
)
@metric("accuracy_swapped", protocol="pairwise", orders="swapped", proportion=True)
@metric(
    "accuracy_first",
    protocol="pairwise",
    orders="first",
    proportion=True,
    uses=("search", "headline", "comparisons", "groups"),
)
def accuracy(outcomes: Outcomes) -> np.ndarray:
    """Share of right verdicts; an error is a wrong one."""
    return divide(outcomes.right, outcomes.n_verdicts)


@metric("accuracy_both", protocol="pairwise", proportion=True, uses=("search", "comparisons", "card"))
def accuracy_both(outcomes: Outcomes) -> np.ndarray:
    """Share of the items that are right in both orders."""
    return divide(outcomes.both_right, outcomes.n_items)


@metric("consistency", protocol="pairwise", proportion=True, uses=("comparisons", "groups", "card"))
def consistency(outcomes: Outcomes) -> np.ndarray:
    """Share of the items with the same readable outcome in both orders."""
    return divide(outcomes.consistent, outcomes.n_items)


@metric("macro_precision", protocol="pairwise")
def macro_precision(outcomes: Outcomes) -> np.ndarray:
    """Mean precision of the classes that occur in the truth (of the resample); 0 for a class never predicted."""
    predicted = outcomes.predicted
    return outcomes.mean_over_classes(np.where(predicted > 0, outcomes.hits / np.maximum(predicted, 1), 0))


@metric("macro_recall", protocol="pairwise")
def macro_recall(outcomes: Outcomes) -> np.ndarray:
    """Mean recall of the classes that occur in the truth; an error costs recall."""
    return outcomes.mean_over_classes(outcomes.hits / np.maximum(outcomes.support, 1))


@metric("macro_f1", protocol="pairwise", uses=("search", "comparisons", "raters", "card"))
def macro_f1(outcomes: Outcomes) -> np.ndarray:
    """Mean F1 of the classes that occur in the truth."""
    return outcomes.mean_over_classes(2 * outcomes.hits / np.maximum(outcomes.support + outcomes.predicted, 1))


@metric(
    "kappa",
    protocol="pairwise",
    uses=("search", "comparisons", "raters", "card"),
    undefined="truth and verdicts are one constant class",
)
def kappa(outcomes: Outcomes) -> np.ndarray:
    """Cohen's kappa (1960), undefined when chance agreement is 1; an error is a class that the truth never uses."""
    total = outcomes.support.sum(axis=0)
    observed = divide(outcomes.hits.sum(axis=0), total)
    chance = divide((outcomes.support * outcomes.predicted).sum(axis=0), total * total)
    return divide(observed - chance, 1 - chance)


@metric("tie_rate", protocol="pairwise", orders="recorded", proportion=True)
def tie_rate(outcomes: Outcomes) -> np.ndarray:
    """Share of the verdicts that are a tie."""
    return divide(outcomes.table[:, 2].sum(axis=0), outcomes.n_verdicts)


@metric("error_rate", protocol="pairwise", orders="recorded", proportion=True, uses=("card",))
def error_rate(outcomes: Outcomes) -> np.ndarray:
    """Share of the verdicts that are an error."""
    return divide(outcomes.table[:, 3].sum(axis=0), outcomes.n_verdicts)


BY_CLASS = (macro_precision, macro_recall, macro_f1, kappa)
# Written out, as declarations must be literals; all of one order before those of the other, as the tables have them.
metric("macro_precision_first", protocol="pairwise", orders="first")(macro_precision)
metric("macro_recall_first", protocol="pairwise", orders="first")(macro_recall)
metric("macro_f1_first", protocol="pairwise", orders="first")(macro_f1)
metric("kappa_first", protocol="pairwise", orders="first", undefined="truth and verdicts are one constant class")(kappa)
metric("macro_precision_swapped", protocol="pairwise", orders="swapped")(macro_precision)
metric("macro_recall_swapped", protocol="pairwise", orders="swapped")(macro_recall)
metric("macro_f1_swapped", protocol="pairwise", orders="swapped")(macro_f1)
metric("kappa_swapped", protocol="pairwise", orders="swapped", undefined="truth and verdicts are one constant class")(
    kappa
)


def confusion_metrics(table: np.ndarray) -> dict[str, np.ndarray]:
    """Return macro precision, recall and F1 and kappa of one confusion table (3 truths, 4 outcomes, ...)."""
    outcomes = Outcomes.of_table(table)
    return {function.__name__: function(outcomes) for function in BY_CLASS}

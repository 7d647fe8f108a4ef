"""The metrics of agreement: one decorated function is one metric, one module of this package a family of them.

A metric is a function of what is counted on a benchmark: `Outcomes` of pairs, `Grades` of grades (both of
judgemerge/evaluate/counts.py). Its counts add up over clusters, so the same function gives the value, every resample
and the jackknife: the last axis of what it reads and returns is *which column*, one for each of these.

    @metric("tie_recall", protocol="pairwise", orders="both")
    def tie_recall(outcomes: Outcomes) -> np.ndarray:
        \"\"\"Share of the pairs without a winner that the judge calls a tie.\"\"\"
        return divide(outcomes.table[2, 2], outcomes.table[2].sum(axis=0))

Nothing else lists metrics: what is said here decides the rows of agreement.csv and the tables that a metric is used in.
Imports nothing heavy: a plan asks which metrics a search may name.
"""

import ast
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from judgemerge.core.registry import Modules, Parts

Protocol = Literal["pairwise", "pointwise"]
Orders = Literal["both", "first", "swapped", "recorded"]
Use = Literal["search", "headline", "comparisons", "groups", "raters", "card"]
PROTOCOLS = ("pairwise", "pointwise")
ORDER_NAMES = ("first", "swapped")  # as metrics of one order are called
MODULES = Modules(__name__, "family of metrics")


@dataclass(frozen=True)
class Metric:
    """One metric: `function` takes Outcomes or Grades, and returns one value per column.

    - `orders` (pairs): "both" is undefined for a judge asked in one order, "first" and "swapped" are of one order,
      "recorded" is of those that were asked.
    - `proportion`: a share of independent things, with Wilson's interval in place of the bootstrap's.
    - `correlation`: NaN where either side is constant; differences of two are tested on Fisher's scale.
    - `needs` (grades): "one_scale", undefined where judge and people use different scales; "whole_numbers"; "items",
      what is counted over all items, with or without a readable verdict.
    - `uses`: "search", it says how good a judge is, and a search may name it; "headline", shown first of comparisons;
      "comparisons", judges are compared by it; "groups", given by category; "raters", between two raters; "card",
      in the model card of a merge.
    - `lower_is_better`: a search minimises it.
    """

    name: str
    function: Callable[[Any], Any]
    protocol: Protocol
    orders: Orders = "both"
    proportion: bool = False
    correlation: bool = False
    needs: tuple[str, ...] = ()
    uses: tuple[Use, ...] = ()
    lower_is_better: bool = False

    @property
    def description(self) -> str:
        """The first line of what the function says of itself."""
        return (self.function.__doc__ or "").partition("\n")[0]

    @property
    def columns(self) -> tuple[int, ...]:
        """The orders that a verdict counts in: 0 is the original one, 1 the swapped one."""
        return (ORDER_NAMES.index(self.orders),) if self.orders in ORDER_NAMES else (0, 1)

    def defined_in(self, recorded: tuple[bool, bool]) -> tuple[int, ...]:
        """Return the orders that the metric is computed from where these were recorded; none if it is undefined."""
        orders = tuple(order for order in self.columns if recorded[order])
        return orders if self.orders == "recorded" or orders == self.columns else ()


METRICS: dict[str, Parts[Metric]] = {protocol: Parts(f"{protocol} metric", MODULES) for protocol in PROTOCOLS}


def metric(name: str, protocol: Protocol, **declared: Any) -> Callable[[Callable], Callable]:
    """Return a decorator that makes a function a metric of that name; `declared` are fields of `Metric`."""
    return METRICS[protocol].adds(name, lambda function: Metric(name, function, protocol, **declared))


@cache
def metrics_for(protocol: str, use: Use) -> tuple[str, ...]:
    """Return the metrics of a protocol that are used for something, those over both orders before those of one."""
    fitting = [entry for entry in METRICS[protocol].values() if use in entry.uses]
    return tuple(entry.name for entry in sorted(fitting, key=lambda entry: entry.orders != "both"))


@cache
def searched_metrics(protocol: str) -> dict[str, bool]:
    """Return the metrics of a protocol that a search may name, and whether lower is better.

    The modules are read and not imported: a plan asks, and numpy takes longer than the plan.
    """
    searched = {}
    for module in MODULES.names:
        tree = ast.parse(Path(__file__).with_name(f"{module}.py").read_text("utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "metric":
                words = {word.arg: word.value for word in node.keywords}
                if _constant(words.get("protocol")) == protocol and "search" in (_constant(words.get("uses")) or ()):
                    searched[_constant(node.args[0])] = bool(_constant(words.get("lower_is_better")))
    return searched


def _constant(node: ast.expr | None) -> Any:
    return None if node is None else ast.literal_eval(node)

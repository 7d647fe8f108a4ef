"""The metrics of agreement: one decorated function is one metric, one module of this package a family of them.

A metric is a function of what is counted on a benchmark: `Outcomes` of pairs, `Grades` of grades (both of
judgemerge/evaluate/counts.py). Its counts add up over clusters, so the same function gives the value, every resample
and the jackknife: the last axis of what it reads and returns is *which column*, one for each of these.

    @metric("tie_recall", protocol="pairwise", orders="both")
    def tie_recall(outcomes: Outcomes) -> np.ndarray:
        \"\"\"Share of the pairs without a winner that the judge calls a tie.\"\"\"
        return divide(outcomes.table[2, 2], outcomes.table[2].sum(axis=0))

Nothing else lists metrics: what is said here decides the rows of agreement.csv and the tables that a metric is used in.
Imports nothing heavy: a plan asks which metrics a search may name. It reads the modules without running them, so that
every argument of `metric` must be a literal.
"""

import ast
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

from judgemerge.core.errors import JudgemergeError, require_known
from judgemerge.core.registry import Modules, Parts

Protocol = Literal["pairwise", "pointwise"]
Orders = Literal["both", "first", "swapped", "recorded"]
Need = Literal["one_scale", "whole_numbers", "items"]
Use = Literal["search", "headline", "comparisons", "groups", "raters", "card"]
ONE_OF = {"protocol": get_args(Protocol), "orders": get_args(Orders)}
SOME_OF = {"needs": get_args(Need), "uses": get_args(Use)}
OF_TYPE = {"proportion": bool, "correlation": bool, "fisher": bool, "lower_is_better": bool, "undefined": str}
FOREIGN = {"pairwise": "needs", "pointwise": "orders"}  # what a metric of the protocol cannot declare
PROTOCOLS = ("pairwise", "pointwise")
ORDER_NAMES = ("first", "swapped")  # as metrics of one order are called
MODULES = Modules(__name__, "family of metrics")


@dataclass(frozen=True)
class Metric:
    """One metric: `function` takes Outcomes or Grades, and returns one value per column.

    - `orders` (pairs): "both" is undefined for a judge asked in one order, "first" and "swapped" are of one order,
      "recorded" is of those that were asked.
    - `proportion`: a share of (nearly) all items, with Wilson's interval in place of the bootstrap's.
    - `correlation`: NaN where either side is constant; differences of two are tested on Fisher's scale.
    - `fisher`: its interval is made on Fisher's scale, as that of every correlation.
    - `needs` (grades): "one_scale", undefined where judge and people use different scales; "whole_numbers"; "items",
      what is counted over all items, with or without a readable verdict.
    - `uses`: "search", it says how good a judge is, and a search may name it; "headline", shown first of comparisons;
      "comparisons", judges are compared by it; "groups", given by category; "raters", between two raters; "card",
      in the model card of a merge.
    - `lower_is_better`: a search minimises it.
    - `undefined`: the note of a value that is NaN though the verdicts that it needs are there.
    """

    name: str
    function: Callable[[Any], Any]
    protocol: Protocol
    orders: Orders = "both"
    proportion: bool = False
    correlation: bool = False
    fisher: bool = False
    needs: tuple[Need, ...] = ()
    uses: tuple[Use, ...] = ()
    lower_is_better: bool = False
    undefined: str = "its denominator is zero"

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


def metric(name: str, protocol: Protocol | None = None, **declared: Any) -> Callable[[Callable], Callable]:
    """Return a decorator that makes a function a metric of that name; `declared` are fields of `Metric`."""
    caller = sys._getframe(1)
    _check(f"{caller.f_code.co_filename}:{caller.f_lineno}", name, {"protocol": protocol, **declared})
    return METRICS[protocol].adds(name, lambda function: Metric(name, function, protocol, **declared))


def _check(where: str, name: Any, declared: Mapping[str, Any]) -> None:
    """Refuse what no metric can declare; `where` is the file and the line."""
    if not isinstance(name, str) or not name:
        raise JudgemergeError(f"{where}: a metric is declared with the name {name!r}; give a text as first argument")
    where = f"{where}: metric '{name}'"
    for argument, value in declared.items():
        require_known(argument, (*ONE_OF, *SOME_OF, *OF_TYPE), f"{where} has the unknown argument")
        if argument in ONE_OF:
            require_known(value, ONE_OF[argument], f"{where} has the unknown {argument}")
        elif argument in SOME_OF:
            _check_names(f"{where} has {argument}={value!r}", value, SOME_OF[argument])
        elif not isinstance(value, OF_TYPE[argument]) or value == "":
            kind = "True or False" if OF_TYPE[argument] is bool else "a text"
            raise JudgemergeError(f"{where} has {argument}={value!r}; give {kind}")
    if (foreign := FOREIGN[declared["protocol"]]) in declared:
        raise JudgemergeError(f"{where} has {foreign}, which no {declared['protocol']} metric has; leave it out")


def _check_names(where: str, value: Any, names: tuple[str, ...]) -> None:
    if not isinstance(value, tuple):
        raise JudgemergeError(f"{where}, which is no tuple of names; write for example ({names[0]!r},)")
    for name in value:
        require_known(name, names, f"{where}, with the unknown name")


@cache
def metrics_for(protocol: str, use: Use) -> tuple[str, ...]:
    """Return the metrics of a protocol that are used for something, those over both orders before those of one."""
    fitting = [entry for entry in METRICS[protocol].values() if use in entry.uses]
    return tuple(entry.name for entry in sorted(fitting, key=lambda entry: entry.orders != "both"))


def searched_metrics(protocol: str) -> dict[str, bool]:
    """Return the metrics of a protocol that a search may name, and whether lower is better."""
    every = declared_metrics(protocol).items()
    return {name: words.get("lower_is_better", False) for name, words in every if "search" in words.get("uses", ())}


@cache
def declared_metrics(protocol: str) -> dict[str, dict[str, Any]]:
    """Return the arguments of each metric of a protocol.

    The modules are read and not imported: a plan asks, and numpy takes longer than the plan.
    """
    metrics, places = {}, {}
    for module in MODULES.names:
        for where, name, arguments in read_declarations(Path(__file__).with_name(f"{module}.py")):
            if arguments["protocol"] != protocol:
                continue
            if name in metrics:
                raise JudgemergeError(f"{where}: metric '{name}' is defined in {places[name]}, too; rename one")
            metrics[name], places[name] = arguments, where
    return metrics


def read_declarations(path: Path) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield the place, the name and the arguments of each call of `metric` in a file, which is not run."""
    try:
        tree = ast.parse(path.read_text("utf-8"))
    except SyntaxError as error:
        raise JudgemergeError(f"{path}:{error.lineno}: this is no Python: {error.msg}") from error
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "metric":
            where = f"{path}:{node.lineno}"
            arguments = {"name": None, "protocol": None, **_literal_arguments(where, node)}
            name = arguments.pop("name")
            _check(where, name, arguments)
            yield where, name, arguments


def _literal_arguments(where: str, call: ast.Call) -> dict[str, Any]:
    if len(call.args) > 2:
        name, number = ast.unparse(call.args[0]), len(call.args)
        raise JudgemergeError(f"{where}: metric {name} has {number} arguments by place; name all after the second")
    sources = [*zip(("name", "protocol"), call.args, strict=False), *((word.arg, word.value) for word in call.keywords)]
    return {argument: _literal(where, call, argument, source) for argument, source in sources}


def _literal(where: str, call: ast.Call, argument: str | None, source: ast.expr) -> Any:
    try:
        return ast.literal_eval(source)
    except (TypeError, ValueError) as error:
        name = ast.unparse(call.args[0]) if call.args else "with no name"
        text = f"{argument}={ast.unparse(source)}" if argument else f"**{ast.unparse(source)}"
        raise JudgemergeError(
            f"{where}: metric {name} has {text}, which is no literal; write the value itself, as the file is read "
            "without being run"
        ) from error

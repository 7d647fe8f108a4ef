"""What a merge method declares, how one is added, and all of them as the table of docs/merging.md.

A method is a function in `merge/methods/` under `@merge_method`, or a call of `mergekit_method` where mergekit alone
computes it. Checks, engine, command line and documentation follow from what it declares.
"""

import dataclasses
import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from judgemerge.core.errors import JudgemergeError, did_you_mean
from judgemerge.core.registry import Parts

Need = Literal["required", "optional", "none"]


@dataclass(frozen=True)
class Parameter:
    """One parameter: the closed range of its numbers, or the words that it may be.

    Values outside the range give broken weights without an error. `open_low` and `open_high` leave out an end of it;
    `is_count` wants a whole number above zero, `above_zero` one number above it. `default` is what a method takes where
    a merge gives none; for our own methods it is that of the function's argument. `weighing` marks what belongs to the
    weights that are computed before the merge: the function need not take it, nor find a default.
    """

    name: str
    low: float = -math.inf
    high: float = math.inf
    open_low: bool = False
    open_high: bool = False
    choices: tuple[str, ...] = ()
    is_count: bool = False
    above_zero: bool = False
    required: bool = False
    default: Any = None
    weighing: bool = False

    @property
    def argument(self) -> str:
        """Return the name of the parameter in a Python function."""
        return f"{self.name}_" if self.name == "lambda" else self.name

    def span(self) -> str:
        """Return the range as it is written: `(0, 1]`."""
        return f"{'(' if self.open_low else '['}{self.low:g}, {self.high:g}{')' if self.open_high else ']'}"

    def holds(self, number: float) -> bool:
        """Return whether a number lies in the range."""
        at_open_end = (self.open_low and number == self.low) or (self.open_high and number == self.high)
        return self.low <= number <= self.high and not at_open_end


def fraction(name: str, **more: Any) -> Parameter:
    """Return a parameter between 0 and 1."""
    return Parameter(name, 0.0, 1.0, **more)


def required(parameter: Parameter) -> Parameter:
    """Return the parameter as one that every merge has to give."""
    return dataclasses.replace(parameter, required=True)


WEIGHT = Parameter("weight")
DENSITY = fraction("density", open_low=True, default=1.0)  # 0 keeps nothing, and it is divided by
NORMALIZE = Parameter("normalize", default=False)


@dataclass(frozen=True)
class Method:
    """One merge method: which base and how many parents it takes, which parameters, and where it was published.

    `base_is_parent` says whether the base is also listed among the parents (SLERP interpolates away from it);
    `adapters` that parents are LoRA adapters, `grams` that it needs what the parents' layers read (merge/grams.py).
    `is_mergekits` says that mergekit computes it unless a merge asks for `engine: streamed`, `computes_wide` that it is
    told to compute 16 bits in float32. `kernel` is our own arithmetic on one tensor. A kernel takes by name what it
    wants of `tensors`, `base`, `name` (of the tensor), `seed`, `adapters`, `grams` (a matrix per parent, None for a
    tensor of no linear layer), and the parameters: one value per parent, or one of the whole.
    With `by_value` it takes every value by itself, so that it may be given pieces of a tensor. `share` computes what
    several merges of one pass need of a parent: share(base, tensor, parameters of that parent in each merge); the
    kernel gets a list of these as `shared`.
    """

    name: str
    paper: str
    text: str = ""
    base: Need = "none"
    parents: tuple[int, int | None] = (1, None)
    per_model: Mapping[str, Parameter] = dataclasses.field(default_factory=dict)
    overall: Mapping[str, Parameter] = dataclasses.field(default_factory=dict)
    base_is_parent: bool = False
    adapters: bool = False
    grams: bool = False
    is_mergekits: bool = False
    computes_wide: bool = False
    by_value: bool = False
    kernel: Callable | None = None
    share: Callable | None = None

    @property
    def engine(self) -> str:
        """Return who computes the method unless a merge says otherwise."""
        return "mergekit" if self.is_mergekits else "judgemerge"

    @property
    def is_streamed(self) -> bool:
        """Return whether `engine: streamed` computes the method in mergekit's place."""
        return self.is_mergekits and self.kernel is not None

    @property
    def required(self) -> tuple[str, ...]:
        """Return the parameters that every merge has to give."""
        return tuple(name for name, entry in {**self.per_model, **self.overall}.items() if entry.required)

    def compute(self, models: Mapping[str, Mapping], parameters: Mapping, **inputs: Any):
        """Return one merged tensor; `models` and `parameters` are those of the merge, `inputs` the rest."""
        values = dict(inputs)
        for entry in self.per_model.values():
            values[entry.argument] = [of_model.get(entry.name, entry.default) for of_model in models.values()]
        for entry in self.overall.values():
            if entry.name in parameters or entry.default is not None:
                values[entry.argument] = parameters.get(entry.name, entry.default)
        arguments = inspect.signature(self.kernel).parameters
        return self.kernel(**{argument: value for argument, value in values.items() if argument in arguments})


INPUTS = ("tensors", "base", "name", "seed", "adapters", "shared", "grams")  # what a kernel may take besides parameters
METHODS: Parts[Method] = Parts("merge method")


def _by_name(parameters: Iterable[Parameter]) -> dict[str, Parameter]:
    return {parameter.name: parameter for parameter in parameters}


def mergekit_method(
    name: str, *, per_model: Iterable[Parameter] = (), overall: Iterable[Parameter] = (), **about: Any
) -> None:
    """Add a method that mergekit alone computes."""
    declared = Method(name, per_model=_by_name(per_model), overall=_by_name(overall), is_mergekits=True, **about)
    METHODS.add(name, declared)


def merge_method(
    *, per_model: Iterable[Parameter] = (), overall: Iterable[Parameter] = (), **about: Any
) -> Callable[[Callable], Callable]:
    """Return a decorator that adds a function as the merge method of its name; see `Method` for what it is given."""

    def declared(kernel: Callable) -> Method:
        signature = inspect.signature(kernel).parameters
        kinds = list(per_model), list(overall)
        _check_arguments(kernel.__name__, signature, sum(kinds, []), about.get("is_mergekits", False))
        defaults = {
            name: entry.default for name, entry in signature.items() if entry.default is not inspect.Parameter.empty
        }
        each, whole = (
            {
                entry.name: dataclasses.replace(entry, default=defaults.get(entry.argument, entry.default))
                for entry in kind
            }
            for kind in kinds
        )
        return Method(kernel.__name__, per_model=each, overall=whole, kernel=kernel, **about)

    def add(kernel: Callable) -> Callable:
        return METHODS.adds(kernel.__name__, declared)(kernel)

    return add


def _check_arguments(
    method: str, signature: Mapping[str, inspect.Parameter], declared: list[Parameter], is_mergekits: bool
) -> None:
    """Refuse parameters that the function does not take or finds no value for; mergekit may know more of its own."""
    for entry in declared:
        if entry.weighing or (is_mergekits and entry.argument not in signature):
            continue
        if entry.argument not in signature:
            raise JudgemergeError(
                f"merge method '{method}' declares the parameter '{entry.name}', but its function has no argument "
                f"'{entry.argument}'{did_you_mean(entry.argument, set(signature) - set(INPUTS))}"
            )
        argument = signature[entry.argument]
        if argument.default is argument.empty and entry.default is None and not entry.required:
            raise JudgemergeError(
                f"merge method '{method}' has no default for the parameter '{entry.name}'; give its argument one, or "
                "declare it with required=True"
            )


def markdown() -> str:
    """Return the method table of docs/merging.md."""
    head = "| method | engine | base | parents | per parent | as a whole | source | what it does |"
    lines = [head, "|---" * 8 + "|"]
    for name, method in METHODS.items():
        cells = [
            f"`{name}`",
            f"{method.engine}, streamed" if method.is_streamed else method.engine,
            "one of the parents" if method.base_is_parent else method.base,
            _parents(method),
            _listed(method.per_model),
            _listed(method.overall),
            method.paper,
            method.text,
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _parents(method: Method) -> str:
    lowest, highest = method.parents
    number = str(lowest) if lowest == highest else f"{lowest} or more"
    return f"{number} {'adapter' if method.adapters else 'model'}{'' if (lowest, highest) == (1, 1) else 's'}"


def _listed(parameters: Mapping[str, Parameter]) -> str:
    return ", ".join(f"**{name}**" if entry.required else name for name, entry in parameters.items()) or "–"

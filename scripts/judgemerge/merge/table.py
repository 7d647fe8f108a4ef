"""The method table: one row per merge method, and the same as a table for docs/merging.md.

mergekit 0.1.5 has every row with engine `mergekit`; test_merging_methods.py compares both and runs all.
"""

from dataclasses import dataclass
from typing import Literal

Need = Literal["required", "optional", "none"]


@dataclass(frozen=True)
class Method:
    """One merge method: which base and how many parents it takes, which parameters, and where it was published.

    `base_is_parent` says whether the base is also listed among the parents (SLERP interpolates away from it). `engine`
    is mergekit, or judgemerge for our own. `adapters` says that parents are LoRA adapters. `text` says what it does.
    """

    base: Need
    parents: tuple[int, int | None]
    per_model: tuple[str, ...]
    overall: tuple[str, ...]
    paper: str
    base_is_parent: bool = False
    required: tuple[str, ...] = ()
    engine: Literal["mergekit", "judgemerge"] = "mergekit"
    adapters: bool = False
    text: str = ""


_ANY = (1, None)
_VECTOR = ("normalize", "rescale", "int8_mask", "lambda")


def _task_vectors(paper: str, text: str, *per_model: str) -> Method:
    """Return a method that adds weighted differences from the base; they differ in how those are thinned out first."""
    return Method("required", _ANY, ("weight", *per_model), _VECTOR, paper, required=("weight",), text=text)


def _weighted(base: Need, parents: tuple[int, int | None], paper: str, text: str, *overall: str) -> Method:
    """Return a method that takes one weight per parent."""
    return Method(base, parents, ("weight",), overall, paper, required=("weight",), text=text)


METHODS: dict[str, Method] = {
    "linear": _weighted("none", _ANY, "arXiv:2203.05482", "weighted mean", "normalize"),
    "slerp": Method(
        "required",
        (2, 2),
        (),
        ("t",),
        "Shoemake 1985",
        base_is_parent=True,
        required=("t",),
        text="a point on the arc from the base (t = 0) to the other parent (t = 1)",
    ),
    "nuslerp": _weighted(
        "optional",
        (2, 2),
        "mergekit",
        "slerp with weights; with a base, of the differences from it",
        "nuslerp_row_wise",
        "nuslerp_flatten",
    ),
    "multislerp": _weighted(
        "optional", _ANY, "mergekit", "weighted mean on the hypersphere", "normalize_weights", "eps"
    ),
    "karcher": Method(
        "none", _ANY, (), ("max_iter", "tol"), "Karcher 1977", text="the point with the least sum of squared arcs"
    ),
    "task_arithmetic": _task_vectors("arXiv:2212.04089", "base plus weighted differences"),
    "ties": _task_vectors(
        "arXiv:2306.01708", "the largest differences, where they agree in sign with the weighted sum", "density"
    ),
    "dare_ties": _task_vectors(
        "arXiv:2311.03099", "random differences, rescaled to their old sum, with the sign rule of ties", "density"
    ),
    "dare_linear": _task_vectors("arXiv:2311.03099", "random differences, rescaled to their old sum", "density"),
    "breadcrumbs": _task_vectors(
        "arXiv:2312.06795", "differences without the largest and the smallest", "density", "gamma"
    ),
    "breadcrumbs_ties": _task_vectors("arXiv:2312.06795", "breadcrumbs with the sign rule of ties", "density", "gamma"),
    "della": _task_vectors(
        "arXiv:2406.11617",
        "random differences, large ones more likely, with the sign rule of ties",
        "density",
        "epsilon",
    ),
    "della_linear": _task_vectors(
        "arXiv:2406.11617", "random differences, large ones more likely", "density", "epsilon"
    ),
    "model_stock": Method(
        "required",
        (2, None),
        (),
        ("filter_wise",),
        "arXiv:2403.19522",
        text="between base and mean of the parents, by the angle between them",
    ),
    "sce": Method(
        "required",
        _ANY,
        (),
        ("select_topk", "int8_mask"),
        "arXiv:2408.07990",
        text="the differences that vary most, weighted by their energy, with the sign rule of ties",
    ),
    "nearswap": Method(
        "required",
        (1, 1),
        (),
        ("t",),
        "mergekit",
        required=("t",),
        text="the parent's values where they are within t of the base",
    ),
    "arcee_fusion": Method(
        "required", (1, 1), (), (), "mergekit", text="the parent's values where they matter most, else the base"
    ),
    "ram": Method(
        "required",
        _ANY,
        (),
        ("epsilon",),
        "arXiv:2601.13572",
        text="differences of one parent alone in full, shared ones as their mean",
    ),
    "ramplus_tl": Method(
        "required",
        _ANY,
        (),
        ("r", "alpha", "epsilon"),
        "arXiv:2601.13572",
        text="ram with the unshared differences enlarged, tensor by tensor",
    ),
    "supermario": Method(
        "required",
        _ANY,
        (),
        ("p", "lambda"),
        "safetensors-merge-supermario 965e8b2",
        required=("p", "lambda"),
        engine="judgemerge",
        text="parents one after the other: T += lambda · mask · (M − T) / (1 − p), a value kept with probability p",
    ),
    "cocktail": Method(
        "none",
        _ANY,
        ("weight",),
        ("temperature", "kind", "batch_size", "max_length", "n_examples", "n_negatives", "average"),
        "arXiv:2311.13534",
        engine="judgemerge",
        text="weighted sum; weights given, or softmax(−loss / temperature) of the parents on a few examples",
    ),
    "adapter_linear": Method(
        "required",
        _ANY,
        ("weight",),
        ("combination",),
        "arXiv:2106.09685",
        required=("weight",),
        engine="judgemerge",
        adapters=True,
        text="base plus weighted updates of LoRA adapters, nothing exported before",
    ),
}

# The methods that `engine: streamed` computes without mergekit.
STREAMED = ("linear", "task_arithmetic", "ties")

# Closed ranges; values outside give broken weights without an error.
RANGES = {
    "density": (0.0, 1.0),
    "t": (0.0, 1.0),
    "gamma": (0.0, 1.0),
    "epsilon": (0.0, 1.0),
    "p": (0.0, 1.0),
    "r": (0.0, 1.0),
    "alpha": (0.0, 1.0),
}
OPEN_BELOW = ("density", "p")  # 0 keeps nothing, and a density is divided by
OPEN_ABOVE = ("p",)  # 1 − p is divided by
NORMALIZED_BY_DEFAULT = {"linear", "ties", "della"}

# Words that a parameter may be; every other value is a number, a truth value, or mergekit's lists of them.
CHOICES = {
    "kind": ("decoder", "encoder", "encoder_decoder", "reranker"),
    "average": ("batch", "example"),
    "combination": ("updates", "matrices"),
}
# Whole numbers above zero.
COUNTS = ("batch_size", "max_length", "n_examples", "n_negatives")


def markdown() -> str:
    """Return the method table of docs/merging.md."""
    head = "| method | engine | base | parents | per parent | as a whole | source | what it does |"
    lines = [head, "|---" * 8 + "|"]
    for name, method in METHODS.items():
        engines = f"{method.engine}, streamed" if name in STREAMED else method.engine
        base = "one of the parents" if method.base_is_parent else method.base
        cells = [
            f"`{name}`",
            engines,
            base,
            _parents(method),
            _listed(method.per_model, method.required),
            _listed(method.overall, method.required),
            method.paper,
            method.text,
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _parents(method: Method) -> str:
    lowest, highest = method.parents
    number = str(lowest) if lowest == highest else f"{lowest} or more"
    return f"{number} {'adapter' if method.adapters else 'model'}{'' if (lowest, highest) == (1, 1) else 's'}"


def _listed(parameters: tuple[str, ...], required: tuple[str, ...]) -> str:
    return ", ".join(f"**{name}**" if name in required else name for name in parameters) or "–"

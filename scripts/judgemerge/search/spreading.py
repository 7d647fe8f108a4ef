"""Parameters of a merge that are searched for groups of layers, and for parts of these, each by itself.

A parameter `models.a.weight` is then several: `models.a.weight@1.self_attn` (attention of the first group of layers),
`models.a.weight@1` (the rest of these layers), `models.a.weight@outside` (embeddings and whatever is in no layer). A
merge takes them as mergekit's list of {filter, value}, whose first filter that is part of a tensor's name counts.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

from judgemerge.core.errors import JudgemergeError, did_you_mean
from judgemerge.search import searching

SIGN, OUTSIDE = "@", "outside"


class Layers(NamedTuple):
    """The layers of a model: what the names of their tensors begin with before the number, how many, their parts."""

    prefix: str
    n: int
    parts: frozenset[str]

    @classmethod
    def of(cls, names: Iterable[str], where: str) -> "Layers":
        """Return the layers that the names of tensors tell of; `where` begins the sentence of an error."""
        numbered = [re.fullmatch(r"(?P<prefix>(?:\w+\.)*?\w+)\.(?P<layer>\d+)\.(?P<part>.+)", name) for name in names]
        numbered = [match for match in numbered if match]
        prefixes = {match["prefix"] for match in numbered}
        if len(prefixes) != 1:
            shown = ", ".join(sorted(prefixes)) or "none"
            raise JudgemergeError(
                f"{where}: its tensors have {len(prefixes)} kinds of numbered layers ({shown}); a search by layers or "
                "filters takes models with one kind, leave both out"
            )
        whole = [match["part"].split(".") for match in numbered]
        parts = frozenset(".".join(part[:end]) for part in whole for end in range(1, len(part)))
        return cls(prefixes.pop(), 1 + max(int(match["layer"]) for match in numbered), parts)


def applied(
    entry: Mapping, params: Mapping[str, Any], groups: int | None, filters: Collection[str], layers: Layers | None
) -> dict:
    """Return a merge with the settings of a trial, those of groups of layers as lists of {filter, value}.

    `layers` are those of its parents, None where `params` name none.
    """
    plain = {name: value for name, value in params.items() if SIGN not in name}
    spread: dict[str, dict[str, Any]] = {}
    for name, value in params.items():
        if SIGN in name:
            parameter, _, place = name.partition(SIGN)
            spread.setdefault(parameter, {})[place] = value
    lists = {name: _listed(values, groups or 1, filters, layers) for name, values in spread.items()}
    return searching.applied(entry, plain | lists)


def check(groups: int | None, filters: Collection[str], layers: Layers, where: str) -> None:
    """Refuse more groups than layers, and parts that no layer has."""
    if groups and groups > layers.n:
        raise JudgemergeError(f"{where} has layers: {groups}, but the models have {layers.n}; give as many at most")
    for part in filters:
        if part not in layers.parts:
            raise JudgemergeError(f"{where} has filter '{part}'{did_you_mean(part, layers.parts)}")


def _listed(values: Mapping[str, Any], groups: int, filters: Collection[str], layers: Layers) -> list[dict[str, Any]]:
    """Return the values of one parameter by place as a merge takes them: the parts of a layer before the layer."""
    entries = []
    for group in range(groups):
        for layer in range(round(group * layers.n / groups), round((group + 1) * layers.n / groups)):
            name = f"{layers.prefix}.{layer}."
            entries += [{"filter": f"{name}{part}.", "value": values[f"{group + 1}.{part}"]} for part in filters]
            entries.append({"filter": name, "value": values[str(group + 1)]})
    return [*entries, {"value": values[OUTSIDE]}]

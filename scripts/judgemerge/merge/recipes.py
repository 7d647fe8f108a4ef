"""A merge as it is read from a study's `merges`, and the recipe that mergekit reads."""

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from judgemerge.merge.methods import METHODS
from judgemerge.merge.table import Method

HALF_PRECISION = ("float16", "bfloat16")


@dataclass(frozen=True)
class Merge:
    """One entry of a study's `merges`; `models` are its parents, each with its parameters."""

    method: Method
    models: Mapping[str, Mapping]
    parameters: Mapping
    dtype: str = "float32"
    seed: int = 7
    base: str | None = None
    engine: str = "mergekit"
    adapters: bool = False
    allow: Collection[str] = ()
    donor: str | None = None
    examples: str | None = None
    grams: Mapping[str, str] | None = None

    @classmethod
    def of(cls, entry: Mapping) -> "Merge":
        """Return the merge of an entry whose method is known."""
        return cls(**{**_of_fields(cls, entry), "method": METHODS[entry["method"]]})

    @property
    def models_read(self) -> list[str]:
        """Return the models that the merge reads: the base first, then its parents, each once."""
        return list(dict.fromkeys([*([self.base] if self.base else []), *self.models]))

    @property
    def weights(self) -> dict[str, Any]:
        """Return the weights of the parents that have one."""
        return {parent: values["weight"] for parent, values in self.models.items() if "weight" in values}

    def at(self, tensor: str) -> "Merge":
        """Return the merge with the values that its parameters have for one tensor, as mergekit reads {filter, value}.

        The first filter that is part of the tensor's name counts; one without a filter is for all.
        """
        models = {name: _at(values, tensor) for name, values in self.models.items()}
        parameters = _at(self.parameters, tensor)
        same = models == self.models and parameters == self.parameters
        return self if same else dataclasses.replace(self, models=models, parameters=parameters)

    @property
    def reference(self) -> str:
        """Return the model that the result is compared with: the base, or the first parent."""
        return self.models_read[0]

    @property
    def is_ours(self) -> bool:
        """Return whether judgemerge computes the merge itself, by its method or because the study asks for it."""
        return not self.method.is_mergekits or self.engine == "streamed"


def is_by_filter(value: Any) -> bool:
    """Return whether a parameter's value is a list of {filter, value}."""
    return isinstance(value, list) and bool(value) and all(isinstance(entry, dict) for entry in value)


def _at(values: Mapping, tensor: str) -> dict:
    """Return values of parameters for one tensor."""
    return {name: _of_tensor(value, tensor) if is_by_filter(value) else value for name, value in values.items()}


def _of_tensor(entries: Sequence[Mapping], tensor: str) -> Any:
    return next(entry["value"] for entry in entries if entry.get("filter", "*") == "*" or entry["filter"] in tensor)


class Group(NamedTuple):
    """Models that merges bring together, what may differ between them, and the method of a merge by mergekit."""

    models: list[str]
    allow: list[str]
    mergekit: str | None


def own_engine(entry: Mapping) -> bool:
    """Return whether judgemerge computes a merge itself."""
    return Merge.of(entry).is_ours


@dataclass(frozen=True)
class Making:
    """How a merge was made, as its manifest says below `made_by`: entry, digests of the parents, and what was noted.

    `weights` is what decided a cocktail's weights; `left_out` are tensors that the merge does not write.
    """

    merge: Mapping
    parents: Mapping[str, str]
    threads: int
    donor: str | None = None
    weights: Mapping | None = None
    left_out: Sequence[str] = ()

    @classmethod
    def of(cls, made_by: Mapping) -> "Making":
        """Return the making that a manifest tells."""
        return cls(**_of_fields(cls, made_by))


def _of_fields(kind: type, values: Mapping) -> dict:
    """Return the values that a dataclass has fields for."""
    return {field.name: values[field.name] for field in dataclasses.fields(kind) if field.name in values}


def adapters_read(entry: Mapping, adapters: Collection[str]) -> list[str]:
    """Return the parents of a merge that are read as LoRA adapters; `adapters` are those there are."""
    merge = Merge.of(entry)
    if merge.method.adapters:
        return list(merge.models)
    return [parent for parent in merge.models if parent in adapters] if merge.adapters else []


def recipe(merge: Mapping, folders: Mapping[str, str | Path]) -> dict:
    """Return the mergekit configuration of one merge; `folders` gives the folder of every model it names.

    Paths are made absolute: mergekit asks the model hub about anything that looks like `owner/name`. An adapter is
    given as `base+adapter`, mergekit's form for a LoRA adapter that is folded in while reading.
    """

    def folder(model: str) -> str:
        return "+".join(str(Path(part).resolve()) for part in str(folders[model]).split("+"))

    entry = Merge.of(merge)
    dtypes = {"dtype": entry.dtype}
    if entry.method.computes_wide and entry.dtype in HALF_PRECISION:
        dtypes = {"dtype": "float32", "out_dtype": entry.dtype}
    return {
        "merge_method": entry.method.name,
        **dtypes,
        "models": [
            {"model": folder(parent), **({"parameters": parameters} if parameters else {})}
            for parent, parameters in entry.models.items()
        ],
        **({"base_model": folder(entry.base)} if entry.base else {}),
        **({"parameters": entry.parameters} if entry.parameters else {}),
    }

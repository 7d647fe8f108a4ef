"""Recipes: what mergekit reads, and what is written down of a merge that judgemerge computes itself."""

from collections.abc import Iterable
from pathlib import Path

from judgemerge.merge.table import METHODS


def own_engine(merge: dict) -> bool:
    """Return whether judgemerge computes a merge itself, by its method or because the study asks for it."""
    return METHODS[merge["method"]].engine == "judgemerge" or merge.get("engine") == "streamed"


def adapters_read(merge: dict, adapters: Iterable[str]) -> list[str]:
    """Return the parents of a merge that are read as LoRA adapters; `adapters` are those there are."""
    if METHODS[merge["method"]].adapters:
        return list(merge["models"])
    return [parent for parent in merge["models"] if parent in adapters] if merge.get("adapters") else []


def recipe(merge: dict, folders: dict[str, str | Path]) -> dict:
    """Return the mergekit configuration of one merge; `folders` gives the folder of every model it names.

    Paths are made absolute: mergekit asks the model hub about anything that looks like `owner/name`. An adapter is
    given as `base+adapter`, mergekit's form for a LoRA adapter that is folded in while reading.
    """

    def folder(model: str) -> str:
        return "+".join(str(Path(part).resolve()) for part in str(folders[model]).split("+"))

    config = {
        "merge_method": merge["method"],
        "dtype": merge["dtype"],
        "models": [
            {"model": folder(parent), **({"parameters": parameters} if parameters else {})}
            for parent, parameters in merge["models"].items()
        ],
    }
    if "base" in merge:
        config["base_model"] = folder(merge["base"])
    if merge["parameters"]:
        config["parameters"] = merge["parameters"]
    return config

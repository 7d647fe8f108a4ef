"""Merges of the same parents, and who was trained on the data of all of these: what a merge is compared with."""

from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from judgemerge.study.study import Study


@lru_cache(maxsize=8)
def judged_merges(study: "Study") -> dict[str, list[str]]:
    """Return the merges among the judges, those that searches end with included, each with its parents."""
    sources = {name: name for name in study.merges}
    sources |= {best: study.target_of(search) for best, search in study.searched.items()}
    judges = set(study.judges)
    sources = {name: merge for name, merge in sources.items() if merge in study.merges and name in judges}
    return {name: list(study.merges[merge].models) for name, merge in sources.items()}


@lru_cache(maxsize=8)
def families(study: "Study") -> dict[tuple[str, ...], list[str]]:
    """Return the merges by their parents: the same parents in another order are the same family."""
    grouped: dict[frozenset[str], tuple[tuple[str, ...], list[str]]] = {}
    for merge, parents in judged_merges(study).items():
        _, merges = grouped.setdefault(frozenset(parents), (tuple(parents), []))
        merges.append(merge)
    return {parents: merges for parents, merges in grouped.values()}


def learnt_sets(study: "Study", model: str) -> set[str] | None:
    """Return the item sets that a model was trained on here since its base; None where that is not known."""
    if model in study.searched:
        return learnt_sets(study, study.target_of(study.searched[model]))
    if model in study.experts:
        return {*study.experts[model].train_on}
    if model in study.merges:
        parts = [learnt_sets(study, parent) for parent in study.merges[model].models]
        return None if None in parts else set().union(*parts)
    return None


def joint_experts(study: "Study", parents: tuple[str, ...]) -> tuple[list[str], str]:
    """Return the judges that were trained on the data of all parents at once; else none, and why."""
    parts = [learnt_sets(study, parent) for parent in parents]
    if None in parts:
        return [], "what the parents were trained on is not known here"
    union = set().union(*parts)
    if len(parents) < 2 or any(part == union for part in parts):
        return [], "a parent was trained on the data of all"
    experts = [name for name in study.experts if name not in parents and {*study.experts[name].train_on} == union]
    judged = [name for name in experts if name in study.judges]
    if judged:
        return judged, ""
    if experts:
        return [], f"{', '.join(experts)} is trained on all of it, and not among the judges"
    return [], f"no expert is trained on {', '.join(sorted(union))} together"


def untaught(study: "Study", parents: tuple[str, ...], protocol: str) -> list[str]:
    """Return the parents that were trained here, and not on items of this protocol."""
    learnt = {parent: learnt_sets(study, parent) for parent in parents}
    return [
        parent for parent, sets in learnt.items() if sets and protocol not in {study.protocol(name) for name in sets}
    ]


def parameters(study: "Study", benchmark: str) -> list[dict[str, Any]]:
    """Return for each family that has a merge with verdicts on a benchmark what `merge_worth.Family` takes."""
    entries = []
    for parents, merges in families(study).items():
        present = [merge for merge in merges if study.answers(merge, benchmark)]
        if not present:
            continue
        joint, reason = joint_experts(study, parents)
        judged = [name for name in joint if study.answers(name, benchmark)]
        entries.append(
            {
                "parents": list(parents),
                "merges": present,
                "joint": judged,
                "no_joint": reason or f"{', '.join(joint)} does not judge this benchmark",
                "untaught": untaught(study, parents, study.protocol(benchmark)),
            }
        )
    return entries

"""What can be wrong with juries and cascades: their members, and what they are fitted on."""

from typing import TYPE_CHECKING

from judgemerge.core.errors import JudgemergeError, did_you_mean, require_known
from judgemerge.judge.baselines import BASELINES
from judgemerge.settings.panels import Panel

if TYPE_CHECKING:
    from judgemerge.study.study import Study


def check_members(study: "Study") -> None:
    """Refuse juries and cascades whose name is taken, or whose members are not there; asks no judge what it answers."""
    for name, panel in study.panels.items():
        where = _place(study, name)
        _check_name(study, name, where)
        for member in panel.members:
            _check_member(study, name, panel, member, where)
        if len(panel.members) < 2:
            raise JudgemergeError(f"{where}.members has {_listed(panel.members)}; name at least two judges")
        for benchmark in panel.development:
            sets = [item_set for suite in study.settings.suites.values() for item_set in suite.item_sets]
            if benchmark not in sets:
                near = did_you_mean(benchmark, sets)
                raise JudgemergeError(f"{where}.development names '{benchmark}', which stands in no suite{near}")


def check_answers(study: "Study") -> None:
    """Refuse those whose members judge no benchmark together, and what they cannot be fitted on."""
    for name, panel in study.panels.items():
        where = _place(study, name)
        if panel.development and getattr(panel, "rule", "weighted") != "weighted":
            raise JudgemergeError(
                f"{where}.development is for rule 'weighted', not '{panel.rule}'; remove it or change the rule"
            )
        for benchmark in panel.development:
            _check_development(study, panel, benchmark, where)
        _check_shared(study, panel, where)


def _place(study: "Study", name: str) -> str:
    section = "juries" if name in study.settings.juries else "cascades"
    return f"{study.where}: {section}.{name}"


def _listed(members: tuple[str, ...]) -> str:
    return f"one member ('{members[0]}')" if members else "no member"


def _check_name(study: "Study", name: str, where: str) -> None:
    if name in study.settings.juries and name in study.settings.cascades:
        raise JudgemergeError(f"{study.where}: '{name}' stands in juries and in cascades; rename one")
    taken = {*study.asked_names, *study.judges_from_grades, *BASELINES, *study.catalogues.recorded}
    if name in taken:
        raise JudgemergeError(f"{where} has the name of another judge; rename it")


def _check_member(study: "Study", name: str, panel: Panel, member: str, where: str) -> None:
    key = f"{where}.members"
    if member == name:
        raise JudgemergeError(f"{key} names the {panel.kind} itself; remove '{member}'")
    if member in study.panels:
        raise JudgemergeError(
            f"{key} names '{member}', a {study.panels[member].kind}, which says nothing of its own; name its members"
        )
    if member in BASELINES and not panel.baselines:
        raise JudgemergeError(f"{key} names the baseline '{member}', which reads nothing; remove it, or set baselines")
    known = {*study.asked_names, *study.judges_from_grades, *BASELINES, *study.catalogues.recorded}
    require_known(member, known, f"{key} names the unknown judge")
    if member not in study.judges:
        raise JudgemergeError(f"{key} names '{member}', which `judges` does not list; add it there")


def _check_development(study: "Study", panel: Panel, benchmark: str, where: str) -> None:
    key = f"{where}.development"
    if panel.kind == "cascade" and study.protocol(benchmark) != "pairwise":
        raise JudgemergeError(f"{key} names '{benchmark}', which has grades; a cascade judges pairs")
    for member in panel.members:
        if not study.answers(member, benchmark):
            raise JudgemergeError(f"{key} names '{benchmark}', which its member '{member}' does not judge")


def _check_shared(study: "Study", panel: Panel, where: str) -> None:
    """Refuse members that judge nothing together, naming who is not asked where."""
    protocols = {study.protocol(name) for name in panel.development}
    rest = [name for name in study.all_benchmarks if name not in panel.development]
    rest = [name for name in rest if not protocols or study.protocol(name) in protocols]
    rest = [name for name in rest if panel.kind == "jury" or study.protocol(name) == "pairwise"]
    if not rest:
        raise JudgemergeError(f"{where}: no benchmark is left for it to judge; add one to a suite")
    missing = {name: [one for one in panel.members if not study.answers(one, name)] for name in rest}
    if all(missing.values()):
        benchmark, absent = min(missing.items(), key=lambda entry: len(entry[1]))
        raise JudgemergeError(
            f"{where}: its members judge no benchmark together; member '{absent[0]}' is not asked about "
            f"{benchmark} of suite '{study.suite_of(benchmark)}'"
        )

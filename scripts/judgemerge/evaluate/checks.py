"""What can be wrong with the tables that a study asks for: averages, names of judges, published protocols."""

from typing import TYPE_CHECKING

from judgemerge.core.errors import JudgemergeError, did_you_mean, require_known
from judgemerge.data.checks import check_raw_file
from judgemerge.evaluate import ablation, published

if TYPE_CHECKING:
    from judgemerge.study.study import Study


def check(study: "Study") -> None:
    """Refuse averages of what cannot be averaged, and names that nothing in the study has."""
    _check_averages(study)
    for key, names in (("judges", study.settings.display.judges), ("labels", study.settings.display.labels)):
        for judge in names:
            require_known(judge, study.judges, f"{study.where}: display.{key} names the unknown judge")
    for item_set in study.item_sets:
        if (protocol := study.published_protocol(item_set)) is not None:
            where = f"config/benchmarks.yaml: {item_set}: unknown published protocol"
            require_known(protocol, published.PROTOCOLS.names, where)
    _check_ablation(study)
    _check_replaceability(study)


def _check_replaceability(study: "Study") -> None:
    """Refuse panels without their files or with the name of a benchmark, and ε of what is not there."""
    settings = study.settings.replaceability
    where = f"{study.where}: replaceability"
    for name, panel in settings.panels.items():
        if name in study.catalogues.benchmarks:
            raise JudgemergeError(f"{where}.panels.{name} has the name of a benchmark; rename it")
        for role, value in (("people", panel.people), ("judges", panel.judges)):
            check_raw_file(study, f"{where}.panels.{name}", role, value)
    for name in settings.epsilon:
        known_names = [*study.all_benchmarks, *settings.panels]
        require_known(name, known_names, f"{where}.epsilon names the unknown benchmark or panel")


def _check_averages(study: "Study") -> None:
    for name, average in study.settings.averages.items():
        members = average.members
        for benchmark in members:
            require_known(
                benchmark, study.all_benchmarks, f"{study.where}: averages.{name} names the unknown benchmark"
            )
        if len(set(map(study.protocol, members))) > 1:
            raise JudgemergeError(
                f"{study.where}: averages.{name} mixes benchmarks of pairs and of grades; make two averages of them"
            )
        if name in study.catalogues.benchmarks:
            raise JudgemergeError(f"{study.where}: averages.{name} has the name of a benchmark; rename it")


def _check_ablation(study: "Study") -> None:
    """Refuse an ablation whose rows, columns, judges or grid do not exist."""
    entry = study.settings.ablation
    if not entry:
        return
    where = f"{study.where}: ablation"
    for column, benchmark in entry.benchmarks.items():
        if benchmark not in study.all_benchmarks:
            near = did_you_mean(benchmark, study.all_benchmarks)
            raise JudgemergeError(f"{where}.benchmarks.{column} is '{benchmark}', which stands in no suite{near}")
    for name, table in entry.tables.items():
        cells = ablation.read_published(table.published)
        row_names = {cell.row for cell in cells}
        columns = {cell.column for cell in cells} - {ablation.MEAN}
        for row, judges in table.judges().items():
            require_known(row, row_names, f"{where}.tables.{name}.rows names the row")
            for judge in judges:
                if judge not in study.judges:
                    near, key = did_you_mean(judge, study.judges), f"{where}.tables.{name}.rows.{row}"
                    raise JudgemergeError(f"{key} is '{judge}', no judge of this study{near}")
        if not columns & set(entry.benchmarks):
            raise JudgemergeError(
                f"{where}.benchmarks names no column of {table.published}: {', '.join(sorted(columns))}"
            )
    if entry.sweep and len(ablation.sweep_shares(study.settings)) < 2:
        raise JudgemergeError(f"{where}.sweep is '{entry.sweep}', no merge with a grid of alpha; add one to merges")

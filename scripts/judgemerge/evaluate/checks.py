"""What can be wrong with the tables that a study asks for: averages, names of judges, published protocols."""

from typing import TYPE_CHECKING

from judgemerge.core.errors import JudgemergeError, did_you_mean, require_known
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
        protocol, known_protocols = study.published_protocol(item_set), published.PROTOCOLS.names
        if protocol is not None and protocol not in known_protocols:
            raise JudgemergeError(
                f"config/benchmarks.yaml: {item_set}: unknown published protocol "
                f"'{protocol}'{did_you_mean(protocol, known_protocols)}"
            )
    ablation.check(study)


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

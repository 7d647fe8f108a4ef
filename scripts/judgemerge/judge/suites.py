"""What the jobs of rules/judge.smk are about: a suite of the study file, or the single responses of its pairs."""

from typing import TYPE_CHECKING

from judgemerge.judge.pointwise_to_pairwise import SUFFIX
from judgemerge.judge.recorded import deciding

if TYPE_CHECKING:
    from judgemerge.study.study import Study


class Suites:
    """The suites of a study as their judges meet them; `{suite}_singly` has each response of each pair of `suite`."""

    def __init__(self, study: "Study"):
        self.study = study

    @property
    def names(self) -> list[str]:
        """The names of all suites, those of single responses last."""
        names = list(self.study.settings["suites"])
        return [*names, *(f"{name}{SUFFIX}" for name in names)]

    def split(self, suite: str) -> str | None:
        """Return the suite whose pairs are split in this one; None for one of the study file."""
        return None if suite in self.study.settings["suites"] else suite.removesuffix(SUFFIX)

    def benchmarks(self, suite: str) -> list[str]:
        """Return the benchmarks of a suite of the study file."""
        return self.study.settings["suites"][suite]["benchmarks"]

    def pairs(self, suite: str) -> list[str]:
        """Return those of them that have pairs."""
        return [benchmark for benchmark in self.benchmarks(suite) if self.study.protocol(benchmark) == "pairwise"]

    def protocols(self, judge: str, suite: str) -> dict[str, str]:
        """Return benchmark → protocol for what a judge answers of a suite."""
        return {benchmark: self.study.protocol(benchmark) for benchmark in self.study.benchmarks_of(judge, suite)}

    def prompts(self, judge: str, suite: str) -> dict[str, str]:
        """Return protocol → prompt for what a judge is asked in a suite."""
        if self.split(suite):
            return {"pointwise": self.study.singly_prompt}
        return self.study.prompts_of(judge, suite)

    def drawing(self, suite: str) -> dict:
        """Return how replies are drawn: single responses once more for every redraw of equal grades."""
        judging = self.study.settings["judging"]
        redraws = {"runs": 1 + self.study.settings["singly"]["redraws"]} if self.split(suite) else {}
        return judging["sampling"] | redraws | {"retries": judging["retries"]}

    def grades(self, derived: str, suite: str) -> list[tuple[str, str]]:
        """Return (judge, suite) of the replies whose grades a derived judge compares."""
        return [(self.study.singly[derived], f"{suite}{SUFFIX}")]

    def recorded(self, judge: str, suite: str) -> dict[str, dict]:
        """Return what decides which verdicts come out of a recorded judge's files, by benchmark of a suite."""
        entry = self.study.catalogues.recorded[judge]
        return {
            benchmark: {"judge": deciding(entry, benchmark), "drawn": self.study.limit(benchmark) is not None}
            for benchmark in self.study.benchmarks_of(judge, suite)
        }

    def recorded_files(self, judge: str, suite: str) -> dict[tuple[str, str], str]:
        """Return (benchmark, role) → raw file of a recorded judge."""
        return {
            (benchmark, role): source
            for benchmark in self.study.benchmarks_of(judge, suite)
            for role, source in self.study.recorded_sources(judge, benchmark).items()
        }

    def recorded_roles(self, judge: str, suite: str) -> list[tuple[str, str]]:
        """Return the benchmark and the role of every file of `recorded_files`."""
        return list(self.recorded_files(judge, suite))

"""What the jobs of rules/judge.smk are about: a suite of the study file, or the single responses of its pairs."""

from functools import cached_property
from typing import TYPE_CHECKING, Any

from judgemerge.core.digests import script_digest
from judgemerge.judge.pairs_from_grades import SUFFIX
from judgemerge.settings.models import Endpoint

if TYPE_CHECKING:
    from judgemerge.study.study import Study


class Suites:
    """The suites of a study as judges meet them; `{suite}_from_grades` has each response of each pair of `suite`."""

    def __init__(self, study: "Study"):
        self.study, self.settings = study, study.settings

    @cached_property
    def names(self) -> list[str]:
        """The names of all suites, those of single responses last."""
        return [*self.settings.suites, *(f"{name}{SUFFIX}" for name in self.settings.suites)]

    def split(self, suite: str) -> str | None:
        """Return the suite whose pairs are split in this one; None for one of the study file."""
        return None if suite in self.settings.suites else suite.removesuffix(SUFFIX)

    def benchmarks(self, suite: str) -> list[str]:
        """Return the item sets that judges of a suite answer: benchmarks, then development sets."""
        return list(self.settings.suites[suite].item_sets)

    def pairs(self, suite: str) -> list[str]:
        """Return those of them that have pairs."""
        return [benchmark for benchmark in self.benchmarks(suite) if self.study.protocol(benchmark) == "pairwise"]

    def item_sets(self, judge: str, suite: str) -> list[str]:
        """Return the item sets that one judge answers of a suite; the single responses of pairs are one."""
        split = self.split(suite)
        return [f"sides/{split}"] if split else self.study.benchmarks_of(judge, suite)

    def protocols(self, judge: str, suite: str) -> dict[str, str]:
        """Return benchmark → protocol for what a judge answers of a suite."""
        return {benchmark: self.study.protocol(benchmark) for benchmark in self.study.benchmarks_of(judge, suite)}

    # ---- how judges are asked ----

    @property
    def quantized(self) -> list[str]:
        """Return the judges whose weights are quantized, their variants included."""
        return [judge for judge in self.study.asked_names if self.study.model_of(judge) in self.study.quantizations]

    @property
    def grading_prompts(self) -> dict[str, str]:
        """Protocol → prompt for what derived judges compare the grades of; empty where there are none."""
        return {"pointwise": self.study.grading_prompt} if self.study.judges_from_grades else {}

    def prompts(self, judge: str, suite: str) -> dict[str, str]:
        """Return protocol → prompt for what a judge is asked in a suite."""
        if self.split(suite):
            return {"pointwise": self.study.grading_prompt}
        return self.study.prompts_of(judge, suite)

    def reply_settings(self, judge: str, suite: str) -> dict[str, Any]:
        """Return what these prompts say of the reply, which is all that is parsed with them."""
        contents = self.study.prompt_contents(self.prompts(judge, suite))
        return {name: content["reply"] for name, content in contents.items() if "reply" in content}

    def sampling(self, suite: str) -> dict[str, Any]:
        """Return how replies are sampled: single responses once more for every resample of equal grades."""
        judging = self.settings.judging
        runs = {"runs": 1 + self.settings.pairs_from_grades.tie_resamples} if self.split(suite) else {}
        return judging.sampling.plain() | runs | {"retries": judging.retries}

    def grades(self, derived: str, suite: str) -> list[tuple[str, str]]:
        """Return (judge, suite) of the replies whose grades a derived judge compares."""
        return [(self.study.judges_from_grades[derived], f"{suite}{SUFFIX}")]

    def endpoint(self, judge: str) -> Endpoint:
        """Return what the study says of the endpoint of a judge."""
        return self.settings.models[judge].endpoint

    # ---- juries and cascades ----

    def panel(self, panel: str) -> dict[str, Any]:
        """Return what decides the verdicts of a jury or a cascade besides those of its members."""
        entry = self.study.panels[panel]
        return {"kind": entry.kind, **{key: value for key, value in entry.plain().items() if key != "baselines"}}

    def panel_development(self, panel: str, suite: str) -> dict[str, list[str]]:
        """Return benchmark of a suite → the benchmarks that a panel is fitted on for it; none: its own other half."""
        entry = self.study.panels[panel]
        return {name: self.study.development_of(entry, name) for name in self.study.benchmarks_of(panel, suite)}

    def panel_item_sets(self, panel: str, suite: str) -> list[str]:
        """Return the benchmarks of a suite that a panel judges, and those that it is fitted on."""
        fitted = self.panel_development(panel, suite)
        return list(dict.fromkeys([*fitted, *(name for names in fitted.values() for name in names)]))

    def panel_units(self, panel: str, suite: str) -> list[tuple[str, str]]:
        """Return (member, suite) of all verdicts that a panel's are assembled from."""
        suites = dict.fromkeys(map(self.study.suite_of, self.panel_item_sets(panel, suite)))
        return [(member, name) for member in self.study.panels[panel].members for name in suites]

    def panel_suites(self, panel: str, suite: str) -> dict[str, str]:
        """Return the suite of each benchmark of `panel_item_sets`."""
        return {name: self.study.suite_of(name) for name in self.panel_item_sets(panel, suite)}

    # ---- recorded judges ----

    def recorded(self, judge: str, suite: str) -> dict[str, dict]:
        """Return what decides which verdicts come out of a recorded judge's files, by benchmark of a suite."""
        entry = self.study.catalogues.recorded[judge]
        return {
            benchmark: {"judge": entry.deciding(benchmark), "drawn": self._is_some_of_a_file(benchmark)}
            for benchmark in self.study.benchmarks_of(judge, suite)
        }

    def _is_some_of_a_file(self, benchmark: str) -> bool:
        """Return whether a benchmark has only some items of its file: drawn here, or one part of a division."""
        return self.study.limit(benchmark) is not None or "part" in self.study.catalogues.benchmarks[benchmark]

    def recorded_files(self, judge: str, suite: str) -> dict[tuple[str, str], str]:
        """Return (benchmark, role) → raw file of a recorded judge."""
        return {
            (benchmark, role): source
            for benchmark in self.study.benchmarks_of(judge, suite)
            for role, source in self.study.catalogues.recorded[judge].sources(benchmark).items()
        }

    def recorded_roles(self, judge: str, suite: str) -> list[tuple[str, str]]:
        """Return the benchmark and the role of every file of `recorded_files`."""
        return list(self.recorded_files(judge, suite))

    def recorded_code(self, judge: str) -> str:
        """Return a digest of the code that reads a recorded judge: editing another format leaves it alone."""
        form = self.study.catalogues.recorded[judge].format
        return script_digest("judge/read_recorded", recorded_formats=form)

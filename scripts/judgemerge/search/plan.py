"""Which trials, item sets, prompts and models the jobs of a study's searches read, by the name of the search."""

from typing import TYPE_CHECKING

from judgemerge.prompting.prompts import content
from judgemerge.search import searching
from judgemerge.settings.searches import ExpertSearch, MergeSearch

if TYPE_CHECKING:
    from judgemerge.study.study import Study


class SearchPlan:
    """The searches of one study, as its rules ask about them; wildcards come as texts."""

    def __init__(self, study: "Study"):
        """Answer from the settings of `study`."""
        self.study = study

    def searches_for(self, kind: str) -> list[str]:
        """Return the searches for settings of an `expert`, or for parameters of a `merge`."""
        section = {"expert": ExpertSearch, "merge": MergeSearch}[kind]
        return [name for name, search in self.study.searches.items() if isinstance(search, section)]

    def settings(self, search: str) -> dict:
        """Return a search as the study has it, for the parameters of a job."""
        return self.study.searches[search].plain()

    def target_settings(self, search: str) -> dict:
        """Return the expert or merge that a search starts from."""
        target = self.study.target_of(search)
        entry = (self.study.experts.get(target) or self.study.merges[target]).plain()
        return {key: value for key, value in entry.items() if key != "checkpoints"}  # trials keep none

    # ---- trials ----

    def trials(self, search: str) -> list[tuple[str, str]]:
        """Return (search, trial) for every trial."""
        return self.trials_before_round(search, self.study.searches[search].rounds)

    def trials_as_jobs(self, search: str) -> list[tuple[str, str]]:
        """Return the trials that are a job each: trainings."""
        return self.trials(search) if self.study.searches[search].kind == "expert" else []

    def trials_in_one_job(self, search: str) -> list[str]:
        """Return the search itself if one job runs all of its trials: merges."""
        return [] if self.study.searches[search].kind == "expert" else [search]

    def trials_before_round(self, search: str, number: int | str) -> list[tuple[str, str]]:
        """Return (search, trial) for every trial of the rounds before one."""
        return [(search, str(trial)) for trial in range(int(number) * self.study.searches[search].width)]

    def trials_of_earlier_rounds(self, search: str, trial: str) -> list[tuple[str, str]]:
        """Return (search, trial) for every trial of the rounds before that of one trial."""
        return self.trials_before_round(search, searching.round_of(self.study.searches[search], int(trial)))

    def round_of_trial(self, search: str, trial: str) -> tuple[str, str]:
        """Return (search, round) of a trial."""
        return search, str(searching.round_of(self.study.searches[search], int(trial)))

    def development_sets(self, search: str) -> list[str]:
        """Return the item sets that trials are judged on."""
        return list(searching.targets(self.study.searches[search]))

    # ---- the result beside fixed recipes, on benchmarks ----

    def tested_pairs(self, search: str) -> list[tuple[str, str]]:
        """Return (judge, benchmark) for the result of a search and the fixed recipes that it is compared with.

        Fixed are merges of the same parents, or the expert that the search starts from. A benchmark that the result
        does not judge has none.
        """
        study, winner = self.study, searching.best_name(search)
        judges = [winner, *self._fixed(search)] if winner in study.judges else []
        return [
            (judge, benchmark)
            for benchmark in study.benchmarks
            if winner in judges and study.answers(winner, benchmark)
            for judge in judges
            if study.answers(judge, benchmark)
        ]

    def tested_units(self, search: str) -> list[tuple[str, str]]:
        """Return (judge, suite) for each of `tested_pairs`."""
        return self.study.in_suites(self.tested_pairs(search))

    def tested_benchmarks(self, search: str) -> list[str]:
        """Return the benchmarks of `tested_pairs`."""
        return list(dict.fromkeys(benchmark for _, benchmark in self.tested_pairs(search)))

    def held_out(self, search: str) -> dict[str, str]:
        """Return benchmark → the development set that it is another part of."""
        names = [*self.tested_benchmarks(search), *self.development_sets(search)]
        halves = {name: self._undivided(name) for name in names}
        return {
            benchmark: name
            for benchmark in self.tested_benchmarks(search)
            for name in self.development_sets(search)
            if halves[name] is not None and halves[name] == halves[benchmark] and name != benchmark
        }

    def _undivided(self, item_set: str) -> dict | None:
        """Return what divided parts of an item set have in common; None for one that is no part."""
        entry = self.study.catalogues.benchmarks[item_set]
        if not entry.get("part"):
            return None
        how = {key: entry["part"][key] for key in ("shares", "seed") if key in entry["part"]}
        return how | {key: entry[key] for key in ("loader", "protocol", "sources", "options") if key in entry}

    def _fixed(self, search: str) -> list[str]:
        study, target = self.study, self.study.target_of(search)
        if target in study.experts:
            return [target] if target in study.judges else []
        parents = set(study.merges[target].models)
        return [name for name in study.merges if name in study.judges and set(study.merges[name].models) == parents]

    def judging(self, search: str) -> dict:
        """Return how the model of a trial is asked: as the model that its search ends with."""
        categories = self.study.categories_of(self.development_sets(search))
        more = {"categories": categories} if categories else {}
        if self.study.settings.rehearsal:  # random weights write nothing that could be read, and no metric is defined
            more["value_of_nothing"] = 0.0
        return judging_of(self.study, self.study.chat(searching.best_name(search))) | more


class CheckpointPlan:
    """The judging of checkpoints of one study, as its rules ask about it, by the name of the expert."""

    def __init__(self, study: "Study"):
        """Answer from the settings of `study`."""
        self.study = study

    @property
    def experts(self) -> list[str]:
        """Return the experts whose checkpoints are kept."""
        return [name for name, entry in self.study.experts.items() if entry.checkpoints]

    def development_sets(self, expert: str) -> list[str]:
        """Return the item sets that the checkpoints of an expert are judged on."""
        return list(self.study.experts[expert].checkpoints.sets)

    def settings(self, expert: str) -> dict:
        """Return what is said of the checkpoints of an expert."""
        return self.study.experts[expert].checkpoints.plain()

    def prompts(self, expert: str) -> dict[str, str]:
        """Return protocol → prompt for them: that of the expert."""
        protocols = dict.fromkeys(map(self.study.protocol, self.development_sets(expert)))
        return {protocol: self.study.prompt(expert, protocol) for protocol in protocols}

    def judging(self, expert: str) -> dict:
        """Return how a checkpoint is asked: as the expert."""
        categories = self.study.categories_of(self.development_sets(expert))
        return judging_of(self.study, self.study.chat(expert)) | ({"categories": categories} if categories else {})


def judging_of(study: "Study", chat: dict) -> dict:
    """Return how a job that judges on the side asks a model, whose chat template is used as `chat` says."""
    judging = study.settings.judging
    keys = ["batch_tokens", "max_prompt_tokens", "dtype"] + (["reply_tokens"] if judging.reply_tokens else [])
    return {key: getattr(judging, key) for key in keys} | ({"chat": chat} if chat else {})


# ---- screening of foundation models ----


class ScreeningPlan:
    """The screening of one study, as its rules ask about it; a study without one screens nothing."""

    def __init__(self, study: "Study"):
        """Answer from the settings of `study`."""
        self.study = study
        screening = study.settings.screening
        self.settings = screening and screening.plain()
        self.bases = list(screening.bases) if screening else []
        self.training_sets = list(screening.train_on) if screening else []
        self.held_out_sets = list(screening.evaluate_on) if screening else []
        self.prompts = {"pairwise": screening.prompt} if screening else {}  # protocol → prompt of the conversations

    @property
    def prompt_content(self) -> dict[str, str]:
        """What that prompt says, by its name."""
        return {name: content(self.study.catalogues.prompts[name]) for name in self.prompts.values()}

    def judging(self, model: str) -> dict:
        """Return how a screened model is asked for its losses: in the form that it was trained in."""
        return judging_of(self.study, self.study.chat_in_training(model))

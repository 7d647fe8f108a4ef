"""One trial of a search: what is proposed, asked and written of it; and an expert trained as proposed, then judged."""

import dataclasses
import math
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from judgemerge.core import files
from judgemerge.core.catalogues import load_yaml
from judgemerge.core.items import Item, Verdict
from judgemerge.core.processes import Stopped
from judgemerge.search import searching, trials
from judgemerge.search.development import Development
from judgemerge.search.searching import Pruner, Result
from judgemerge.settings.searches import Search
from judgemerge.settings.section import typed


@dataclasses.dataclass(frozen=True)
class Trial(Development):
    """One trial that is to be run.

    `round_file` has its settings, `earlier` are the files of the trials of earlier rounds, `default` the study's own
    settings.
    """

    search: Search
    number: int
    round_file: str
    earlier: list[str]
    default: Mapping[str, Any]
    folder: Path
    result: str

    @classmethod
    def at(
        cls, search: Mapping, number: str, round_file: str, earlier: Iterable[str], development: Iterable[str],
        folder: str, result: str, **asked: Any,
    ) -> "Trial":  # fmt: skip
        """Return the trial of a job; `development` are the item files of the search's sets, in their order."""
        section = typed(search, Search)
        sets = dict(zip(searching.targets(section), development, strict=True))
        place = {"folder": Path(folder), "result": result}
        return cls(section, int(number), round_file, list(earlier), development=sets, **place, **asked)

    @cached_property
    def params(self) -> dict[str, Any]:
        """The settings that its round proposes."""
        return searching.proposal(self.round_file, self.number)

    @cached_property
    def pruner(self) -> Pruner:
        """What gives the trial up when it does worse than those of earlier rounds."""
        earlier = searching.read_results(self.earlier)
        return Pruner(self.search, searching.round_of(self.search, self.number), earlier, self.default)

    def judge(self, backend) -> dict[str, Any]:
        """Judge all items, keep the verdicts, and return {value, n, errors}."""
        metrics, limit = searching.targets(self.search), self.judging["max_prompt_tokens"]
        verdicts, _ = trials.judge(self.sets, self.templates(), backend, limit, metrics)
        return self.conclude(verdicts, self.sets)

    def conclude(self, verdicts: Mapping[str, list[Verdict]], sets: Mapping[str, list[Item]]) -> dict[str, Any]:
        """Keep the verdicts and return {value, n, errors}.

        A value that is not defined stays so, but in a rehearsal, which has to go on.
        """
        result = trials.finish(self.folder, sets, verdicts, searching.targets(self.search))
        nothing = self.judging.get("value_of_nothing", math.nan)
        if math.isnan(result["value"]):
            result["value"] = nothing
            each = result.get("values", {})
            each |= {name: nothing for name, value in each.items() if math.isnan(value)}
        return result

    def write(self, state: str, **values: Any) -> Result:
        """Write the result, and return it."""
        place = (self.number, searching.round_of(self.search, self.number), self.params, state)
        result = Result(*place, **values, reports=self.pruner.reports)
        files.write_json(self.result, result.row())
        return result


def run_training(trial: Trial, expert: Mapping, data, common: dict, start) -> None:
    """Train with the proposed settings, give up when the pruner says so, judge, and write the result.

    `data`, `common` and `start` are those of experts.train_expert. A trial that was given up keeps its last value,
    which no choice looks at.
    """
    from judgemerge.train import experts, trained_models

    search, pruner = trial.search, trial.pruner
    minimised, patience = searching.is_minimised(search), searching.patience(search)
    settings, evaluation, watch = trial.params, [], None
    if patience or search.pruning != "none":
        # A checkpoint at every evaluation holds what was measured so far.
        settings = {**settings, "eval_steps": search.pruning_every, "save_steps": search.pruning_every}
        evaluation = list(trial.development.values())
    if patience:
        settings["early_stopping_steps"] = patience
    elif search.pruning != "none":
        watch = trials.watcher(pruner, minimised)
    trial.folder.mkdir(parents=True, exist_ok=True)
    results = experts.Results(*(str(trial.folder / name) for name in ("adapter", "recipe.yaml", "curve.csv")))
    data = dataclasses.replace(data, evaluation=evaluation)
    try:
        experts.train_expert(searching.applied(expert, settings, "settings"), data, common, start, results, watch)
        state = files.read_json(Path(results.adapter, "trainer_state.json"))
        is_complete = not trials.reports(pruner, state, minimised)
    except Stopped:
        is_complete = False
    if not is_complete:
        trial.write("pruned", value=pruner.reports[-1][1] if pruner.reports else None)
        return
    chat_template = load_yaml(results.recipe)["asked_by"]
    backend = trained_models.load(start.base, results.adapter, trial.judging, start.threads, chat_template)
    values = trial.judge(backend)
    loss = trials.lowest_loss(state) if evaluation else None
    if searching.EVALUATION_LOSS in searching.targets(search).values():
        values["value"] = loss
    trial.write("complete", **values, evaluation_loss=loss)

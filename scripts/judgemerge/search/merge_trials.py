"""The trials of a search for the parameters of a merge, one after the other in one process.

The model is loaded once, and every merge takes the place of the one before (merge/in_memory.py). What the development
sets ask is rendered and tokenized once. The result of every trial is written when it is there, with a digest of all
that it depends on, so that a killed, extended or changed search repeats no trial that would be the same.
"""

import dataclasses
import json
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from judgemerge.core import files, models
from judgemerge.core.logs import tell
from judgemerge.judge.requests import no_progress
from judgemerge.merge.recipes import Merge
from judgemerge.search import searching, spreading, trials
from judgemerge.search.running import Trial
from judgemerge.search.searching import Result
from judgemerge.settings.searches import Search
from judgemerge.settings.section import typed

if TYPE_CHECKING:
    from judgemerge.judge.backends.transformers import Transformers
    from judgemerge.merge.runs import Parents


@dataclasses.dataclass(frozen=True)
class MergeTrials:
    """A search that is to be run: what its trials are merged from, and in `folder` what is known of them.

    `development` are the item files of its sets in their order, `trial_settings` what `Trial` is told besides, and
    `prompt_contents` what the prompts say, by name.
    """

    search: Search
    merge: Mapping
    parents: "Parents"
    threads: int
    folder: Path
    development: Sequence[str]
    prompt_contents: Mapping[str, str]
    trial_settings: Mapping[str, Any]

    @classmethod
    def at(cls, search: Mapping, folder: str, **more: Any) -> "MergeTrials":
        """Return the search of a job."""
        return cls(typed(search, Search), folder=Path(folder), **more)

    def run(self, progress: Callable[[int, int], None] = no_progress) -> list[Result]:
        """Return the results of all trials, in their order; those that were kept are not run again."""
        results: list[Result] = []
        n_trials = self.search.rounds * self.search.width
        scratch = self.folder / "merging"
        shutil.rmtree(scratch, ignore_errors=True)  # left by one that was killed
        candidates = Candidates(self, scratch)
        progress(0, n_trials)
        try:
            for number in range(self.search.rounds):
                earlier = list(results)
                proposals = searching.proposals(self.search, number, earlier, self.trial_settings["default"])
                files.write_json(self._round_file(number), {"round": number, "trials": proposals})
                for entry in proposals:
                    results.append(self._result(self.trial(entry["trial"]), earlier, candidates))
                    progress(len(results), n_trials)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        return results

    def _round_file(self, number: int) -> Path:
        return self.folder / f"round_{number}.json"

    def trial(self, number: int) -> Trial:
        """Return a trial by its number."""
        of_round, place = searching.round_of(self.search, number), searching.trial_folder(self.folder, number)
        earlier = range(of_round * self.search.width)
        return Trial(
            search=self.search,
            number=number,
            round_file=str(self._round_file(of_round)),
            earlier=[f"{searching.trial_folder(self.folder, other)}.json" for other in earlier],
            development=self._sets,
            folder=place,
            result=f"{place}.json",
            **self.trial_settings,
        )

    def _result(self, trial: Trial, earlier: Iterable[Result], candidates: "Candidates") -> Result:
        """Return the result of a trial: the one that was kept, where nothing that it depends on has changed."""
        merge = merged_as(self.search, self.merge, trial.params, self.parents)
        key, note = self._key(trial, merge, earlier), trial.folder / "asked.json"
        if Path(trial.result).is_file() and note.is_file() and files.read_json(note) == {"key": key}:
            (result,) = searching.read_results([trial.result])
            return result
        Path(trial.result).unlink(missing_ok=True)
        shutil.rmtree(trial.folder, ignore_errors=True)
        verdicts, is_complete = candidates.judge(merge, trial.pruner.report)
        values = trial.conclude(verdicts, candidates.sets)
        files.write_json(note, {"key": key})
        return trial.write("complete" if is_complete else "pruned", **values)

    @cached_property
    def _common(self) -> dict[str, Any]:
        """What all trials depend on."""
        return {
            "parents": dict(self.parents.digests),
            "development": [[name, files.sha256_file(path)] for name, path in self._sets.items()],
            "metrics": searching.targets(self.search),
            "prompts": [dict(self.trial_settings["prompts"]), dict(self.prompt_contents)],
            "judging": dict(self.trial_settings["judging"]),
        }

    @property
    def _sets(self) -> dict[str, str]:
        return dict(zip(searching.targets(self.search), self.development, strict=True))

    def _key(self, trial: Trial, merge: Mapping, earlier: Iterable[Result]) -> str:
        """Return a digest of all that the result of a trial follows from; of a pruned search, earlier trials too."""
        follows = {**self._common, "merge": merge, "params": trial.params}
        if self.search.pruning != "none":
            rule = [self.search.pruning, self.search.pruning_every, self.search.pruning_after]
            follows["pruning"] = [*rule, [result.row() for result in earlier]]
        return files.sha256_text(json.dumps(follows, sort_keys=True, default=str))


def merged_as(search: Search, merge: Mapping, params: Mapping[str, Any], parents: "Parents") -> dict:
    """Return the merge that settings of a search stand for; values by layers follow from the layers of its parents."""
    layers = None
    if search.layers or search.filters:
        folder = parents.models[parents.bases.get(reference := Merge.of(merge).reference, reference)]
        layers = spreading.Layers.of(models.tensor_shapes(folder), str(folder))
        spreading.check(search.layers, search.filters, layers, f"the search for '{search.merge}'")
    return spreading.applied(merge, params, search.layers, search.filters, layers)


class Candidates:
    """The merged models of a search, one in the place of the other, each asked what the development sets ask."""

    def __init__(self, of_search: MergeTrials, scratch: Path):
        """`scratch` is a folder that whoever makes this removes."""
        self._of, self._scratch = of_search, scratch
        self._model: MergedModel | None = None
        any_trial = of_search.trial(0)
        self.sets, self.judging = any_trial.sets, any_trial.judging
        self._templates = any_trial.templates()

    def judge(self, merge: Mapping, give_up: trials.GiveUp) -> tuple[dict, bool]:
        """Return the verdicts of the merge on every set, and whether all items were judged."""
        from judgemerge.merge.in_memory import Source

        search, key = self._of.search, Source.key(merge)
        if self._model is None or self._model.key != key:
            self._model = None  # gives its memory back before the next one is loaded
            shutil.rmtree(self._scratch, ignore_errors=True)
            self._model = MergedModel(key, self._of, merge, self._scratch)
        backend, model = self._model.merged(merge), self._model
        if model.steps is None:
            every = search.pruning_every if search.pruning != "none" else None
            limit = self.judging["max_prompt_tokens"]
            model.steps = trials.plan(self.sets, self._templates, backend, limit, every)
        metrics = searching.targets(search)
        return trials.judge_planned(model.steps, self.sets, self._templates, backend, metrics, give_up)


class MergedModel:
    """A loaded model that takes merge after merge, and what it is asked; or the way over a folder, if it cannot."""

    def __init__(self, key: tuple, of_search: MergeTrials, merge: Mapping, scratch: Path):
        """`key` is what all its merges have in common."""
        from judgemerge.merge.in_memory import Source

        self.key, self._of, self._scratch = key, of_search, scratch
        self.steps: list[trials.Step] | None = None
        self._source: Source | None = Source(merge, of_search.parents, of_search.threads, scratch)
        self._backend: Transformers | None = None
        self._tokenizer: TokenCache | None = None

    def merged(self, merge: Mapping) -> "Transformers":
        """Return the backend that has the weights of a merge."""
        from judgemerge.merge.in_memory import Unfit

        try:
            if self._source:
                self._backend = self._backend or self._opened(self._source.describe())
                self._source.merge_into(merge, self._backend.model)
                return self._backend
        except Unfit:
            tell("the model keeps its weights under other names than its files do, so each merge is written and loaded")
            self._source = self._backend = None
        return self._opened(self._written(merge))

    def _opened(self, folder: Path) -> "Transformers":
        from judgemerge.judge.backends.transformers import Transformers

        judging = self._of.trial_settings["judging"]
        how = (judging["dtype"], judging["batch_tokens"], self._of.threads, judging.get("chat", {}))
        backend = Transformers(folder, *how)
        self._tokenizer = self._tokenizer or TokenCache(backend.tokenizer)
        backend.tokenizer = self._tokenizer
        return backend

    def _written(self, merge: Mapping) -> Path:
        """Write a merge into a folder, in place of the one before."""
        from judgemerge.merge import runs

        place = self._scratch / "written"
        shutil.rmtree(place, ignore_errors=True)
        model, manifest, recipe = (place / name for name in ("model", "manifest.json", "recipe.yaml"))
        runs.make_model(merge, self._of.parents, self._of.threads, str(model), str(manifest), str(recipe))
        return model


class TokenCache:
    """A tokenizer that tokenizes each text once: every model of a search reads the same ones."""

    def __init__(self, tokenizer: Any):
        self._tokenizer = tokenizer
        self._ids: dict[str, list[int]] = {}

    def __getattr__(self, name: str) -> Any:
        """Return what the tokenizer has besides."""
        return getattr(self._tokenizer, name)

    def __call__(self, texts: str | list[str], add_special_tokens: bool = False) -> dict[str, list]:
        """Return the ids of a text, or of each of several."""
        all_texts = [texts] if isinstance(texts, str) else texts
        if new := [text for text in dict.fromkeys(all_texts) if text not in self._ids]:
            ids = self._tokenizer(new, add_special_tokens=add_special_tokens)["input_ids"]
            self._ids |= dict(zip(new, ids, strict=True))
        rows = [self._ids[text] for text in all_texts]
        return {"input_ids": rows[0] if isinstance(texts, str) else rows}

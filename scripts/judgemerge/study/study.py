"""A study: checked settings plus the catalogues, and the questions that rules ask about them.

Everything that can be wrong with a study is found here, before the first job. Imports nothing heavy.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from judgemerge import merge as merging
from judgemerge.compare.plan import ComparisonPlan
from judgemerge.data import rubrics, stand_ins
from judgemerge.data.sources import Source
from judgemerge.embed.plan import EmbeddingPlan
from judgemerge.judge import pairs_from_grades
from judgemerge.judge.baselines import BASELINES
from judgemerge.judge.recorded import RecordedJudge
from judgemerge.judge.variants import VariantJudge, variant_judges
from judgemerge.prompting import chat_templates, rubric_metrics
from judgemerge.prompting.prompts import Template, content, load_template, prompt_sources, shortened
from judgemerge.quantize import quantizing
from judgemerge.search import searching
from judgemerge.settings.judging import JudgeSettings
from judgemerge.settings.models import Checkpoints, Expert, Merge, Model, Package, Prompts, Quantization
from judgemerge.settings.panels import Panel
from judgemerge.settings.report import Average
from judgemerge.settings.searches import Search
from judgemerge.settings.study_file import Settings
from judgemerge.train.training import stage_sets


@dataclass(frozen=True)
class Catalogues:
    """What exists: raw files, benchmarks (as in config/), recorded judges, and prompt files by name."""

    sources: dict[str, Source]
    benchmarks: dict[str, dict]
    recorded: dict[str, RecordedJudge]
    prompts: dict[str, Path]
    rubrics: Path = rubrics.FOLDER
    metrics: Path = rubric_metrics.FOLDER
    embedding_prompts: Path = Path("config/embedding_prompts")


@dataclass(frozen=True, eq=False)
class Study:
    """A checked study; every method answers from `settings` and `catalogues` alone.

    These do not change any more, so that lists of what is in them are made once: a plan asks for them per job.
    """

    settings: Settings
    catalogues: Catalogues
    where: str

    @property
    def name(self) -> str:
        """The study's name, which is also its folder below results/."""
        return self.settings.study

    # ---- models ----

    @property
    def models(self) -> dict[str, Model]:
        """Models that are made, downloaded or found."""
        return self.settings.models

    @property
    def experts(self) -> dict[str, Expert]:
        """Models that are trained here."""
        return self.settings.experts

    @cached_property
    def lora_experts(self) -> list[str]:
        """The experts whose training makes an adapter; not those of a quantized base, which no export equals."""
        return [name for name in self.adapters if "quantization_bit" not in self.training(name)]

    def training(self, expert: str) -> dict[str, Any]:
        """Return the LLaMA-Factory keys of an expert: those that all share, then its own."""
        return {**self.settings.training, **self.experts[expert].settings}

    @property
    def merges(self) -> dict[str, Merge]:
        """Merged models."""
        return self.settings.merges

    @property
    def quantizations(self) -> dict[str, Quantization]:
        """Models as GGUF files with fewer bits per weight."""
        return self.settings.quantizations

    @cached_property
    def model_names(self) -> set[str]:
        """Every model of the study, however it comes about."""
        return {*self.models, *self.experts, *self.merges, *self.quantizations, *self.searched}

    @property
    def searches(self) -> dict[str, Search]:
        """Searches for settings of an expert or parameters of a merge."""
        return self.settings.searches

    @cached_property
    def searched(self) -> dict[str, str]:
        """The models that searches end with, each with its search."""
        return {searching.best_name(search): search for search in self.searches}

    def target_of(self, search: str) -> str:
        """Return the expert or the merge that a search starts from."""
        return self.searches[search].target

    def search_default(self, search: str) -> dict:
        """Return the study's own value of each parameter of a search."""
        target = self.target_of(search)
        entry = self.training(target) if target in self.experts else self.merges[target].plain()
        return searching.defaults(entry, searching.space(self.searches[search]))

    def development_prompts(self, search: str) -> dict[str, str]:
        """Return protocol → prompt that a search's development sets are judged with: those its result is asked with."""
        protocols = dict.fromkeys(map(self.protocol, searching.targets(self.searches[search])))
        return {protocol: self.prompt(searching.best_name(search), protocol) for protocol in protocols}

    @cached_property
    def working_sets(self) -> list[str]:
        """Item sets neither benchmarks nor learnt by experts: for development, evaluation, screening, questions."""
        screening = self.settings.screening
        names = [name for entry in self.searches.values() for name in searching.targets(entry)]
        names += [name for expert in self.experts.values() for name in expert.evaluate_on]
        names += [name for kept in self._kept_checkpoints.values() for name in kept.sets]
        names += [*screening.train_on, *screening.evaluate_on] if screening else []
        names += self.comparisons.question_sets()
        names += [name for suite in self.suites for name in self.settings.suites[suite].development_sets]
        return [name for name in dict.fromkeys(names) if name in self.catalogues.benchmarks]  # others are refused later

    @cached_property
    def _kept_checkpoints(self) -> dict[str, Checkpoints]:
        return {name: expert.checkpoints for name, expert in self.experts.items() if expert.checkpoints}

    def models_by_origin(self, origin: str) -> list[str]:
        """Return the models that are to be got by `make`, `repo`, `path`, `twin` or `endpoint`."""
        return [name for name, entry in self.models.items() if getattr(entry, origin)]

    def base_of(self, expert: str) -> str:
        """Return the model that an expert is trained from: its own base, or the study's."""
        return self.experts[expert].base or self.settings.base or ""

    @cached_property
    def adapters(self) -> dict[str, str]:
        """The experts that are LoRA adapters, each with the model it was trained on."""
        kinds = {name: self.training(name).get("finetuning_type", "lora") for name in self.experts}
        return {name: self.base_of(name) for name, kind in kinds.items() if kind == "lora"}

    def adapters_of(self, merge: str) -> list[str]:
        """Return the parents that a merge reads as LoRA adapters, not as exported models."""
        return merging.adapters_read(self.merges[merge].plain(), self.adapters)

    def models_read(self, merge: str) -> list[str]:
        """Return the models that a merge reads as such: those of `parents`, for an adapter the model it changes."""
        adapters = {name: self.adapters[name] for name in self.adapters_of(merge)}
        return list(dict.fromkeys(adapters.get(name, name) for name in self.parents(merge)))

    def example_prompts(self, merge: str) -> dict[str, str]:
        """Return protocol → prompt for the items that a merge's weights are computed from; none for a file."""
        examples = self.examples_of(merge)
        if examples not in self.catalogues.benchmarks:
            return {}
        protocol = self.protocol(examples)
        return {protocol: self.settings.judging.prompts.of_protocol(protocol)}

    def roots(self, model: str) -> list[str]:
        """Return the models of `models` that a model comes from: itself, an expert's base, what parents come from."""
        if model in self.models:
            return [model]
        return list(dict.fromkeys(root for parent in self.made_from(model) for root in self.roots(parent)))

    def made_from(self, model: str) -> list[str]:
        """Return the models that a model is made from here; none for those of `models`."""
        if model in self.merges:
            return self.parents(model)
        if model in self.experts:
            return [self.base_of(model)]
        if model in self.quantizations:
            return [self.quantizations[model].model]
        if model in self.variants:
            return [self.variants[model].model]
        return [self.target_of(self.searched[model])] if model in self.searched else []

    def allowed_differences(self, merge: str) -> list[str]:
        """Return what may differ between the models that a merge comes from: its own `allow`, and its parents'."""
        inner = [self.allowed_differences(name) for name in self.parents(merge) if name in self.merges]
        return sorted({*(self.merges[merge].allow or ()), *(key for keys in inner for key in keys)})

    def examples_of(self, merge: str) -> str | None:
        """Return the item set, or the path of a file, that a merge's weights are computed from."""
        return self.merges[merge].examples

    def categories_of(self, item_sets: Iterable[str]) -> dict:
        """Return the part of `judging.categories` that is about some item sets."""
        categories = self.settings.judging.categories
        return {name: categories[name] for name in item_sets if name in categories}

    def leak_benchmarks(self, expert: str) -> list[str]:
        """Return the benchmarks that are run whose prompts an expert must not be trained on."""
        choice = self.experts[expert].drop_overlap
        if isinstance(choice, bool):
            return self.benchmarks if choice else []
        return [benchmark for benchmark in self.benchmarks if benchmark in choice]

    def parents(self, merge: str) -> list[str]:
        """Return the models that a merge reads, each once, the base first."""
        entry = self.merges[merge]
        return list(dict.fromkeys([*filter(None, [entry.base]), *entry.models]))

    @cached_property
    def comparisons(self) -> ComparisonPlan:
        """The comparisons of models by their answers."""
        return ComparisonPlan(self)

    @cached_property
    def embedding(self) -> EmbeddingPlan | None:
        """The part on embedding models, if the study has one."""
        return EmbeddingPlan(self) if self.settings.embedding else None

    # ---- benchmarks ----

    @property
    def optional_suites_run(self) -> bool:
        """Whether raw files may be had: from a mirror, or over HTTPS because the study says so."""
        return bool(self.settings.mirror) or self.settings.downloads

    @cached_property
    def suites(self) -> dict[str, list[str]]:
        """The suites that are run, each with its benchmarks."""
        return {
            name: list(suite.benchmarks)
            for name, suite in self.settings.suites.items()
            if self.optional_suites_run or not suite.optional
        }

    @property
    def left_out_suites(self) -> list[str]:
        """The optional suites that are not run because there is neither a mirror nor a permission to download."""
        return [name for name in self.settings.suites if name not in self.suites]

    @cached_property
    def benchmarks(self) -> list[str]:
        """The benchmarks that are run, in the order of the suites."""
        return [benchmark for suite in self.suites.values() for benchmark in suite]

    @cached_property
    def all_benchmarks(self) -> list[str]:
        """The benchmarks of all suites, optional ones included."""
        return [benchmark for suite in self.settings.suites.values() for benchmark in suite.benchmarks]

    def calibration_sets(self, benchmark: str) -> list[str]:
        """Return the development sets of a benchmark's suite that have its protocol."""
        sets = self.settings.suites[self.suite_of(benchmark)].development_sets
        return [name for name in sets if self.protocol(name) == self.protocol(benchmark)]

    @cached_property
    def judged_sets(self) -> list[str]:
        """Every item set that judges answer: the benchmarks that are run, and the development sets of their suites."""
        return [
            *self.benchmarks,
            *(name for suite in self.suites for name in self.settings.suites[suite].development_sets),
        ]

    @cached_property
    def item_sets(self) -> list[str]:
        """Every item set that the study can ask for: benchmarks of all suites, training sets and sets to look for."""
        return list(dict.fromkeys([*self.all_benchmarks, *self.known_prompts, *self.working_sets]))

    @cached_property
    def training_sets(self) -> dict[str, list[str]]:
        """What models of the study are trained on: item set → who is."""
        users: dict[str, list[str]] = {}
        for name, expert in self.experts.items():
            for item_set in expert.train_on:
                users.setdefault(item_set, []).append(f"expert {name}")
        for name, entry in self.models.items():
            for item_set in dict.fromkeys(stage_sets(entry)):
                users.setdefault(item_set, []).append(f"pretraining of {name}")
        for name in self.merges:
            if self.examples_of(name) in self.catalogues.benchmarks:
                users.setdefault(self.examples_of(name), []).append(f"weights of merge {name}")
            for item_set in dict.fromkeys((self.merges[name].grams or {}).values()):
                users.setdefault(item_set, []).append(f"Gram matrices of merge {name}")
        return users

    @cached_property
    def learnt_sets(self) -> set[str]:
        """Every item set that something is trained on, screened foundation models included."""
        screening = self.settings.screening
        return {*self.training_sets, *(screening.train_on if screening else ())}

    @cached_property
    def known_prompts(self) -> dict[str, str]:
        """The item sets whose prompts are looked for in the benchmarks: item set → why."""
        also = dict.fromkeys(self.settings.overlap.also, "overlap.also")
        searches: dict[str, list[str]] = {}
        for search, entry in self.searches.items():
            for name in searching.targets(entry):
                searches.setdefault(name, []).append(search)
        is_there = self.catalogues.benchmarks.__contains__  # what is not there is refused later
        held = [name for name in self.judged_sets if name not in self.benchmarks]
        also |= dict.fromkeys(filter(is_there, held), "calibration of probabilities")
        also |= {name: f"development of search {', '.join(searches[name])}" for name in filter(is_there, searches)}
        also |= {
            name: f"choice of a checkpoint of {expert}"
            for expert, kept in self._kept_checkpoints.items()
            for name in filter(is_there, kept.sets)
        }
        return also | {item_set: ", ".join(users) for item_set, users in self.training_sets.items()}

    @cached_property
    def overlap_pairs(self) -> list[tuple[str, str]]:
        """Every (item set of `known_prompts`, benchmark that is run) that are not the same."""
        return [(name, benchmark) for name in self.known_prompts for benchmark in self.benchmarks if name != benchmark]

    @cached_property
    def overlap_sets(self) -> list[str]:
        """The item sets that `overlap_pairs` names."""
        return list(dict.fromkeys(name for pair in self.overlap_pairs for name in pair))

    @cached_property
    def _suites_by_benchmark(self) -> dict[str, str]:
        suites = self.settings.suites.items()
        return {item_set: name for name, suite in reversed(suites) for item_set in suite.item_sets}

    def suite_of(self, benchmark: str) -> str:
        """Return the suite that a benchmark or a development set stands in."""
        return self._suites_by_benchmark[benchmark]

    def in_suites(self, pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        """Return (judge, suite) for pairs of judge and benchmark, in their order: replies and verdicts lie by suite."""
        return [(judge, self.suite_of(benchmark)) for judge, benchmark in pairs]

    def limit(self, benchmark: str) -> int | None:
        """Return how many items are drawn from an item set; None means all, as for every set that is trained on.

        A rehearsal draws from every set.
        """
        is_judged, rehearsal = benchmark in self._suites_by_benchmark, self.settings.rehearsal
        limits = [self.settings.suites[self.suite_of(benchmark)].limit if is_judged else None]
        if rehearsal:
            limits += [rehearsal.training_items if benchmark in self.learnt_sets else rehearsal.items]
        return min(filter(None, limits), default=None)

    def known_items(self, item_set: str) -> int | None:
        """Return the number of items as the catalogue counts, makes or estimates them, None where it does not say."""
        spec = self.catalogues.benchmarks[item_set]
        counted = spec.get("expected", {}).get("items") or spec.get("options", {}).get("n_items") or spec.get("about")
        part = spec.get("part")
        if part is None:
            return counted
        # What is counted is the whole.
        counted = counted and math.ceil(counted * part["shares"].get(part["name"], 1))
        return min(filter(None, (counted, part.get("draw"))), default=None)

    def asked_items(self, benchmark: str) -> int | None:
        """Return how many items of a benchmark are judged, as far as the catalogue and the study say."""
        return min(filter(None, (self.known_items(benchmark), self.limit(benchmark))), default=None)

    def labelled_by_people(self, benchmark: str) -> bool:
        """Return whether its gold labels are people's, not facts or what a model said."""
        return self.catalogues.benchmarks[benchmark].get("truth_by", "people") == "people"

    def protocol(self, benchmark: str) -> str:
        """Return pairwise or pointwise."""
        return self.catalogues.benchmarks[benchmark]["protocol"]

    def rubric(self, benchmark: str) -> dict[str, str] | None:
        """Return the rubric of the items that have none of their own: the benchmark's, else the study's."""
        name, where = (
            self.catalogues.benchmarks[benchmark].get("rubric"),
            f"config/benchmarks.yaml: {benchmark}: rubric",
        )
        if not name:
            name, where = self.settings.judging.rubric, f"{self.where}: judging.rubric"
        if name is None:
            return None
        return rubrics.load_rubric(rubrics.rubric_file(name, where, self.catalogues.rubrics))

    def benchmark_sources(self, benchmark: str) -> dict[str, str]:
        """Return the raw files of a benchmark: role → key in sources.yaml, or path of a file."""
        return self.catalogues.benchmarks[benchmark].get("sources", {})

    def published_protocol(self, benchmark: str) -> str | None:
        """Return the module of evaluate/published/ that counts as the benchmark's paper does, if there is one."""
        return self.catalogues.benchmarks[benchmark].get("published")

    @cached_property
    def source_keys(self) -> list[str]:
        """Every raw file that is needed for the suites that are run, for training and for the search for overlap."""
        return [value for value in self._raw_files() if value in self.catalogues.sources]

    def only_judges(self, model: str) -> bool:
        """Return whether nothing is made from a model, and no answers are asked of it: it is a judge of suites."""
        origins = {self.settings.base, *map(self.base_of, self.experts)}
        origins |= {parent for merge in self.merges for parent in self.parents(merge)}
        origins |= {entry.model for entry in self.quantizations.values()}
        origins |= {
            *(self.settings.screening.bases if self.settings.screening else ()),
            *self.comparisons.models_and_judges(),
        }
        return model in self.settings.judges and model not in origins

    @cached_property
    def downloaded_models(self) -> list[str]:
        """The repositories of the hub and the packages that models and documents of the study come from."""
        embedding = self.embedding
        entries = [*self.models.values(), *(embedding.encoders.values() if embedding else ())]
        packages = [entry.package for entry in entries if getattr(entry, "package", None)]
        packages += [Package.of(entry) for entry in embedding.packaged_collections.values()] if embedding else []
        repos = [entry.repo for entry in entries if getattr(entry, "repo", None)]
        return list(dict.fromkeys([*repos, *(f"{package.name}=={package.version}" for package in packages)]))

    @cached_property
    def stand_ins(self) -> list[str]:
        """The raw files that a rehearsal makes up: nobody here has seen them, and they are not here either."""
        if not self.settings.rehearsal:
            return []
        sources = [self.catalogues.sources[key] for key in self.source_keys if key in stand_ins.FILES]
        return [one.key for one in sources if one.unseen and not one.is_at_hand(self.settings.mirror)]

    @cached_property
    def local_files(self) -> list[str]:
        """The raw files that are given by their path, and those of people's votes."""
        raw = [value for value in self._raw_files() if value not in self.catalogues.sources]
        labelled = self.settings.corrected.values()
        return list(dict.fromkeys([*raw, *(path for one in labelled for path in (one.votes, one.draw) if path)]))

    def _raw_files(self) -> list[str]:
        item_sets = dict.fromkeys([*self.judged_sets, *self.known_prompts, *self.working_sets])
        values = [value for name in item_sets for value in self.benchmark_sources(name).values()]
        values += [
            value
            for benchmark in self.judged_sets
            for judge in self.judges_of(benchmark)
            if self.kind(judge) == "recorded"
            for value in self.catalogues.recorded[judge].sources(benchmark).values()
        ]
        values += [value for prompt in self.prompts_used for value in self.prompt_sources(prompt)]
        values += [
            value
            for comparison in self.comparisons.comparisons
            for value in self.comparisons.metric_sources(comparison)
        ]
        values += [
            file for panel in self.settings.replaceability.panels.values() for file in (panel.people, panel.judges)
        ]
        values += self.embedding.source_keys if self.embedding else []
        values += [quantizing.CONVERTER] if self.quantizations else []
        return list(dict.fromkeys(values))

    # ---- judges ----

    @cached_property
    def judges(self) -> list[str]:
        """Every judge, in the order of the study file, then those that compare their grades, then variants."""
        return [*self.settings.judges, *self.judges_from_grades, *self.variants]

    @cached_property
    def judges_from_grades(self) -> dict[str, str]:
        """The judges that are made of another one's grades: name → that other judge."""
        return pairs_from_grades.derived_judges(self.settings)

    @cached_property
    def variants(self) -> Mapping[str, VariantJudge]:
        """The judges that are another one's model under other prompts, by name."""
        return variant_judges(self.settings)

    @cached_property
    def asked_names(self) -> set[str]:
        """Every name under which a model can be asked to judge: models, and their variants."""
        return {*self.model_names, *self.variants}

    def model_of(self, judge: str) -> str:
        """Return the model whose weights a judge answers with: another one's for a variant, else its own."""
        return self.variants[judge].model if judge in self.variants else judge

    @cached_property
    def panels(self) -> dict[str, Panel]:
        """The judges that are assembled from the verdicts of others: juries, then cascades."""
        return {**self.settings.juries, **self.settings.cascades}

    @property
    def grading_prompt(self) -> str | None:
        """The prompt that both responses of a pair are graded with, one by one."""
        return self.settings.pairs_from_grades.prompt or self.settings.judging.prompts.pointwise

    def kind(self, judge: str) -> str:
        """Return what a judge is: `model`, `derived`, `baseline`, `recorded`, `jury` or `cascade`."""
        if judge in self.asked_names:
            return "model"
        if judge in self.panels:
            return self.panels[judge].kind
        if judge in self.judges_from_grades:
            return "derived"
        return "baseline" if judge in BASELINES else "recorded"

    def judges_of(self, benchmark: str) -> list[str]:
        """Return the judges that have a verdict on a benchmark."""
        if benchmark not in self._judges_of:
            self._judges_of[benchmark] = [judge for judge in self.judges if self.answers(judge, benchmark)]
        return self._judges_of[benchmark]

    @cached_property
    def _judges_of(self) -> dict[str, list[str]]:
        """Tables ask again and again, and a grid has hundreds of judges."""
        return {}

    def answers(self, judge: str, benchmark: str) -> bool:
        """Return whether a judge has a verdict on a benchmark."""
        kind = self.kind(judge)
        if judge in self.panels:
            return self._answered_by_all(self.panels[judge], benchmark)
        if kind == "recorded":
            return benchmark in self.catalogues.recorded[judge].benchmarks
        if kind == "derived":
            suites = (
                self.settings.suites
                if self.settings.pairs_from_grades.suites is None
                else self.settings.pairs_from_grades.suites
            )
            return self.protocol(benchmark) == "pairwise" and self.suite_of(benchmark) in suites
        suites = self.variants[judge].entry.suites if judge in self.variants else None
        if suites is not None and self.suite_of(benchmark) not in suites:
            return False
        return kind == "baseline" or self.prompt(judge, self.protocol(benchmark)) is not None

    def _answered_by_all(self, panel: Panel, benchmark: str) -> bool:
        """Return whether all members judge a benchmark, none was fitted on it, and what they are fitted on is run."""
        if benchmark in panel.development or (panel.kind == "cascade" and self.protocol(benchmark) != "pairwise"):
            return False
        if panel.development and not self.development_of(panel, benchmark):
            return False
        return all(self.answers(member, benchmark) for member in panel.members)

    def development_of(self, panel: Panel, benchmark: str) -> list[str]:
        """Return the item sets of this one's protocol that a panel is fitted on; none unless all of them are run."""
        fitting = [name for name in panel.development if self.protocol(name) == self.protocol(benchmark)]
        return fitting if set(fitting) <= set(self.judged_sets) else []

    def benchmarks_of(self, judge: str, suite: str) -> list[str]:
        """Return the item sets of a suite that a judge answers: benchmarks, then development sets."""
        return [item_set for item_set in self.settings.suites[suite].item_sets if self.answers(judge, item_set)]

    def prompt(self, judge: str, protocol: str) -> str | None:
        """Return the prompt a judge is asked with, None when it has none for the protocol.

        A quantization is asked as the model it was made from, unless it has prompts of its own; a variant has its own.
        """
        if judge in self.variants:
            return getattr(self.variants[judge].entry, protocol, None)
        judging = self.settings.judging
        is_as_source = judge in self.quantizations and judge not in judging.judges
        settings = judging.for_judge(self.quantizations[judge].model if is_as_source else judge)
        return getattr(settings, protocol, None) or judging.prompts.of_protocol(protocol)

    def backend(self, judge: str) -> str:
        """Return what a judge with weights in safetensors answers with."""
        return self.settings.judging.for_judge(self.model_of(judge)).backend or self.settings.judging.backend

    def backend_of(self, model: str) -> str:
        """Return the backend that any model of the study answers with, endpoints and quantizations included."""
        model = self.model_of(model)
        if model in self.models_by_origin("endpoint"):
            return "openai"
        return "llama_cpp" if model in self.quantizations else self.backend(model)

    @property
    def chat_templates(self) -> list[str]:
        """The chat templates that models or judges are given instead of their own."""
        entries = (*self.models.values(), *self.settings.judging.judges.values())
        return list(dict.fromkeys(entry.chat_template for entry in entries if entry.chat_template))

    def model_template(self, model: str) -> str | None:
        """Return the text of the chat template that the study gives a model of `models`; None leaves it its own."""
        name = self.models[model].chat_template
        return name and chat_templates.load(name, f"{self.where}: models.{model}.chat_template")

    def chat(self, model: str) -> dict:
        """Return how a model's chat template is used: the arguments of chat_templates.Chat that the study gives.

        What is made from a model is asked as that model is, unless `judging.judges` says otherwise. Empty where nothing
        is said, so that finished jobs of such a study stay finished.
        """
        judging, model = self.settings.judging, self.model_of(model)
        quantized = self.quantizations[model].model if model in self.quantizations else ""
        return self._chat(model, [judging.for_judge(model), judging.for_judge(quantized)])

    def chat_in_training(self, base: str) -> dict:
        """Return how the chat template of a base is used in a training: `judging.judges` is about judging alone."""
        return self._chat(base, [])

    def _chat(self, model: str, of_judges: Sequence[JudgeSettings]) -> dict:
        """Return the arguments of chat_templates.Chat: settings of judges go before those of the root models."""
        roots = self.roots(model) if model in self.model_names else []
        entries = [*of_judges, *(self.models[root] for root in roots)]
        arguments: dict = {} if self.settings.date == chat_templates.DATE else {"date": self.settings.date}
        for key in ("chat_template", "template_arguments"):
            values = (getattr(entry, key) for entry in entries)
            value = next((value for value in values if value is not None), None)
            arguments |= {} if value is None else {key: value}
        name = arguments.get("chat_template")
        if name:  # what the file says, so that a change of it is noticed
            arguments["text"] = chat_templates.load(name, f"{self.where}: chat_template of {model}")
        return arguments

    @cached_property
    def panel_pairs(self) -> list[tuple[str, str]]:
        """Every (jury or cascade, benchmark) of those among the judges."""
        return [(judge, name) for name in self.benchmarks for judge in self.judges_of(name) if judge in self.panels]

    def gives_probabilities(self, judge: str, benchmark: str) -> bool:
        """Return whether a judge's verdicts on a benchmark have probabilities; what they are, its replies say."""
        kind = self.kind(judge)
        if kind == "recorded":
            return self.catalogues.recorded[judge].gives_probabilities(benchmark)
        if kind in ("model", "derived"):
            prompt = self.grading_prompt if kind == "derived" else self.prompt(judge, self.protocol(benchmark))
            return prompt is not None and self.template(prompt).mode != "generate"
        return False

    @cached_property
    def probability_pairs(self) -> list[tuple[str, str]]:
        """Every (judge, benchmark) whose verdicts have probabilities."""
        pairs = [(judge, benchmark) for benchmark in self.benchmarks for judge in self.judges_of(benchmark)]
        return [pair for pair in pairs if self.gives_probabilities(*pair)]

    def reply_format(self, judge: str, benchmark: str) -> str:
        """Return the format that a judge's replies to a benchmark are read in."""
        prompt = self.prompt(judge, self.protocol(benchmark))
        return self.template(prompt).reply.format

    def prompts_of(self, judge: str, suite: str) -> dict[str, str]:
        """Return protocol → prompt for the benchmarks of a suite that a judge answers."""
        protocols = {self.protocol(benchmark) for benchmark in self.benchmarks_of(judge, suite)}
        return {protocol: self.prompt(judge, protocol) for protocol in sorted(protocols)}

    @property
    def asked_prompts(self) -> dict[str, dict[str, str]]:
        """Judge → protocol → prompt for every judge that is asked; baselines and recorded judges are not."""
        prompts = {judge: {"pairwise": self.grading_prompt} for judge in self.judges if self.kind(judge) == "derived"}
        for judge in self.judges:
            if self.kind(judge) == "model":
                protocols = {self.protocol(name) for name in self.benchmarks if self.answers(judge, name)}
                prompts[judge] = {protocol: self.prompt(judge, protocol) for protocol in sorted(protocols)}
        return prompts

    def training_prompts(self, expert: str) -> dict[str, str]:
        """Return protocol → prompt for the item sets an expert is trained on."""
        entry = self.experts[expert]
        return self._prompts_of_sets(entry.train_on, entry.prompts)

    def stage_prompts(self, model: str) -> list[dict[str, str]]:
        """Return protocol → prompt for each pretraining stage of a made model; empty for a stage on plain text."""
        stages = self.models[model].make.stages
        return [self._prompts_of_sets(() if stage.data == "corpus" else stage.data, stage.prompts) for stage in stages]

    def _prompts_of_sets(self, item_sets: Iterable[str], prompts: Prompts | None) -> dict[str, str | None]:
        """Return protocol → prompt for item sets: the prompt given for them, else the study's."""
        usual = self.settings.judging.prompts
        return {
            protocol: (prompts and prompts.of_protocol(protocol)) or usual.of_protocol(protocol)
            for protocol in sorted(set(map(self.protocol, item_sets)))
        }

    def template(self, prompt: str) -> Template:
        """Return a prompt by its name, as the models of the study are asked with it."""
        return shortened(load_template(self.catalogues.prompts[prompt]), self.settings.judging.reply_tokens)

    def prompt_sources(self, prompt: str) -> list[str]:
        """Return the raw files that a prompt takes texts from: keys of sources.yaml, or paths of files."""
        return prompt_sources(self.catalogues.prompts[prompt])

    def prompt_contents(self, prompts: dict[str, str]) -> dict[str, Any]:
        """Return what prompts given by protocol say: another comment or description in a file starts nothing again."""
        return {name: content(self.catalogues.prompts[name]) for name in dict.fromkeys(prompts.values())}

    def own_models(self, judge: str) -> list[str]:
        """Return the names under which a benchmark may know the judge or a model that it was made from."""
        if judge in self.judges_from_grades:
            return self.own_models(self.judges_from_grades[judge])
        if judge in self.panels:
            return list(dict.fromkeys(name for one in self.panels[judge].members for name in self.own_models(one)))
        kind = self.kind(judge)
        if kind != "model":
            return self.catalogues.recorded[judge].own_models if kind == "recorded" else []
        names, entry = [judge], self.models.get(judge)
        names += [entry.repo, entry.repo.rpartition("/")[2]] if entry and entry.repo else []
        names += [entry.endpoint.model] if entry and entry.endpoint else []
        parents = self.made_from(judge)
        return list(dict.fromkeys([*names, *(name for parent in parents for name in self.own_models(parent))]))

    @cached_property
    def prompts_used(self) -> list[str]:
        """Every prompt that a model of the study is asked or trained with."""
        models = [judge for judge in self.judges if self.kind(judge) == "model"]
        groups = [self.prompts_of(judge, suite) for judge in models for suite in self.suites]
        groups += map(self.training_prompts, self.experts)
        groups += [prompts for name in self.models_by_origin("make") for prompts in self.stage_prompts(name)]
        groups += [{"pointwise": self.grading_prompt}] if self.judges_from_grades else []
        groups += map(self.comparisons.prompts, self.comparisons.comparisons)
        return sorted({name for prompts in groups for name in prompts.values() if name})

    @cached_property
    def averages(self) -> dict[str, Average]:
        """The averages whose benchmarks are all run (optional suites may not be)."""
        run = set(self.benchmarks)
        return {
            name: entry
            for name, entry in self.settings.averages.items()
            if self.judges and run.issuperset(entry.members)
        }

    @cached_property
    def labels(self) -> dict[str, str]:
        """Judge → the words by which figures and pages name it; CSV tables have its name.

        Two judges never have the same words: those of one label are told apart by their names in brackets.
        """
        recorded = self.catalogues.recorded
        words = {judge: recorded[judge].label for judge in self.judges if self.kind(judge) == "recorded"}
        words = {judge: judge for judge in self.judges} | words | self.settings.display.labels
        while len(counts := Counter(words.values())) < len(words):
            words = {judge: text if counts[text] == 1 else f"{text} ({judge})" for judge, text in words.items()}
        return words

"""What the `embedding` part of a study consists of, as rules and tables ask about it. Imports nothing heavy."""

import os
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from judgemerge.core import models
from judgemerge.embed import step_prompts
from judgemerge.settings.embedding import LocalTask, MadeTask, PackagedTask, SourceTask
from judgemerge.settings.section import Section, plain
from judgemerge.synthetic import twins

if TYPE_CHECKING:
    from judgemerge.study.study import Study

TARGET = "target"  # the task of the study's own documents
RERANKER, TUNED_RERANKER = "reranker", "reranker_tuned"
# Memory in MB and minutes of a job on encoders: a fixed part, and a part for every GB of the largest one's weights.
FIXED_MB, MB_PER_GB, SMALL_GB = 2000, 1000, 0.01
SLOWDOWN_ON_CPU = 12


class EmbeddingPlan:
    """The embedding part of one study; of names, `target` is its own documents and `base` the model that is trained."""

    def __init__(self, study: "Study"):
        """Answer from the settings of `study`, which has `embedding`."""
        self.study = study
        self.settings = study.settings.embedding
        self.evaluation = self.settings.evaluation
        self.forgetting = self.settings.forgetting

    # ---- documents and tasks ----

    @cached_property
    def other_tasks(self) -> dict[str, MadeTask | LocalTask | SourceTask | PackagedTask]:
        """The other tasks that are run: those that need raw files only where these can be had."""
        raw_files = self.study.optional_suites_run
        tasks = self.forgetting.tasks.items()
        return {name: task for name, task in tasks if raw_files or not isinstance(task, SourceTask)}

    @property
    def source_keys(self) -> list[str]:
        """The raw files that the other tasks need."""
        return [task.source for task in self.other_tasks.values() if isinstance(task, SourceTask)]

    @property
    def task_roles(self) -> dict[str, str]:
        """Task → `target` or `other`, the target first."""
        return {TARGET: "target", **dict.fromkeys(self.other_tasks, "other")}

    @property
    def synthetic_collections(self) -> dict[str, Mapping]:
        """Collection → how its documents are made on the spot."""
        recipes = {name: task.make for name, task in self.other_tasks.items() if isinstance(task, MadeTask)}
        target = {TARGET: self.settings.documents.make} if self.settings.documents.make else {}
        return {name: recipe.plain() for name, recipe in (recipes | target).items()}

    @property
    def packaged_collections(self) -> dict[str, Mapping]:
        """Collection → the package whose documentation it is."""
        origins = {name: task.package for name, task in self.other_tasks.items() if isinstance(task, PackagedTask)}
        target = {TARGET: self.settings.documents.package} if self.settings.documents.package else {}
        return {name: package.plain() for name, package in (origins | target).items()}

    @property
    def written_collections(self) -> list[str]:
        """The collections whose documents a job writes."""
        return [*self.synthetic_collections, *self.packaged_collections]

    @property
    def collections(self) -> list[str]:
        """The collections of documents, each of which is split."""
        return list(dict.fromkeys([TARGET, *self.written_collections]))

    def has_openings(self, collection: str) -> bool:
        """Return whether the first paragraphs of a collection's documents are its questions; made ones have others."""
        return self.settings.documents.openings and collection not in self.synthetic_collections

    def package(self, collection: str) -> Mapping:
        """Return the package whose documentation a collection is."""
        return self.packaged_collections[collection]

    @property
    def folder(self) -> dict[str, str]:
        """Collection → the folder of a person's documents; empty where these are made."""
        return {} if TARGET in self.written_collections else {TARGET: self.settings.documents.folder}

    @property
    def document_files(self) -> list[str]:
        """The files of that folder, if it is there."""
        folders = [folder for folder in self.folder.values() if os.path.isdir(folder)]
        return sorted(entry.path for folder in folders for entry in os.scandir(folder) if entry.is_file())

    @property
    def file_tasks(self) -> dict[str, str]:
        """The evaluation sets that were brought along: task → raw file of sources.yaml, or path of a file."""
        local = {name: task.path for name, task in self.other_tasks.items() if isinstance(task, LocalTask)}
        raw = {name: task.source for name, task in self.other_tasks.items() if isinstance(task, SourceTask)}
        tasks = {name: (local | raw)[name] for name in self.other_tasks if name in local | raw}
        return tasks | ({TARGET: self.evaluation.path} if self.evaluation.path else {})

    @property
    def task_file_keys(self) -> dict[str, dict]:
        """Task → the keys of a set that was brought along, where the study names them."""
        return {name: self.evaluation.json_keys.plain() if name == TARGET else {} for name in self.file_tasks}

    @property
    def held_out(self) -> float:
        """The share of documents that questions for evaluation are made on, 0 beside a person's own evaluation set."""
        return 0 if self.evaluation.path else self.evaluation.held_out

    def evaluated_share(self, collection: str) -> float:
        """Return the share of a collection's documents that questions for evaluation are made on; 0 means all."""
        return self.held_out if collection == TARGET else 0

    # ---- models ----

    @cached_property
    def encoders(self) -> dict[str, Section]:
        """Model → where it comes from, for all that are made or fetched: base, reranker, models of others."""
        reranker = {RERANKER: self.settings.reranker} if self.settings.reranker else {}
        return {"base": self.settings.embedder, **reranker, **self.settings.others}

    def encoders_with(self, origin: str) -> list[str]:
        """Return those that come from `make`, a `repo`, a `path`, a `package` or a `twin`."""
        return [name for name, entry in self.encoders.items() if hasattr(entry, origin)]

    def encoder(self, name: str) -> dict:
        """Return where one of them comes from."""
        return self.encoders[name].plain()

    def recipe(self, name: str) -> dict:
        """Return how a model is made on the spot."""
        return self.encoders[name].make.plain()

    def twin(self, name: str) -> dict:
        """Return what decides a twin: how it is made, and what is published about its model."""
        twin = self.encoders[name].twin
        return {**twin.plain(), "facts": twins.plain_facts(twin.of)}

    def twin_of(self, name: str) -> list[str]:
        """Return the model itself where it is the twin of a published one, whose folder is made first."""
        return [name] if name in self.encoders_with("twin") else []

    def fingerprint(self, name: str) -> str | None:
        """Return what the files of a model folder of this machine are known by; nothing for a model of the hub."""
        entry = self.encoders[name]
        return models.fingerprint(entry.path) if hasattr(entry, "path") else None

    def kind(self, name: str) -> str:
        """Return whether a model made here is the embedder or the reranker."""
        return "embedder" if name == "base" else "reranker"

    def start(self, name: str) -> list[str]:
        """Return the model that one made here starts from: a reranker from the base."""
        return ["base"] if name == RERANKER else []

    @property
    def first_reranker(self) -> list[str]:
        """The reranker that helps to select pairs, if there is one."""
        return [RERANKER] if RERANKER in self.encoders else []

    @property
    def rerankers(self) -> list[str]:
        """The rerankers that are measured: before and after their training."""
        return [RERANKER, TUNED_RERANKER] if self.settings.reranker_training else []

    def query_prompt(self, encoder: str) -> str:
        """Return the text before every question of an embedding model: its own, or the study's."""
        other = self.settings.others.get(encoder)
        return self.settings.query_prompt if other is None or other.query_prompt is None else other.query_prompt

    # ---- mixtures ----

    @cached_property
    def mixes(self) -> dict[str, float | None]:
        """Mixture → share of the tuned model; None where examples decide."""
        shares = {f"mixed_{round(100 * weight):02d}": weight for weight in self.forgetting.weights}
        return shares | ({"mixed_by_loss": None} if self.forgetting.by_loss else {})

    @property
    def by_loss(self) -> dict | None:
        """How losses decide weights, where they do."""
        return self.forgetting.by_loss and self.forgetting.by_loss.plain()

    @property
    def cocktails(self) -> dict[str, Mapping | list]:
        """Cocktail → its models with their weights, or without."""
        return {name: plain(cocktail) for name, cocktail in self.forgetting.cocktails.items()}

    def cocktail(self, name: str) -> Mapping | list:
        """Return the models of one cocktail, in the order of the study."""
        return self.cocktails[name]

    @cached_property
    def mixed_parents(self) -> dict[str, Section]:
        """Model → where it comes from, for those that are fetched and become parents of mixtures."""
        in_cocktails = {name for cocktail in self.cocktails.values() for name in cocktail}
        others = {name: entry for name, entry in self.settings.others.items() if name in in_cocktails}
        return ({"base": self.settings.embedder} if self.mixes or in_cocktails else {}) | others

    def is_mixed(self, name: str) -> bool:
        """Return whether a fetched model is a parent of mixtures."""
        return name in self.mixed_parents

    def compared_with(self, name: str) -> list[str]:
        """Return the base, which every other parent of mixtures is compared with before anything is trained."""
        return ["base"] if self.is_mixed(name) and name != "base" else []

    @property
    def other_kinds(self) -> dict[str, str]:
        """Model → its kind, for those that are no mixture of base and tuned model alone."""
        return dict.fromkeys(self.settings.others, "other") | dict.fromkeys(self.cocktails, "cocktail")

    # ---- iterations ----

    @property
    def iterations(self) -> list[str]:
        """The numbers of the iterations, from 1."""
        return [str(number) for number in range(1, self.settings.iterations.maximum + 1)]

    def earlier_iteration(self, iteration: str) -> list[str]:
        """Return the iteration before, whose decision repeats any earlier one; none before the first."""
        return [str(int(iteration) - 1)] if int(iteration) > 1 else []

    @property
    def iteration_models(self) -> list[str]:
        """The model that each iteration trains."""
        return [f"iteration_{number}" for number in self.iterations]

    @property
    def measured_encoders(self) -> list[str]:
        """Every embedding model whose retrieval is measured: base, iterations, mixtures, models of others."""
        return ["base", *self.iteration_models, *self.mixes, *self.other_kinds]

    @property
    def final_models(self) -> list[str]:
        """The embedding models and rerankers that the study ends with."""
        return [*self.encoders, "tuned", *self.mixes, *self.cocktails, *self.rerankers[1:]]

    # ---- training ----

    @property
    def trained_encoders(self) -> list[str]:
        """The models that are fine-tuned here: the embedder of each iteration, and the reranker."""
        return [*self.iteration_models, *self.rerankers[1:]]

    def trained_from(self, name: str) -> str:
        """Return the model that a training starts from: always the original one."""
        return RERANKER if name == TUNED_RERANKER else "base"

    def trained_on(self, name: str) -> list[str]:
        """Return the iterations whose pairs a training may need; the reranker takes those of the best one."""
        return self.iterations if name == TUNED_RERANKER else [name.removeprefix("iteration_")]

    def decided_before(self, name: str) -> list[str]:
        """Return the iterations whose decisions a training waits for."""
        return self.iterations if name == TUNED_RERANKER else self.earlier_iteration(name.removeprefix("iteration_"))

    def parents_before(self, name: str) -> list[str]:
        """Return the other parents of mixtures, which have to fit before the base is trained."""
        return [] if name == TUNED_RERANKER else [parent for parent in self.mixed_parents if parent != "base"]

    def training(self, name: str) -> Mapping:
        """Return how a model is fine-tuned."""
        if name == TUNED_RERANKER:
            return self.settings.reranker_training.plain()
        return {**self.settings.training.plain(), "query_prompt": self.settings.query_prompt}

    # ---- language models that write and judge ----

    @cached_property
    def wordings(self) -> dict[str, dict]:
        """Step → prompt in the words that the study chooses (config/embedding_prompts/, or a file)."""
        where = f"{self.study.where}: embedding.prompts"
        return step_prompts.load(
            step_prompts.prompts_file(self.settings.prompts, where, self.study.catalogues.embedding_prompts)
        )

    @property
    def writers(self) -> dict[str, str | None]:
        """Step → name of the model behind an endpoint that works there; None where no model is asked."""
        relevance = self.settings.selection.relevance
        return {
            "questions.model": self.settings.questions.model,
            "selection.relevance.model": relevance and relevance.model,
            "rewriting.model": self.settings.rewriting.model,
        }

    @property
    def endpoints(self) -> dict[str, dict | None]:
        """Step → the endpoint of its writer."""
        return {step: name and self.study.models[name].endpoint.plain() for step, name in self.writers.items()}

    # ---- what jobs need ----

    @property
    def gpus(self) -> int:
        """The GPUs of a job on encoders."""
        return min(1, self.study.settings.gpus)

    def memory(self, factor: float) -> int:
        """Return MB: a fixed part, and `factor` times the largest model's weights."""
        largest = max(getattr(entry, "size_gb", SMALL_GB) for entry in self.encoders.values())
        return round(FIXED_MB + MB_PER_GB * factor * largest)

    def minutes(self, amount: int) -> int:
        """Return minutes on a GPU or for models made here, and many times as many for others on the CPU."""
        small = [*self.encoders_with("make"), *self.encoders_with("twin")]
        is_slow = not self.gpus and len(small) < len(self.encoders)
        return amount * (SLOWDOWN_ON_CPU if is_slow else 1)

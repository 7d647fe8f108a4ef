"""What can be wrong with the `embedding` section of a study. Imports nothing heavy: every start of Snakemake asks."""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from judgemerge.core import models
from judgemerge.core.errors import JudgemergeError, did_you_mean, require_known
from judgemerge.embed.plan import TARGET, EmbeddingPlan
from judgemerge.embed.texts import LANGUAGES
from judgemerge.merge import preflight, sentence_modules
from judgemerge.merge.result_checks import WEIGHTS_TOLERANCE
from judgemerge.settings.embedding import Documents, Embedding, LocalTask, MadeTask, PackagedTask, SourceTask
from judgemerge.synthetic.made_documents import DOMAINS

if TYPE_CHECKING:
    from judgemerge.study.study import Study

RESERVED = ("base", "tuned", "reranker", "reranker_tuned", "target")


def check(study: "Study") -> None:
    """Refuse what no job could do: unknown writers, sources and domains, overlap as long as a chunk, odd weights."""
    if study.settings.embedding is None:
        return
    plan = EmbeddingPlan(study)
    settings = plan.settings
    where = f"{study.where}: embedding"
    _check_documents(settings.documents, f"{where}.documents")
    if settings.documents.openings and settings.questions.model is not None:
        raise JudgemergeError(
            f"{where}.questions.model is set beside documents.openings, which takes the first paragraphs of the "
            "documents as questions; remove one of them"
        )
    _ = plan.wordings  # reading it is the check
    for step, name in plan.writers.items():
        endpoints = study.models_by_origin("endpoint")
        if name is not None and name not in endpoints:
            hint = did_you_mean(name, endpoints) if endpoints else "; add models.<name>.endpoint"
            raise JudgemergeError(f"{where}.{step} names '{name}', which is no model behind an endpoint{hint}")
    if hasattr(settings.reranker, "make") and not hasattr(settings.embedder, "make"):
        raise JudgemergeError(f"{where}.reranker.make starts from a made embedder; give reranker a repo or a path")
    if settings.reranker_training and not settings.reranker:
        raise JudgemergeError(f"{where}.reranker_training has no reranker to train; add embedding.reranker")
    for key, encoder in (("embedder", settings.embedder), ("reranker", settings.reranker)):
        if hasattr(encoder, "path"):
            _check_folder(encoder.path, f"{where}.{key}.path")
    _check_others(settings, where)
    _check_parents(plan)
    for weight in settings.forgetting.weights:
        if not 0 < weight < 1 or abs(weight - round(weight, 2)) > 1e-9:
            raise JudgemergeError(
                f"{where}.forgetting.weights holds {weight}; give shares between 0 and 1 with two decimals"
            )
    for name, task in settings.forgetting.tasks.items():
        _check_task(study, name, task, f"{where}.forgetting.tasks.{name}")


def _check_folder(folder: str, where: str) -> None:
    """Refuse a model folder that jobs would stumble over: no model, or quantized."""
    if not os.path.isdir(folder):
        raise JudgemergeError(f"{where} is '{folder}', which is no folder; give the folder of a Hugging Face model")
    models.check_folder(folder)
    preflight.check_not_quantized(folder)


def _check_others(settings: Embedding, where: str) -> None:
    """Refuse names that are taken, and cocktails of models that are not there or with weights that do not sum to 1."""
    others, cocktails = settings.others, settings.forgetting.cocktails
    parents = ["base", "tuned", *others]
    for name in (*others, *cocktails):
        if name in RESERVED or name.startswith(("mixed_", "iteration_")) or (name in others and name in cocktails):
            raise JudgemergeError(f"{where}: the name '{name}' of an embedding model is taken; rename it")
    for name, entry in others.items():
        if hasattr(entry, "path"):
            _check_folder(entry.path, f"{where}.others.{name}.path")
    for name, cocktail in cocktails.items():
        place = f"{where}.forgetting.cocktails.{name}"
        for parent in cocktail:
            require_known(parent, parents, f"{place} names")
        if isinstance(cocktail, Mapping):
            if not abs(sum(cocktail.values()) - 1) <= WEIGHTS_TOLERANCE:  # also where one is no number
                raise JudgemergeError(
                    f"{place} has weights that sum to {sum(cocktail.values()):g}; a cocktail needs a sum of 1"
                )
        elif settings.forgetting.by_loss is None:
            raise JudgemergeError(f"{place} gives no weights; give them, or add forgetting.by_loss")


def _check_parents(plan: EmbeddingPlan) -> None:
    """Refuse models of this machine that no mixture can take: other tensors, tokens or pooling than the base's."""
    folders = {name: encoder.path for name, encoder in plan.mixed_parents.items() if hasattr(encoder, "path")}
    for folder in folders.values():
        sentence_modules.check_modules(folder)
    if len(folders) > 1:
        preflight.check_parents(folders)


def _check_documents(documents: Documents, where: str) -> None:
    if sum(origin is not None for origin in (documents.folder, documents.make, documents.package)) != 1:
        raise JudgemergeError(f"{where} needs either 'folder', 'make' or 'package'; give one of them")
    if documents.overlap >= documents.chunk:
        raise JudgemergeError(f"{where}.overlap is {documents.overlap}; it must be below chunk ({documents.chunk})")
    require_known(documents.language, LANGUAGES, f"{where}.language is")
    if documents.make:
        require_known(documents.make.domain, DOMAINS, f"{where}.make.domain is")


def _check_task(study: "Study", name: str, task: MadeTask | LocalTask | SourceTask | PackagedTask, where: str) -> None:
    if name == TARGET:
        raise JudgemergeError(f"{where}: '{TARGET}' is the task of the study's own documents; rename this one")
    if isinstance(task, MadeTask):
        require_known(task.make.domain, DOMAINS, f"{where}.make.domain is")
    if isinstance(task, SourceTask) and task.source not in study.catalogues.sources:
        near = did_you_mean(task.source, study.catalogues.sources)
        raise JudgemergeError(f"{where}.source is '{task.source}', no key of config/sources.yaml{near}")

"""Make model_comparisons/{comparison}/answers/{model}.jsonl: one model's answers, going on where a kill left off."""

import os
import sys
from pathlib import Path

from judgemerge.compare import answering
from judgemerge.core import files, models, provenance
from judgemerge.core.items import read_items
from judgemerge.core.logs import Progress, logged
from judgemerge.judge import backends
from judgemerge.judge.store import Store


def main(
    model: str,
    manifest: dict,
    questions: str,
    generation: dict,
    settings: dict,
    endpoint: dict | None,
    store: str,
    own: str,
    answers: str,
    record: str,
) -> int:
    """Answer what the store does not hold yet, write all answers and how they were made; return how many were new."""
    parameters = answering.parameters(generation)
    backend = load_backend(model, manifest, settings | {"max_new_tokens": parameters.max_new_tokens}, endpoint)
    limit = sys.maxsize if endpoint else settings["max_prompt_tokens"]  # an endpoint says itself what is too long
    requests = answering.plan(read_items(questions), parameters, backend, limit, generation["samples"])
    with Store.of_model(Path(store, manifest["digest"][:16]), own) as opened:
        n_new = answering.generate(requests, backend, opened, Progress("answers"))
        rows = list(answering.rows(requests, opened))
    files.write_jsonl(answers, rows)
    about = {
        "model": Path(answers).stem,
        "digest": manifest["digest"],
        "questions": {"file": Path(questions).name, "sha256": files.sha256_file(questions)},
        "generation": generation,
        "settings": backend.digest_settings,
        "threads": settings["threads"],
        "batch_tokens": settings["batch_tokens"],
        "asked_now": n_new,
        **answering.counts(rows, parameters.max_new_tokens),
        "versions": provenance.versions(),
    }
    files.write_json(record, about)
    return n_new


def load_backend(model: str, manifest: dict, settings: dict, endpoint: dict | None):
    """Return the backend of a model, or of an endpoint, whose key comes from the environment variable it names."""
    if endpoint:
        variable = endpoint.get("api_key_variable")
        return backends.load("openai", model, {**endpoint, "api_key": os.environ.get(variable) if variable else None})
    return backends.load(backends.of(manifest, settings.get("backend", backends.DEFAULT)), model, settings)


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            model=snakemake.input.model,
            manifest=models.described(snakemake.input.model, snakemake.input.manifest),
            questions=snakemake.input.questions,
            generation=dict(snakemake.params.generation),
            settings=snakemake.params.settings
            | {
                "threads": snakemake.threads,
                "batch_tokens": snakemake.resources.batch_tokens,
                "gpus": snakemake.resources.get("judge_gpus", 0),
            },
            endpoint=snakemake.params.endpoint,
            store=snakemake.params.store,
            own=f"{snakemake.wildcards.comparison}_answers",
            answers=snakemake.output.answers,
            record=snakemake.output.record,
        )

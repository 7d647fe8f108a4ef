"""Make model_comparisons/{comparison}/replies/{judge}.jsonl: what one judge writes about both models' answers."""

import sys
from pathlib import Path

from generate_answers import load_backend
from judgemerge.compare import answer_judging as comparisons
from judgemerge.core import files, models, provenance
from judgemerge.core.items import read_items
from judgemerge.core.logs import Progress, logged
from judgemerge.judge import judging
from judgemerge.judge.requests import ask
from judgemerge.judge.store import Store
from judgemerge.prompting import rubric_metrics
from judgemerge.prompting.parsing import write_replies
from judgemerge.prompting.prompts import load_template


def main(
    model: str,
    manifest: dict,
    questions: str,
    answers: dict[str, str],
    entry: dict,
    metric_files: list[str],
    prompts: str,
    sources: str,
    settings: dict,
    endpoint: dict | None,
    store: str,
    own: str,
    replies: str,
    record: str,
) -> int:
    """Judge what the store does not hold yet, write all replies and how they were made; return how many were new."""
    found = [rubric_metrics.load_metric(path, sources) for path in metric_files]
    templates = comparisons.templates(entry, found, lambda name: load_template(Path(prompts, f"{name}.yaml"), sources))
    longest = max(template.max_new_tokens for template in templates.values())
    backend = load_backend(model, manifest, settings | {"max_new_tokens": longest}, endpoint)
    items = read_items(questions)
    known = {name: comparisons.by_unit(files.read_jsonl(path)) for name, path in answers.items()}
    samples = entry["generation"]["samples"]
    limit = sys.maxsize if endpoint else settings["max_prompt_tokens"]
    how = (entry["models"], items, known, samples)
    singles = [
        (metric, comparisons.single_items(metric, *how, entry["inputs"], entry["empty_context"])) for metric in found
    ]
    requests = comparisons.plan(comparisons.pair_items(*how), singles, templates, backend, limit)
    with Store.of_model(Path(store, manifest["digest"][:16]), own) as opened:
        n_new = ask(requests, backend, opened, Progress("prompts")).n_new
        write_replies(replies, judging.replies(requests, opened))
    names = comparisons.prompt_names(entry, found)
    about = {
        "judge": Path(replies).stem,
        "digest": manifest["digest"],
        "models": entry["models"],
        "prompts": {
            kind: {"name": name, "sha256": files.sha256_file(Path(prompts, f"{name}.yaml"))}
            for kind, name in names.items()
        },
        "metrics": {Path(path).stem: files.sha256_file(path) for path in metric_files},
        "answers": {name: files.sha256_file(path) for name, path in answers.items()},
        "settings": backend.digest_settings,
        "max_prompt_tokens": None if endpoint else limit,
        "empty_context": entry["empty_context"],
        "asked_now": n_new,
        "versions": provenance.versions(),
    }
    files.write_json(record, about)
    return n_new


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            model=snakemake.input.model,
            manifest=models.described(snakemake.input.model, snakemake.input.manifest),
            questions=snakemake.input.questions,
            answers=dict(zip(snakemake.params.comparison["models"], snakemake.input.answers, strict=True)),
            entry=snakemake.params.comparison,
            metric_files=list(snakemake.input.metrics),
            prompts="config/prompts",
            sources=snakemake.params.sources,
            settings=snakemake.params.settings
            | {
                "threads": snakemake.threads,
                "batch_tokens": snakemake.resources.batch_tokens,
                "gpus": snakemake.resources.get("judge_gpus", 0),
            },
            endpoint=snakemake.params.endpoint,
            store=snakemake.params.store,
            own=f"{snakemake.wildcards.comparison}_judged",
            replies=snakemake.output.replies,
            record=snakemake.output.record,
        )

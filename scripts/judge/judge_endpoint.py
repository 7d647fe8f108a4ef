"""Make replies/{judge}/{suite}.jsonl: what a judge behind an endpoint writes about one suite."""

import os
import sys
from collections import Counter
from pathlib import Path

from judgemerge.core import files
from judgemerge.core.errors import JudgemergeError
from judgemerge.core.items import read_items
from judgemerge.core.logs import Progress, logged
from judgemerge.judge import backends, endpoints, failures, judging
from judgemerge.judge.requests import ask
from judgemerge.judge.store import Store
from judgemerge.prompting.parsing import write_replies
from judgemerge.prompting.prompts import by_protocol, with_category
from judgemerge.settings.models import Endpoint


def main(
    manifest: str,
    endpoint: Endpoint,
    items: list[str],
    prompts: list[str],
    sources: str,
    categories: dict,
    store: str,
    suite: str,
    replies: str,
    usage: str,
    reply_tokens: int | None = None,
) -> dict:
    """Ask what the store does not hold yet, then write the suite's replies; return what was asked (also in `usage`)."""
    templates = by_protocol(prompts, sources, reply_tokens)
    variable = endpoint.api_key_variable
    settings = {**endpoint.plain(), "api_key": os.environ.get(variable) if variable else None}
    backend = backends.load("openai", manifest, settings)
    suite_items = [with_category(item, categories) for path in items for item in read_items(path)]
    # No tokenizer here: the endpoint says what is too long, and no limit of ours can be held against it.
    requests = judging.plan(suite_items, templates, backend, sys.maxsize)
    with Store.of_model(Path(store, files.read_json(manifest)["digest"][:16]), suite) as opened:
        try:
            ask(requests, backend, opened, Progress("prompts"))
        finally:
            rows = list(judging.replies((one for one in requests if one.key is None or opened.knows(one.key)), opened))
            record = {**backend.usage(), **endpoints.table_row("", endpoint, suite, rows)}
            files.write_json(usage, {key: value for key, value in record.items() if key != "judge"})
    if rows and all(row.reason == "endpoint_error" for row in rows):  # too few for the backend to have given up
        raise JudgemergeError(
            f"{backend.where}: not one of {len(rows)} prompts got a reply; see the log, then run again"
        )
    write_replies(replies, rows)
    errors = Counter(row.reason for row in rows if row.reason)
    for reason, n_errors in sorted(errors.items()):
        print(f"{n_errors} of {len(rows)} prompts have no reply: {reason}", file=sys.stderr)
    return record


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        failures.attempt(
            main,
            snakemake.output,
            manifest=snakemake.input.manifest,
            endpoint=Endpoint.of(snakemake.params.endpoint),
            items=list(snakemake.input.item_sets),
            prompts=list(snakemake.input.prompts),
            sources=snakemake.params.sources,
            categories=snakemake.params.categories,
            store=snakemake.params.store,
            suite=snakemake.wildcards.suite,
            replies=snakemake.output[0],
            usage=snakemake.params.usage,
            reply_tokens=snakemake.params.get("reply_tokens"),
        )

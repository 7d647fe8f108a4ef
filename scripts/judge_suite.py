"""Make replies/{judge}/{suite}.jsonl: what one judge writes about one suite, going on where a kill left off."""

from pathlib import Path

from judgemerge import files, judging
from judgemerge.items import read_items
from judgemerge.logs import Progress, logged
from judgemerge.prompts import load_template


def main(
    model: str,
    digest: str,
    items: list[str],
    prompts: list[str],
    store: str,
    suite: str,
    replies: str,
    dtype: str,
    batch_tokens: int,
    max_prompt_tokens: int,
    threads: int,
) -> int:
    """Judge what the store does not hold yet, then write the suite's replies; return how many were asked."""
    from judgemerge.backends.transformers import Transformers

    templates = {template.protocol: template for template in map(load_template, prompts)}
    backend = Transformers(model, dtype, batch_tokens, threads)
    suite_items = [item for path in items for item in read_items(path)]
    asks, limits = judging.plan(suite_items, templates, backend, max_prompt_tokens)
    opened = judging.Store(Path(store, digest[:16]), suite)
    try:
        n_new = judging.answer(asks, limits, backend, opened, Progress("prompts"))
        files.write_jsonl(replies, judging.replies(asks, opened))
    finally:
        opened.close()
    return n_new


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            model=snakemake.input.model,
            digest=files.read_json(snakemake.input.manifest)["digest"],
            items=list(snakemake.input.item_sets),
            prompts=list(snakemake.input.prompts),
            store=snakemake.params.store,
            suite=snakemake.wildcards.suite,
            replies=snakemake.output[0],
            dtype=snakemake.params.dtype,
            batch_tokens=snakemake.resources.batch_tokens,
            max_prompt_tokens=snakemake.params.max_prompt_tokens,
            threads=snakemake.threads,
        )

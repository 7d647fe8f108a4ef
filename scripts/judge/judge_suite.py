"""Make replies/{judge}/{suite}.jsonl: what one judge writes about one suite, going on where a kill left off."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from judgemerge.core import files, models
from judgemerge.core.items import read_items
from judgemerge.core.logs import Progress, logged
from judgemerge.judge import backends, failures, interpreters, judging, sampling, speed
from judgemerge.judge.requests import Tally, ask
from judgemerge.judge.store import Store
from judgemerge.prompting.parsing import write_replies
from judgemerge.prompting.prompts import by_protocol, with_category


def main(
    model: str,
    digest: str,
    items: list[str],
    prompts: list[str],
    sources: str,
    categories: dict,
    store: str,
    suite: str,
    replies: str,
    dtype: str,
    batch_tokens: int,
    max_prompt_tokens: int,
    threads: int,
    backend: str = backends.DEFAULT,
    drawing: sampling.Sampling = sampling.GREEDY,
    timing: str | None = None,
    chat: Mapping = MappingProxyType({}),
    gpus: int = 1,
    reply_tokens: int | None = None,
) -> int:
    """Judge what the store does not hold yet, then write the suite's replies; return how many were asked."""
    templates = by_protocol(prompts, sources, reply_tokens)
    settings = {
        "dtype": dtype,
        "batch_tokens": batch_tokens,
        "threads": threads,
        "gpus": gpus,
        "max_prompt_tokens": max_prompt_tokens,
        "chat": chat,
        "max_new_tokens": max((template.max_new_tokens for template in templates.values()), default=1),
    }
    loaded = backends.load(backend, model, settings)
    suite_items = [with_category(item, categories) for path in items for item in read_items(path)]
    requests = judging.plan(suite_items, templates, loaded, max_prompt_tokens)
    with Store.of_model(Path(store, digest[:16]), suite) as opened:
        if drawing.is_on:
            rows = sampling.replies(requests, suite_items, templates, loaded, opened, drawing, Progress("prompts"))
            tally = Tally(len(requests), write_replies(replies, rows))
        else:
            tally = ask(requests, loaded, opened, Progress("prompts"))
            write_replies(replies, judging.replies(requests, opened))
        if timing is not None:
            files.write_json(timing, speed.record(requests, tally, loaded, opened, threads))
    return tally.n_new


def judge(model: str, manifest: str, backend: str, **arguments: object) -> None:
    """Judge with a model whose files are still what its manifest says."""
    described = models.described(model, manifest)
    name = backends.of(described, backend)
    interpreters.enter(name)
    main(model=model, digest=described["digest"], backend=name, **arguments)


# A process that vLLM spawns for a further GPU reads this file again, under another name.
if "snakemake" in globals() and __name__ == "__main__":
    with logged(snakemake.log[0]):
        failures.attempt(
            judge,
            snakemake.output,
            needs=[snakemake.input.manifest],
            model=snakemake.input.model,
            manifest=snakemake.input.manifest,
            backend=snakemake.params.backend,
            items=list(snakemake.input.item_sets),
            prompts=list(snakemake.input.prompts),
            sources=snakemake.params.sources,
            categories=snakemake.params.categories,
            store=snakemake.params.store,
            suite=snakemake.wildcards.suite,
            replies=snakemake.output[0],
            dtype=snakemake.params.dtype,
            batch_tokens=snakemake.resources.batch_tokens,
            max_prompt_tokens=snakemake.params.max_prompt_tokens,
            threads=snakemake.threads,
            drawing=sampling.from_settings(**snakemake.params.sampling),
            timing=snakemake.output.timing,
            chat=snakemake.params.chat,
            gpus=snakemake.resources.judge_gpus,
            reply_tokens=snakemake.params.get("reply_tokens"),
        )

"""Make embedding/ranks/{encoder}.jsonl: at which rank one embedding model finds the right text, for every task."""

from pathlib import Path

from judgemerge.core import files
from judgemerge.core.logs import logged
from judgemerge.embed import decisions, encoders, retrieval


def main(
    model: str, tasks: list[str], query_prompt: str, max_tokens: int, batch_size: int, threads: int, ranks: str
) -> None:
    """Search every task with the model; a model of an iteration that was not needed has no ranks."""
    if decisions.is_passed_over(model):
        return decisions.pass_over({}, ranks)
    import torch

    torch.set_num_threads(threads)
    opened = encoders.open_embedder(model, max_tokens)
    rows = []
    for path in tasks:
        task = retrieval.task_of(list(files.read_jsonl(path)))
        found = retrieval.search(opened, task, query_prompt, batch_size)
        name = Path(path).stem
        rows += [
            {"task": name, "id": query.id, "cluster": query.cluster, "ranks": own}
            for query, own in zip(task.queries, found, strict=True)
        ]
    files.write_jsonl(ranks, rows)


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            model=snakemake.input.model,
            tasks=list(snakemake.input.tasks),
            query_prompt=snakemake.params.query_prompt,
            max_tokens=snakemake.params.max_tokens,
            batch_size=snakemake.params.batch_size,
            threads=snakemake.threads,
            ranks=snakemake.output[0],
        )

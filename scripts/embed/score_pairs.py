"""Make embedding/iterations/{iteration}/scored.jsonl: how well each question fits its chunk, by BM25 and a reranker."""

from judgemerge.core import files
from judgemerge.core.logs import logged
from judgemerge.embed import decisions, encoders, pair_of, retrieval, selection


def main(
    pairs: str, earlier: list[str], reranker: list[str], max_tokens: int, batch_size: int, threads: int, rows: str
) -> None:
    """Write the pairs with `bm25` and, where the study has a reranker, `reranker` scores."""
    if stop := decisions.stopped_by(earlier):
        return decisions.pass_over(stop, rows)
    questions = [pair_of(row) for row in files.read_jsonl(pairs)]
    scores = {"bm25": selection.bm25_scores(questions)}
    if reranker:
        import torch

        torch.set_num_threads(threads)
        model = encoders.open_reranker(reranker[0], max_tokens)
        question_and_text = [(pair.anchor, pair.positive) for pair in questions]
        scores["reranker"] = retrieval.predicted(model, question_and_text, batch_size)
    each = ({name: float(values[place]) for name, values in scores.items()} for place in range(len(questions)))
    files.write_jsonl(rows, (pair.row() | values_of_pair for pair, values_of_pair in zip(questions, each, strict=True)))


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            pairs=snakemake.input.pairs,
            earlier=list(snakemake.input.earlier),
            reranker=list(snakemake.input.reranker),
            max_tokens=snakemake.params.max_tokens,
            batch_size=snakemake.params.batch_size,
            threads=snakemake.threads,
            rows=snakemake.output[0],
        )

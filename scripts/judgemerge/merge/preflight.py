"""Whether models can be merged, from config.json, tokenizer.json and the headers of their safetensors files alone.

mergekit finds a mismatch after minutes (or cuts embeddings with a warning); here it is one sentence before any work.
"""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from judgemerge.core import files, models
from judgemerge.core.errors import JudgemergeError
from judgemerge.merge import descriptions, mergekit, sentence_modules
from judgemerge.merge import names as tensor_names

if TYPE_CHECKING:
    from judgemerge.merge.streams import Weights

TOKENIZER = "tokenizer"  # in `allow`: that texts are divided into the same tokens in other ways
QUANTIZED = ("quantization_config",)
# A text in which tokenizers differ: capitals, accents, digits, blanks, line ends, scripts, signs.
PROBE = (
    "Which answer is Better?  The 2nd (0.75 of 1234) isn't naïve:\n\n\t- für Straße, déjà vu, Ελλάδα, 你好，世界。 🙂\n"
    " judges' verdict = [[A]]; score_rubric: 4/5 …\r\nend"
)
# Buffers that libraries write in one version and not in another, and make again when they load a model.
BUFFERS = (".position_ids", ".token_type_ids")


def check_parents(folders: Mapping[str, str | Path], allow: Collection[str] = ()) -> dict:
    """Return what was compared between the models in `folders`; refuse the first that does not fit the first model.

    Compared are config.json as a whole, chat template and special tokens (descriptions.check; `allow` names what may
    differ), names and shapes of all tensors, and token ids. Different floating-point formats are only noted: a merge
    says itself which format it computes in.
    """
    names = list(folders)
    facts = {name: _facts(folders[name]) for name in names}
    _rename(facts)
    sentence_modules.check(folders)
    first = names[0]
    descriptions.check(folders, allow)
    for name in names[1:]:
        _compare_tensors(folders[first], facts[first], folders[name], facts[name])
        _compare_tokens(folders[first], facts[first]["tokens"], folders[name], facts[name]["tokens"], allow)
    return {
        "models": names,
        "architecture": facts[first]["config"].get("architectures"),
        "tensors": len(facts[first]["headers"]),
        "tokens": len(facts[first]["tokens"] or {}) or None,
        "formats": {name: sorted({entry["dtype"] for entry in facts[name]["headers"].values()}) for name in names},
        "without_tokenizer_json": [name for name in names if facts[name]["tokens"] is None],
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
        texts = [
            path.read_bytes()
            for path in (Path(first, "tokenizer.json"), Path(other, "tokenizer.json"))
            if path.is_file()
        ]
        same = len(texts) < 2 or texts[0] == texts[1]
        facts = {folder: _facts(folder, tokens=not same) for folder in (first, other)}
        _rename(facts)
        ours, theirs = facts[first], facts[other]
        _compare_tensors(first, ours, other, theirs)
        _compare_tokens(first, ours["tokens"], other, theirs["tokens"], allow)


def check_not_quantized(folder: str | Path) -> dict:
    """Return the config of a model; refuse one whose weights are quantized."""
    path = Path(folder, "config.json")
    config = files.read_json(path)
    for key in QUANTIZED:
        if config.get(key):
            raise JudgemergeError(f"{path}: the model is quantized ({key}); give the one it was made of")
    return config


def _facts(folder: str | Path, tokens: bool = True) -> dict:
    folder = Path(folder)
    models.check_folder(folder)
    config = check_not_quantized(folder)
    headers = {}
    for path in models.weight_files(folder):
        for name, entry in models.header(path).items():
            headers[name] = {**entry, "path": path}
    return {"config": config, "headers": headers, "tokens": _tokens(folder / "tokenizer.json") if tokens else None}


def _rename(facts: Mapping[str, dict]) -> None:
    """Give the tensors of all models the names that they share; heads that a bare encoder lacks are left out."""
    found = tensor_names.agreed({name: (fact["config"], fact["headers"]) for name, fact in facts.items()})
    for name, fact in facts.items():
        renamed = ((found[name][stored], entry) for stored, entry in fact["headers"].items())
        fact["headers"] = {new: entry for new, entry in renamed if new is not None}


def _tokens(path: Path) -> dict[str, int] | None:
    """Return token → id of a tokenizer.json, None without such a file."""
    if not path.is_file():
        return None
    content = files.read_json(path)
    vocabulary = content.get("model", {}).get("vocab", {})
    if isinstance(vocabulary, list):  # unigram models list [token, score]
        vocabulary = {token: number for number, (token, _) in enumerate(vocabulary)}
    return vocabulary | {entry["content"]: entry["id"] for entry in content.get("added_tokens", [])}


def _compare_tensors(one: str | Path, ours: dict, two: str | Path, theirs: dict) -> None:
    for name in sorted(ours["headers"].keys() ^ theirs["headers"].keys()):
        here, lacking = (ours, two) if name in ours["headers"] else (theirs, one)
        entry = here["headers"][name]
        if _is_buffer(name, entry["dtype"]) or _may_be_tied(name, entry, here["headers"], here["config"]):
            continue
        if tensor_names.may_be_invented(name, here["config"]):
            continue
        raise JudgemergeError(
            f"{entry['path']}: tensor '{name}' {entry['shape']} is missing in {lacking}; only models with the same "
            "tensors can be merged"
        )
    for name, entry in ours["headers"].items():
        other = theirs["headers"].get(name)
        if other is not None and other["shape"] != entry["shape"]:
            raise JudgemergeError(
                f"{other['path']}: tensor '{name}' has shape {other['shape']}, but {entry['shape']} in {entry['path']}"
                "; use models with the same sizes and vocabulary"
            )
        if other is not None and ("F" in other["dtype"]) != ("F" in entry["dtype"]):
            raise JudgemergeError(
                f"{other['path']}: tensor '{name}' has format {other['dtype']}, but {entry['dtype']} in "
                f"{entry['path']}; use weights in floating-point numbers"
            )


def _is_buffer(name: str, form: str) -> bool:
    return "F" not in form and f".{name}".endswith(BUFFERS)


def _may_be_tied(name: str, entry: dict, headers: dict, config: dict) -> bool:
    """Return whether a tensor may be the stored copy of a tied one: tied embeddings, and another of the same shape."""
    tied = config.get("tie_word_embeddings", True)
    return tied and any(other != name and headers[other]["shape"] == entry["shape"] for other in headers)


def _compare_tokens(
    one: str | Path, ours: dict | None, two: str | Path, theirs: dict | None, allow: Collection[str]
) -> None:
    if ours is None and theirs is None:
        _compare_vocabularies(one, two)
    if ours is None or theirs is None:
        return
    if ours == theirs:
        if TOKENIZER not in allow:
            _compare_division(one, two)
        return
    moved = [token for token in ours if theirs.get(token) != ours[token]]
    extra = [token for token in theirs if token not in ours]
    token = (moved or extra)[0]
    raise JudgemergeError(
        f"{Path(two, 'tokenizer.json')}: {len(theirs)} tokens, but {len(ours)} in {Path(one, 'tokenizer.json')}; first "
        f"difference: {token!r} is {theirs.get(token, 'missing')} there and {ours.get(token, 'missing')} here; use "
        "models with one tokenizer"
    )


def _compare_division(one: str | Path, two: str | Path) -> None:
    """Refuse tokenizers with the same tokens that divide a text otherwise: other merges, capitals, blanks, digits."""
    from tokenizers import Tokenizer

    paths = [Path(folder, "tokenizer.json") for folder in (one, two)]
    texts = [path.read_text(encoding="utf-8") for path in paths]
    if texts[0] == texts[1]:
        return
    found = []
    for path, text in zip(paths, texts, strict=True):
        try:
            tokenizer = Tokenizer.from_str(text)
        except Exception as error:  # the library raises nothing more exact
            raise JudgemergeError(f"{path}: is no tokenizer ({error}); download the model again") from None
        tokenizer.no_padding()
        tokenizer.no_truncation()
        found.append(tokenizer.encode(PROBE, add_special_tokens=False).tokens)
    if found[0] != found[1]:
        place = next((n for n, (a, b) in enumerate(zip(*found, strict=False)) if a != b), min(map(len, found)))
        ours, theirs = (tokens[place : place + 4] for tokens in found)
        raise JudgemergeError(
            f"{paths[1]}: has the tokens of {paths[0]}, but divides a text otherwise (into {theirs} there, {ours} "
            f"here); use models with one tokenizer, or put {TOKENIZER} into the merge's `allow`"
        )


def _compare_vocabularies(one: str | Path, two: str | Path) -> None:
    """Refuse tokenizers without tokenizer.json that are built from other files (tokenizer.model, vocab.txt …)."""
    for path in models.description_files(one, models.VOCABULARIES):
        other = Path(two, path.name)
        if other.is_file() and other.read_bytes() != path.read_bytes():
            raise JudgemergeError(f"{other}: differs from {path}; use models with one tokenizer")


def shared_tensors(weights: Mapping[str, "Weights"], donor: str) -> tuple[list[str], list[str]]:
    """Return the tensors that a merge writes, in the donor's order, and those it leaves out.

    Left out are buffers that not all models store, stored copies of tied weights that not all models store, and what
    `names` says of encoders: heads and poolers. Any other difference in names is an error that names the tensor and
    both folders.
    """
    heads = tensor_names.rename_all(weights)
    configs = {name: files.read_json(model.folder / "config.json") for name, model in weights.items()}
    ours = weights[donor]
    everywhere = [name for name in ours.entries if all(name in other.entries for other in weights.values())]
    left_out = heads
    for label, model in weights.items():
        for name, entry in model.entries.items():
            if name in everywhere or name in left_out:
                continue
            lacking = next(other for other in weights.values() if name not in other.entries)
            same_shape = [other for other in everywhere if model.entries[other].shape == entry.shape]
            known = _is_buffer(name, entry.format) or tensor_names.may_be_invented(name, configs[label])
            if not known and not any(model.same(name, other) for other in same_shape):
                raise JudgemergeError(
                    f"{entry.path}: tensor '{name}' {list(entry.shape)} is missing in {lacking.folder}; only models "
                    "with the same tensors can be merged"
                )
            left_out.append(name)
    for name in everywhere:
        for model in weights.values():
            if model.entries[name].shape != ours.entries[name].shape:
                raise JudgemergeError(
                    f"{model.entries[name].path}: tensor '{name}' has shape {list(model.entries[name].shape)}, but "
                    f"{list(ours.entries[name].shape)} in {ours.entries[name].path}; use models with the same sizes"
                )
    return everywhere, left_out

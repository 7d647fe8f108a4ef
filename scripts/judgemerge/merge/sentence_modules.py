"""The files that make a folder an embedding model of sentence-transformers: how its tokens become one vector.

A merge reaches the encoder's weights alone, so modules with weights of their own are refused, and so are parents that
pool differently: their vectors are made of different tokens.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path

from judgemerge.core import files
from judgemerge.core.errors import JudgemergeError
from judgemerge.merge import names

MODULES = "modules.json"
FILES = (MODULES, "sentence_bert_config.json", "config_sentence_transformers.json")
# As older versions of sentence-transformers write them; newer ones read both.
_FLAG = "pooling_mode_"
_FLAG_NAMES = {"cls_token": "cls", "max_tokens": "max", "mean_tokens": "mean"}
_WIDTHS = ("hidden_size", "dim", "d_model")  # DistilBERT has `dim`
_FIRST_TOKEN = (("0", "", "Transformer"), ("1", "1_Pooling", "Pooling"), ("2", "2_Normalize", "Normalize"))


def check(folders: Mapping[str, str | Path]) -> None:
    """Refuse embedding models that cannot be merged: modules with weights, or different ways of pooling."""
    pooled = {}
    for folder in folders.values():
        check_modules(folder)
        if modes := pooling(folder):
            pooled[str(folder)] = modes
    first = next(iter(pooled), None)
    for folder, modes in pooled.items():
        if modes != pooled[first]:
            raise JudgemergeError(
                f"{folder}: its vectors come from pooling by {'+'.join(modes)}, but those of {first} by "
                f"{'+'.join(pooled[first])}; merge embedding models that pool alike"
            )


def check_modules(folder: str | Path) -> None:
    """Refuse a model whose sentence-transformers modules have weights, which no merge of the encoder reaches."""
    for module in sorted(Path(folder).glob("[0-9]_*")):
        if [*module.glob("*.safetensors"), *module.glob("pytorch_model.bin")]:
            raise JudgemergeError(
                f"{module}: this module has weights, which a merge does not reach; merge the models without it"
            )


def pooling(folder: str | Path) -> tuple[str, ...] | None:
    """Return how a sentence-transformers model pools (cls, mean, ...), sorted; None for a folder without its files."""
    path = Path(folder, MODULES)
    if not path.is_file():
        return None
    paths = [module["path"] for module in files.read_json(path) if module["type"].endswith("Pooling")]
    config = Path(folder, paths[0], "config.json") if paths else None
    if config is None or not config.is_file():
        return None
    settings = files.read_json(config)
    modes = settings.get("pooling_mode")
    if modes is None:
        modes = [key.removeprefix(_FLAG) for key, value in settings.items() if key.startswith(_FLAG) and value is True]
    modes = [modes] if isinstance(modes, str) else modes
    return tuple(sorted(_FLAG_NAMES.get(mode, mode) for mode in modes)) or None


def complete(output: str | Path, parents: Mapping[str, str | Path], first_token: bool) -> None:
    """Make a merged encoder an embedding model as its parents are: with the files of the first parent that has them.

    Where no parent has any and `first_token` says so, the first token's state, normalised, is the vector, as
    LM-Cocktail saves every encoder that it mixes.
    """
    output = Path(output)
    if (output / MODULES).is_file() or not names.is_encoder(files.read_json(output / "config.json")):
        return
    donor = next((Path(folder) for folder in parents.values() if Path(folder, MODULES).is_file()), None)
    if donor is not None:
        for name in FILES:
            if (donor / name).is_file():
                shutil.copyfile(donor / name, output / name)
        for module in sorted(donor.glob("[0-9]_*")):
            shutil.copytree(module, output / module.name, dirs_exist_ok=True)
    elif first_token:
        _write_first_token(output)


def _write_first_token(output: Path) -> None:
    config = files.read_json(output / "config.json")
    width = next(config[key] for key in _WIDTHS if key in config)
    for _, module, _ in _FIRST_TOKEN:
        (output / module).mkdir(exist_ok=True)
    files.write_json(
        output / MODULES,
        [
            {"idx": int(number), "name": number, "path": path, "type": f"sentence_transformers.models.{kind}"}
            for number, path, kind in _FIRST_TOKEN
        ],
    )
    files.write_json(
        output / "1_Pooling" / "config.json",
        {"word_embedding_dimension": width, "pooling_mode_cls_token": True,
         "pooling_mode_mean_tokens": False, "pooling_mode_max_tokens": False,
         "pooling_mode_mean_sqrt_len_tokens": False},
    )  # fmt: skip

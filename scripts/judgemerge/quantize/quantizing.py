"""GGUF files of models with fewer bits per weight: types, what they ask of a model, and what became of it.

llama.cpp quantizes in blocks along the rows of a matrix. A row that is no multiple of the block gets another type
without an error (measured: hidden size 192 leaves 15 of 21 tensors of a Q4_K_M file in Q5_0), so sizes are checked
before and tensor types are counted after. Imports nothing heavy.
"""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from judgemerge.core import files
from judgemerge.core.errors import JudgemergeError, did_you_mean
from judgemerge.settings.models import EndpointModel

# Key in config/sources.yaml: the source package of llama-cpp-python, which holds llama.cpp's converter.
CONVERTER = "llama_cpp"
# What llama.cpp itself takes these short names for.
ALIASES = {"Q3_K": "Q3_K_M", "Q4_K": "Q4_K_M", "Q5_K": "Q5_K_M"}
K_BLOCK, BLOCK = 256, 32
BLOCKS = {
    **dict.fromkeys(("Q2_K", "Q3_K_S", "Q3_K_M", "Q3_K_L", "Q4_K_S", "Q4_K_M", "Q5_K_S", "Q5_K_M", "Q6_K"), K_BLOCK),
    "IQ4_XS": K_BLOCK,
    **dict.fromkeys(("Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0"), BLOCK),
    "F16": 1,
}
# Bits per weight of a whole file, from Llamas with rows that fit, for estimates before the file is there.
BITS = {
    "Q2_K": 3.7, "Q3_K_S": 4.1, "Q3_K_M": 4.5, "Q3_K_L": 4.7, "IQ4_XS": 4.8, "Q4_0": 5.0, "Q4_1": 5.4, "Q4_K_S": 5.0,
    "Q4_K_M": 5.1, "Q5_0": 5.8, "Q5_1": 6.2, "Q5_K_S": 5.8, "Q5_K_M": 5.9, "Q6_K": 6.6, "Q8_0": 8.6, "F16": 16.1,
}  # fmt: skip


def type_of(name: str) -> str:
    """Return the type that a name in a study means: `Q4_K` is Q4_K_M, as in llama.cpp."""
    return ALIASES.get(name, name)


def check(study) -> None:
    """Refuse a quantization of an unknown model, of another quantization, or of a model without weights here.

    Where the shape of the model is known already, rows that do not fit the type are refused here, too.
    """
    for name, entry in study.quantizations.items():
        model, where = entry.model, f"{study.where}: quantizations.{name}"
        if model in study.quantizations:
            raise JudgemergeError(
                f"{where}.model is '{model}', itself a quantization; name the model that it is made from"
            )
        names = study.model_names - set(study.quantizations)
        if model not in names:
            raise JudgemergeError(f"{where}.model is the unknown model '{model}'{did_you_mean(model, names)}")
        if isinstance(study.models.get(model), EndpointModel):
            raise JudgemergeError(
                f"{where}.model is '{model}', an endpoint without weights to quantize; name another model"
            )
        config = known_config(study, model)
        if config is not None:
            check_rows(config, type_of(entry.type), where)


def known_config(study, model: str) -> dict | None:
    """Return the config.json of a model that lies in a folder, also through what is made from it; else None."""
    while model in study.experts or model in study.merges:
        model = study.parents(model)[0] if model in study.merges else study.experts[model].base or study.settings.base
    path = Path(getattr(study.models.get(model), "path", ""), "config.json")
    return files.read_json(path) if path.is_file() else None


def row_sizes(config: Mapping) -> dict[str, int]:
    """Return the row sizes of a transformer's matrices by the setting that they follow from."""
    config = config.get("text_config", config)
    sizes = {name: config[name] for name in ("hidden_size", "intermediate_size") if config.get(name)}
    heads, width = config.get("num_attention_heads"), config.get("head_dim")
    if heads and width:
        sizes["num_attention_heads × head_dim"] = heads * width
    return sizes


def check_rows(config: Mapping, kind: str, where: str) -> list[str]:
    """Return a warning per row size that is no multiple of the type's block.

    Raises JudgemergeError when it is the hidden size: then most matrices would be of another type than asked for.
    """
    block = BLOCKS[kind]
    wrong = {name: size for name, size in row_sizes(config).items() if size % block}
    if hidden := wrong.get("hidden_size"):
        fitting = [name for name, other in BLOCKS.items() if hidden % other == 0 and other < block]
        raise JudgemergeError(
            f"{where}: {kind} packs rows in blocks of {block}, but hidden_size is {hidden}, so most "
            f"matrices would silently get another type; take one of: {', '.join(fitting)}"
        )
    return [
        f"{where}: {name} is {size}, no multiple of {block}: llama.cpp gives these matrices another type than {kind}"
        for name, size in wrong.items()
    ]


def usual_types(kind: str) -> set[str]:
    """Return the tensor types that llama.cpp chooses for matrices in a file of this type, fallbacks not included.

    Types named after K mix several (attention and output get more bits); the older ones give the output matrix Q6_K.
    """
    if kind == "F16":
        return {"F16"}
    if kind == "Q8_0":
        return {"Q8_0"}
    mixed = {"Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K"}
    return mixed | {"IQ4_XS"} if BLOCKS[kind] == K_BLOCK else {kind, "Q6_K"}


class Contents(NamedTuple):
    """What a GGUF file holds, as its manifest says.

    `tensor_types` counts tensors by type; `fallbacks` those matrices whose rows did not fit. Vectors stay F32.
    """

    parameters: int
    bits_per_weight: float
    tensor_types: dict[str, int]
    fallbacks: dict[str, int]
    file_bytes: int


class Unit(NamedTuple):
    """What is compared on one benchmark, and the suite whose job judged it."""

    benchmark: str
    suite: str
    judges: list[str]


class Quantized(NamedTuple):
    """A quantization as its manifest describes it: the model that it is made from, its type, and its contents."""

    model: str
    type: str
    contents: Contents

    @classmethod
    def of(cls, manifest: Mapping) -> "Quantized | None":
        """Return what a manifest says; None for a model that is not quantized."""
        record = manifest.get("quantization")
        return record and cls(record["model"], record["type"], Contents(*(record[name] for name in Contents._fields)))

    def plain(self) -> dict:
        """Return what the manifest says."""
        return {"model": self.model, "type": self.type, **self.contents._asdict()}


def inspect(path: str | Path, kind: str) -> Contents:
    """Return what a GGUF file holds."""
    from gguf import GGUFReader

    tensors = GGUFReader(path).tensors
    matrices = [tensor for tensor in tensors if sum(length > 1 for length in tensor.shape) > 1]
    n_weights = sum(int(tensor.n_elements) for tensor in tensors)
    others = Counter(tensor.tensor_type.name for tensor in matrices)
    return Contents(
        parameters=n_weights,
        bits_per_weight=round(8 * sum(int(tensor.n_bytes) for tensor in tensors) / n_weights, 4),
        tensor_types=dict(sorted(Counter(tensor.tensor_type.name for tensor in tensors).items())),
        fallbacks={name: count for name, count in sorted(others.items()) if name not in usual_types(kind)},
        file_bytes=Path(path).stat().st_size,
    )


def load_llama_cpp():
    """Return llama.cpp as a module."""
    try:
        import llama_cpp
    except ModuleNotFoundError:
        raise JudgemergeError(
            "llama-cpp-python is not installed here; run `make venv-quantize`, or start Snakemake with --sdm conda"
        ) from None
    return llama_cpp


def quantize(source: str | Path, destination: str | Path, kind: str, threads: int) -> None:
    """Write the F16 GGUF file `source` as a file of another type, with llama.cpp as a library."""
    import ctypes

    llama_cpp = load_llama_cpp()
    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.ftype = getattr(llama_cpp, f"LLAMA_FTYPE_MOSTLY_{kind}")
    parameters.nthread = threads
    llama_cpp.llama_backend_init()
    failed = llama_cpp.llama_model_quantize(str(source).encode(), str(destination).encode(), ctypes.byref(parameters))
    if failed:
        raise JudgemergeError(f"{source}: llama.cpp could not quantize it to {kind} (code {failed}); its log says why")

"""What the linear layers of a model read, as Gram matrices XᵀX / n over the tokens of examples (RegMean).

Layers are gone through in groups whose matrices fit in memory together, all examples for each group; a group is one
safetensors file, so that a merge reads one matrix at a time.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from judgemerge.core import imports
from judgemerge.core.errors import JudgemergeError
from judgemerge.core.items import random_part

if TYPE_CHECKING:
    import torch

BUDGET = 8_000_000_000  # bytes of matrices in memory at a time
WIDTH = 4  # bytes of a value
MAX_LENGTH = 2048


class Grams:
    """The matrices of one model, read when asked for by the name of the weight that reads the inputs."""

    def __init__(self, folder: str | Path):
        """Read the headers of the files in `folder`."""
        from safetensors import safe_open

        self._paths: dict[str, Path] = {}
        for path in sorted(Path(folder).glob("*.safetensors")):
            with safe_open(path, framework="pt") as file:
                self._paths |= dict.fromkeys(file.keys(), path)
        if not self._paths:
            raise JudgemergeError(f"{folder}: there are no Gram matrices in it; make them again")

    def get(self, name: str) -> "torch.Tensor | None":
        """Return the matrix of a weight; None for one that is no linear layer's."""
        from safetensors import safe_open

        if name not in self._paths:
            return None
        with safe_open(self._paths[name], framework="pt") as file:
            return file.get_tensor(name)


def write(
    model: str | Path, examples: Sequence[dict], output: str | Path, parameters: Mapping, seed: int, threads: int = 1
) -> dict:
    """Write the matrices of a model on examples (`losses.decoder_ids`) and return how many examples and tokens."""
    imports.transformers()
    import torch
    import transformers

    torch.set_num_threads(threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    tokenizer = transformers.AutoTokenizer.from_pretrained(model, trust_remote_code=False)
    how = {"trust_remote_code": False, "use_safetensors": True, "dtype": torch.float32}
    network = transformers.AutoModelForCausalLM.from_pretrained(model, **how).to(device).eval()
    sample = random_part(examples, parameters.get("n_examples"), seed)
    rows = _rows(tokenizer, sample, parameters.get("max_length", MAX_LENGTH))
    Path(output).mkdir(parents=True, exist_ok=True)
    for number, names in enumerate(_groups(network)):
        _write_group(network, names, rows, Path(output, f"grams-{number:05d}.safetensors"))
    return {"n_examples": len(sample), "n_given": len(examples), "n_tokens": sum(map(len, rows))}


def _rows(tokenizer, examples: Sequence[dict], max_length: int) -> list[list[int]]:
    """Return the tokens of every example, answered as in training."""
    from judgemerge.merge.losses import decoder_ids

    return [decoder_ids(tokenizer, example, number, max_length)[0] for number, example in enumerate(examples, 1)]


def _groups(model: "torch.nn.Module") -> Iterator[list[str]]:
    """Yield the names of linear layers in groups whose matrices fit in memory."""
    import torch

    group, n_bytes = [], 0
    for name, module in model.named_modules():
        if not isinstance(module, torch.nn.Linear):
            continue
        size = WIDTH * module.in_features**2
        if group and n_bytes + size > BUDGET:
            yield group
            group, n_bytes = [], 0
        group.append(name)
        n_bytes += size
    if group:
        yield group


def _write_group(model: "torch.nn.Module", names: Sequence[str], rows: Sequence[Sequence[int]], path: Path) -> None:
    """Write the matrices of some layers: the sum over all tokens of the products of what they read, divided once."""
    import torch
    from safetensors.torch import save_file

    modules, sums = dict(model.named_modules()), {}

    def adds_to(name: str):
        def add(module: torch.nn.Module, inputs: tuple) -> None:
            read = inputs[0].reshape(-1, module.in_features).float()
            sums[name] = read.T @ read + sums[name] if name in sums else read.T @ read

        return add

    hooks = [modules[name].register_forward_pre_hook(adds_to(name)) for name in names]
    try:
        with torch.inference_mode():
            for ids in rows:  # one by one: nothing is padded
                model(input_ids=torch.tensor([ids], device=model.device))
    finally:
        for hook in hooks:
            hook.remove()
    n_tokens = sum(map(len, rows))
    save_file({f"{name}.weight": (sums[name] / n_tokens).cpu().contiguous() for name in names if name in sums}, path)

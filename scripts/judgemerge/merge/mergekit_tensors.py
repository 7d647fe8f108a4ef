"""mergekit's merges within this process: the tensors that mergekit-yaml would write, handed over one by one.

Planned as mergekit plans a merge to disk, so that random methods draw the same numbers in the same order; only what
writes the files is another.
"""

from collections.abc import Mapping
from pathlib import Path

import torch
import transformers
from mergekit.architecture import get_architecture_info
from mergekit.config import MergeConfiguration
from mergekit.graph import Executor
from mergekit.io.tasks import LoaderCache, SaveTensor, TensorWriterTask
from mergekit.merge import _model_out_config
from mergekit.options import MergeOptions
from mergekit.plan import MergePlanner

from judgemerge.merge.engine import Taker


def hand_over(recipe: Mapping, seed: int, threads: int, folder: Path, taker: Taker) -> None:
    """Compute the merge of a recipe of mergekit and give its tensors to `taker`, in mergekit's order.

    Adapters are folded into their bases in `folder`, once for all merges of this process.
    """

    class Handing(TensorWriterTask):
        """What mergekit takes for the writer of the files."""

        def execute(self, **_inputs) -> "_Writer":
            return _Writer(taker)

    torch.set_num_threads(threads)
    options = MergeOptions(
        random_seed=seed, num_threads=threads, lora_merge_cache=str(folder), trust_remote_code=False, quiet=True
    )
    transformers.set_seed(seed)
    merge = MergeConfiguration.model_validate(recipe)
    architecture = get_architecture_info(merge, options)
    loaders = LoaderCache()
    loaders.setup(options=options)
    config = _model_out_config(merge, architecture, trust_remote_code=False)
    for model in merge.referenced_models():
        loaders.get(model)
    planner = MergePlanner(merge, architecture, options=options, out_model_config=config)
    writer = Handing(out_path=str(folder), max_shard_size=options.out_shard_size)
    saving = [
        task.model_copy(update={"writer_task": writer})
        for task in planner.plan_to_disk(out_path=str(folder))
        if isinstance(task, SaveTensor)
    ]
    for _ in Executor(targets=saving, math_device=options.device, storage_device="cpu").run(quiet=True):
        pass


class _Writer:
    """mergekit's TensorWriter, as far as its tasks use one."""

    def __init__(self, taker: Taker):
        self._taker = taker

    def save_tensor(self, name: str, tensor: torch.Tensor, clone: bool = False) -> None:
        """Hand one tensor over."""
        self._taker.add(name, tensor)

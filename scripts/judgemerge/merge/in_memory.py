"""Merges into a model that is loaded already: tensor by tensor, so that no weights are written or read again.

A search judges one merge of the same parents after the other. The first model is loaded with the weights of a parent;
every merge then takes their place. Where a model keeps its weights under other names than its files do (experts that
are packed when they are loaded), this is not possible, and `Unfit` says so.
"""

import math
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from judgemerge.core import models
from judgemerge.core.errors import JudgemergeError
from judgemerge.merge import descriptions, engine, mergekit, names, preflight, recipes, runs
from judgemerge.merge.recipes import Merge
from judgemerge.merge.streams import Weights

if TYPE_CHECKING:
    import torch


class Unfit(Exception):
    """The loaded model has no place for a tensor of a merge, or a merge none for all of the model's."""


class IntoModel:
    """Takes the tensors of one merge into a loaded model, in the model's number format and on its devices."""

    def __init__(self, model: "torch.nn.Module", shapes: Mapping[str, tuple[int, ...]], left_out: Collection[str] = ()):
        """`shapes` are those of the tensors of the merge; those `left_out` are passed over where they come."""
        places = model.state_dict(keep_vars=True)
        self.names = list(shapes)
        self._places = {name: place for name in shapes if (place := places.get(name)) is not None}
        self._left_out = {*left_out}
        self._n_values = dict.fromkeys(shapes, 0)
        ids = [id(place) for place in self._places.values()]
        fits = len(self._places) == len(shapes) and all(
            tuple(place.shape) == shapes[name] and place.is_contiguous() and place.device.type != "meta"
            for name, place in self._places.items()
        )
        if not fits or len(set(ids)) < len(ids) or not {*map(id, model.parameters())} <= {*ids}:
            raise Unfit

    def add(self, name: str, tensor: "torch.Tensor") -> None:
        """Put a tensor, or the next flat piece of it, into its place; what is not finite is an error."""
        import torch

        if name in self._left_out:
            return
        if name not in self._places:
            raise Unfit
        # The smallest and the largest value show what is infinite or no number (as merge/result_checks.py does).
        if tensor.numel() and not torch.isfinite(torch.stack(torch.aminmax(tensor))).all():
            raise JudgemergeError(
                f"tensor '{name}' is not finite after merging; check the weights and densities that the search tries"
            )
        start = self._n_values[name]
        self._n_values[name] = end = start + tensor.numel()
        self._places[name].data.view(-1)[start:end].copy_(tensor.reshape(-1))

    def finish(self) -> None:
        """Refuse a merge that did not fill every place."""
        if any(n != math.prod(self._places[name].shape) for name, n in self._n_values.items()):
            raise Unfit


class Source:
    """What merges of the same parents are computed from, opened and checked once."""

    def __init__(self, merge: Mapping, parents: runs.Parents, threads: int, folder: Path):
        """Check the parents of `merge`; `folder` is scratch space."""
        self.parents, self.threads, self.folder = parents, threads, folder
        self.merge = entry = Merge.of(merge)
        preflight.check_parents(parents.models, entry.allow)
        self.donor = descriptions.donor(entry, parents.models)
        self.reference = parents.bases.get(entry.reference, entry.reference)
        if entry.is_ours:
            self._inputs = engine.MergeInputs.of(entry, parents.folders, {})
        else:
            mergekit.check_all(parents.models.values(), entry.method.name)
            weights = {name: Weights(path) for name, path in parents.models.items()}
            self._inputs = engine.MergeInputs(weights, {}, *preflight.shared_tensors(weights, self.reference))

    @staticmethod
    def key(merge: Mapping) -> tuple:
        """Return what two merges must have in common for one source, and for one loaded model."""
        entry = Merge.of(merge)
        return tuple(entry.models_read), entry.dtype, entry.donor, entry.is_ours, tuple(entry.allow)

    def describe(self) -> Path:
        """Return a folder that is loaded like a merged model, with the weights of its reference."""
        folder, reference = self.folder / "model", Path(self.parents.folders[self.reference])
        folder.mkdir(parents=True)
        engine.copy_description(self.parents.models[self.donor], folder, self.merge.dtype)
        names.settle_architecture(folder, list(self.parents.models.values()))
        for path in [*models.weight_files(reference), reference / models.INDEX]:
            if path.exists():
                (folder / path.relative_to(reference)).symlink_to(path.resolve())
        return folder

    def merge_into(self, merge: Mapping, model: "torch.nn.Module") -> None:
        """Put the weights of a merge into a loaded model."""
        import torch

        entry, stored = Merge.of(merge), self._inputs.weights[self.reference].entries
        shapes = {name: stored[name].shape for name in self._inputs.shared}
        taker = IntoModel(model, shapes, self._inputs.left_out)
        with torch.no_grad():
            if entry.is_ours:
                torch.set_num_threads(self.threads)
                engine.merge_tensors({"merge": entry}, self._inputs, {"merge": taker})
            else:
                from judgemerge.merge import mergekit_tensors

                recipe = recipes.recipe(merge, self.parents.as_read)
                mergekit_tensors.hand_over(recipe, entry.seed, self.threads, self.folder, taker)
        taker.finish()

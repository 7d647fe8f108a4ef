"""Merges by singular vectors against FusionBench's definitions, written out plainly with numpy here."""

import os
import sys

import numpy as np
import pytest
import torch

from judgemerge.merge.methods import METHODS

SHAPES = [(6, 10), (10, 6), (7, 7), (8,)]


def parents(shape, n_parents, dtype=torch.float32):
    draw = torch.Generator().manual_seed(sum(shape) + n_parents)
    base = torch.randn(shape, generator=draw)
    return base.to(dtype), [(base + 0.1 * torch.randn(shape, generator=draw)).to(dtype) for _ in range(n_parents)]


def merged(method, base, tensors, models=None, **parameters):
    models = models or {str(number): {} for number in range(len(tensors))}
    return METHODS[method].compute(models, parameters, name="w", base=base, tensors=tensors)


def nearest(matrix):
    left, _, right = np.linalg.svd(matrix, full_matrices=False)
    return left @ right


def tsv_m(deltas):
    """TSVM_utils.compute_and_sum_svd_mem_reduction: places of a parent's vectors among zeros, then orthogonalized."""
    k, n = min(deltas[0].shape), len(deltas)
    kept = int(k * (1 / n))
    left, right = np.zeros((deltas[0].shape[0], k)), np.zeros((k, deltas[0].shape[1]))
    sizes = np.zeros(k)
    for number, delta in enumerate(deltas):
        u, s, v = np.linalg.svd(delta, full_matrices=False)
        place = slice(number * kept, (number + 1) * kept)
        left[:, place], sizes[place], right[place] = u[:, :kept], s[:kept], v[:kept]
    return nearest(left) @ np.diag(sizes) @ nearest(right)


def iso_c(deltas):
    u, s, v = np.linalg.svd(sum(deltas), full_matrices=False)
    return u @ np.diag(np.full_like(s, s.mean())) @ v


def iso_cts(deltas, share):
    k, n = min(deltas[0].shape), len(deltas)
    common = k - round((k - int(k * share)) / n) * n
    own = int((k - common) / n)
    u, s, v = np.linalg.svd(sum(deltas), full_matrices=False)
    left, sizes, right = np.zeros((deltas[0].shape[0], k)), np.zeros(k), np.zeros((k, deltas[0].shape[1]))
    for number, delta in enumerate(deltas):
        rest = delta - u[:, :common] @ u[:, :common].T @ delta
        parts, place = np.linalg.svd(rest, full_matrices=False), slice(number * own, (number + 1) * own)
        left[:, place], sizes[place], right[place] = parts[0][:, :own], parts[1][:own], parts[2][:own]
    end = slice(n * own, n * own + common)
    left[:, end], sizes[end], right[end] = u[:, :common], s[:common], v[:common]
    return nearest(left) @ np.diag(np.full(k, sizes.mean())) @ nearest(right)


DEFINED = {
    "tsv_m": (tsv_m, {"lambda": 0.7}),
    "iso_c": (iso_c, {"lambda": 0.7}),
    "iso_cts": (lambda deltas: iso_cts(deltas, 0.5), {"lambda": 0.7, "common_share": 0.5}),
}


@pytest.mark.parametrize(("n_parents", "dtype"), [(2, "float32"), (3, "float32"), (5, "float64")])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("method", DEFINED)
def test_a_merge_is_what_the_definition_says(method, shape, n_parents, dtype):
    """With five parents of six dimensions the vectors are nearly dependent, and float32 is exact to 1e-5 alone."""
    base, tensors = parents(shape, n_parents, getattr(torch, dtype))
    deltas = [(tensor - base).double().numpy() for tensor in tensors]
    function, parameters = DEFINED[method]
    expected = base.double().numpy() + 0.7 * (function(deltas) if len(shape) == 2 else np.mean(deltas, axis=0))
    assert np.abs(merged(method, base, tensors, **parameters).numpy() - expected).max() < 1e-6


def test_weights_multiply_the_differences_before_their_vectors_are_taken():
    base, tensors = parents((6, 10), 2)
    scaled = [base + factor * (tensor - base) for factor, tensor in zip((0.5, 2.0), tensors, strict=True)]
    weighted = merged("tsv_m", base, tensors, {"a": {"weight": 0.5}, "b": {"weight": 2.0}})
    assert torch.allclose(weighted, merged("tsv_m", base, scaled), atol=1e-6)


@pytest.mark.parametrize("method", DEFINED)
def test_a_tensor_that_no_parent_changed_stays_and_16_bits_are_computed_in_32(method):
    base, tensors = parents((6, 10), 2, torch.bfloat16)
    assert torch.equal(merged(method, base, [base, base]), base)
    result = merged(method, base, tensors)
    wide = merged(method, base.float(), [tensor.float() for tensor in tensors])
    assert result.dtype == torch.bfloat16 and torch.equal(result, wide.bfloat16())


@pytest.mark.skipif("FUSION_BENCH" not in os.environ, reason="FUSION_BENCH names no folder with the package")
def test_a_merge_is_that_of_the_package(monkeypatch):
    """FUSION_BENCH=DIR, after pip install --target DIR fusion-bench==0.2.33."""
    monkeypatch.setattr(sys, "path", [*sys.path, os.environ["FUSION_BENCH"]])
    from fusion_bench.method.isotropic_merging.iso_utils import iso_c, iso_cts
    from fusion_bench.method.task_singular_vector.utils.TSVM_utils import compute_and_sum_svd_mem_reduction

    for shape in SHAPES:
        for n_parents in (2, 3):
            base, tensors = parents(shape, n_parents)
            deltas = [{"w": tensor - base} for tensor in tensors]
            theirs = {
                "tsv_m": compute_and_sum_svd_mem_reduction(deltas, accelerator="cpu"),
                "iso_c": iso_c(deltas, accelerator="cpu"),
                "iso_cts": iso_cts(deltas, 0.5, accelerator="cpu"),
            }
            for method, delta in theirs.items():
                more = {"common_share": 0.5} if method == "iso_cts" else {}
                assert torch.allclose(merged(method, base, tensors, **more), base + delta["w"], atol=1e-6, rtol=0)

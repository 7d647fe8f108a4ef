"""Our own merge arithmetic: hand-computed cases, properties, and mergekit's kernels on random tensors."""

import numpy
import pytest
import torch

from judgemerge.merge import kernels
from judgemerge.merge.methods import averages, supermario, task_vectors

DTYPES = [torch.float32, torch.bfloat16, torch.float16]


def random_tensors(n, shape=(37, 53), dtype=torch.float32, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator).to(dtype) for _ in range(n)]


# ---- linear ----


def test_linear_by_hand():
    one, two = torch.tensor([1.0, -2.0]), torch.tensor([3.0, 6.0])
    assert averages.linear([one, two], [0.25, 0.75], normalize=False).tolist() == [2.5, 4.0]
    assert averages.linear([one, two], [1.0, 3.0], normalize=True).tolist() == [2.5, 4.0]
    assert averages.linear([one, two], [1.0, 0.0], normalize=True).tolist() == one.tolist()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("normalize", [True, False])
def test_linear_is_mergekits_bit_by_bit(dtype, normalize):
    tensors = random_tensors(3, dtype=dtype)
    ours = averages.linear(tensors, [0.2, 0.5, 0.3], normalize)
    theirs = by_mergekit("linear", tensors, weight=[0.2, 0.5, 0.3], normalize=normalize)
    assert torch.equal(ours, theirs)


def by_mergekit(method, tensors, base=None, **parameters):
    """Return what mergekit's own kernel makes of the tensors."""
    pytest.importorskip("mergekit")
    from mergekit import merge_methods
    from mergekit.merge_methods.base import TensorEntry, TensorGroup, TensorMetadata

    entries = [TensorEntry(id="base", tensor=base, is_base=True)] if base is not None else []
    entries += [TensorEntry(id=n, tensor=tensor, is_base=False) for n, tensor in enumerate(tensors)]
    group = TensorGroup(entries=tuple(entries), metadata=TensorMetadata(name="w"))
    return merge_methods.get(method)([group], parameters=parameters)[0]


# ---- task arithmetic ----


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [1, 2, 3, 5])
@pytest.mark.parametrize(("normalize", "factor"), [(False, 1.0), (True, 1.5)])
def test_task_arithmetic_is_mergekits_bit_by_bit(dtype, n, normalize, factor):
    base, *tensors = random_tensors(n + 1, dtype=dtype)
    weights = [0.1 * (number + 2) for number in range(n)]
    ours = task_vectors.task_arithmetic(base, tensors, weights, normalize=normalize, lambda_=factor)
    theirs = by_mergekit("task_arithmetic", tensors, base, weight=weights, normalize=normalize, **{"lambda": factor})
    assert torch.equal(ours, theirs)


def test_task_arithmetic_by_hand():
    base, one, two = torch.tensor([1.0, 1.0]), torch.tensor([2.0, 1.0]), torch.tensor([1.0, 5.0])
    assert task_vectors.task_arithmetic(base, [one, two], [1.0, -0.5]).tolist() == [2.0, -1.0]
    assert task_vectors.task_arithmetic(base, [one, two], [1.0, 1.0], lambda_=2.0).tolist() == [3.0, 9.0]
    # Weights that cancel are not divided by, as in mergekit.
    assert task_vectors.task_arithmetic(base, [one, two], [1.0, -1.0], normalize=True).tolist() == [2.0, -3.0]


# ---- ties ----


def test_ties_by_hand():
    base = torch.zeros(6)
    one = torch.tensor([4.0, -3.0, 0.1, 2.0, -0.2, 1.0])
    two = torch.tensor([2.0, 1.0, -5.0, 0.3, -4.0, -1.0])
    # The three largest of each are kept: one [4, −3, ·, 2, ·, ·], two [2, ·, −5, ·, −4, ·] (1 loses to all of these).
    # Where both are kept they agree (first value); elsewhere the single one stands alone.
    merged = task_vectors.ties(base, [one, two], [0.5, 0.5], [0.5, 0.5])
    assert merged.tolist() == [3.0, -3.0, -5.0, 2.0, -4.0, 0.0]
    # Everything kept: signs follow the sum, a sum of exactly 0 counts as positive.
    merged = task_vectors.ties(base, [one, two], [0.5, 0.5], [1.0, 1.0])
    assert merged.tolist() == pytest.approx([3.0, -3.0, -5.0, 1.15, -2.1, 1.0])


def test_of_equal_magnitudes_the_first_are_kept():
    delta = torch.tensor([1.0, -2.0, 2.0, -2.0, 0.5])
    ((least, end),) = task_vectors.thresholds(delta, [0.4]).values()
    assert (least, end) == (2.0, 3)
    assert task_vectors.largest(delta, least, end).tolist() == [0, 1, 1, 0, 0]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [1, 2, 3, 5])
@pytest.mark.parametrize("options", [{}, {"normalize": False, "lambda": 0.7}, {"rescale": True}])
def test_ties_is_mergekits_but_for_equal_magnitudes(dtype, n, options):
    base, *tensors = random_tensors(n + 1, dtype=dtype, seed=n)
    weights = [0.1 * (number + 2) for number in range(n)]
    densities = [0.2 + 0.15 * number for number in range(n)]
    ours = task_vectors.ties(
        base,
        tensors,
        weights,
        densities,
        normalize=options.get("normalize", True),
        rescale=options.get("rescale", False),
        lambda_=options.get("lambda", 1.0),
    )
    theirs = by_mergekit("ties", tensors, base, weight=weights, density=densities, **options)
    differs = ours != theirs
    if dtype == torch.float32:
        assert not differs.any()
    # Of equal magnitudes at the threshold, which 16-bit numbers have, mergekit keeps those that its sort puts first.
    at_threshold = torch.zeros_like(differs)
    for tensor, density in zip(tensors, densities, strict=True):
        ((least, end),) = task_vectors.thresholds((tensor - base).reshape(-1), [density]).values()
        equal = (tensor - base).abs() == least
        at_threshold |= equal
        kept = task_vectors.largest((tensor - base).reshape(-1), least, end)
        assert kept.count_nonzero() == task_vectors.n_kept(tensor.numel(), density)
    if not options.get("rescale"):  # which rescales every value by a sum
        assert not (differs & ~at_threshold).any()
    assert differs.sum() <= at_threshold.sum() or options.get("rescale")


def test_a_tensor_of_many_pieces_is_no_different(monkeypatch):
    base, one, two = random_tensors(3)
    calls = [
        lambda: averages.linear([one, two], [0.3, 0.7], True),
        lambda: task_vectors.task_arithmetic(base, [one, two], [0.3, 0.7]),
        lambda: task_vectors.ties(base, [one, two], [0.3, 0.7], [0.4, 0.6]),
        lambda: supermario.supermario("w", base, [one, two], p=0.3, lambda_=1.5, seed=1),
    ]
    whole = [call() for call in calls]
    monkeypatch.setattr(kernels, "PIECE", 101)
    assert all(torch.equal(call(), before) for call, before in zip(calls, whole, strict=True))


def test_the_order_of_parents_does_not_matter_to_ties():
    base, one, two = random_tensors(3)
    first = task_vectors.ties(base, [one, two], [0.3, 0.7], [0.5, 0.4])
    assert torch.equal(first, task_vectors.ties(base, [two, one], [0.7, 0.3], [0.4, 0.5]))


# ---- supermario ----


def test_supermario_by_hand(monkeypatch):
    """T starts at the base; a kept delta counts lambda / (1 − p), and the second model is merged against the new T."""

    class Draws:
        def __init__(self, values):
            self.values = values

        def random(self, n, dtype):
            return numpy.array(self.values[:n], dtype=dtype)

    draws = {0: Draws([0.05, 0.5]), 1: Draws([0.05, 0.05])}
    monkeypatch.setattr(supermario, "generator", lambda seed, model, tensor: draws[model])
    base, one, two = torch.tensor([0.0, 0.0]), torch.tensor([1.0, 1.0]), torch.tensor([2.0, 2.0])
    merged = supermario.supermario("w", base, [one, two], p=0.1, lambda_=1.95, seed=0)
    factor = 1.95 / 0.9
    # First value: kept twice, T = f, then f + f · (2 − f). Second value: dropped, then kept, 2 f.
    assert merged.tolist() == pytest.approx([factor + factor * (2 - factor), 2 * factor])


def test_the_expected_multiplier_of_a_delta_is_lambda_p_over_1_minus_p():
    base, other = torch.zeros(1_000_000), torch.ones(1_000_000)
    merged = supermario.supermario("w", base, [other], p=0.1, lambda_=1.95, seed=3)
    values = merged.unique().tolist()
    assert values == pytest.approx([0.0, 1.95 / 0.9])
    # Standard error: 2.1667 · sqrt(0.09 / 10⁶) = 0.00065.
    assert merged.mean().item() == pytest.approx(0.2167, abs=0.003)


def test_supermario_depends_on_the_order_the_seed_and_the_name_of_the_tensor():
    base, one, two = random_tensors(3)

    def merged(models=(one, two), seed=1, name="w"):
        return supermario.supermario(name, base, models, p=0.3, lambda_=1.5, seed=seed)

    assert torch.equal(merged(), merged())
    assert not any(torch.equal(merged(), other) for other in (merged((two, one)), merged(seed=2), merged(name="v")))


def test_routers_are_averaged():
    base, one, two = torch.tensor([0.0]), torch.tensor([4.0]), torch.tensor([8.0])
    name = "model.layers.0.block_sparse_moe.gate.weight"
    assert supermario.supermario(name, base, [one, two], p=0.1, lambda_=1.95, seed=0).tolist() == [5.0]

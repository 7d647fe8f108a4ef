"""LLMBar (Zeng et al. 2024, arXiv:2310.07641; LLMEvaluator/evaluate.py and statistics.json of princeton-nlp/LLMBar)."""

from collections.abc import Iterator

import numpy as np

from judgemerge.evaluate.published import Case, Row
from judgemerge.evaluate.published._cells import (
    ORDER_NAMES,
    aligned,
    house_kappa,
    kappa,
    order_measures,
    rate,
    truth_counts,
)
from judgemerge.evaluate.verdict_arrays import ERROR, FIRST, judge_arrays

ADVERSARIAL = ("llmbar_neighbor", "llmbar_gptinst", "llmbar_gptout", "llmbar_manual")
AVERAGES = {"llmbar_adversarial": ADVERSARIAL, "llmbar": ("llmbar_natural", *ADVERSARIAL)}
AVERAGED = ("accuracy", "consistency")
KAPPA_NOTE = (
    "LLMBar reads every winner but 0 and 1 as 0, so every 2 and every unread reply, and compares with labels 1 and 2, "
    "so that a perfect judge gets far less than 1; the row with house rules is the real kappa."
)
AGREEMENT_NOTE = "LLMBar counts an unread reply as a 2; the row with house rules counts it as a class of its own."


def rows(case: Case) -> Iterator[Row]:
    """Yield what statistics.json holds: accuracy per order, mean (Acc.), both; agreement of the orders (Agr.); kappas.

    Nothing is a tie; an unread verdict is wrong, and two unread verdicts agree. Averages over subsets are plain means,
    whatever their sizes. Of a judge that rates the outputs LLMBar's winners count, whatever the option `rating` of
    recorded.yaml says of our own rows.
    """
    yield from truth_counts(case)
    for benchmark, judge in aligned(case):
        ours = judge_arrays(benchmark, judge.judge, case.verdicts[judge.judge]).codes
        for metric, hits, unread in order_measures(benchmark, judge):
            yield rate(judge.judge, metric, hits, unread)
        orders = [order for order in range(2) if judge.recorded[order]]
        unread = int((judge.codes[:, orders] == ERROR).sum())
        yield Row(judge.judge, "unread", unread, benchmark.n_items * len(orders), unread)
        labels = benchmark.truth
        # In their coding a judge says 1 or 0, the labels are 1 or 2: three classes, of which 0 and 2 never meet.
        coded = np.where(judge.codes == FIRST, FIRST, ERROR)
        published = {}
        for order in orders:
            metric = f"kappa_{ORDER_NAMES[order]}"
            errors = int((judge.codes[:, order] == ERROR).sum())
            published[metric] = kappa(labels, coded[:, order])
            yield Row(judge.judge, metric, published[metric], len(labels), errors, KAPPA_NOTE)
            yield house_kappa(case, benchmark, judge.judge, metric, labels, ours[:, order])
        if all(judge.recorded):
            mean = float(np.mean(list(published.values())))
            yield Row(judge.judge, "kappa_mean", mean, len(labels), unread, KAPPA_NOTE)
            between = kappa(coded[:, 0], coded[:, 1])
            yield Row(judge.judge, "kappa_of_orders", between, len(labels), unread, AGREEMENT_NOTE)
            yield house_kappa(case, benchmark, judge.judge, "kappa_of_orders", *ours.T)

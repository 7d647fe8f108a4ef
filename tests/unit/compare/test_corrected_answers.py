"""Win rates and grades of two models, corrected by people's votes on a part of their answers."""

import numpy as np
import pytest

from judgemerge.compare.answer_judging import PAIRS, JudgedAnswer
from judgemerge.compare.corrected_answers import comparison_rows, units_of

MODELS = ("base", "tuned")
QUESTIONS = [f"q{number:02}" for number in range(60)]
CLUSTERS = {question: f"c{int(question[1:]) // 2}" for question in QUESTIONS}


def judged_pairs(preferred):
    """Return what a judge says of the pair of every question, in both orders; None could not be read."""
    return [
        JudgedAnswer(
            PAIRS, question, 0, order, preferred=preferred[question], reason=None if preferred[question] else "x"
        )
        for question in QUESTIONS
        for order in ("original", "swapped")
    ]


def of(rows, **conditions):
    (row,) = [row for row in rows if all(getattr(row, name) == value for name, value in conditions.items())]
    return row


def test_the_win_rate_is_the_second_models_in_the_eyes_of_judge_and_people():
    results = judged_pairs({question: "tuned" if number % 4 else "base" for number, question in enumerate(QUESTIONS)})
    votes = {f"{question}#0": ["second" if number % 2 else "first"] for number, question in enumerate(QUESTIONS)}
    rows = comparison_rows({"judge": results}, MODELS, CLUSTERS, votes, None, PAIRS, 0.95)
    win = {"metric": "win_rate", "subject": "tuned"}
    assert of(rows, **win, estimator="judge alone").value == pytest.approx(0.75)
    assert of(rows, **win, estimator="corrected").value == pytest.approx(0.5)
    net = of(rows, metric="wins_minus_losses", subject="tuned − base", estimator="judge alone")
    assert net.value == pytest.approx(0.5)
    assert (net.n, net.labels, net.prompts, net.errors) == (60, 60, 30, 0)


def test_a_pair_whose_verdict_follows_the_position_is_half_a_win_and_an_unread_one_is_counted():
    results = judged_pairs(dict.fromkeys(QUESTIONS, "tuned"))
    turned = [result if result.order == "original" else result._replace(preferred="base") for result in results]
    unread = [result._replace(preferred=None, reason="x") if result.question == "q00" else result for result in turned]
    votes = {f"{question}#0": ["second"] for question in QUESTIONS[:40]}
    row = of(
        comparison_rows({"judge": unread}, MODELS, CLUSTERS, votes, None, PAIRS, 0.95),
        metric="win_rate",
        estimator="judge alone",
    )
    assert (row.value, row.errors) == (pytest.approx(0.5), 1)


def test_grades_are_those_of_either_model_and_their_difference_is_second_minus_first():
    rng = np.random.default_rng(1)
    quality = {question: rng.normal(3, 1) for question in QUESTIONS}
    results, votes = [], {}
    for number, question in enumerate(QUESTIONS):
        for model, bonus in zip(MODELS, (0.0, 0.5), strict=True):
            score = quality[question] + bonus
            results.append(JudgedAnswer("clarity", question, 0, "original", model=model, score=score + 1))
            if number < 40:
                votes[f"{question}#0/{model}"] = [score + rng.normal(0, 0.1)]
    assert len(units_of(results, "clarity")) == 120
    rows = comparison_rows({"judge": results}, MODELS, CLUSTERS, votes, None, "clarity", 0.95)
    assert of(rows, metric="clarity", subject="base", estimator="judge minus people").value == pytest.approx(1, abs=0.1)
    gap = of(rows, metric="clarity_difference", subject="tuned − base", estimator="corrected")
    assert gap.value == pytest.approx(0.5, abs=0.1)
    assert gap.ci_low > 0.3

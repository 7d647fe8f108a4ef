"""Two models compared by judges: blind order, failures, paired differences, checks, and the whole with tiny models."""

import copy
import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
import yaml
from report_cases import FIGURES, page_of

from judgemerge.compare import answer_judging, answering
from judgemerge.compare import comparison_tables as tables
from judgemerge.compare.answer_judging import NO_ANSWER, PAIRS, JudgedAnswer
from judgemerge.compare.answering import Answer
from judgemerge.core import files, items
from judgemerge.core.errors import JudgemergeError
from judgemerge.judge.backends import GenerationParameters
from judgemerge.judge.backends.transformers import Transformers
from judgemerge.judge.store import Store
from judgemerge.prompting import rubric_metrics
from judgemerge.prompting.parsers import ReplySettings
from judgemerge.prompting.parsing import Reply
from judgemerge.prompting.prompts import Unrenderable, load_template
from judgemerge.report.tables.model_comparison import signed_span
from judgemerge.settings import config
from judgemerge.settings.comparisons import ModelComparison
from judgemerge.settings.report import Statistics
from judgemerge.study.load import load_study

MODELS = ("base", "tuned")
SETTINGS = Statistics(resamples=500, seed=7)
VERDICTS = {PAIRS: ReplySettings("verdict_line", first="A", second="B", tie="tie")}
GRADES = {"quality": ReplySettings("score_tag", minimum=0, maximum=5)}


def question(number, text="Why?", **changes):
    item = items.Item(
        f"q{number}", "bench", "pairwise", (text,), (("Good.",), ("Bad.",)), "first", f"c{number}", {"source": "m"}
    )  # fmt: skip
    return dataclasses.replace(item, **changes)


def answers_of(texts):
    return {
        model: {(f"q{number}", 0): Answer(f"q{number}", 0, 1, text) for number, text in enumerate(texts_of_model)}
        for model, texts_of_model in texts.items()
    }


def pair_reply(number, order, reply, reason=None):
    return Reply(PAIRS, f"q{number}#0", order, reply=reply, reason=reason)


def grade_reply(number, model, reply, reason=None):
    return Reply("quality", f"q{number}#0/{model}", "original", reply=reply, reason=reason)


def graded(base, tuned):
    """Return read results of one metric; None is a grade that could not be read."""
    return [
        JudgedAnswer("quality", f"q{number}", 0, "original", None, model, score, None if score is not None else "none")
        for number, scores in enumerate(zip(base, tuned, strict=True))
        for model, score in zip(MODELS, scores, strict=True)
    ]


def compared(*outcomes):
    """Return read results of pairs: what each order prefers."""
    return [
        JudgedAnswer(PAIRS, f"q{number}", 0, order, preferred, reason=None if preferred else "no_verdict")
        for number, both in enumerate(outcomes)
        for order, preferred in zip(("original", "swapped"), both, strict=True)
    ]


def found(rows, measure, model=None):
    (row,) = (row for row in rows if row.measure == measure and model in (None, row.model))
    return row


INTERVALS = tables.Intervals({f"q{number}": f"c{number}" for number in range(50)}, SETTINGS)


def judge_rows(*arguments):
    return list(tables.judge_rows("j", *arguments, MODELS, INTERVALS))


# ---- what judges are shown, and what they said ----


def test_judges_never_see_who_wrote_what():
    questions = [question(0), question(1)]
    answers = answers_of({"base": ["one", "two"], "tuned": ["three", None]})
    first, second = answer_judging.pair_items(MODELS, questions, answers, 1)
    assert first.responses == (("one",), ("three",)) and first.models == ()
    assert second.responses == () and second.extra == {answer_judging.LACKS: NO_ANSWER}
    assert first.truth is None and second.truth is None


def test_the_swapped_order_is_mapped_back_to_the_models():
    replies = [
        pair_reply(0, "original", "Verdict: A"),
        pair_reply(0, "swapped", "Verdict: B"),
        pair_reply(1, "original", "Verdict: A"),
        pair_reply(1, "swapped", "Verdict: A"),
        pair_reply(2, "original", "Verdict: tie"),
        pair_reply(2, "swapped", "I cannot say."),
        pair_reply(3, "original", None, NO_ANSWER),
    ]
    read = list(answer_judging.results(replies, VERDICTS, MODELS))
    assert [row.preferred for row in read] == ["base", "base", "base", "tuned", "tie", None, None]
    assert [row.reason for row in read] == [None] * 5 + ["no_verdict", NO_ANSWER]
    said = tables.outcomes(read[:6], MODELS)
    assert said == {("q0", 0): "lose", ("q1", 0): "inconsistent", ("q2", 0): None}


def test_grades_are_read_with_the_metric_s_scale():
    replies = [grade_reply(0, "base", "<score>0</score>"), grade_reply(0, "tuned", "<score>6</score>")]
    base, tuned = answer_judging.results(replies, GRADES, MODELS)
    assert (base.question, base.sample, base.model, base.score) == ("q0", 0, "base", 0.0)
    assert (tuned.score, tuned.reason) == (None, "out_of_range")


# ---- numbers ----


def test_means_leave_failures_out_and_the_published_way_counts_them_as_minus_one():
    rows = judge_rows(graded([4, 2, None, 3], [5, 3, 1, None]), ["quality"])
    base = found(rows, "score", "base")
    assert (base.value, base.n, base.errors) == (3.0, 3, 1)
    assert found(rows, "score_failures_as_minus_one", "base").value == pytest.approx((4 + 2 - 1 + 3) / 4)
    difference = found(rows, "difference")
    assert (difference.value, difference.n, difference.errors) == (1.0, 2, 2)
    counted = found(rows, "difference_failures_as_minus_one")
    assert (counted.value, counted.n) == (pytest.approx((1 + 1 + 2 - 4) / 4), 4)


def test_the_published_mean_without_its_failure():
    assert tables.without_failures(3.505, 200, 1) == pytest.approx((701 + 1) / 199)
    assert tables.without_failures(3.335, 200, 1) == pytest.approx((667 + 1) / 199)


def test_a_paired_interval_is_narrower_than_the_spread_between_questions():
    rng = np.random.default_rng(1)
    base = [float(value) for value in rng.integers(1, 5, 40)]
    tuned = [value + float(rng.random() < 0.7) for value in base]
    rows = judge_rows(graded(base, tuned), ["quality"])
    row = found(rows, "difference")
    assert row.ci_low < row.value < row.ci_high and row.ci_low > 0
    alone = found(rows, "score", "base")
    assert row.ci_high - row.ci_low < alone.ci_high - alone.ci_low
    assert row.detectable > (row.ci_high - row.ci_low) / 2
    assert np.isnan(alone.detectable)
    mirrored = judge_rows(graded(tuned, base), ["quality"])
    assert found(mirrored, "difference").value == -row.value
    assert rows == judge_rows(graded(base, tuned), ["quality"])


def test_wins_ties_losses_and_the_position_make_up_all_that_was_read():
    judged = compared(
        ("tuned", "tuned"), ("tuned", "tuned"), ("base", "base"), ("tie", "tie"), ("base", "tuned"), ("tie", "base"),
        ("base", None),
    )  # fmt: skip
    rows = judge_rows(judged, [])
    shares = {outcome: found(rows, outcome).value for outcome in tables.OUTCOMES}
    assert shares == pytest.approx({"win": 2 / 6, "tie": 1 / 6, "lose": 1 / 6, "inconsistent": 2 / 6})
    assert found(rows, "wins_minus_losses").value == pytest.approx(1 / 6)
    assert {row.n for row in rows} == {6} and {row.errors for row in rows} == {1}


def test_nothing_read_is_an_empty_cell_with_a_reason():
    rows = judge_rows(graded([None], [None]) + compared((None, None)), ["quality"])
    for measure in ("difference", "win", "wins_minus_losses"):
        row = found(rows, measure)
        assert np.isnan(row.value) and row.note and (row.n, row.errors) == (0, 1)


def test_the_spread_of_draws():
    judged = graded([2, 4], [3, 3])
    judged += [row._replace(sample=1, score=row.score + 2) for row in judged]
    rows = judge_rows(judged, ["quality"])
    assert found(rows, "spread_of_draws", "base").value == pytest.approx(np.std([3, 5], ddof=1))


def answered(question, seconds, tokens):
    return Answer(question, 0, 1, "text", tokens=tokens, seconds=seconds)


def test_costs_per_answer_and_per_token():
    answers = {
        "base": {("q0", 0): answered("q0", 1.0, 10), ("q1", 0): answered("q1", 3.0, 10)},
        "tuned": {("q0", 0): answered("q0", 2.0, 40), ("q1", 0): answered("q1", None, None)},
    }
    rows = list(tables.cost_rows(answers, INTERVALS))
    assert found(rows, "seconds", "base").value == 2.0
    assert found(rows, "seconds_per_token", "base").value == pytest.approx(4 / 20)
    tuned = found(rows, "seconds_per_token", "tuned")
    assert (tuned.value, tuned.n, tuned.errors) == (pytest.approx(2 / 40), 1, 1)
    assert found(rows, "tokens_difference").value == 30.0


def test_disagreements_are_found_and_sorted():
    judged = graded([1, 5, 2, 3], [3, 1, 2, None]) + compared(
        ("base", "base"), ("tuned", "tuned"), ("base", "tuned"), ("tie", "tie")
    )
    read = tables.disagreements(judged, ["quality"], MODELS)
    assert [(row.kind, row.question, row.gap) for row in read] == [
        ("gap", "q1", -4), ("against_rubric", "q1", -4), ("gap", "q0", 2), ("against_rubric", "q0", 2),
        ("orders", "q2", None),
    ]  # fmt: skip


# ---- before the first job ----


def test_questions_without_an_input_are_counted_and_none_at_all_is_refused(repository):
    metric = rubric_metrics.load_metric(repository / "config" / "metrics" / "faithfulness_binary.yaml")
    there = question(0, extra={"context": "It is so."})
    lacking = answer_judging.check_questions([there, question(1)], [metric], {}, False)
    assert lacking == {"faithfulness_binary": {"no_context": 1}}
    with pytest.raises(JudgemergeError, match="no question has what metric 'faithfulness_binary' needs"):
        answer_judging.check_questions([question(1)], [metric], {}, False)
    with pytest.raises(JudgemergeError, match="is empty"):
        answer_judging.check_questions([question(0, extra={"context": ""})], [metric], {}, False)
    assert answer_judging.check_questions([question(1)], [metric], {}, True) == {"faithfulness_binary": {}}


STUDY = {
    "study": "compared",
    "models": {"base": {"make": {}}, "tuned": {"make": {"seed": 1}}},
    "suites": {"few": {"benchmarks": ["demo_pairwise"]}},
    "judges": ["random"],
    "model_comparisons": {
        "trial": {
            "models": ["base", "tuned"],
            "questions": "demo_preferences_test",
            "metrics": ["relevance_binary"],
            "judges": ["base"],
            "prompts": {"pairwise": "plain_pairwise"},
        }
    },
}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"models": ["base", "tunde"]}, "models names 'tunde', no model of the study; did you mean 'tuned'"),
        ({"judges": ["random"]}, "judges names 'random', no model"),
        ({"questions": "demo_preference_test"}, "unknown item set 'demo_preference_test'; did you mean"),
        ({"metrics": ["relevance"]}, "metrics names 'relevance', no metric of"),
        ({"metrics": [], "prompts": {}}, "judges nothing"),
        ({"prompts": {"pairwise": "plain_pointwise"}}, "'plain_pointwise' is pointwise, but has to be pairwise"),
        ({"prompts": {"pairwise": "likelihood_pairwise"}}, "has mode likelihood"),
        ({"prompts": {"rubric": "brief_pointwise"}}, "does not show"),
        ({"generation": {"samples": 2}}, "several greedy answers"),
        ({"generation": {"min_p": 0.1}}, "greedy answers ignore"),
        ({"inputs": {"context": "prompt"}}, "inputs names 'context', no input of its metrics"),
        ({"empty_context": True}, "none of its metrics has a context"),
        ({"published": "nowhere.tsv"}, "published is 'nowhere.tsv', which is no file"),
    ],
)
def test_a_wrong_comparison_is_refused_in_one_sentence(repository, changes, sentence):
    settings = copy.deepcopy(STUDY)
    load_study(settings, "mine.yaml", repository / "config")
    settings["model_comparisons"]["trial"] |= changes
    with pytest.raises(JudgemergeError, match=sentence):
        load_study(settings, "mine.yaml", repository / "config")


def test_questions_that_an_expert_learnt_are_refused(repository):
    settings = copy.deepcopy(STUDY) | {"base": "base"}
    settings["judging"] = {"prompts": {"pairwise": "brief_pairwise"}}
    settings["experts"] = {"own": {"train_on": ["demo_preferences_train"]}}
    settings["model_comparisons"]["trial"]["questions"] = "demo_preferences_train"
    with pytest.raises(JudgemergeError, match="which expert own is trained on; name a held-out set"):
        load_study(settings, "mine.yaml", repository / "config")


# ---- answers of real, tiny models ----


@pytest.fixture(scope="module")
def backend(tiny_models):
    """Return a tiny random model."""
    return Transformers(tiny_models["base"], "float32", 4096, 1)


def answer(backend, questions, generation, folder, samples=1):
    requests = answering.plan(questions, generation, backend, 512, samples)
    with Store.of_model(folder, "own") as store:
        n_new = answering.generate(requests, backend, store)
        return n_new, list(answering.rows(requests, store))


def test_answers_are_kept_with_tokens_and_time_and_never_made_twice(backend, tmp_path):
    questions = [question(0), question(1, "Who goes there?"), question(2, turns=("a", "b"))]
    n_new, rows = answer(backend, questions, GenerationParameters(max_new_tokens=4), tmp_path)
    assert n_new == 2 and [row.reason for row in rows] == [None, None, "no_shared_history"]
    assert all(0 < row.tokens <= 4 and row.seconds > 0 and row.batch == 2 for row in rows[:2])
    again = answer(backend, questions, GenerationParameters(max_new_tokens=4), tmp_path)
    assert again == (0, rows)
    counted = answering.counts(rows, 4)
    assert counted["answers"] == 2 and counted["failures"] == {"no_shared_history": 1}


def test_a_draw_depends_on_its_seed_and_not_on_its_batch(backend, tmp_path):
    questions = [question(number, "Why " * (number + 1)) for number in range(4)]
    how = GenerationParameters(max_new_tokens=6, temperature=1.5, min_p=0.01)
    _, together = answer(backend, questions, how, tmp_path / "together", 2)
    _, alone = answer(backend, questions[2:3], how, tmp_path / "alone", 2)
    assert [row.text for row in together if row.question == "q2"] == [row.text for row in alone]
    assert alone[0].text != alone[1].text
    other = dataclasses.replace(how, seed=43)
    assert [row.text for row in answer(backend, questions[2:3], other, tmp_path / "other", 2)[1]] != [
        row.text for row in alone
    ]


def test_noise_per_row_draws_from_the_softmax():
    torch = pytest.importorskip("torch")
    from judgemerge.judge.backends.transformers import Sampler

    logits = torch.log(torch.tensor([0.6, 0.3, 0.1, 0.0])).repeat(4000, 1)
    drawn = Sampler(GenerationParameters(temperature=1.0), range(4000))(None, logits, range(4000))
    shares = torch.bincount(drawn, minlength=4) / 4000
    assert shares.tolist() == pytest.approx([0.6, 0.3, 0.1, 0.0], abs=0.03)


def test_a_conversation_goes_on_after_its_history():
    talk = question(0, turns=("One?", "Two?"), responses=(("1", "2"), ("1", "3")), extra={"system": "Be brief."})
    assert [message["content"] for message in answering.messages(talk)] == ["Be brief.", "One?", "1", "Two?"]
    with pytest.raises(Unrenderable):
        answering.messages(dataclasses.replace(talk, responses=(("1", "2"), ("0", "3"))))


def test_two_tiny_models_are_answered_judged_read_and_tabulated(repository, tiny_models, tmp_path, monkeypatch):
    monkeypatch.chdir(repository)
    texts = ["What is <b>one</b>?", "What is two?", "What is three?"]
    items.write_items(tmp_path / "items.jsonl", [question(number, text) for number, text in enumerate(texts)])

    wanted = copy.deepcopy(STUDY)
    wanted["model_comparisons"]["trial"] |= {
        "metrics": ["demo_grade"],
        "prompts": {"pairwise": "brief_pairwise_choice", "rubric": "brief_pointwise_choice"},
        "generation": {"max_new_tokens": 4},
    }
    comparison = config.read(wanted, "mine.yaml").model_comparisons["trial"]
    entry, metric_files, store = comparison.plain(), ["config/metrics/demo_grade.yaml"], str(tmp_path / "store")
    questions = tmp_path / "questions.jsonl"
    answer_judging.select_questions(
        tmp_path / "items.jsonl", metric_files, comparison, {}, 42, questions, tmp_path / "questions.json"
    )
    settings = {"dtype": "float32", "batch_tokens": 4096, "threads": 1, "max_prompt_tokens": 2048}
    answers = {model: tmp_path / f"{model}.jsonl" for model in MODELS}
    for model, name in zip(MODELS, ("one", "two"), strict=True):
        respondent = answering.Respondent(tiny_models[name], {"digest": model * 8}, settings)
        how = (questions, comparison.generation, store, "answers", answers[model], tmp_path / f"{model}.json")
        assert answering.answer_questions(respondent, *how) == 3
    judge = answering.Respondent(tiny_models["base"], {"digest": "judge" * 8}, settings)
    where = {"replies": tmp_path / "replies.jsonl", "record": tmp_path / "replies.json"}
    asked = (judge, comparison, questions, list(answers.values()), metric_files, ("config/prompts", None), store)
    assert answer_judging.judge_answers(*asked, "judged", **where) > 0
    assert answer_judging.judge_answers(*asked, "judged", **where) == 0
    results, record = tmp_path / "results" / "base.jsonl", tmp_path / "results" / "base.json"
    n_rows = answer_judging.read_judged(*where.values(), comparison, metric_files, "config/prompts", results)
    assert n_rows == 3 * 2 + 3 * 2
    assert {tuple(row) for row in files.read_jsonl(results)} == {
        ("metric", "question", "sample", "order", "preferred", "reason", "reply"),
        ("metric", "question", "sample", "order", "model", "score", "reason", "reply"),
    }
    about = files.read_json(record)
    assert about["models"] == list(MODELS) and about["prompts"][PAIRS]["name"] == "brief_pairwise_choice"
    assert about["versions"]["transformers"] and about["failures"] == {PAIRS: {}, "demo_grade": {}}
    page, disagreements = tmp_path / "page.html", tmp_path / "disagreements.jsonl"
    tables.write_tables(
        comparison, questions, list(answers.values()), results.parent, ["demo_grade"],
        Statistics(resamples=200, seed=7), tmp_path / "table.csv", disagreements,
    )  # fmt: skip
    table = pd.read_csv(tmp_path / "table.csv")
    assert list(table) == list(tables.Row._fields)
    scores = table[table["measure"] == "score"]
    assert len(scores) == 2 and (scores["n"] == 3).all() and scores["value"].between(1, 10).all()
    shares = table[table["measure"].isin(tables.OUTCOMES)]["value"]
    assert shares.sum() == pytest.approx(1)
    paths = {
        "questions": [questions],
        "answers": list(answers.values()),
        "results": [results],
        "records": [*(tmp_path / f"{model}.json" for model in MODELS), record],
        "disagreements": [disagreements],
        "metrics": metric_files,
        "published": ["config/published/orpo_flow_judge.tsv"],
    }
    labels = {judge: judge for judge in entry["judges"]}
    more = {"entry": entry, "paths": paths, "labels": labels}
    shown = page_of("model_comparison", "model_comparison_trial", tmp_path / "table.csv", page, **more)
    assert "3.505" in shown and "3.528" in shown and "Quoted, not repeated" in shown
    assert "<b>one</b>" not in shown
    kinds = {json.loads(line)["kind"] for line in disagreements.read_text(encoding="utf-8").splitlines()}
    assert kinds <= {"gap", "against_rubric", "orders"}
    FIGURES["model_comparison"](table, {}, [])


def test_the_prompts_of_a_comparison_follow_the_metric_s_inputs(repository, tmp_path):
    raw = {"criteria": "Short?", "scores": {0: "No.", 1: "Yes."}, "inputs": [], "output": "text"}
    (tmp_path / "short.yaml").write_text(yaml.safe_dump(raw), encoding="utf-8")
    chosen = [
        rubric_metrics.load_metric(tmp_path / "short.yaml"),
        rubric_metrics.load_metric(repository / "config" / "metrics" / "relevance_5_point.yaml"),
    ]
    wanted = {"models": ["a", "b"], "questions": "q", "judges": ["j"], "prompts": {"pairwise": "plain_pairwise"}}
    entry = ModelComparison.of(wanted)
    assert answer_judging.prompt_names(entry, chosen) == {
        PAIRS: "plain_pairwise",
        "short": "rubric_pointwise_no_inputs",
        "relevance_5_point": "rubric_pointwise",
    }
    found = answer_judging.templates(
        entry, chosen, lambda name: load_template(repository / "config" / "prompts" / f"{name}.yaml")
    )
    scales = [(template.reply.minimum, template.reply.maximum) for template in list(found.values())[1:]]
    assert scales == [(0, 1), (1, 5)]


@pytest.mark.parametrize(
    ("measure", "value", "text"),
    [
        ("seconds_per_token", 0.00123, "0.0012 [0.0011, 0.0014]"),
        ("seconds", 1.5, "1.500 [1.378, 1.672]"),
        ("score", 0.00123, "0.001 [0.001, 0.001]"),
        ("score", -0.0, "0.000 [0.000, 0.000]"),
    ],
)
def test_small_times_are_shown_with_two_digits_and_no_zero_is_negative(measure, value, text):
    row = {"measure": measure, "value": value, "ci_low": value * 0.9187 + 0.0, "ci_high": value * 1.1144 + 0.0}
    assert signed_span(pd.Series(row)) == text

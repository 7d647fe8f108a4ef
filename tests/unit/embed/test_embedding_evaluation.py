"""Evaluation sets, ranks, metrics with intervals, decisions, the checks of a study, tables, page and figures."""

import csv
import io
import json
import math
import pathlib

import numpy as np
import pandas as pd
import pytest

from judgemerge.core.catalogues import load_yaml
from judgemerge.core.errors import JudgemergeError
from judgemerge.core.items import random_part
from judgemerge.embed import (
    Chunk,
    EvaluationRow,
    Pair,
    decisions,
    encoder_training,
    evaluation_sets,
    mixing,
    retrieval,
    retrieval_tables,
)
from judgemerge.settings import config
from judgemerge.settings.report import Statistics
from judgemerge.study.load import load_study

SETTINGS = Statistics(resamples=400, seed=7)
EXAMPLES = (
    "FlagOpen/FlagEmbedding/7ed43d67ec03fbe5c31c0992dbfa941fb1860549/examples/finetune/embedder/example_data/retrieval"
)


def row(name, anchor="q", positives=("p",), negatives=(), cluster="c"):
    return EvaluationRow(name, anchor, list(positives), list(negatives), cluster)


# ---- evaluation sets ----


def chunks(n_documents, per_document=2):
    return [
        Chunk(f"d{number}/{place}", f"d{number}", place, f"text {number} {place}", "en")
        for number in range(n_documents)
        for place in range(per_document)
    ]


def test_whole_documents_are_held_out():
    held = evaluation_sets.held_out(chunks(10), 0.3, 1)
    assert len(held) == 3 and held == evaluation_sets.held_out(chunks(10), 0.3, 1)
    assert evaluation_sets.held_out(chunks(10), 0, 1) == set()
    assert len(evaluation_sets.held_out(chunks(3), 0.01, 1)) == 1
    with pytest.raises(JudgemergeError, match="leaves none to train on"):
        evaluation_sets.held_out(chunks(2), 0.9, 1)


@pytest.mark.parametrize(
    ("rows", "keys"),
    [
        ([{"anchor": "q", "positive": "p"}], {}),
        ([{"query": "q", "corpus": "p"}], {}),
        ([{"frage": "q", "antwort": ["p"]}], {"query": "frage", "document": "antwort"}),
    ],
)
def test_sets_of_all_names_are_read(tmp_path, rows, keys):
    path = tmp_path / "set.jsonl"
    path.write_text("\n".join(map(json.dumps, [*rows, {key: "" for key in rows[0]}])), encoding="utf-8")
    found, counts = evaluation_sets.read_set(path, keys)
    assert [(one.anchor, one.positives) for one in found] == [("q", ["p"])]
    assert counts == {"rows": 2, "queries": 1, "left_out": 1, "reasons": {"empty question or text": 1}}


def test_unknown_keys_are_named(tmp_path):
    path = tmp_path / "set.jsonl"
    path.write_text('{"ask": "q", "positive": "p"}\n', encoding="utf-8")
    with pytest.raises(
        JudgemergeError, match="none of the keys anchor, query, question; name the right one in keys.query"
    ):
        evaluation_sets.read_set(path, {})
    with pytest.raises(JudgemergeError, match="no key 'aks'.*did you mean 'ask'"):
        evaluation_sets.read_set(path, {"query": "aks"})
    with pytest.raises(JudgemergeError, match="is not there"):
        evaluation_sets.read_set(tmp_path / "none.jsonl", {})


def test_a_review_is_read_back(tmp_path):
    made = [row("a", "first, with comma?"), row("b", "second?"), row("c", "third?"), row("d", "fourth?")]
    lines = list(csv.DictReader(io.StringIO(evaluation_sets.review_text(made))))
    assert list(lines[0]) == list(evaluation_sets.REVIEW_COLUMNS)
    lines[1]["keep"], lines[2]["question"], lines[3]["question"] = "no", "third, better?", " "
    path = tmp_path / "review.csv"
    with open(path, "w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, evaluation_sets.REVIEW_COLUMNS)
        writer.writeheader()
        writer.writerows(lines)
    found, counts = evaluation_sets.read_set(path, {})
    assert [one.anchor for one in found] == ["first, with comma?", "third, better?"]
    assert found[0] == made[0]
    assert counts["reasons"] == {"rejected in the review": 1, "empty question or text": 1} and counts["left_out"] == 1
    path.write_text(path.read_text(encoding="utf-8-sig").replace(",no,", ",maybe,"), encoding="utf-8")
    with pytest.raises(JudgemergeError, match="line 3: keep is 'maybe'"):
        evaluation_sets.read_set(path, {})


@pytest.mark.parametrize(("name", "n_texts"), [("nq", 970), ("msmarco", 250), ("nli", 10)])
def test_examples_of_flagembedding_are_read(mirror, name, n_texts):
    found, counts = evaluation_sets.read_set(mirror / EXAMPLES / f"{name}.jsonl", {})
    assert counts["queries"] == 10 and counts["left_out"] == 0
    assert abs(sum(len(one.negatives) for one in found) - n_texts) < 12
    task = retrieval.task_of(found)
    assert all(query.among is not None and set(query.right) <= set(query.among) for query in task.queries)


# ---- ranks and metrics ----


def test_ranks_by_hand():
    task = retrieval.task_of([row("a", positives=["x"]), row("b", positives=["y"]), row("c", positives=["x", "z"])])
    assert task.texts == ["x", "y", "z"]
    similar = np.array([[0.9, 0.1, 0.5], [0.9, 0.5, 0.5], [0.2, 0.9, 0.3]])
    assert retrieval.ranks(task, similar) == [[1], [3], [2, 3]]  # a tie counts against the model


def test_a_model_that_cannot_tell_texts_apart_is_last():
    task = retrieval.task_of([row(str(number), positives=[f"t{number}"]) for number in range(4)])
    assert retrieval.ranks(task, np.ones((4, 4))) == [[4]] * 4


def test_rows_with_their_own_negatives_are_searched_in_those():
    task = retrieval.task_of([row("a", positives=["x"], negatives=["n"]), row("b", positives=["y"])])
    assert retrieval.ranks(task, np.array([[0.5, 0.1, 0.9], [0.1, 0.1, 0.9]])) == [[1], [1]]


def test_metrics_by_hand():
    found = retrieval.values([[1], [3], [7], [1, 6]], 5)
    assert found["recall@5"].tolist() == [1, 1, 0, 0.5]
    assert found["mrr"].tolist() == pytest.approx([1, 1 / 3, 1 / 7, 1])
    ideal = 1 + 1 / math.log2(3)
    assert found["ndcg@5"].tolist() == pytest.approx([1, 1 / math.log2(4), 0, 1 / ideal])


def test_a_perfect_model_has_one_everywhere():
    assert all((values == 1).all() for values in retrieval.values([[1], [1], [1, 2]], 5).values())


def test_reranking_sorts_only_the_first_texts():
    class Scorer:
        def predict(self, asked, **_):
            return [float(text == "right") for _, text in asked]

    task = retrieval.task_of([row("a", positives=["right"]), row("b", positives=["w1"]), row("c", positives=["w2"])])
    similar = np.tile([0.5, 0.9, 0.8], (3, 1))
    assert retrieval.rerank(Scorer(), task, similar, 3)[0] == [1]
    assert retrieval.rerank(Scorer(), task, similar, 2)[0] == [3]


def test_intervals_and_paired_differences():
    rng = np.random.default_rng(0)
    clusters = [f"d{number // 4}" for number in range(200)]
    base = {"recall@5": (rng.random(200) < 0.4).astype(float)}
    better = {"recall@5": np.maximum(base["recall@5"], (rng.random(200) < 0.3).astype(float))}
    (score,) = retrieval.scores("t", clusters, base, SETTINGS)
    assert score["value"] == base["recall@5"].mean() and score["ci_low"] < score["value"] < score["ci_high"]
    (gap,) = retrieval.differences("t", clusters, base, better, SETTINGS)
    assert gap["value"] == pytest.approx(better["recall@5"].mean() - base["recall@5"].mean())
    assert 0 < gap["ci_low"] < gap["value"] < gap["ci_high"] and gap["p"] < 0.001
    (back,) = retrieval.differences("t", clusters, better, base, SETTINGS)
    assert (back["ci_low"], back["ci_high"]) == pytest.approx((-gap["ci_high"], -gap["ci_low"]))
    (none,) = retrieval.differences("t", clusters, base, base, SETTINGS)
    assert (none["value"], none["ci_low"], none["ci_high"], none["p"]) == (0, 0, 0, 1)


def test_one_document_has_no_interval():
    (score,) = retrieval.scores("t", ["d"] * 5, {"mrr": np.linspace(0, 1, 5)}, SETTINGS)
    assert np.isnan(score["ci_low"]) and score["note"] == "one document, no interval"


# ---- iterations ----


def test_slices_by_hand():
    every = chunks(7, 1)
    names = lambda found: [chunk.document for chunk in found]  # noqa: E731
    cumulative = [names(decisions.slice_of(every, turn, 3, "cumulative")) for turn in (1, 2, 3)]
    assert [len(found) for found in cumulative] == [2, 4, 7]
    disjoint = [names(decisions.slice_of(every, turn, 3, "disjoint")) for turn in (1, 2, 3)]
    assert sum(disjoint, []) == names(every) and [len(found) for found in disjoint] == [2, 2, 3]


@pytest.mark.parametrize(
    ("iteration", "before", "after", "stop", "reason"),
    [
        (1, 0.5, 0.6, True, "relative increase +20.0 % has reached 20 %"),
        (1, 0.5, 0.55, False, "relative increase +10.0 % is below 20 %"),
        (1, 0.94, 0.95, True, "recall 0.950 has reached 0.95"),
        (1, 0.0, 0.5, False, "undefined, because the base finds nothing"),
        (1, 0.0, 0.96, True, "recall 0.960 has reached"),
        (3, 0.5, 0.4, True, "last of 3 iterations; relative increase -20.0 %"),
    ],
)
def test_decisions(iteration, before, after, stop, reason):
    found = decisions.decide(iteration, 3, before, after, 20, 0.95)
    assert found.stop is stop and reason in found.reason
    assert (found.increase is None) == (before == 0)


def outcomes(*recalls, base=0.3, passed_over=0):
    found = [decisions.decide(n, len(recalls), base, recall, 50, 0.99) for n, recall in enumerate(recalls, 1)]
    return found + [found[-1]._replace(passed_over=True)] * passed_over


@pytest.mark.parametrize(
    ("every", "number", "sentence"),
    [
        (outcomes(0.4, 0.45, 0.42), 2, "iteration 2 of 3, recall 0.450, the highest; the last one has 0.420."),
        (outcomes(0.4, 0.45), 2, "iteration 2 of 2, recall 0.450."),
        (outcomes(0.4, 0.4), 1, "iteration 1 of 2"),
        (outcomes(0.286, 0.286, 0.25, base=0.286), 1, "The base finds 0.286: fine-tuning has gained nothing here"),
        (outcomes(0.6, passed_over=2), 1, "iteration 1 of 1, recall 0.600."),
    ],
)
def test_the_best_iteration_is_kept_and_the_page_says_so(every, number, sentence):
    assert decisions.best(every).iteration == number
    assert sentence in decisions.choice(every)


def test_tuned_is_the_best_iteration_in_the_tables():
    every = outcomes(0.4, 0.35)
    ranks = {"base": ranked(0), "iteration_1": ranked(4), "iteration_2": ranked(1)}
    assert retrieval_tables.ranked_models(ranks, {}, [], every)["tuned"].ranks == ranks["iteration_1"]


def test_passing_over_writes_every_kind_of_output(tmp_path):
    stop = decisions.decide(1, 3, 0.5, 0.9, 20, 0.95)
    (tmp_path / "1.json").write_text(json.dumps(stop.row()))
    outputs = [tmp_path / name for name in ("rows.jsonl", "counts.json", "model")]
    decisions.pass_over(decisions.stopped_by([tmp_path / "1.json"]), *outputs)
    assert outputs[0].read_text() == "" and json.loads(outputs[1].read_text())["passed_over"]
    assert decisions.is_passed_over(outputs[2]) and not decisions.is_passed_over(tmp_path)
    assert decisions.stopped_by([outputs[1]]).iteration == 1


# ---- a study ----


@pytest.fixture(scope="module")
def study_file(repository):
    return load_yaml(repository / "config" / "studies" / "embedder.yaml")


@pytest.fixture(scope="module")
def load(repository, study_file):
    def loaded(changes=None, scale=None):
        settings = config._laid_over(study_file, changes or {})
        return load_study(settings | ({"scale": scale} if scale else {}), "embedder.yaml", repository / "config")

    return loaded


def test_both_sizes_are_sound(load):
    full, tiny = load(), load(scale="tiny")
    assert full.judges == tiny.judges == [] and tiny.models == {}
    assert full.embedding.writers["selection.relevance.model"] == "writer"
    assert set(tiny.embedding.writers.values()) == {None}
    assert set(tiny.embedding.mixes) == {"mixed_25", "mixed_50", "mixed_75", "mixed_by_loss"}
    assert list(full.embedding.other_tasks) == ["kitchen", "garden"]
    assert "flagembedding_nq" not in full.source_keys
    assert "flagembedding_nq" in load({"downloads": True}).source_keys


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"documents": {"make": {"domain": "workshop"}}}, "either 'folder' or 'make'"),
        ({"documents": {"folder": None}}, "either 'folder' or 'make' or 'package'; give one of them"),
        ({"documents": {"openings": True}}, "questions.model is set beside documents.openings"),
        ({"documents": {"overlap": 750}}, "overlap is 750; it must be below chunk"),
        ({"documents": {"language": "eng"}}, "language is 'eng'; did you mean 'en'"),
        ({"questions": {"model": "writr"}}, "questions.model names 'writr'.*did you mean 'writer'"),
        ({"embedder": {"revision": "main"}}, "revision"),
        ({"prompts": "chinse"}, "embedding.prompts names 'chinse'.*did you mean 'chinese'"),
        ({"prompts": "none.yaml"}, "embedding.prompts names 'none.yaml', which is no file"),
        ({"reranker": {"repo": None, "revision": None, "size_gb": None, "make": {}}}, "starts from a made embedder"),
        ({"reranker": None}, "no reranker to train"),
        ({"forgetting": {"weights": [1.0]}}, "holds 1.0"),
        ({"forgetting": {"weights": [0.333]}}, "two decimals"),
        ({"forgetting": {"tasks": {"target": {"path": "x"}}}}, "rename this one"),
        ({"forgetting": {"tasks": {"more": {"make": {"domain": "kitchn"}}}}}, "did you mean 'kitchen'"),
        ({"forgetting": {"tasks": {"more": {"source": "flagembedding_nqq"}}}}, "did you mean 'flagembedding_nq'"),
        ({"others": {"base": {"path": "x"}}}, "the name 'base' of an embedding model is taken"),
        ({"others": {"mixed_a": {"path": "x"}}}, "'mixed_a' of an embedding model is taken"),
        ({"others": {"e5": {"path": "nowhere"}}}, "others.e5.path is 'nowhere', which is no folder"),
        ({"forgetting": {"cocktails": {"mine": {"base": 0.5, "tund": 0.5}}}}, "names 'tund'.*did you mean 'tuned'"),
        ({"forgetting": {"cocktails": {"mine": {"base": 0.5, "tuned": 0.6}}}}, "weights that sum to 1.1"),
        ({"forgetting": {"by_loss": None, "cocktails": {"mine": ["base", "tuned"]}}}, "gives no weights"),
        ({"iterations": {"slices": "both"}}, "'embedding.iterations.slices' is 'both'"),
    ],
)
def test_what_cannot_work_is_refused_before_the_first_job(load, changes, sentence):
    with pytest.raises(JudgemergeError, match=sentence):
        load({"embedding": changes})


def test_a_model_folder_is_looked_at_in_the_plan(load, tmp_path):
    place = {"repo": None, "revision": None, "size_gb": None, "path": str(tmp_path / "model")}
    with pytest.raises(JudgemergeError, match="embedder.path is .*, which is no folder"):
        load({"embedding": {"embedder": place}})
    (tmp_path / "model" / "2_Dense").mkdir(parents=True)
    (tmp_path / "model" / "config.json").write_text("{}")
    (tmp_path / "model" / "pytorch_model.bin").write_text("")
    with pytest.raises(JudgemergeError, match="no .safetensors file"):
        load({"embedding": {"reranker": place}})
    (tmp_path / "model" / "model.safetensors").write_text("")
    (tmp_path / "model" / "2_Dense" / "pytorch_model.bin").write_text("")
    with pytest.raises(JudgemergeError, match="module has weights"):
        load({"embedding": {"embedder": place}})


def test_a_study_needs_judges_or_an_embedding_model(repository):
    with pytest.raises(JudgemergeError, match="key 'suites' is missing"):
        load_study({"study": "empty"}, "empty.yaml", repository / "config")


# ---- tables, page, figures ----


def ranked(shift, task="target", n=60):
    rng = np.random.default_rng(n)
    return [
        retrieval.RankRow(task, f"q{number}", f"d{number // 3}", [max(1, int(rank) - shift)])
        for number, rank in enumerate(rng.integers(1, 15, n))
    ]


@pytest.fixture(scope="module")
def made():
    """Return both tables of a base, two iterations (the second not needed), two mixtures and two rerankers."""
    decided = [decisions.decide(1, 2, 0.3, 0.5, 20, 0.95)]
    decided.append(decided[0]._replace(passed_over=True))
    other = ranked(0, "kitchen")
    ranks = {
        "base": ranked(0) + other,
        "iteration_1": ranked(4) + ranked(-2, "kitchen"),
        "iteration_2": [],
        "mixed_50": ranked(3) + ranked(-1, "kitchen"),
        "mixed_by_loss": ranked(3) + ranked(-1, "kitchen"),
        "reranker": ranked(4),
        "reranker_tuned": ranked(5),
    }
    shares = {"mixed_50": 0.5, "mixed_by_loss": 0.52}
    models = retrieval_tables.ranked_models(ranks, shares, ["reranker", "reranker_tuned"], decided)
    roles = {"target": "target", "kitchen": "other"}
    return decided, retrieval_tables.retrieval_tables(models, roles, {"target": 0, "kitchen": 2}, 5, SETTINGS)


def test_tables(made):
    _, (table, gaps) = made
    assert list(dict.fromkeys(table["model"])) == [
        "base", "iteration_1", "mixed_50", "mixed_by_loss", "tuned", "reranker", "reranker_tuned",
    ]  # fmt: skip
    value = table.set_index(["model", "task", "metric"])["value"]
    assert value["tuned", "target", "recall@5"] == value["iteration_1", "target", "recall@5"]
    gap = gaps.set_index(["model", "against", "task", "metric"])["value"]
    assert gap["tuned", "base", "kitchen", "mrr"] < 0 < gap["tuned", "base", "target", "mrr"]
    assert ("reranker", "tuned", "target", "mrr") in gap and ("reranker_tuned", "reranker", "target", "mrr") in gap
    assert set(table[table["task"] == "kitchen"]["errors"]) == {2} and (table["n"] == 60).all()


def test_models_that_ranked_different_queries_are_not_compared():
    models = {
        "base": retrieval_tables.RankedModel("base", 0.0, None, ranked(0)),
        "tuned": retrieval_tables.RankedModel("tuned", 1.0, "base", ranked(1)[::-1]),
    }
    with pytest.raises(ValueError, match="different queries of target"):
        retrieval_tables.retrieval_tables(models, {"target": "target"}, {"target": 0}, 5, SETTINGS)


def test_the_page_tells_everything(made, repository):
    from judgemerge.report.tables import retrieval as page

    decided, (table, gaps) = made
    documents = {"documents": 3, "left_out": 1, "chunks": 9, "duplicates": 2, "languages": {"en": 9}}
    documents["problems"] = [{"file": "<a>.txt", "problem": "not UTF-8; read as cp1252", "left_out": False}]
    losses = {"losses": {"base": {"value": 1.0}, "tuned": {"value": 0.5}}, "weights": {"base": 0.475, "tuned": 0.525}}
    manifest = {"made_by": {"losses": {**losses, "temperature": 5.0, "examples": 5, "negatives": 7}}}
    sections = dict(
        page.sections(
            table, gaps, page.read_published(repository / "config" / "lm_cocktail.tsv"), decided, documents,
            {"x/1/training.counts.json": {"scored": 5}, "x/2/training.counts.json": decided[1].row()}, [manifest],
        )
    )  # fmt: skip
    assert (
        "relative increase +66.7 % has reached 20 %" in sections["Why it stopped"]
        and "not needed" in sections["Why it stopped"]
    )
    assert (
        "&lt;a&gt;.txt" in sections["What happened to the data"] and "scored 5" in sections["What happened to the data"]
    )
    assert "94.5" in sections["Published: LM-Cocktail"] and "7ed43d6" in sections["Published: LM-Cocktail"]
    assert "0.5250" in sections["Weights from examples"]
    assert "kitchen (other, n 60, errors 2)" in sections["Gained and forgotten"]


@pytest.mark.parametrize("name", ["retrieval", "forgetting"])
def test_figures_show_every_model(made, name):
    from report_cases import FIGURES

    table = made[1][0]
    figure = FIGURES[name](table, {}, [])
    panels = [axes for axes in figure.axes if axes.get_visible()]
    assert len(panels) == (3 if name == "retrieval" else 2)
    texts = " ".join(text.get_text() for axes in panels for text in [axes.title, *axes.get_yticklabels()])
    assert ("50 % tuned" in texts) if name == "retrieval" else ("other task: kitchen (n = 60)" in texts)


def test_published_numbers_are_those_of_the_readme(repository):
    from judgemerge.report.tables.retrieval import read_published

    rows, comment = read_published(repository / "config" / "lm_cocktail.tsv")
    assert isinstance(rows, pd.DataFrame) and len(rows) == 8 and "FlagEmbedding" in comment
    bge = rows[rows["table"].str.startswith("BGE")]
    assert bge["target"].tolist() == [71.8, 76.0, 74.8, 74.7] and bge["other"].tolist() == [49.8, 48.5, 50.0, 50.6]


# ---- training data and mixtures ----


def pairs(n):
    return [
        Pair(f"{number}", f"d{number}", f"what of part{number}", f"part{number} is described", "en")
        for number in range(n)
    ]


def test_columns_of_the_training_set():
    made = encoder_training.columns(pairs(4), 2, "ask: ")
    assert (
        list(made) == ["anchor", "positive", "negative_1", "negative_2"] and made["anchor"][0] == "ask: what of part0"
    )
    assert all(made["positive"][n] not in (made["negative_1"][n], made["negative_2"][n]) for n in range(4))
    with pytest.raises(JudgemergeError, match="hard_negatives is 4, but pair '0' has 3"):
        encoder_training.columns(pairs(4), 4)


def test_rows_of_a_reranker():
    rows = encoder_training.labelled(pairs(5), 1, 2, 3)
    assert rows["label"] == [1.0, 0.0, 0.0, 0.0] * 5 and rows == encoder_training.labelled(pairs(5), 1, 2, 3)
    with pytest.raises(JudgemergeError, match="two documents"):
        encoder_training.labelled(pairs(1), 0, 1, 3)


def test_a_sample_of_pairs_keeps_their_order():
    drawn = [int(pair.id) for pair in random_part(pairs(50), 10, 1)]
    assert len(drawn) == 10 and drawn == sorted(drawn) and random_part(pairs(5), 10, 1) == pairs(5)


def test_examples_for_weights():
    found = mixing.examples_of(pairs(10), 3, 4, 1)
    assert len(found) == 3 and all(len(one["neg"]) == 4 and one["pos"][0] not in one["neg"] for one in found)
    asked = mixing.examples_of(pairs(10), 3, 20, 1, "Represent this: ")
    assert [one["query"] for one in asked] == ["Represent this: " + one["query"] for one in found]
    assert all(len(one["neg"]) == 9 for one in asked)  # as many as there are
    with pytest.raises(JudgemergeError, match="by_loss needs questions on at least two documents"):
        mixing.examples_of(pairs(1), 3, 4, 1)


def test_weights_come_from_questions_that_nothing_was_trained_on():
    rows = [row("a", "what?", ["润滑油每周更换一次。", "z"], cluster="d1"), row("b", "why?", ["oil"], cluster="d2")]
    found = evaluation_sets.pairs_of(rows)
    assert found[0] == Pair("a", "d1", "what?", "润滑油每周更换一次。", "zh") and found[1].language == "en"
    rule = pathlib.Path("rules/embed.smk")
    text = (pathlib.Path(__file__).parents[3] / rule).read_text(encoding="utf-8")
    mixing_rule = text.split("rule mix_embedders:")[1].split("rule ")[0]
    assert "held_out=paths.path(paths.TASK, TARGET)" in mixing_rule and "TRAINING_PAIRS" not in mixing_rule


def test_a_reranker_without_numbers_is_refused():
    class Broken:
        def predict(self, asked, batch_size, show_progress_bar):
            return [0.5, float("nan")]

    with pytest.raises(JudgemergeError, match="the reranker gives scores that are no numbers"):
        retrieval.predicted(Broken(), [("q", "a"), ("q", "b")], 2)


def test_holes_as_tables_write_them_are_no_texts_and_the_file_may_be_a_list(tmp_path):
    rows = [
        {"query": "Who?", "pos": ["I."], "neg": float("nan"), "document": float("nan")},
        {"query": float("nan"), "pos": ["I."]},
        {"query": "Where?", "pos": [float("nan")]},
    ]
    path = tmp_path / "set.json"
    path.write_text(json.dumps(rows), encoding="utf-8")
    (row,), counts = evaluation_sets.read_set(path, {})
    assert (row.anchor, row.negatives, counts["left_out"]) == ("Who?", [], 2)
    path.write_text("[1]", encoding="utf-8")
    with pytest.raises(JudgemergeError, match="row 0 is int, not an object"):
        evaluation_sets.read_set(path, {})

"""Desks of real studies: a benchmark of pairs, one of grades, a comparison of models by its pairs and by a metric."""

from dataclasses import replace

import pytest

import show_labels
from judgemerge.core import files
from judgemerge.core.errors import JudgemergeError
from judgemerge.core.items import Item, Vote, write_items
from judgemerge.evaluate.labels import read_labels
from judgemerge.label.choices import LEFT
from judgemerge.label.drawing import LabelFiles, read_shown, with_writers
from judgemerge.label.opening import Part, Wish, open_desk
from judgemerge.settings.comparisons import LabelledPart
from study_options import read_study


@pytest.fixture
def place(tmp_path, monkeypatch, repository):
    """Work in a folder without any results, below which the catalogue of the repository is."""
    (tmp_path / "config").symlink_to(repository / "config")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def question(number, protocol="prompts", **more):
    usual = {"benchmark": "set", "truth": None, "cluster": f"c{number}", "origin": {}, "responses": ()}
    return Item(id=f"q{number}", protocol=protocol, turns=(f"question {number}",), **(usual | more))


@pytest.fixture
def demo(place):
    """Return the default study with the items of its two benchmarks."""
    pairs = [question(n, "pairwise", responses=((f"a{n}",), (f"b{n}",)), truth="first") for n in range(12)]
    votes = (Vote("one", 2), Vote("two", 7))
    grades = [question(n, "pointwise", responses=((f"a{n}",),), truth=4.5, votes=votes) for n in range(12)]
    for name, items in (("demo_pairwise", pairs), ("demo_pointwise", grades)):
        write_items(f"results/demo/items/{name}.jsonl", [replace(item, benchmark=name) for item in items])
    return read_study("config/config.yaml")


@pytest.fixture
def compared(place):
    """Return a study that compares two models, with questions and answers; one answer is lacking."""
    study = read_study("config/studies/orpo.yaml", ["scale=twins"])
    folder = f"results/{study.name}/model_comparisons/tuned"
    write_items(f"{folder}/questions.jsonl", [question(n, extra={"better_response": f"good {n}"}) for n in range(9)])
    for model in ("llama", "orpo_final"):
        texts = [None if (model, n) == ("llama", 8) else f"text {n} of {model[:1]}" for n in range(9)]
        rows = [{"question": f"q{n}", "sample": 0, "seed": 1, "text": text} for n, text in enumerate(texts)]
        files.write_jsonl(f"{folder}/answers/{model}.jsonl", rows)
    return study


def test_scale_and_ties_are_kept_with_the_draw(demo):
    first = opened(demo, "demo_pointwise", 5, scale="1-5")
    assert [choice.value for choice in first.choices] == [1, 2, 3, 4, 5]
    assert opened(demo, "demo_pointwise").choices == first.choices
    with pytest.raises(JudgemergeError, match="has scale '1-5', and '1-7' is asked for now"):
        opened(demo, "demo_pointwise", scale="1-7")
    opened(demo, "demo_pairwise", 5)
    assert len(opened(demo, "demo_pairwise", with_ties=False).choices) == 2
    assert len(opened(demo, "demo_pairwise").choices) == 2
    with pytest.raises(JudgemergeError, match="--equal is for a new draw"):
        opened(demo, "demo_pairwise", wish=Wish(equal=True))


def opened(study, of, labels=None, wish=None, folder="labels", **part):
    part = Part(of, **part)
    return open_desk(study, part, LabelFiles.of(folder, of, part.metric), wish or Wish(labels))


def test_a_benchmark_of_pairs_and_one_of_grades(demo):
    pairs, grades = opened(demo, "demo_pairwise", 5), opened(demo, "demo_pointwise", 5)
    assert [choice.value for choice in pairs.choices] == ["left", "right", "tie"]
    assert [choice.value for choice in grades.choices] == list(range(1, 11))  # as the prompt of its judges says
    assert pairs.question.title == "Which answer is better?" and pairs.drawn.seed == demo.settings.seed
    assert opened(demo, "demo_pairwise").drawn == pairs.drawn == opened(demo, "demo_pairwise", 5).drawn


@pytest.mark.parametrize(
    ("wish", "sentence"),
    [
        (Wish(6), "was drawn with labels 5, and 6 is asked for now"),
        (Wish(5, seed=1), "was drawn with seed 42, and 1 is asked for now"),
        (Wish(by="category"), "was drawn with by '', and 'category' is asked for now"),
    ],
)
def test_another_draw_than_the_one_that_is_there_is_refused(demo, wish, sentence):
    opened(demo, "demo_pairwise", 5)
    with pytest.raises(JudgemergeError, match=sentence):
        opened(demo, "demo_pairwise", wish=wish)
    assert len(opened(demo, "demo_pairwise", wish=wish._replace(labels=6), folder="others").items) == 6


def test_a_draw_from_other_items_is_refused(demo):
    desk = opened(demo, "demo_pairwise", 5)
    desk.vote("anna", 1, LEFT)
    path = "results/demo/items/demo_pairwise.jsonl"
    items = list(read_shown(demo, "demo_pairwise").values())
    write_items(path, items[:-1])
    with pytest.raises(JudgemergeError, match="was drawn from other items than the 11 .* 'q11' is there no longer"):
        opened(demo, "demo_pairwise")
    write_items(path, [*items, replace(items[0], id="new")])
    with pytest.raises(JudgemergeError, match="there were 12 then"):
        opened(demo, "demo_pairwise")
    write_items(path, [replace(item, responses=(("another text",), ("b",))) for item in items])
    with pytest.raises(JudgemergeError, match="row 1 was given to another text of"):
        opened(demo, "demo_pairwise")


@pytest.mark.parametrize(
    ("of", "part", "labels", "sentence"),
    [
        ("nowhere", {}, 5, "has no benchmark or comparison 'nowhere'; it has demo_pairwise, demo_pointwise"),
        ("demo_pairwise", {"metric": "kind"}, 5, "'demo_pairwise' is a benchmark, which has none"),
        ("demo_pairwise", {"scale": "1-5"}, 5, "people compare pairs"),
        ("demo_pairwise", {}, None, "nothing has been drawn yet: say how many"),
        ("demo_pairwise", {}, 0, "0 labels of 'demo_pairwise' are asked for"),
        ("demo_pairwise", {}, 13, "13 labels cannot be drawn from 12 units"),
    ],
)
def test_what_cannot_be_labelled_is_said_in_a_sentence(demo, of, part, labels, sentence):
    with pytest.raises(JudgemergeError, match=sentence):
        opened(demo, of, labels, **part)


def test_texts_that_are_not_public_cannot_be_shown(demo):
    write_items("results/demo/items/demo_pairwise.jsonl", [question(1, "pairwise", benchmark="demo_pairwise")])
    with pytest.raises(JudgemergeError, match="not public"):
        opened(demo, "demo_pairwise", 1)
    write_items("results/demo/items/demo_pairwise.jsonl", [])
    with pytest.raises(JudgemergeError, match="no item is left"):
        opened(demo, "demo_pairwise", 1)


def test_what_has_not_been_made_is_named_with_its_command(place):
    with pytest.raises(JudgemergeError, match="is not there yet; make it first: snakemake .* -- results/demo/items/"):
        opened(read_study("config/config.yaml"), "demo_pairwise", 5)


def test_pairs_of_a_comparison_are_shown_without_who_wrote_them(compared):
    desk = opened(compared, "tuned", 8)
    assert len(desk.drawn.strata) == 8  # one answer is lacking
    told = str([desk.item("anna", label) for label in desk.by_label])
    assert "text 3 of l" in told and "llama" not in told and "orpo" not in told
    for label in desk.by_label:
        desk.vote("anna", label, LEFT)
    assert {item.models for item in with_writers(compared, "tuned", "pairs", desk.items).values()} == {
        ("llama", "orpo_final")
    }


def test_answers_are_graded_by_the_words_of_a_metric(compared):
    desk = opened(compared, "tuned", 10, metric="relevance_5_point")
    assert desk.question.criterion.startswith("Does the response deal with what the query asks for")
    assert desk.choices[0].words == "1: The response has nothing to do with the query, or cannot be understood."
    assert len(desk.drawn.strata) == 17 and desk.item("anna", 1)["more"] == []
    for label in desk.by_label:
        desk.vote("anna", label, 4)
    paths = LabelFiles.of("labels", "tuned", "relevance_5_point")
    labelled = LabelledPart.of({"votes": str(paths.votes), "draw": str(paths.draw), "metric": "relevance_5_point"})
    votes, _ = read_labels(labelled, "pointwise", list(desk.drawn.strata), may_lack=True)
    assert len(votes) == 10 and set(map(tuple, votes.values())) == {(4.0,)}
    writers = with_writers(compared, "tuned", "relevance_5_point", desk.items)
    assert all(unit.endswith("/" + item.models[0]) for unit, item in writers.items())
    with pytest.raises(JudgemergeError, match="has no metric 'kindness'; it has flow_judge_correctness_5_point, rel"):
        opened(compared, "tuned", 5, metric="kindness")


def test_words_of_others_have_to_be_there(compared):
    with pytest.raises(JudgemergeError, match="sources/flow_judge_metrics is not there yet; make it first"):
        opened(compared, "tuned", 5, metric="flow_judge_correctness_5_point")


def test_the_command_says_how_far_everybody_is(demo):
    arguments = {"study_file": "config/config.yaml", "of": "demo_pairwise"}
    with pytest.raises(JudgemergeError, match="nothing has been drawn yet"):
        show_labels.main(**arguments)
    desk = opened(demo, "demo_pairwise", 12)
    with pytest.raises(JudgemergeError, match="has no vote yet; label some: make label"):
        show_labels.main(**arguments)
    for label in desk.by_label:
        desk.vote("Anna", label, LEFT)
    desk.vote("Ben", 1, "tie")
    said = show_labels.main(**arguments)
    assert "Anna  12 of 12 labelled, the left answer better in 12 of 12 without ties\nBen   1 of 12 labelled\n" in said
    assert "How far people agree is said when two have labelled everything." in said
    assert "  demo_pairwise: {votes: labels/demo_pairwise.votes.jsonl, draw: labels/demo_pairwise.draw.json}" in said
    assert len(list(files.read_jsonl("labels/demo_pairwise.items.jsonl"))) == 12

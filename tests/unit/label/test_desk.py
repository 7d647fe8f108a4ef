"""What people are shown, what is kept of what they say, and that nothing tells them whose answers they see."""

import json
import threading
from dataclasses import replace

import pytest
from label_cases import MODELS, item

from judgemerge.core import files
from judgemerge.core.errors import JudgemergeError
from judgemerge.data.benchmarks import load_items
from judgemerge.evaluate.labels import read_labels
from judgemerge.label.agreement import agreements
from judgemerge.label.desk import Conflict, finished, more_texts
from judgemerge.label.own import catalogue_entry, own_rows
from judgemerge.label.votes import LabelVote
from judgemerge.settings.comparisons import LabelledPart
from judgemerge.settings.report import Statistics

TELLING = (*MODELS, "i3", "cluster-", "telling-", "earlier-annotator", "leaky", '"first"', '"second"')


def label_all(desk, who, choose):
    """Label everything that is left as `choose` says of the item that is shown; return the last state."""
    state = desk.state(who)
    while state["left"]:
        label = state["left"][0]
        state = desk.vote(who, label, choose(desk.item(who, label)), 1.0)
    return state


def side_with(text):
    return lambda shown: "left" if text in shown["answers"][0][0] else "right"


def test_nothing_tells_who_wrote_what(part):
    desk = part(40).desk
    told = [desk.about(), desk.state("anna"), *(desk.item("anna", label) for label in desk.by_label)]
    desk.vote("anna", desk.state("anna")["left"][0], "left")
    told.append(desk.state("anna"))
    text = json.dumps(told)
    assert "question 3" in text and "left 3" in text
    assert [word for word in TELLING if word in text] == []


def test_everybody_has_an_order_and_sides_of_their_own(part):
    desk = part(40).desk
    orders = {who: desk.order(who) for who in ("anna", "ben")}
    assert sorted(orders["anna"]) == sorted(orders["ben"]) == list(range(1, 41))
    assert orders["anna"] != orders["ben"] != sorted(orders["ben"])
    turned = {who: [desk.is_turned(who, unit) for unit in desk.items] for who in ("anna", "ben")}
    assert turned["anna"] != turned["ben"]
    assert all(10 <= sum(some) <= 30 for some in turned.values())
    again = part(40).desk
    assert again.order("anna") == orders["anna"] == again.order("ANNA")
    assert part(40, seed=2).desk.order("anna") != orders["anna"]


def test_votes_are_kept_in_the_benchmarks_own_order(part):
    opened = part(40)
    label_all(opened.desk, "anna", side_with("right"))
    votes = opened.desk.votes.votes()
    assert {vote.vote for vote in votes} == {"second"} and {vote.turned for vote in votes} == {True, False}
    assert [vote.item for vote in votes] == [opened.desk.by_label[label].unit for label in opened.desk.order("anna")]
    rows = list(files.read_jsonl(opened.path))
    assert set(rows[0]) == set(LabelVote._fields) and rows[0]["at"].endswith("+00:00")


def test_grades_have_no_sides(part):
    opened = part(10, "pointwise")
    label_all(opened.desk, "anna", lambda shown: 4)
    votes = opened.desk.votes.votes()
    assert {(vote.vote, vote.turned) for vote in votes} == {(4, None)}
    with pytest.raises(JudgemergeError, match="6 is none of what can be chosen"):
        opened.desk.vote("ben", 1, 6)


def test_the_same_said_again_changes_nothing(part):
    opened = part()
    first = opened.desk.vote("anna", 3, "left", 2.0)
    before = opened.path.read_bytes()
    assert opened.desk.vote("Anna ", 3, "left", 9.0) == first
    with pytest.raises(Conflict):
        opened.desk.vote("anna", 3, "right")
    assert opened.path.read_bytes() == before


def test_undo_takes_back_the_last_vote_alone(part):
    desk = part().desk
    desk.vote("anna", 3, "left")
    desk.vote("ben", 3, "tie")
    state = desk.vote("anna", 5, "tie")
    assert state["last"] == {"label": 5, "words": "Equally good"}
    with pytest.raises(Conflict):
        desk.undo("anna", 3)
    state = desk.undo("anna", 5)
    assert state["last"] == {"label": 3, "words": "A is better"} and 5 in state["left"]
    assert desk.undo("anna", 5)["last"]["label"] == 3  # asked again, because the first answer was lost
    assert desk.undo("anna", 3)["last"] is None
    assert [vote.annotator for vote in desk.votes.votes()] == ["ben"]
    assert desk.vote("anna", 3, "right")["last"]["words"] == "B is better"


def test_a_desk_that_was_killed_goes_on_where_it_was(part):
    before = part().desk
    before.vote("anna", 2, "left")
    state = before.vote("anna", 7, "tie")
    after = part().desk
    assert after.state("anna") == state
    assert after.undo("anna", 7)["last"]["label"] == 2


def test_what_a_killed_writer_has_left_is_removed(part):
    opened = part()
    opened.desk.vote("anna", 2, "left")
    torn = opened.path.with_name(f".{opened.path.name}.ab12cd.part")
    others = opened.path.with_name(".other.votes.jsonl.ab12cd.part")
    for path in (torn, others):
        path.write_text('{"item": "to')
    opened.desk.votes.clear()
    assert not torn.exists() and others.exists() and len(part().desk.votes.votes()) == 1


def test_what_others_add_to_the_file_is_kept(part):
    opened = part()
    opened.desk.vote("anna", 2, "left")
    rows = [*files.read_jsonl(opened.path), {"item": opened.drawn.drawn[4].unit, "vote": "tie", "annotator": "carla"}]
    files.write_jsonl(opened.path, rows)
    opened.desk.vote("anna", 3, "left")
    assert [vote.annotator for vote in opened.desk.votes.votes()] == ["anna", "carla", "anna"]
    assert len(list(files.read_jsonl(opened.path))) == 3


def test_votes_of_many_pages_at_once_are_all_kept(part):
    opened = part(30)
    people = [f"p{number}" for number in range(4)]
    threads = [threading.Thread(target=label_all, args=(opened.desk, who, side_with("left"))) for who in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rows = list(files.read_jsonl(opened.path))
    assert len({(row["item"], row["annotator"]) for row in rows}) == len(rows) == 120


def test_a_vote_that_cannot_be_written_is_not_taken_for_kept(part, monkeypatch):
    opened = part()
    opened.desk.vote("anna", 1, "left")
    before = opened.path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(files, "write_jsonl", full)
        with pytest.raises(OSError, match="No space"):
            opened.desk.vote("anna", 2, "left")
        assert opened.desk.state("anna")["last"]["label"] == 1
    assert opened.path.read_bytes() == before
    assert opened.desk.vote("anna", 2, "left")["last"]["label"] == 2


@pytest.mark.parametrize(
    ("seconds", "kept"),
    [(1.26, 1.3), (-5, 0.0), (float("nan"), 0.0), (float("inf"), 86400.0), (10**400, 86400.0), (None, None)],
)
def test_times_that_cannot_be_are_no_times(part, seconds, kept):
    opened = part()
    opened.desk.vote("anna", 1, "left", seconds)
    assert opened.desk.votes.votes()[0].seconds == kept
    part()  # reads them again


@pytest.mark.parametrize(
    ("who", "label", "value"),
    [("", 1, "left"), (" ", 1, "left"), ("a\u202eb", 1, "left"), ("x" * 61, 1, "left"), (None, 1, "left"),
     (7, 1, "left"),
     ("anna", 99, "left"), ("anna", "1", "left"), ("anna", True, "left"), ("anna", None, "left"),
     ("anna", 1, "first"), ("anna", 1, None), ("anna", 1, ["left"]), ("anna", 1, True)],
)  # fmt: skip
def test_what_no_page_says_is_refused(part, who, label, value):
    opened = part()
    with pytest.raises(JudgemergeError):
        opened.desk.vote(who, label, value)
    assert not opened.path.exists()


def test_people_need_more_than_prompt_and_answers(part):
    extra = {"criterion": "Is it kind?", "rubric": "[Is it kind?]\nScore 1: no", "inputs": "<context>a</context>"}
    shown = more_texts(item(1, reference="42", extra=extra))
    assert shown == [
        ("What the answer is based on", "<context>a</context>"),
        ("Reference answer", "42"),
        ("What counts", "[Is it kind?]\nScore 1: no"),
    ]
    assert more_texts(item(1)) == []


# ---- what comes of the votes ----


def test_agreement_is_told_when_two_are_done(part):
    desk = part(40).desk
    assert label_all(desk, "anna", side_with("left"))["agreement"] == []
    others = {f"left {number}" for number in range(8)}

    def ben(shown):
        return "tie" if others & {answer[0] for answer in shown["answers"]} else side_with("left")(shown)

    for label in desk.state("ben")["left"][:-1]:
        desk.vote("ben", label, ben(desk.item("ben", label)))
    assert "agreement" not in desk.state("ben")
    assert desk.state("anna")["agreement"] == []
    told = label_all(desk, "ben", ben)
    (raw, kappa) = told["agreement"]
    assert raw["value"] == 32 / 40 and raw["n"] == 40 and raw["low"] < 0.8 < raw["high"]
    assert kappa["metric"] == "kappa" and kappa["value"] == 0.0  # Anna says the same of everything
    assert desk.state("anna")["agreement"] == told["agreement"]


def test_kappas_are_those_of_others():
    from sklearn.metrics import cohen_kappa_score

    said = {"anna": [], "ben": []}
    items, votes = {}, []
    for number in range(60):
        grades = number % 5 + 1, (number * 7 // 3) % 5 + 1 if number % 3 else number % 5 + 1
        one = items[f"u{number}"] = item(number, "pointwise")
        assert one.protocol == "pointwise"
        for who, grade in zip(said, grades, strict=True):
            votes.append(LabelVote(f"u{number}", grade, who))
            said[who].append(grade)
    raw, kappa = agreements(items, votes, Statistics(resamples=200))
    assert kappa.value == pytest.approx(cohen_kappa_score(said["anna"], said["ben"], weights="quadratic"))
    assert raw.value == pytest.approx(sum(one == other for one, other in zip(*said.values(), strict=True)) / 60)
    assert -1 <= kappa.low < kappa.value < kappa.high <= 1
    classes = {1: "first", 2: "second", 3: "tie", 4: "first", 5: "second"}
    pairs = {unit: item(number) for number, unit in enumerate(items)}
    _, kappa = agreements(pairs, [vote._replace(vote=classes[vote.vote]) for vote in votes], Statistics(resamples=200))
    sides = [[classes[grade] for grade in some] for some in said.values()]
    assert kappa.value == pytest.approx(cohen_kappa_score(*sides))


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ([("first", "first")] * 5, "– (somebody says the same of everything"),
        ([("first", "first"), ("second", "second")] * 5, "1.000 (every vote is equal"),
        ([("first", "first"), ("second", "tie")] * 5, "0.333 ["),
    ],
)
def test_a_kappa_without_an_interval_says_why(said, words):
    items = {f"u{number}": item(number) for number in range(len(said))}
    votes = [
        LabelVote(unit, vote, who)
        for unit, pair in zip(items, said, strict=True)
        for who, vote in zip(("a", "b"), pair, strict=True)
    ]
    kappa = agreements(items, votes, Statistics(resamples=200))[1]
    assert kappa.words.startswith(words)


def test_votes_correct_a_judge_whatever_the_sheet_says(part, tmp_path):
    opened = part(40)
    label_all(opened.desk, "anna", side_with("right"))
    label_all(opened.desk, "ben", lambda shown: "tie")
    files.write_json(tmp_path / "draw.json", opened.drawn.plain())
    labelled = LabelledPart.of({"votes": str(opened.path), "draw": str(tmp_path / "draw.json")})
    votes, _ = read_labels(labelled, "pairwise", list(opened.items))
    assert any(one.turned for one in opened.drawn.drawn)
    assert len(votes) == 40 and all(some == ["second", "tie"] for some in votes.values())


@pytest.mark.parametrize("protocol", ["pairwise", "pointwise"])
def test_votes_make_a_benchmark_of_ones_own(part, tmp_path, protocol):
    several = [
        item(number, protocol, reference="42" if number == 3 else None, extra={"criterion": "kind?"})
        for number in range(12)
    ]
    several[5] = replace(several[5], cluster=several[4].cluster)
    opened = part(12, protocol, items=several)
    better, worse = (side_with("right"), lambda shown: "tie") if protocol == "pairwise" else (lambda _: 4, lambda _: 1)
    label_all(opened.desk, "anna", better)
    label_all(opened.desk, "ben", worse)
    opened.desk.undo("ben", opened.desk.order("ben")[-1])
    rows = list(own_rows(opened.items, opened.desk.votes.votes()))
    path = tmp_path / "own.jsonl"
    files.write_jsonl(path, rows)
    ((name, entry),) = catalogue_entry("mine", path, "set", rows).items()
    items, counts = load_items(name, entry, {"rows": path})
    assert counts["votes"] == 23 and len(items) == 12
    before = {one.id: one for one in several}
    assert len({one.cluster for one in items}) == 11
    for one in items:
        old = before[one.id]
        for field in ("turns", "responses", "models", "reference", "category"):
            assert getattr(one, field) == getattr(old, field)
        assert one.extra == {"criterion": "kind?"}
        assert [vote.annotator for vote in one.votes] == ["anna", "ben"][: len(one.votes)]
    assert {one.truth for one in items} == ({"tie", "second"} if protocol == "pairwise" else {2.5, 4.0})


def test_those_who_are_not_done_do_not_count(part):
    desk = part().desk
    label_all(desk, "anna", side_with("left"))
    desk.vote("ben", 1, "tie")
    assert {vote.annotator for vote in finished(desk.votes.votes(), 10)} == {"anna"}


# ---- files that cannot be right ----


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ({"label": 1, "vote": "A", "annotator": "a"}, "row 1 is no vote of the page"),
        ({"item": "elsewhere", "vote": "tie", "annotator": "a"}, "votes on 'elsewhere', which was not drawn"),
        ({"item": ["x"], "vote": "tie", "annotator": "a"}, "which was not drawn"),
        ({"vote": "left", "annotator": "a"}, "vote is 'left', not one of first, second, tie"),
        ({"vote": True, "annotator": "a"}, "vote is True"),
        ({"vote": None, "annotator": "a"}, "vote is None"),
        ({"vote": "tie", "annotator": " a"}, "annotator is ' a', not a name"),
        ({"vote": "tie", "annotator": 3}, "annotator is 3, not a name"),
        ({"vote": "tie", "annotator": ""}, "row 1: annotator is '', not a name"),
        ({"vote": "tie", "annotator": "a", "text": "0" * 16}, "was given to another text"),
    ],
)
def test_a_file_of_votes_that_cannot_be_right_is_refused(part, row, sentence):
    opened = part()
    unit = opened.drawn.drawn[0].unit
    files.write_jsonl(opened.path, [{"item": unit, **row} if "label" not in row else row])
    with pytest.raises(JudgemergeError, match=sentence):
        part()
    files.write_jsonl(opened.path, [{"item": unit, "vote": "tie", "annotator": "a"}] * 2)
    with pytest.raises(JudgemergeError, match="row 2 is a second vote of 'a'"):
        part()

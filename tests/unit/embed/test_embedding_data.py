"""Questions, asking, selection and rewriting: pairs stay pairs, counts are exact, nothing is lost in silence."""

import json
import re

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from rule_scripts import rule_script

from judgemerge.core import files
from judgemerge.core.catalogues import load_yaml
from judgemerge.core.errors import JudgemergeError
from judgemerge.embed import Chunk, Pair, asking, lists, pair_files, questions, rewriting, selection, step_prompts
from judgemerge.judge.backends import Backend, Completion, Failure
from judgemerge.settings.embedding import Iterations
from judgemerge.synthetic import made_documents

write_questions = rule_script("embed/write_questions")

CHINESE = Chunk("zh/0", "zh", 0, "润滑油每周更换一次。主轴过热时必须停机。水泵由技师检查。", "zh")


def chunk(number, text, document=None):
    return Chunk(f"d{number}/0", document or f"d{number}", 0, text, "en")


def pair(number, anchor="q", positive="p", document=None):
    return Pair(f"{number}", document or f"d{number}", anchor, positive, "en")


@pytest.fixture(scope="module")
def collection():
    """Return a chunk per workshop document."""
    return [chunk(number, text[:600]) for number, text in enumerate(made_documents.texts("workshop", 12, 1))]


class Writer(Backend):
    """Stands at the place of a backend: says what a function of the prompt says, and counts what it was asked."""

    digest_settings = "writer"

    def __init__(self, reply):
        self.reply, self.asked = reply, []

    def render(self, messages):
        return json.dumps(messages)

    def complete(self, texts, parameters, skip=(), seeds=()):
        for index, text in enumerate(texts):
            if index not in skip:
                self.asked.append(text)
                answer = self.reply(text)
                if answer is KeyboardInterrupt:
                    raise KeyboardInterrupt
                yield [(index, Completion(answer) if answer is not None else Failure("no_reply"))]


# ---- questions ----


@pytest.mark.parametrize(
    ("reply", "n", "found", "reason"),
    [
        ("1. What is A?\n2) What is B?", 2, ["What is A?", "What is B?"], None),
        ("问题1：甲是什么？\n问题2:乙是什么？", 2, ["甲是什么？", "乙是什么？"], None),
        ("- One?\n* Two?\n• Three?", 2, ["One?", "Two?"], None),
        ("Question 1: One?\n\nQ2. Two?", 2, ["One?", "Two?"], None),
        ("One?\nOne?\n", 2, ["One?"], "too_few"),
        ("3 phase motors: what are they?", 1, ["3 phase motors: what are they?"], None),
        ("1.\n2.\n---", 2, [], "no_question"),
        ("", 1, [], "no_question"),
    ],
)
def test_replies_with_questions_are_read(reply, n, found, reason):
    assert questions.read_reply(reply, n) == (found, reason)


LISTED = {
    "a lead-in before numbers": ("Here are two questions:\n1. A?\n2. B?", ["A?", "B?"], 1),
    "lead-in and closing words": (
        "Sure!\n\n1) Why A?\n2) Why B?\n\nLet me know if you need more!",
        ["Why A?", "Why B?"],
        2,
    ),
    "closing question": ("1. Why A?\n2. Why B?\nWould you like more?", ["Why A?", "Why B?"], 1),
    "no numbers": ("Here are the questions you asked for:\nWhy A?\nWhy B?", ["Why A?", "Why B?"], 1),
    "no numbers, no colon": ("Certainly! Below are two questions.\nWhy A?\nWhy B?", ["Why A?", "Why B?"], 1),
    "search words stay": (
        "spindle speed table\ncoolant change interval",
        ["spindle speed table", "coolant change interval"],
        0,
    ),
    "a talkative question stays": (
        "Please can I oil it?\nOkay to run dry?",
        ["Please can I oil it?", "Okay to run dry?"],
        0,
    ),
    "bullets": ("Questions:\n- Why A?\n* Why B?", ["Why A?", "Why B?"], 1),
    "bold and quoted": ('**Question 1:** Why A?\n**Question 2:** "Why B?"', ["Why A?", "Why B?"], 0),
    "answers beside them": ("Q1: Why A?\nA1: Because.\nQ2: Why B?\nA2: So.", ["Why A?", "Why B?"], 2),
    "answers of a plain list": ("Why A?\nAnswer: because", ["Why A?"], 1),
    "headings": ("## Questions\nWhy A?\nWhy B?", ["Why A?", "Why B?"], 1),
    "numbers that are no list": (
        "3.5 mm or 4.2 mm drill?\n24 hours drying?",
        ["3.5 mm or 4.2 mm drill?", "24 hours drying?"],
        0,
    ),
    "a number inside a numbered line": ("1. 3.5 mm drill?\n2. Why B?", ["3.5 mm drill?", "Why B?"], 0),
    "one line": ("1. Why A? 2. Why B?", ["Why A?", "Why B?"], 0),
    "lazy numbers": ("1. Why A?\n1. Why B?", ["Why A?", "Why B?"], 0),
    "a JSON list": ('```json\n["Why A?", "Why B?"]\n```', ["Why A?", "Why B?"], 0),
    "reasoning": ("<think>\n1. Not this?\n</think>\n1. Why A?\n2. Why B?", ["Why A?", "Why B?"], 0),
    "unfinished reasoning": ("<think>\n1. Not this?", [], 0),
    "three where two were wanted": ("1. Why A?\n2. Why B?\n3. Why C?", ["Why A?", "Why B?", "Why C?"], 0),
    "a colon inside": ("Here you are:\nStep 3: why A?\nWhy B?", ["Step 3: why A?", "Why B?"], 1),
    "only talk": ("I hope these questions help!", [], 1),
    "bold number, colon outside": (
        "Sure! Here are 2:\n\n**Question 1**: Why A?\n\n**Question 2**: Why B?",
        ["Why A?", "Why B?"],
        1,
    ),
    "bold questions": ("1. **Why A?**\n2. **Why B?**", ["Why A?", "Why B?"], 0),
    "number signs": ("Question #1: Why A?\nQuestion #2: Why B?", ["Why A?", "Why B?"], 0),
    "dashes": ("1 - Why A?\n2 - Why B?", ["Why A?", "Why B?"], 0),
    "letters": ("a) Why A?\nb) Why B?", ["Why A?", "Why B?"], 0),
    "words": ("Question one: Why A?\nQuestion two: Why B?", ["Why A?", "Why B?"], 0),
    "no punctuation": ("Q1 Why A?\nQ2 Why B?", ["Why A?", "Why B?"], 0),
    "a quarter is no number": ("Q1 revenue of A?\nWhy B?", ["Q1 revenue of A?", "Why B?"], 0),
    "bullets with labels": ("- **Q:** Why A?\n- **Q:** Why B?", ["Why A?", "Why B?"], 0),
    "labels on lines of their own": ("Question 1\nWhy A?\nQuestion 2\nWhy B?", ["Why A?", "Why B?"], 2),
    "escaped full stops": ("1\\. Why A?\n2\\. Why B?", ["Why A?", "Why B?"], 0),
    "a JSON object": ('{"questions": ["Why A?", "Why B?"]}', ["Why A?", "Why B?"], 0),
    "Chinese in square brackets": ("【问题1】为什么是甲？\n【问题2】为什么是乙？", ["为什么是甲？", "为什么是乙？"], 0),
    "Chinese, one line": ("问题1:为什么是甲？问题2:为什么是乙？", ["为什么是甲？", "为什么是乙？"], 0),
    "Chinese, ordinals": ("第一个问题：为什么是甲？\n第二个问题：为什么是乙？", ["为什么是甲？", "为什么是乙？"], 0),
    "Chinese announcement": ("生成的问题如下：\n为什么是甲？\n为什么是乙？", ["为什么是甲？", "为什么是乙？"], 1),
    "Chinese": ("以下是两个问题：\n问题1：为什么是甲？\n问题2：为什么是乙？", ["为什么是甲？", "为什么是乙？"], 1),
    "Chinese numerals": ("好的。\n一、为什么是甲？\n二、为什么是乙？", ["为什么是甲？", "为什么是乙？"], 1),
    "Chinese, counted": (
        "第1个问题：为什么是甲？\n第2个问题：为什么是乙？\n希望有帮助！",
        ["为什么是甲？", "为什么是乙？"],
        1,
    ),
    "Chinese, no numbers": ("好的，以下是问题。\n为什么是甲？\n为什么是乙？", ["为什么是甲？", "为什么是乙？"], 1),
    "Chinese, brackets": ("（1）为什么是甲？\n（2）为什么是乙？", ["为什么是甲？", "为什么是乙？"], 0),
    "circled": ("①为什么是甲？\n②为什么是乙？", ["为什么是甲？", "为什么是乙？"], 0),
    "labels in another language": ("Вопрос 1: Почему А?\nВопрос 2: Почему Б?", ["Почему А?", "Почему Б?"], 0),
    "labels from the right": ("السؤال 1: ما هو؟\nالسؤال 2: أين هو؟", ["ما هو؟", "أين هو؟"], 0),
    "Roman numerals": ("I. Why A?\nII. Why B?", ["Why A?", "Why B?"], 0),
    "letters with full stops": ("a. Why A?\nb. Why B?", ["Why A?", "Why B?"], 0),
    "numbers alone": ("1 Why A?\n2 Why B?", ["Why A?", "Why B?"], 0),
    "numbers that are counted": ("3 houses for A?\n4 boats for B?", ["3 houses for A?", "4 boats for B?"], 0),
    "a quotation": ("> 1. Why A?\n> 2. Why B?", ["Why A?", "Why B?"], 0),
    "plus signs": ("+ Why A?\n+ Why B?", ["Why A?", "Why B?"], 0),
    "a table": ("| # | Question |\n|---|---|\n| 1 | Why A? |\n| 2 | Why B? |", ["Why A?", "Why B?"], 1),
    "tags": ("<question>Why A?</question>\n<question>Why B?</question>", ["Why A?", "Why B?"], 0),
    "JSON objects": ('[{"question": "Why A?"}, {"question": "Why B?"}]', ["Why A?", "Why B?"], 0),
    "JSON with talk": ('Here they are:\n```json\n["Why A?", "Why B?"]\n```', ["Why A?", "Why B?"], 0),
    "German talk": ("Gerne helfe ich.\nWarum A?\nWarum B?", ["Warum A?", "Warum B?"], 1),
    "Spanish talk": ("¿Por qué A?\n¿Por qué B?\n¡Espero que ayude!", ["¿Por qué A?", "¿Por qué B?"], 1),
    "a wish among questions": ("Why A?\nTell me about B.", ["Why A?", "Tell me about B."], 0),
    "Chinese, one line, numbers": ("1.为什么是甲？2.为什么是乙？", ["为什么是甲？", "为什么是乙？"], 0),
    "signs in brackets": ("⑴ 为什么是甲？\n⑵ 为什么是乙？", ["为什么是甲？", "为什么是乙？"], 0),
    "Chinese, without numbers": ("问题：为什么是甲？\n答案：因为", ["为什么是甲？"], 1),
}


@pytest.mark.parametrize("name", LISTED)
def test_talk_is_no_question_and_no_question_is_talk(name):
    reply, wanted, n_other = LISTED[name]
    assert lists.entries(reply) == (wanted, n_other)
    assert questions.read_reply(reply, 2)[0] == wanted[:2]


def test_what_is_left_out_of_replies_is_counted_by_what_it_is(collection, tmp_path):
    writer = Writer(lambda text: "Here are three:\n1. Why A?\n2. Why B?\n3. Why C?")
    pairs, counts = asking.questions_of(collection[:2], collection, 2, writer, tmp_path / "s.jsonl", "s")
    assert len(pairs) == 4 and counts == {"lines_without_question": 2, "more_than_asked": 2}


@pytest.mark.parametrize(
    ("settings", "n_asked"),
    [({"temperature": 0.7, "seed": 42}, 8), ({"temperature": 0}, 4), ({"temperature": 0, "seed": 42}, 4),
     ({"temperature": 0.7}, 8), ({}, 8)],
)  # fmt: skip
def test_every_iteration_asks_anew_or_for_nothing(collection, tmp_path, settings, n_asked):
    files.write_jsonl(tmp_path / "chunks.jsonl", (vars(one) for one in collection[:4]))
    endpoint = {"url": "http://localhost/v1", "model": "m", "settings": settings}
    asked = []

    def opened(entry, environment):
        writer = Writer(lambda text: "1. Why A?\n2. Why B?")
        writer.digest_settings = json.dumps(entry["settings"], sort_keys=True)
        writer.asked = asked
        return writer

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(asking, "open_model", opened)
        for iteration in (1, 2, 2):
            parts = {"maximum": 1, "slices": "disjoint"} if iteration == 1 else {"maximum": 2}
            pair_files.write_questions(
                chunks=str(tmp_path / "chunks.jsonl"), earlier=[], iteration=iteration,
                iterations=Iterations.of(parts), n_questions=2, share=0, writer=endpoint, wording=None, environment={},
                seed=1, store=str(tmp_path / f"questions_{iteration}.jsonl"), rows=str(tmp_path / "rows.jsonl"),
                counts=str(tmp_path / "counts.json"),
            )  # fmt: skip
    assert len(asked) == n_asked


def test_prompts_of_both_languages_fill_every_placeholder(repository):
    folder = repository / "config" / "embedding_prompts"
    for name, words in (("english", "Passage:\nthe {text}"), ("chinese", "文字：\nthe {text}")):
        wording = step_prompts.load(step_prompts.prompts_file(name, "here", folder))
        asked = questions.prompt("the {text}", 3, wording["questions"])
        assert asked[1]["content"] == words and "3" in asked[0]["content"] and "{n_questions}" not in str(asked)
        one = pair(1, "why?", "because")
        assert "why?" in str(selection.relevance_prompt(one, wording["relevance"]))
        style = rewriting.style_of(one, 1, 7, wording["rewriting"])
        assert style in rewriting.prompt(one, style, wording["rewriting"])[0]["content"]


def test_the_words_in_which_replies_were_stored_have_not_changed(collection):
    asked = json.dumps(questions.prompt("x", 2) + selection.relevance_prompt(pair(1)) + rewriting.prompt(pair(1), "s"))
    assert files.sha256_text(asked)[:16] == "4a0bb7d56ff7a8dd"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda raw: raw["questions"].update(system="Write."), "questions has no placeholder '{n_questions}'"),
        (lambda raw: raw["relevance"].update(user="{question} {pasage} {passage}"), "'{pasage}', which nothing fills"),
        (lambda raw: raw.pop("rewriting"), "rewriting"),
        (lambda raw: raw["rewriting"].update(styles=[]), "describe at least one style"),
    ],
)
def test_prompts_that_cannot_be_filled_are_refused(repository, tmp_path, change, sentence):
    raw = load_yaml(repository / "config" / "embedding_prompts" / "english.yaml")
    change(raw)
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(raw), encoding="utf-8")
    with pytest.raises(JudgemergeError, match=re.escape(sentence)):
        step_prompts.load(tmp_path / "mine.yaml")


def test_term_questions_repeat_with_the_seed_and_use_words_of_their_chunk(collection):
    maker = questions.TermMaker(collection)
    first = maker.questions(collection[0], 3, "a")
    assert first == questions.TermMaker(collection).questions(collection[0], 3, "a")
    assert first != maker.questions(collection[0], 3, "b")
    assert len(first) == len(set(first)) == 3
    known = set(collection[0].text.lower().replace(",", " ").replace(".", " ").split())
    for question in first:
        assert sum(word.strip("?,.:").lower() in known for word in question.split()) >= 2


def test_a_chunk_that_says_nothing_has_no_question(collection):
    assert questions.TermMaker(collection).questions(chunk(99, "And so on."), 2, "a") == []


def test_chinese_chunks_get_chinese_questions():
    found = questions.TermMaker([CHINESE]).questions(CHINESE, 2, "a")
    assert len(found) == 2 and not any(letter.isascii() and letter.isalpha() for text in found for letter in text)


def test_a_question_is_asked_once():
    kept, n_repeats = questions.without_repeats([pair(1, "What is  it?"), pair(2, "what IS it?"), pair(3, "Else?")])
    assert [one.id for one in kept] == ["1", "3"] and n_repeats == 1


# ---- asking ----


def test_asking_goes_on_where_it_was_killed(tmp_path, collection):
    store = tmp_path / "store.jsonl"
    replies = iter(["One?\nTwo?", "Only one?", KeyboardInterrupt])
    with pytest.raises(KeyboardInterrupt):
        asking.questions_of(collection[:4], collection, 2, Writer(lambda text: next(replies)), store, "s")
    store.write_text(store.read_text() + '{"asked": "half', encoding="utf-8")
    writer = Writer(lambda text: "Three?\nFour?")
    pairs, missing = asking.questions_of(collection[:4], collection, 2, writer, store, "s")
    assert len(writer.asked) == 2
    assert [one.anchor for one in pairs] == ["One?", "Two?", "Only one?", "Three?", "Four?", "Three?", "Four?"]
    assert [one.positive for one in pairs][2] == collection[1].text and missing == {"missing_too_few": 1}


def test_a_reply_that_never_came_is_counted_and_asked_again(tmp_path, collection):
    store = tmp_path / "store.jsonl"
    pairs, missing = asking.questions_of(collection[:2], collection, 2, Writer(lambda text: None), store, "s")
    assert pairs == [] and missing == {"missing_no_reply": 4}
    writer = Writer(lambda text: "A?\nB?")
    assert (
        len(asking.questions_of(collection[:2], collection, 2, writer, store, "s")[0]) == 4 and len(writer.asked) == 2
    )


def test_a_broken_store_is_named(tmp_path, collection):
    (tmp_path / "store.jsonl").write_text("nonsense\n", encoding="utf-8")
    with pytest.raises(JudgemergeError, match="store.jsonl"):
        asking.questions_of(collection[:1], collection, 1, Writer(str), tmp_path / "store.jsonl", "s")


def test_relevance_below_the_threshold_and_unreadable_replies_are_counted(tmp_path):
    pairs = [pair(number, f"q{number}") for number in range(4)]
    answers = {"q0": "0.85", "q1": "10", "q2": "0.79", "q3": "1.00"}
    writer = Writer(lambda text: next(answer for name, answer in answers.items() if name in text))
    kept, counts = asking.relevant(pairs, writer, 0.8, tmp_path / "store.jsonl")
    assert [one.id for one in kept] == ["3", "0"]
    assert counts == {"judged": 4, "relevant": 2, "unreadable_relevance": 1}


def test_a_thought_is_no_reply_and_a_broken_off_line_no_question(tmp_path, collection):
    class Thinker(Writer):
        def complete(self, texts, parameters, skip=(), seeds=()):
            endings = {"One?\nTwo?\nHow man": "length", "<think>\nWhat? Which?": "length"}
            for batch in super().complete(texts, parameters, skip):
                yield [(n, Completion(one.text, 1, 1, endings.get(one.text, "stop"))) for n, one in batch]

    replies = iter(["One?\nTwo?\nHow man", "<think>\nWhat? Which?", "<think>\nHm?\n</think>\n\nThree?\nFour?\nFive?"])
    writer = Thinker(lambda text: next(replies))
    for _ in range(2):  # the second time from the store
        pairs, missing = asking.questions_of(collection[:3], collection, 3, writer, tmp_path / "store.jsonl", "s")
        assert [one.anchor for one in pairs] == ["One?", "Two?", "Three?", "Four?", "Five?"]
        assert missing == {"missing_no_reply": 3, "missing_too_few": 1}


# ---- selection ----


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ("0.85", 0.85), ("1", 1.0), ("1.00", 1.0), ("0", 0.0), (" 0.5\n", 0.5),
        ("Score: 0.70", 0.7), ("相关性：0.9", 0.9),
        ("0.85 because it fits", 0.85), ("**0.85**", 0.85), ("Score: **0.85**, since it fits", 0.85), ("0.85/1", 0.85),
        ("Relevance score: 0.85", 0.85), ("The score is 0.85.", 0.85), ("评分：0.9", 0.9), ("0.85 (high)", 0.85),
        ("irrelevance: 0.85", None), ("0.85 (or 0.9)", None),
        ("0.85\n\nThe passage answers it.", 0.85), ("1.00 out of 1", 1.0),
        ("0.85 because it is more than 0.5", None), ("0.85\n0.9", None), ("0.85 or 0.9", None),
        ("0.85/100", None), ("0.85 percent", None), ("1 of 10", None), ("1. The passage", None),
        ("10", None), ("1.5", None), ("-0.5", None), ("high", None),
        ("", None), (None, None),
        ("8/10", None), (".5", None),
    ],
)  # fmt: skip
def test_relevance_is_the_whole_reply_or_an_error(reply, value):
    assert selection.read_relevance(reply) == value


def test_fusion_by_hand():
    fused = selection.fused(np.array([3.0, 1.0, 2.0]), np.array([0.1, 0.9, 0.5]))
    assert fused == pytest.approx([1 / 60 + 1 / 62, 1 / 62 + 1 / 60, 1 / 61 + 1 / 61])
    assert selection.best(fused, 0.67) == [0, 1]
    assert selection.fused(np.array([1.0, 1.0])) == pytest.approx([1 / 60, 1 / 61])  # ties keep their order


@given(st.lists(st.floats(0, 1), max_size=60), st.floats(0.01, 1))
def test_exactly_the_rounded_share_is_kept(values, share):
    kept = selection.best(np.array(values), share)
    assert len(kept) == round(len(values) * share) and kept == sorted(set(kept))
    if kept:
        assert min(values[place] for place in kept) >= max(
            (value for place, value in enumerate(values) if place not in kept), default=0
        )


def test_bm25_prefers_the_chunk_that_holds_the_words():
    texts = ["The spindle of the lathe runs hot.", "Soup needs salt and onion.", "Roses want water in spring."]
    right = [
        pair(n, anchor, text)
        for n, (anchor, text) in enumerate(zip(["hot spindle", "onion soup", "water roses"], texts, strict=True))
    ]
    wrong = [
        pair(n, anchor, text)
        for n, (anchor, text) in enumerate(zip(["onion soup", "roses", "the of"], texts, strict=True))
    ]
    assert (selection.bm25_scores(right) > 0).all()
    assert (selection.bm25_scores(wrong) == 0).all()
    assert selection.bm25_scores([]).shape == (0,)


def test_bm25_in_chinese():
    pairs = [Pair("0", "a", "主轴过热", "主轴过热时停机。", "zh"), Pair("1", "b", "主轴过热", "水泵每周检查。", "zh")]
    scores = selection.bm25_scores(pairs)
    assert scores[0] > scores[1] == 0


def test_hard_negatives_are_of_other_documents():
    pairs = [
        pair(0, "hot spindle", "spindle hot", "a"),
        pair(1, "cold spindle", "spindle cold", "a"),
        pair(2, "hot soup", "soup hot", "b"),
        pair(3, "rose", "rose", "c"),
    ]
    found = selection.bm25_negatives(pairs, 1)
    assert found[0] == ["soup hot"] and found[2] == ["spindle hot"]
    with pytest.raises(ValueError, match="pair '0' has 2 chunks"):
        selection.bm25_negatives(pairs, 3)


# ---- rewriting ----


def test_a_failed_rewrite_leaves_out_its_pair_and_moves_no_other():
    pairs = [pair(number, f"question {number}", f"chunk {number}") for number in range(3)]
    rewrites = [["other 0"], [None], ["Question  2"]]
    kept, counts = rewriting.with_rewrites(pairs, rewrites)
    assert [(one.anchor, one.positive) for one in kept] == [
        ("question 0", "chunk 0"), ("question 1", "chunk 1"), ("question 2", "chunk 2"), ("other 0", "chunk 0"),
    ]  # fmt: skip
    assert counts == {"pairs": 3, "rewrites": 1, "failed": 1, "unchanged": 1}
    with pytest.raises(ValueError):
        rewriting.with_rewrites(pairs, rewrites[:2])


@given(st.lists(st.lists(st.sampled_from([None, "a?", "b?", "q 0"]), min_size=2, max_size=2), min_size=1, max_size=8))
def test_every_rewrite_stays_with_its_chunk(rewrites):
    pairs = [pair(number, f"q {number}", f"chunk {number}") for number in range(len(rewrites))]
    kept, counts = rewriting.with_rewrites(pairs, rewrites)
    assert len(kept) == len(pairs) + counts["rewrites"]
    assert counts["rewrites"] + counts["failed"] + counts["unchanged"] == 2 * len(pairs)
    for one in kept[len(pairs) :]:
        assert one.positive == f"chunk {one.id.split('~')[0]}"


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        ("“What then?”", "What then?"),
        ("Here is the question:\n\nWhat then?", "What then?"),
        ("Rewritten question: What then?", "What then?"),
        ("改写后的问题：那么呢？", "那么呢？"),
        ("", None),
        ("One\nTwo", None),
        ("...", None),
        (None, None),
        (" plain ", "plain"),
    ],
)
def test_rewrites_are_one_line(reply, text):
    assert rewriting.read_reply(reply) == text


def test_rewording_repeats_with_the_seed_and_keeps_the_terms():
    one = pair(1, "What is said about the worn spindle and chatter?")
    assert rewriting.reworded(one, 1, 42) == rewriting.reworded(one, 1, 42)
    assert {"worn", "spindle", "chatter"} <= set(rewriting.reworded(one, 1, 42).strip("?").split())
    assert rewriting.reworded(pair(1, "and the"), 1, 42) is None


def test_rewrites_come_in_the_order_of_their_pairs(tmp_path):
    pairs = [pair(number, f"what of {number}?") for number in range(3)]
    writer = Writer(lambda text: f"about {text.split('what of ')[1][0]}")
    found = asking.rewrites_of(pairs, 2, writer, tmp_path / "s.jsonl", 1)
    assert found == [["about 0"] * 2, ["about 1"] * 2, ["about 2"] * 2]
    assert asking.rewrites_of(pairs, 0, None, tmp_path / "s.jsonl", 1) == [[], [], []]
    assert asking.rewrites_of(pairs, 0, writer, tmp_path / "s.jsonl", 1) == [[], [], []]

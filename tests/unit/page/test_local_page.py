"""The page without a browser: what is chosen reaches the model, lists stop and go on, the chat keeps to its turns."""

import dataclasses
import json
import threading

import pytest

pytest.importorskip("streamlit", reason="needs streamlit (make venv-page)")
from streamlit.testing.v1 import AppTest  # noqa: E402

from judgemerge.core.errors import JudgemergeError  # noqa: E402
from judgemerge.data.sources import load_sources  # noqa: E402
from judgemerge.judge import streaming  # noqa: E402
from judgemerge.judge.backends import Backend, Completion, Failure, GenerationParameters  # noqa: E402
from judgemerge.page import asking, overlap  # noqa: E402
from judgemerge.page.parts import Page  # noqa: E402

SCORES = (
    "@@@{{response A: Scores per dimension: ['Depth': {0}, 'Overall Score': {0}]}}"
    "@@@{{response B: Scores per dimension: ['Depth': {1}, 'Overall Score': {1}]}}"
    "###Final Result: {{{2}}}&&&Detailed Evaluation Feedback: {{**{2}** it is.}}***"
)


class Says(Backend):
    """Prefers the answer that holds GOOD, and keeps what it was asked, and how."""

    digest_settings = "says"
    abilities = ("sampling",)

    def __init__(self):
        self.asked: list[tuple[str, GenerationParameters]] = []
        self.fails_at = None  # number of a prompt

    def render(self, messages):
        return json.dumps(messages)

    def counts(self, texts):
        return [len(text) for text in texts]

    def complete(self, texts, parameters, skip=(), seeds=()):
        replies = []
        for index, text in enumerate(texts):
            if len(self.asked) == self.fails_at:
                raise JudgemergeError("the machine is on fire")
            self.asked.append((json.loads(text)[-1]["content"], parameters))
            replies.append((index, Completion(self.reply(json.loads(text)), 3, 4, "stop")))
        yield replies

    def reply(self, messages):
        text = messages[-1]["content"]
        if "Answer A" not in text:
            return "Score: 4" if "grade" in text else f"You said {text}"
        a, b = (8, 3) if text.index("GOOD") < text.index("BAD") else (3, 8)
        return SCORES.format(a, b, "A" if a > b else "B")


def script(page):
    from judgemerge.page import drawing

    drawing.draw(page)


@pytest.fixture(scope="module")
def templates(repository):
    folder = repository / "config" / "prompts"
    brief = streaming.find_template("meld_brief_pairwise", folder)
    shown = dataclasses.replace(
        brief, name="meld_brief_pairwise_reference", user=brief.user + "\nReference: {reference}"
    )
    grades = streaming.find_template("meld_brief_pointwise", folder)
    return {template.name: template for template in (brief, shown, grades)}


@pytest.fixture
def says():
    return Says()


@pytest.fixture
def page(says, templates):
    app = AppTest.from_function(script, args=(Page("models/m", templates, 3000, lambda: (says, threading.Lock())),))
    app.default_timeout = 30
    return app.run()


def run(widget):
    """Run the page after a change of a widget; nothing may have gone wrong."""
    app = widget.run()
    assert not app.exception, app.exception
    return app


def shown(page):
    """Return the plain texts on the page."""
    return [element.value for element in [*page.code, *page.text]]


def fill(page, **texts):
    for key, text in texts.items():
        page.text_area(key=key).set_value(text)
    return page


def judge(page):
    """Press the button of the form."""
    return run(next(button for button in page.button if button.label == "Judge").click())


# ---- one item ----


def test_one_item_with_what_was_chosen_at_the_side(page, says):
    page = judge(fill(page, prompt="Which?", response_a="GOOD"))
    assert "Fill in: Answer B" in shown(page) and not says.asked
    page = judge(fill(page, response_b="BAD"))
    assert "In both orders answer A is better" in shown(page)
    assert "Depth: 8\nOverall: 8" in shown(page) and "Depth: 3\nOverall: 3" in shown(page)
    assert shown(page).count("**A** it is.") == shown(page).count("**B** it is.") == 1  # as it is
    assert len(says.asked) == 2 and says.asked[0][1].is_greedy
    assert "Criteria: the numbers are even" in says.asked[0][0]  # of the first category

    page.multiselect(key="criteria").set_value(["math", "Kindness: Be kind."])
    page.slider(key="temperature").set_value(0.5)
    page = run(page.toggle(key="both").set_value(False))
    page.slider(key="top_p").set_value(0.8)
    page = judge(page)
    ((text, parameters),) = says.asked[2:]
    assert "Criteria: right result, every step follows, Kindness: Be kind." in text
    assert (parameters.temperature, parameters.top_p) == (0.5, 0.8)
    assert "answer A is better" in shown(page) and not any("In both" in text for text in shown(page))


def test_a_category_of_ones_own(page, says):
    page = run(page.selectbox(key="category").select("writing"))
    judge(fill(page, prompt="Which?", response_a="GOOD", response_b="BAD"))
    assert "Criteria: fits the occasion, well built" in says.asked[0][0]


def test_an_error_is_said_and_the_page_goes_on(page, says):
    says.fails_at = 0
    page = judge(fill(page, prompt="Which?", response_a="GOOD", response_b="BAD"))
    assert "Not judged: the machine is on fire" in shown(page)
    says.fails_at = None
    assert "In both orders answer A is better" in shown(judge(page))


# ---- lists ----

LIST = [
    {
        "id": 1,
        "question_body": "one?",
        "answer1_body": "GOOD",
        "answer2_body": "BAD",
        "reference": "GOOD",
        "category": "math",
    },
    {
        "id": 2,
        "question_body": "two?",
        "answer1_body": "BAD",
        "answer2_body": "GOOD",
        "reference": "N/A",
        "category": "coding",
    },
    {"id": 3, "question_body": "three?", "answer1_body": "GOOD"},
    {"id": 4, "question_body": "four?", "answer1_body": "GOOD", "answer2_body": "BAD", "category": "nowhere"},
]


def upload(page, value=LIST):
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return run(page.file_uploader(key="file").set_value(("list.json", data, "application/json")))


def press(page, label):
    return run(next(button for button in page.button if button.label.startswith(label)).click())


def session_run(page):
    return page.session_state["run"]


@pytest.mark.parametrize("watches", [True, False], ids=["told", "in batches"])
def test_a_list_is_judged_and_summed_up(page, says, watches):
    page.toggle(key="watch").set_value(watches)
    page = press(upload(page), "Judge 4 records")
    judged = session_run(page).judged
    assert [streaming.kinds(one.result)[0] for one in judged] == ["judged", "judged", "not read", "not read"]
    assert [getattr(one.result, "verdict", None) for one in judged] == ["first", "second", None, None]
    assert len(says.asked) == 4 and "4 of 4 records judged with prompt meld_brief_pairwise" in shown(page)
    counts, table = (frame.value for frame in page.dataframe)
    assert counts[["", "records"]].to_numpy().tolist() == [["A is better", 1], ["B is better", 1], ["not read", 2]]
    assert counts["95 % interval"].iloc[2] == "15 – 85"
    assert table["question"].tolist() == ["one?", "two?", "three?", "four?"]
    assert table["Depth A"].tolist()[:2] == [8, 3] and "has no criteria for category" in table["fault"].iloc[3]
    assert {button.label for button in page.download_button} >= {"Download as JSON", "Download as CSV"}


def test_a_list_that_breaks_off_goes_on_where_it_was(page, says):
    says.fails_at = 2
    page = press(upload(page, LIST[:2]), "Judge 2 records")
    assert "Not judged: the machine is on fire" in shown(page) and len(session_run(page).judged) == 1
    page.selectbox(key="template").select("meld_brief_pointwise")  # the list keeps the prompt that it began with
    says.fails_at = None
    page = press(page, "Go on with the other 1")
    assert len(says.asked) == 4 and [one.result.verdict for one in session_run(page).judged] == ["first", "second"]
    assert not any(button.label.startswith(("Go on", "Stop")) for button in page.button)


def test_whoever_stops_a_list_keeps_what_was_judged(page, says):
    from judgemerge.page import lists

    page = press(upload(page, LIST[:2]), "Judge 2 records")
    stopped = lists.Run(session_run(page).records, session_run(page).settings, session_run(page).judged[:1])
    page.session_state["run"] = stopped  # as a click in the middle leaves it
    n_asked = len(says.asked)
    page = run(page)
    assert len(session_run(page).judged) == 2 and len(says.asked) == n_asked + 2
    lists._turn(stopped, False)
    assert not stopped.is_on


def test_chosen_criteria_do_for_records_of_any_category(page, says):
    page.multiselect(key="criteria").set_value(["Kindness: Be kind."])
    page = press(upload(page, [LIST[0], LIST[3], {**LIST[1], "category": None}]), "Judge 3")
    assert all("Criteria: Kindness: Be kind.\n" in text for text, _ in says.asked) and len(says.asked) == 6
    assert all(isinstance(one.result, streaming.Result) for one in session_run(page).judged)


def test_a_reference_is_shown_where_there_is_one(page, says):
    page = run(page.selectbox(key="template").select("meld_brief_pairwise_reference"))
    press(upload(page, LIST[:2]), "Judge 2")
    assert ["Reference: GOOD" in text for text, _ in says.asked] == [True, True, False, False]


@pytest.mark.skipif(not overlap.is_possible(), reason="needs rouge-score and sacrebleu (make venv-page)")
def test_overlap_is_a_column_for_whoever_asks(page):
    page = press(upload(page, LIST[:2]), "Judge 2")
    assert not any("ROUGE" in column for column in page.dataframe[1].value)
    page = run(page.toggle(key="overlap").set_value(True))
    page = press(page, "Judge 2")
    table = page.dataframe[1].value
    assert table["ROUGE-1 A"].tolist()[0] == 1 and table["ROUGE-1 B"].tolist()[0] == 0
    assert table["BLEU A"].isna().tolist() == [False, True]


def test_files_without_records(page):
    assert any("The file holds no record" in text for text in shown(upload(page, b"[]")))
    page = press(upload(page, b'3\n{"turns": ["a", "b"]}\nx'), "Judge 3 records")
    assert page.dataframe[1].value["question"].tolist() == ["", "a b", ""]
    page = press(upload(page, b"[{]"), "Judge 1 record")
    assert session_run(page).judged[0].result.error.startswith("line 1: column 3 is not JSON")


def test_melds_demo_with_melds_own_files(says, repository, mirror, tmp_path):
    """Its templates, its criteria and its list, as its readers have them."""
    for name, source in load_sources(repository / "config" / "sources.yaml").items():
        if name.startswith(("meld_template", "meld_criteria")):
            (tmp_path / name).symlink_to(source.copy(mirror))
    names = ("meld_pairwise_reference", "meld_pairwise")
    folder = repository / "config" / "prompts"
    templates = {name: streaming.find_template(name, folder, tmp_path) for name in names}
    says.reply = lambda messages: SCORES.format(8, 3, "A")
    page = AppTest.from_function(script, args=(Page("m", templates, 99999, lambda: (says, threading.Lock())),))
    page.default_timeout = 30
    rows = json.loads(next(mirror.glob("Bound2-2/MELD-Eval/*/data/test/pairwise/MELD-Test.json")).read_bytes())[:2]
    page = press(upload(page.run(), [rows[0], {**rows[1], "reference": ""}]), "Judge 2")
    texts = [text for text, _ in says.asked]
    assert len(texts) == 4 and ["[Reference]" in text for text in texts] == [True, True, False, False]
    assert all(f"[Query]: {row['question_body']}" in text for row, text in zip(rows, texts[::2], strict=True))
    assert all(one.result.consistent is False for one in session_run(page).judged)  # A whatever is shown first
    offered = page.multiselect(key="criteria").options
    assert len(offered) > 30 and "Step-by-step explanation" in offered
    page.multiselect(key="criteria").set_value(["Step-by-step explanation", "Kindness: Be kind."])
    press(page, "Judge 2")
    chosen = says.asked[-1][0].partition("[Criteria start]")[2].partition("[Criteria end]")[0].strip()
    assert chosen.startswith("1.Step-by-step explanation: ") and chosen.endswith("\n2.Kindness: Be kind.")


# ---- manner ----


def test_every_text_has_a_seed_of_its_own(says):
    drawn = asking.Manner(0.7, 0.9, seed=5)
    base = GenerationParameters(8)
    one, other = drawn.parameters(base, "one"), drawn.parameters(base, "other")
    assert one == drawn.parameters(base, "one") and one.seed != other.seed and one.max_new_tokens == 8
    assert one.seed != asking.Manner(0.7, 0.9, seed=6).parameters(base, "one").seed
    assert asking.Manner().parameters(base, "one") is base


def test_a_backend_that_cannot_draw_is_asked_text_by_text():
    class Endpoint(Says):
        abilities = ()

        def write(self, text, parameters, tell):
            self.asked.append((text, parameters))
            return Completion("A")

    backend = Endpoint()
    asked = asking.Asked(backend, asking.Manner(0.7))
    assert [index for batch in asked.complete(["a", "b", "c"], GenerationParameters(8), {1}) for index, _ in batch] == [
        0,
        2,
    ]
    assert all(parameters.temperature == 0.7 for _, parameters in backend.asked)
    assert asked.digest_settings == "says"


# ---- chat ----


def say(page, text):
    return run(page.chat_input(key="chat_input").set_value(text))


def turns(page):
    return [(message.name, message.text[0].value) for message in page.chat_message]


def test_a_chat_keeps_what_was_said(page, says):
    fill(page, chat_system="Be brief.")
    page.slider(key="chat_temperature").set_value(0.0)
    page = say(say(page, "*hello*"), "and?")
    assert turns(page) == [
        ("user", "*hello*"),
        ("assistant", "You said *hello*"),
        ("user", "and?"),
        ("assistant", "You said and?"),
    ]
    assert says.asked[-1][1] == GenerationParameters(512, 0.0, 0.95, seed=says.asked[-1][1].seed)
    assert any(text.startswith("4 tokens in ") for text in shown(page))
    page = press(page, "Begin anew")
    assert turns(page) == []


def test_a_chat_shows_the_model_the_whole_conversation(page, says):
    seen = []
    says.reply = lambda messages: seen.append(messages) or "yes"
    say(say(fill(page, chat_system="Be brief."), "one"), "two")
    assert [message["role"] for message in seen[1]] == ["system", "user", "assistant", "user"]
    assert seen[1][0]["content"] == "Be brief." and seen[0] == seen[1][:2]


def test_what_the_model_does_not_answer_is_said_and_asked_anew(page, says):
    says.fails_at = 0
    page = say(page, "one")
    assert "Not answered: the machine is on fire" in shown(page)
    says.fails_at = None
    page = say(page, "two")
    assert turns(page) == [("user", "two"), ("assistant", "You said two")]  # two questions in a row are no conversation
    says.write = lambda text, parameters, tell: Failure("endpoint_error", "HTTP 503")
    assert "Not answered: endpoint_error HTTP 503" in shown(say(page, "three"))
    assert any("more than 3000" in text for text in shown(say(page, "x" * 3000)))


def test_an_answer_that_a_click_ends_stays(page, says):
    class Click(BaseException):
        pass

    def write(text, parameters, tell):
        tell("Half of")
        tell("Half of an")
        raise JudgemergeError("ended")

    says.write = write
    page = say(page, "one")
    del says.write
    page = say(page, "go on")
    assert turns(page)[:3] == [("user", "one"), ("assistant", "Half of an"), ("user", "go on")]

"""Judging single records: what is read, what is refused, and that nothing stops or hangs the stream."""

import dataclasses
import io
import json
import subprocess
import sys
import time
from pathlib import Path

import fork_server
import pytest
from endpoint_server import Answer, reply, serving
from hypothesis import given, settings
from hypothesis import strategies as st

from judgemerge.core.errors import JudgemergeError
from judgemerge.judge import streaming
from judgemerge.judge.backends import Backend, Completion
from judgemerge.judge.streaming import MOST_CHARACTERS, BadRecord, Judge, Record, combined, read_item, split
from judgemerge.prompting.parsers import ReplySettings
from judgemerge.prompting.prompts import Template, load_template

PAIRS = ReplySettings("verdict_line", first="A", second="B", tie="tie")
PAIRWISE = Template("p", "pairwise", "{prompt}|{response_a}|{response_b}", PAIRS, "{verdict}", 8)
GRADES = ReplySettings("overall_score", minimum=1, maximum=10)
POINTWISE = Template("g", "pointwise", "{prompt}|{response}|{rubric}", GRADES, "{score}", 8, extra_fields=("rubric",))


class Says(Backend):
    """A backend that answers with a function of the prompt."""

    digest_settings = "says"

    def __init__(self, says):
        self.says, self.asked = says, []

    def render(self, messages):
        return messages[-1]["content"]

    def counts(self, texts):
        return [len(text) for text in texts]

    def complete(self, texts, parameters, skip=(), seeds=()):
        self.asked += texts
        yield [(index, Completion(self.says(text), len(text), 1)) for index, text in enumerate(texts)]


def lines(text):
    return [(record.line, record.text, record.fault) for record in split(io.BytesIO(text))]


def pair(**changes):
    return {"prompt": "q", "response_a": "a", "response_b": "b", **changes}


# ---- records ----


def test_a_record_per_line_or_per_indented_object():
    text = b'\xef\xbb\xbf{"a": 1}\n\n  \r\n{\n  "b": {\n    "c": 2\n  }\n}\n{"d": 3}\r\n{"e":\n 4\n}'
    assert lines(text) == [
        (1, '{"a": 1}', None),
        (4, '{\n  "b": {\n    "c": 2\n  }\n}', None),
        (9, '{"d": 3}', None),
        (10, '{"e":\n 4\n}', None),
    ]


def test_a_record_that_is_cut_off_costs_its_own_lines_only():
    assert lines(b'{"a": \n{"b": 1}\n{\n "c": 2\n{"d": 3}\n{"e') == [
        (1, '{"a": ', None),
        (2, '{"b": 1}', None),
        (3, "{", None),
        (4, ' "c": 2', None),
        (5, '{"d": 3}', None),
        (6, '{"e', None),
    ]
    assert lines(b'{\n "a": }\n}\n[]\n') == [(1, "{", None), (2, ' "a": }', None), (3, "}", None), (4, "[]", None)]


def test_what_is_no_text_is_named():
    found = lines(b'\xff\n{"a": 1}\n' + b"x" * (MOST_CHARACTERS + 10) + b"\n{}")
    assert found[0] == (1, "", "byte 1 is not UTF-8; write the record in UTF-8")
    assert found[2][2].startswith("the record is longer than")
    assert [found[1][1], found[3][1]] == ['{"a": 1}', "{}"]


def test_of_an_endless_line_only_the_beginning_is_kept():
    (line,) = streaming.read_lines(io.BytesIO(b"x" * (3 * MOST_CHARACTERS)))
    assert len(line) == MOST_CHARACTERS + 2


def test_the_shapes_of_a_record():
    item = read_item(Record(3, json.dumps(pair(extra={"x": 1}, rubric="r", reference="ref", truth="first"))), PAIRWISE)
    assert (item.id, item.turns, item.responses, item.reference) == ("3", ("q",), (("a",), ("b",)), "ref")
    assert item.extra == {"x": 1, "rubric": "r"}
    turns = {"id": 9, "turns": ["one", "two"], "responses": [["a", "b"]], "rubric": "r"}
    item = read_item(Record(1, json.dumps(turns)), POINTWISE)
    assert (item.id, item.turns, item.responses) == ("9", ("one", "two"), (("a", "b"),))


BAD = {
    "not JSON": ("{'a': 1}", None, "column 2 is not JSON"),
    "a list": ("[1]", None, "the record is a list; give one JSON object per line"),
    "a number": ("3", None, "the record is a number"),
    "null": ("null", None, "the record is null"),
    "deep": ("[" * 100_000, None, "cannot be read"),
    "long number": ("9" * 5000, None, "cannot be read"),
    "surrogate": ('{"prompt": "\\ud800"}', None, "lone surrogate"),
    "surrogate in a key": ('{"\\udfff": 1}', None, "lone surrogate"),
    "misspelt": ({"promt": "q"}, "prompt", "key 'prompt' is missing; is 'promt' meant?"),
    "no question": ({"response_a": "a"}, "prompt", "key 'prompt' is missing; add the question"),
    "number as question": (pair(prompt=3), "prompt", "key 'prompt' is a number; give a text"),
    "no turns": ({"turns": []}, "turns", "key 'turns' is a list"),
    "no answer": ({"prompt": "q", "response_a": "a"}, "response_b", "key 'response_b' is missing"),
    "null answer": (pair(response_a=None), "response_a", "key 'response_a' is null"),
    "single for a pair": (
        {"prompt": "q", "response": "a"},
        "response_a",
        "the prompt is pairwise and takes response_a",
    ),
    "three answers": ({"prompt": "q", "responses": ["a", "b", "c"]}, "responses", "is 3 of them; a pairwise prompt"),
    "answers as text": (
        {"prompt": "q", "responses": "ab"},
        "responses",
        "is a text; a pairwise prompt takes a list of 2",
    ),
    "reference": (pair(reference=["r"]), "reference", "key 'reference' is a list; give a text or null"),
    "category": (pair(category=True), "category", "key 'category' is true or false"),
    "id": (pair(id=1.5), "id", "key 'id' is a number; give a text or a whole number"),
    "extra": (pair(extra=[1]), "extra", "key 'extra' is a list; give an object"),
}


@pytest.mark.parametrize(("record", "key", "sentence"), BAD.values(), ids=BAD)
def test_a_bad_record_names_line_and_key(record, key, sentence):
    text = record if isinstance(record, str) else json.dumps(record)
    with pytest.raises(BadRecord) as caught:
        read_item(Record(7, text), PAIRWISE)
    assert caught.value.key == key and sentence in str(caught.value)
    (result,) = Judge(Says(str), PAIRWISE, 99).answer([Record(7, text)])
    assert result.row() == {"line": 7, "key": key, "error": f"line 7: {caught.value}"}


# ---- verdicts ----


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        (["first", "first"], ("first", True)),
        (["tie", "tie"], ("tie", True)),
        (["first", "second"], (None, False)),
        (["first", "tie"], (None, False)),
        (["first", "error"], (None, None)),
        (["error", "error"], (None, None)),
        (["second"], ("second", None)),
        (["error"], (None, None)),
        ([], (None, None)),
    ],
)
def test_two_orders_make_one_verdict(outcomes, expected):
    assert combined(outcomes) == expected


def test_a_pair_is_judged_in_both_orders():
    judge = Judge(Says(lambda text: "Verdict: A" if "|good|" in text else "Verdict: B"), PAIRWISE, 99)
    (result,) = judge.answer([Record(1, json.dumps(pair(id="x", response_a="good", response_b="bad")))])
    assert (result.id, result.verdict, result.consistent) == ("x", "first", True)
    assert [(order.order, order.outcome) for order in result.orders] == [
        ("original", "first"),
        ("swapped", "first"),
    ]
    assert judge.backend.asked == ["q|good|bad", "q|bad|good"]
    (result,) = Judge(Says(lambda text: "Verdict: A"), PAIRWISE, 99).answer([Record(1, json.dumps(pair()))])
    assert (result.verdict, result.consistent) == (None, False)
    (result,) = Judge(Says(lambda text: "Verdict: A"), PAIRWISE, 99, ("swapped",)).answer(
        [Record(1, json.dumps(pair()))]
    )
    assert (result.verdict, result.consistent, len(result.orders)) == ("second", None, 1)


MELD_PAIR = (
    "@@@{response A: Scores per dimension: ['Depth': 8, 'Overall Score': 8]}@@@{response B: Scores per dimension: "
    "['Depth': 3, 'Overall Score': 3]}###Final Result: {A}&&&Detailed Evaluation Feedback: {A goes deeper.}***"
)


def test_scores_are_those_of_the_record_in_either_order():
    template = Template(
        "m", "pairwise", PAIRWISE.user, dataclasses.replace(PAIRS, format="final_result", tie="Tie"), "{verdict}", 8
    )
    (result,) = Judge(Says(lambda text: MELD_PAIR), template, 99).answer([Record(1, json.dumps(pair()))])
    shown, swapped = result.row()["orders"]
    assert shown["scores"] == [
        {"dimensions": {"Depth": 8.0}, "overall": 8.0},
        {"dimensions": {"Depth": 3.0}, "overall": 3.0},
    ]
    assert swapped["scores"] == shown["scores"][::-1] and swapped["outcome"] == "second"
    assert shown["feedback"] == "A goes deeper." and shown["reply"] == MELD_PAIR


def test_errors_have_reasons_and_the_others_go_on():
    judge = Judge(
        Says(lambda text: "###Overall Score: {11}" if "bad" in text else "###Overall Score: {7}"), POINTWISE, 30
    )
    records = [
        {"prompt": "q", "response": "r", "rubric": "x"},
        {"prompt": "q", "response": "r"},
        {"prompt": "q", "response": "bad", "rubric": "x"},
        {"prompt": "q" * 40, "response": "r", "rubric": "x"},
        {"prompt": "q", "response": "r", "rubric": 3},
    ]
    results = judge.answer([Record(number, json.dumps(record)) for number, record in enumerate(records, 1)])
    assert [result.row().get("score") for result in results] == [7.0, None, None, None, None]
    assert [result.orders[0].reason for result in results[:4]] == [
        None,
        "no_rubric",
        "out_of_range",
        "prompt_too_long",
    ]
    assert results[4].key == "rubric"
    counts = {}
    for kind in (kind for result in results for kind in streaming.kinds(result)):
        counts[kind] = counts.get(kind, 0) + 1
    assert streaming.summary(counts) == (
        "5 records: 1 judged, 3 no verdict, 1 not read (replies: no_rubric 1, out_of_range 1, prompt_too_long 1)"
    )


def test_a_category_without_criteria_is_an_error_of_its_record_alone():
    template = Template(
        "c", "pairwise", "{criteria}" + PAIRWISE.user, PAIRS, "{verdict}", 8, criteria={"math": "be exact"}
    )
    judge = Judge(Says(lambda text: "Verdict: A"), template, 99)
    known, unknown, without = judge.answer(
        [Record(n, json.dumps(pair(category=name))) for n, name in enumerate(["Math", "maths", None], 1)]
    )
    assert known.consistent is False and without.orders[0].reason == "no_category"
    assert unknown.key == "category" and "did you mean 'math'?" in unknown.error


# ---- anything at all ----

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from(
    ["id", "prompt", "turns", "response", "response_a", "response_b", "responses", "reference", "category", "extra"]
    + ["rubric", "truth", "promt"]
)
TEXTS = st.dictionaries(KEYS, st.text(max_size=8) | VALUES, max_size=7).map(json.dumps)
LINES = st.binary(max_size=40) | TEXTS.map(str.encode) | st.sampled_from([b"{", b"}", b'{"a":', b" ", b"[", b"{}"])


@settings(max_examples=400, deadline=None)
@given(st.lists(LINES, max_size=8), st.sampled_from([PAIRWISE, POINTWISE]))
def test_any_input_gives_one_result_per_record_and_never_stops(found, template):
    stream = io.BytesIO(b"\n".join(found))
    judge = Judge(Says(lambda text: text), template, 50)
    records = list(split(streaming.read_lines(stream)))
    results = judge.answer(records)
    assert [result.line for result in results] == [record.line for record in records]
    for result in results:
        assert streaming.kinds(result)
        json.dumps(result.row(), ensure_ascii=False).encode("utf-8")
        assert isinstance(result, streaming.Fault) or result.orders
    n_lines = sum(bool(line.strip()) for line in b"\n".join(found).split(b"\n"))
    assert len(records) <= n_lines


@pytest.mark.parametrize(
    "text", [b"{\n" * 200_000, b"{\n" + b' "a": 1,\n' * 300_000, b"[" * 3_000_000, b"\n" * 500_000]
)
def test_long_input_is_read_in_no_time(text):
    started = time.monotonic()
    assert len(list(split(streaming.read_lines(io.BytesIO(text))))) >= 0
    assert time.monotonic() - started < 20


# ---- the command ----


def command(repository, *arguments, text="", **others):
    script = [fork_server.python(), str(repository / "scripts" / "commands" / "judge.py"), *map(str, arguments)]
    return subprocess.run(script, input=text, capture_output=True, text=True, timeout=120, cwd=repository, **others)


def test_help_needs_nothing_heavy(repository):
    walls = []
    for _ in range(3):
        started = time.monotonic()
        assert "--model" in command(repository, "--help").stdout
        walls.append(time.monotonic() - started)
    assert min(walls) < 1.0  # 0.1 s alone; tests share their machine
    probe = "import sys, judge; print(sorted({'torch', 'transformers', 'pandas', 'httpx', 'numpy'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", probe], cwd=repository / "scripts", capture_output=True, text=True)
    assert found.stdout.strip() == "[]"


def test_a_stream_through_an_endpoint(repository, tmp_path):
    text = "\n".join([json.dumps(pair()), "nonsense", "", json.dumps(pair(prompt="other"))])
    with serving(lambda body, n: reply("Because.\nVerdict: tie")) as server:
        process = command(repository, "--model", server.url, "--name", "m", text=text)
        output = tmp_path / "out.jsonl"
        (tmp_path / "in.json").write_text(json.dumps(pair(), indent=2))
        one = command(
            repository, "--model", server.url, "--name", "m", "--input", tmp_path / "in.json", "--output", output
        )
    assert process.returncode == 1, process.stderr
    results = [json.loads(line) for line in process.stdout.splitlines()]
    assert [result["line"] for result in results] == [1, 2, 4]
    assert results[0]["verdict"] == results[2]["verdict"] == "tie" and "line 2: column 1" in results[1]["error"]
    assert process.stderr.strip() == "3 records: 2 judged, 1 not read"
    assert one.returncode == 0 and json.loads(output.read_text())["verdict"] == "tie"


@pytest.mark.parametrize(
    ("answer", "lines", "status"),
    [
        ("Verdict: tie", [pair()], 0),
        ("Verdict: tie", [pair(), "nonsense"], 1),
        ("Verdict: A", [pair()], 0),  # both orders were read; that they contradict each other is a finding
        ("I cannot say", [pair()], 2),
        ("I cannot say", [pair(), "nonsense"], 2),
        ("Verdict: tie", ["nonsense"], 2),
        ("Verdict: tie", [], 0),
    ],
)
def test_the_status_says_whether_anything_was_judged(repository, answer, lines, status):
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    with serving(lambda body, n: reply(answer)) as server:
        process = command(repository, "--model", server.url, "--name", "m", text=text)
    assert process.returncode == status, process.stderr


METRIC = ("--prompt", "rubric_pointwise", "--metric", "faithfulness_5_point")


def test_a_metric_of_the_catalogue_grades_single_answers(repository):
    records = [{"prompt": "2+2?", "response": "4", "context": "2+2=4"}, {"prompt": "2+2?", "response": "4"}]
    text = "\n".join(map(json.dumps, records))
    with serving(lambda body, n: reply("<feedback>\nyes\n</feedback>\n<score>\n5\n</score>")) as server:
        process = command(repository, "--model", server.url, "--name", "m", *METRIC, text=text)
    first, second = map(json.loads, process.stdout.splitlines())
    assert first["score"] == 5 and process.returncode == 1
    asked = server.bodies[0]["messages"][-1]["content"]
    assert "<context>\n2+2=4\n</context>" in asked and "supported by the context" in asked
    assert second["key"] == "context" and "metric 'faithfulness_5_point' needs it" in second["error"]


def test_a_metric_of_three_scores_brings_its_scale(repository):
    record = json.dumps({"prompt": "2+2?", "response": "4", "context": "2+2=4"})
    arguments = ("--prompt", "rubric_pointwise", "--metric", "faithfulness_3_point")
    with serving(lambda body, n: reply("<feedback>\nyes\n</feedback>\n<score>\n5\n</score>")) as server:
        process = command(repository, "--model", server.url, "--name", "m", *arguments, text=record)
    assert json.loads(process.stdout)["orders"][0]["reason"] == "out_of_range" and process.returncode == 2


def test_a_prompt_that_shows_a_metric_asks_for_one(repository):
    record = json.dumps({"prompt": "2+2?", "response": "4"})
    with serving(lambda body, n: reply("x")) as server:
        process = command(repository, "--model", server.url, "--name", "m", *METRIC[:2], text=record)
    assert process.returncode == 2 and "name one of config/metrics with --metric" in process.stdout
    assert not server.bodies


def test_a_slow_stream_is_answered_at_once(repository):
    with serving(lambda body, n: reply("Verdict: A")) as server:
        script = [
            sys.executable,
            str(repository / "scripts" / "commands" / "judge.py"),
            "--model",
            server.url,
            "--name",
            "m",
        ]
        with subprocess.Popen(script, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            for number in range(3):
                process.stdin.write(json.dumps(pair(id=number)).encode() + b"\n")
                process.stdin.flush()
                assert json.loads(process.stdout.readline())["id"] == str(number)  # before the next one is written
            process.stdin.close()
            assert process.wait(30) == 0


ENDS = {
    "no folder": (("--model", "nowhere"), "nowhere: no such folder; give a model folder, a .gguf file or an address"),
    "no name": (("--model", "http://127.0.0.1:9/v1"), "say which one with --name"),
    "no prompt": (("--model", "x", "--prompt", "plain"), "there is no prompt 'plain'"),
    "texts elsewhere": (("--model", "x", "--prompt", "meld_pairwise"), "results/<study>/sources"),
    "no metric": (("--model", "x", "--prompt", "rubric_pointwise", "--metric", "correctnes_5_point"), "did you mean"),
    "a metric for pairs": (("--model", "x", "--metric", "correctness_5_point"), "grades single answers"),
    "a prompt that hides it": (
        ("--model", "x", "--prompt", "plain_pointwise", "--metric", "correctness_5_point"),
        "does not show {evaluation_criteria}",
    ),
    "no input": (("--model", "http://127.0.0.1:9/v1", "--name", "m", "--input", "no.jsonl"), "no.jsonl"),
    "no key": (
        ("--model", "http://127.0.0.1:9/v1", "--name", "m", "--api-key-variable", "NO_KEY"),
        "NO_KEY is not set",
    ),
    "mode": (
        ("--model", "http://127.0.0.1:9", "--name", "m", "--prompt", "brief_pairwise_choice"),
        "log-probabilities",
    ),
    "settings": (
        ("--model", "http://127.0.0.1:9", "--name", "m", "--endpoint-settings", '{"n": 2}'),
        "settings.n is dec",
    ),
}


@pytest.mark.parametrize(("arguments", "sentence"), ENDS.values(), ids=ENDS)
def test_what_cannot_work_ends_with_one_sentence(repository, arguments, sentence):
    process = command(repository, *arguments)
    assert process.returncode == 2 and sentence in process.stderr
    assert len(process.stderr.strip().splitlines()) == 1 and not process.stdout


def test_an_endpoint_without_access_ends_the_stream(repository):
    with serving(lambda body, n: Answer(b"", 403)) as server:
        process = command(repository, "--model", server.url, "--name", "m", text=json.dumps(pair()))
    assert process.returncode == 2 and "HTTP 403, access is refused" in process.stderr


def test_a_model_folder_gives_the_replies_of_its_backend(repository, tiny_models):
    from judgemerge.judge.backends.transformers import Transformers

    options = ("--model", tiny_models["base"], "--prompt", "brief_pairwise", "--threads", "1", "--dtype", "float32")
    process = command(repository, *options, text=json.dumps(pair()))
    assert process.returncode == 2, process.stderr  # a random model follows no form: nothing is judged
    (result,) = map(json.loads, process.stdout.splitlines())
    template = load_template(repository / "config" / "prompts" / "brief_pairwise.yaml")
    alone = Judge(Transformers(tiny_models["base"], "float32", 16384, 1), template, 4096)
    assert result == alone.answer([Record(1, json.dumps(pair()))])[0].row()
    assert result["orders"][0]["reason"] == "cut"  # the model is untrained and does not stop


def test_a_gguf_file_without_its_tokenizer_is_refused(tmp_path):
    (tmp_path / "m.gguf").write_bytes(b"GGUF")
    with pytest.raises(JudgemergeError, match="has no tokenizer.json; give the folder .* with --tokenizer"):
        streaming.open_model(str(tmp_path / "m.gguf"), {}, tmp_path / "scratch")


def test_a_gguf_file_is_linked_beside_its_tokenizer(tmp_path, tiny_models):
    (tmp_path / "weights").mkdir()
    (tmp_path / "scratch").mkdir()
    path = tmp_path / "weights" / "m.Q8_0.gguf"
    path.write_bytes(b"GGUF")
    folder = streaming._gguf_folder(path, str(tiny_models["base"]), tmp_path / "scratch")
    assert (folder / "model.gguf").resolve() == path and (folder / "tokenizer.json").is_file()
    assert (folder / "chat_template.jinja").is_file() and isinstance(folder, Path)

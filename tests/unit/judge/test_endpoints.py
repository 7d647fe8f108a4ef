"""Backend openai against a real server on this machine, one that also refuses, breaks, hangs and lies."""

import json
import math
import tempfile
import threading
import time
from pathlib import Path

import pytest
from endpoint_server import Answer, reply, serving
from hypothesis import given, settings
from hypothesis import strategies as st
from rule_scripts import rule_script

from judgemerge.core import files
from judgemerge.core.errors import JudgemergeError
from judgemerge.core.items import write_items
from judgemerge.judge import backends, endpoints, judging
from judgemerge.judge.backends import Completion, Failure, GenerationParameters
from judgemerge.judge.backends.openai import OpenAI, Window, _retry_after
from judgemerge.judge.store import Store
from judgemerge.prompting.parsing import Reply
from judgemerge.prompting.prompts import load_template
from judgemerge.settings.models import Endpoint
from judgemerge.synthetic.demo_tasks import make_items

judge_endpoint = rule_script("judge/judge_endpoint")

LIMIT = GenerationParameters(7)
MESSAGES = [{"role": "system", "content": "Be fair."}, {"role": "user", "content": "A or B? é\n"}]


def make(url, key=None, **entry):
    """Return the backend with waits of hundredths of a second."""
    entry = {"url": url, "model": "m", "settings": {"temperature": 0}, "timeout": 5, "attempts": 3, **entry}
    return OpenAI(Endpoint(**entry), key, first_wait=0.01)


def ask(backend, n=1, skip=()):
    """Return {index: result} of `n` prompts, a number in each."""
    texts = [backend.render([{"role": "user", "content": str(number)}]) for number in range(n)]
    return {index: result for batch in backend.complete(texts, LIMIT, skip) for index, result in batch}


def number_of(body):
    return int(body["messages"][-1]["content"])


# ---- what is sent, what comes back ----


def test_messages_settings_and_limit_are_sent():
    with serving(lambda body, n: reply("[[A]]")) as server:
        backend = make(server.url + "/", "secret", settings={"temperature": 0, "seed": 3}, api_key_variable="KEY")
        ((result,),) = backend.complete([backend.render(MESSAGES)], LIMIT)
    assert result == (0, Completion("[[A]]", 11, 3))
    expected = {"model": "m", "messages": MESSAGES, "temperature": 0, "seed": 3, "max_tokens": 7}
    assert server.bodies == [expected]
    assert server.headers[0]["authorization"] == "Bearer secret"
    assert backend.usage() == {"requests": 1, "retries": 0, "answered": 1, "failures": {}}


@pytest.mark.parametrize("ending", ["", "/", "/chat/completions", "/chat/completions/", "//"])
def test_an_address_with_what_is_asked_below_it_is_the_same_endpoint(ending):
    with serving(lambda body, n: reply("x")) as server:
        assert ask(make(server.url + ending))[0].text == "x"
        entry = {"url": server.url, "model": "m", "settings": {"temperature": 0}}
        one, two = (endpoints.manifest(Endpoint(**{**entry, "url": url})) for url in (server.url, server.url + ending))
    assert one["digest"] == two["digest"] and one["endpoint"] == two["endpoint"]


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("http://h/v1/completions", "http://h/v1"),
        ("http://h/v1/models/", "http://h/v1"),
        ("http://h/v1/chat", "http://h/v1"),
        ("http://h/chat", "http://h/chat"),  # may be where an API lies
        ("http://h/v1/chat/completions/chat/completions", "http://h/v1"),
    ],
)
def test_only_what_is_asked_is_taken_off_an_address(url, base):
    assert endpoints.base_url(url) == base


@pytest.mark.parametrize("url", ["ftp://h/v1", "http://h/v1#", "http://h/v1?", "http://h/v1 /chat", "h:8000/v1"])
def test_an_address_that_no_request_reaches_is_refused(url):
    with pytest.raises(JudgemergeError, match="url is no address of an API"):
        endpoints.check_entry(Endpoint(url=url, model="m", settings={}), "here")


def test_an_error_names_the_address_that_was_asked():
    with (
        serving(lambda body, n: Answer(b"no such page", 404)) as server,
        pytest.raises(JudgemergeError, match=f"HTTP 404 from {server.url}/chat/completions "),
    ):
        ask(make(server.url + "/chat/completions/"))


def test_without_a_key_none_is_sent_and_the_limit_may_have_another_name():
    with serving(lambda body, n: reply("x")) as server:
        ask(make(server.url, limit_key="max_completion_tokens"))
    assert "authorization" not in server.headers[0]
    assert server.bodies[0]["max_completion_tokens"] == 7 and "max_tokens" not in server.bodies[0]


def test_render_is_canonical_and_lengths_are_unknown():
    backend = make("http://127.0.0.1:9/v1")
    assert json.loads(backend.render(MESSAGES)) == MESSAGES
    assert backend.render(MESSAGES) == backend.render([dict(reversed(entry.items())) for entry in MESSAGES])
    assert backend.counts(["a", "b" * 100_000]) == [0, 0]


GOOD = {
    "parts": (reply([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]), Completion("ab", 11, 3)),
    "no text, ended": (reply(None, "length"), Completion("", 11, 3)),
    "no usage": (reply("a", usage={}), Completion("a", None, None)),
    "wrong usage": (reply("a", usage={"prompt_tokens": "3", "completion_tokens": -1}), Completion("a", None, None)),
    "half a character": (reply("a\ud800b"), Completion("a?b", 11, 3)),
}


ENDINGS = {
    "ended": (reply("a", "stop"), "stop", "a"),
    "at the limit": (reply("a", "length"), "length", "a"),
    "at the limit, in another server's words": (reply("a", "MAX_TOKENS"), "length", "a"),
    "nothing said": (reply("a", None), None, "a"),
    "all thought": (reply(None, "length", reasoning_content="Is A [[A]]"), "length", "<think>\nIs A [[A]]"),
    "thought apart": (reply("[[B]]", "stop", reasoning_content="Is A [[A]]"), "stop", "[[B]]"),
}


@pytest.mark.parametrize(("answer", "finish_reason", "text"), ENDINGS.values(), ids=ENDINGS)
def test_how_a_reply_ended_is_kept(answer, finish_reason, text):
    with serving(lambda body, n: answer) as server:
        found = ask(make(server.url))[0]
    assert (found.finish_reason, found.text) == (finish_reason, text)


@pytest.mark.parametrize("ended", ["content_filter", "SAFETY", "abort", "error"])
def test_a_text_that_was_broken_off_is_refused(ended):
    with serving(lambda body, n: reply("Verdict: A, for", ended)) as server:
        found = ask(make(server.url))[0]
    assert found.reason == "endpoint_refused" and "broken off" in found.detail


@pytest.mark.parametrize(("answer", "expected"), GOOD.values(), ids=GOOD)
def test_unusual_but_right_replies(answer, expected):
    with serving(lambda body, n: answer) as server:
        assert ask(make(server.url)) == {0: expected}


# ---- faults that pass ----

PASSING = {
    "429": Answer(b'{"error": {"message": "slow down"}}', 429),
    "500": Answer(b"oops", 500),
    "503 without a body": Answer(b"", 503),
    "garbage": Answer(b"<html>\xff\x00</html>"),
    "other JSON": Answer(b"[1, 2]"),
    "deep JSON": Answer(b"[" * 100_000),
    "an error with status 200": Answer(b'{"error": {"message": "overloaded", "code": 502}}'),
    "no choices": Answer(b'{"choices": []}'),
    "content of the wrong type": Answer(b'{"choices": [{"message": {"content": 3}}]}'),
    "cut off": Answer(b'{"choices"', cut=True),
    "silence": Answer(seconds=60),
    "one byte a second": Answer(b"          ", pieces=10),
}


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING)
def test_a_fault_that_passes_costs_an_attempt(fault):
    with serving(lambda body, n: fault if n == 0 else reply("ok")) as server:
        backend = make(server.url, timeout=1)
        assert ask(backend) == {0: Completion("ok", 11, 3)}
    assert backend.usage() == {"requests": 2, "retries": 1, "answered": 1, "failures": {}}


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING)
def test_a_fault_that_stays_is_an_error_and_the_others_are_answered(fault, caplog):
    with serving(lambda body, n: fault if number_of(body) == 1 else reply("ok")) as server:
        backend = make(server.url, timeout=1, attempts=2)
        found = ask(backend, 3)
    assert {index: result.reason for index, result in found.items() if isinstance(result, Failure)} == {
        1: "endpoint_error"
    }
    assert found[0] == found[2] == Completion("ok", 11, 3)
    assert backend.usage() == {"requests": 4, "retries": 1, "answered": 2, "failures": {"endpoint_error": 1}}
    assert "a prompt got no reply: endpoint_error" in caplog.text


def test_waits_grow_and_retry_after_is_kept_by_everybody():
    busy = Answer(b"", 429, {"Retry-After": "1"})
    with serving(lambda body, n: busy if n == 0 else reply("ok")) as server:
        backend = make(server.url, concurrency=1)
        ask(backend, 2)
    first, second, third = server.moments
    assert second - first >= 0.95
    with serving(lambda body, n: Answer(b"", 500) if n < 4 else reply("ok")) as server:
        backend = OpenAI(Endpoint(url=server.url, model="m", settings={}, attempts=5), first_wait=0.1)
        ask(backend)
    gaps = [after - before for before, after in zip(server.moments, server.moments[1:], strict=False)]
    assert all(gap >= wait * 0.95 for gap, wait in zip(gaps, (0.1, 0.2, 0.4, 0.8), strict=True))


def test_retry_after_takes_seconds_and_dates():
    assert _retry_after({"retry-after": "2.5"}) == 2.5
    assert _retry_after({"retry-after": "99999"}) == 600  # never longer
    assert _retry_after({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0
    assert _retry_after({"retry-after": "Wed, 21 Oct 2999 07:28:00 GMT"}) == 600
    for nonsense in ("", "soon", "-5", "nan", "inf", "Wed, 99 Oct"):
        assert _retry_after({"retry-after": nonsense}) in (0, 600)


@given(st.text(max_size=200))
def test_any_retry_after_is_some_wait(value):
    assert 0 <= _retry_after({"retry-after": value}) <= 600


# ---- faults that do not pass ----

REFUSALS = {
    "too long": (Answer(b'{"error": {"message": "m", "code": "context_length_exceeded"}}', 400), "prompt_too_long"),
    "too large": (Answer(b"", 413), "prompt_too_long"),
    "bad request": (Answer(b'{"detail": "temperature is not supported"}', 422), "endpoint_refused"),
    "filtered": (reply(None, "content_filter"), "endpoint_refused"),
}


@pytest.mark.parametrize(("answer", "reason"), REFUSALS.values(), ids=REFUSALS)
def test_a_refused_prompt_is_not_asked_twice(answer, reason):
    with serving(lambda body, n: answer) as server:
        backend = make(server.url)
        found = ask(backend)
    assert found[0].reason == reason and len(server.bodies) == 1


FATAL = {
    "no access": (401, "access is refused; check the key in KEY"),
    "forbidden": (403, "access is refused; check the key in KEY"),
    "no such model": (404, "correct `url` or `model` of its `endpoint`"),
    "moved": (307, "correct `url` or `model` of its `endpoint`"),
}


@pytest.mark.parametrize(("status", "sentence"), FATAL.values(), ids=FATAL)
def test_what_no_repetition_mends_ends_the_job_in_one_sentence(status, sentence):
    body = b'{"error": {"message": "no: secret\\u0007 \\n"}}'
    answer = Answer(body, status, {"Location": "http://127.0.0.1:9/"})
    with serving(lambda body, n: answer if number_of(body) == 2 else reply("ok", seconds=0.05)) as server:
        backend = make(server.url, "secret", api_key_variable="KEY", concurrency=2)
        found = {}
        texts = [backend.render([{"role": "user", "content": str(number)}]) for number in range(50)]
        with pytest.raises(JudgemergeError) as caught:
            for batch in backend.complete(texts, LIMIT):
                found |= dict(batch)
    assert sentence in str(caught.value) and "\n" not in str(caught.value) and "secret" not in str(caught.value)
    assert {0, 1} <= set(found) and len(server.bodies) <= 5  # what was answered came out, and no more were asked


def test_an_endpoint_that_is_down_ends_the_job():
    backend = make("http://127.0.0.1:9/v1", attempts=2, concurrency=2)
    with pytest.raises(JudgemergeError, match=r"m at 127\.0\.0\.1: 8 prompts in a row got no reply .*run again when"):
        ask(backend, 50)
    assert backend.usage()["requests"] <= 2 * 12


@pytest.mark.parametrize("key", [None, "", "  ", "a\nb", "schlüssel"])
def test_a_missing_or_impossible_key_is_named_and_never_shown(key):
    with pytest.raises(JudgemergeError, match="environment variable JUDGE_KEY (is not set|holds characters)") as caught:
        make("http://127.0.0.1:9/v1", key, api_key_variable="JUDGE_KEY")
    assert not key or not key.strip() or key not in str(caught.value)


# ---- how it is asked ----


def test_as_many_at_a_time_as_allowed_and_each_prompt_once():
    with serving(lambda body, n: reply(body["messages"][0]["content"], seconds=0.05)) as server:
        found = ask(make(server.url, concurrency=3), 20, skip={4, 7})
    assert server.most_under_way == 3
    assert {index: result.text for index, result in found.items()} == {n: str(n) for n in range(20) if n not in (4, 7)}
    assert len(server.bodies) == 18


def test_window_never_lets_more_than_the_limit_through_in_a_minute():
    now = [0.0]
    window = Window(10, clock=lambda: now[0])
    taken = []
    for _ in range(200):
        seconds, entry = window.take(3)
        if entry is None:
            assert seconds > 0
            now[0] += seconds
        else:
            taken.append(now[0])
            now[0] += 0.5
    for start in taken:
        assert sum(3 for moment in taken if start <= moment < start + 60) <= 10
    assert taken[-1] < 60 * len(taken) / 3 + 60  # and hardly fewer


def test_one_amount_above_the_limit_still_passes():
    window = Window(10, clock=lambda: 0.0)
    assert window.take(50)[1] is not None
    assert window.take(1) == (60.0, None)


def test_requests_per_minute_are_kept(monkeypatch):
    with serving(lambda body, n: reply("ok")) as server:
        backend = make(server.url, requests_per_minute=5, concurrency=4)
        waits = []

        def sleep(seconds):  # a minute passes at once
            waits.append(seconds)
            for entry in list(backend._requests.spent):
                entry[0] -= seconds

        monkeypatch.setattr(backend, "_sleep", sleep)
        assert len(ask(backend, 12)) == 12
    assert waits and max(waits) <= 60


def test_tokens_per_minute_count_what_was_really_used():
    with serving(lambda body, n: reply("ok", usage={"prompt_tokens": 100, "completion_tokens": 50})) as server:
        backend = make(server.url, tokens_per_minute=1000, concurrency=1)
        ask(backend, 3)
    assert [entry[1] for entry in backend._tokens.spent] == [150, 150, 150]


def test_leaving_early_leaves_no_thread_behind():
    with serving(lambda body, n: reply("ok") if number_of(body) == 0 else Answer(b"", 503)) as server:
        backend = OpenAI(Endpoint(url=server.url, model="m", settings={}, timeout=2), first_wait=30)
        started = time.monotonic()
        answers = backend.complete([backend.render([{"role": "user", "content": str(n)}]) for n in range(9)], LIMIT)
        next(answers)
        answers.close()
    assert time.monotonic() - started < 10
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ThreadPoolExecutor")]


# ---- in a unit of judging ----


@pytest.fixture
def unit(tmp_path, repository):
    """Return judge_endpoint.main for one suite of six demo pairs against an address."""
    write_items(tmp_path / "items.jsonl", make_items("pairwise", "test", n_items=6, seed=1))

    def run(url, **entry):
        entry = Endpoint(url=url, model="m", settings={}, **{"concurrency": 2, "attempts": 1, "timeout": 5, **entry})
        files.write_json(tmp_path / "m.json", endpoints.manifest(entry))
        record = judge_endpoint.main(
            manifest=tmp_path / "m.json",
            endpoint=entry,
            items=[tmp_path / "items.jsonl"],
            prompts=[repository / "config" / "prompts" / "brief_pairwise.yaml"],
            sources=str(tmp_path),
            categories={},
            store=str(tmp_path / "store"),
            suite="suite",
            replies=tmp_path / "replies.jsonl",
            usage=tmp_path / "usage.json",
        )
        return record, list(files.read_jsonl(tmp_path / "replies.jsonl"))

    return run


def test_failed_prompts_are_errors_that_the_next_run_asks_again(unit, tmp_path):
    with serving(lambda body, n: Answer(b"", 500) if n in (2, 3) else reply("Verdict: A")) as server:
        first, rows = unit(server.url, price_per_million={"prompt": 1, "completion": 10})
        asked_first = len(server.bodies)
        second, again = unit(server.url, price_per_million={"prompt": 1, "completion": 10})
        asked_second = len(server.bodies) - asked_first
        unit(server.url)
    failed = [row for row in rows if row["reason"]]
    assert [row["reason"] for row in failed] == ["endpoint_error"] * 2 and all(row["reply"] is None for row in failed)
    assert (asked_first, asked_second, len(server.bodies)) == (12, 2, 14)  # and nothing the third time
    assert all(row["reply"] == "Verdict: A" for row in again)
    assert first["failures"] == {"endpoint_error": 2} and (first["replies"], first["errors"]) == (10, 2)
    assert (second["requests"], second["replies"], second["errors"]) == (2, 12, 0)
    assert second["cost"] == f"{12 * (11 * 1 + 3 * 10) / 1e6:.6f}"
    assert files.read_json(tmp_path / "usage.json")["prompt_tokens"] == 12 * 11


def test_a_job_that_ends_keeps_what_was_answered(unit, tmp_path):
    with serving(lambda body, n: Answer(b"", 401) if n >= 5 else reply("Verdict: B")) as server:
        with pytest.raises(JudgemergeError, match="access is refused"):
            unit(server.url)
        assert not (tmp_path / "replies.jsonl").exists()
        assert files.read_json(tmp_path / "usage.json")["replies"] == 5
        server.answer = lambda body, n: reply("Verdict: B")
        record, rows = unit(server.url)
    assert record["requests"] == 7 and len(rows) == 12


def test_an_endpoint_that_answers_nothing_at_all_is_no_judge_however_few_the_prompts(unit, tmp_path):
    refused = pytest.raises(JudgemergeError, match="not one of 12 prompts got a reply")
    with serving(lambda body, n: Answer(b"", 500)) as server, refused:
        unit(server.url, concurrency=16)
    assert not (tmp_path / "replies.jsonl").exists()


def test_rows_of_equal_prompts_are_paid_once_and_uncounted_tokens_are_said():
    row = Reply("b", "i", "original", "k", "x", prompt_tokens=10, reply_tokens=2)
    rows = [row, row, row._replace(prompt="l", prompt_tokens=None), row._replace(prompt=None, reply=None)]
    url, price = "https://Host.example:8443/v1/", {"prompt": 5, "completion": 50}
    found = endpoints.table_row("j", Endpoint(url=url, model="m", price_per_million=price), "s", rows)
    assert found["cost"] == "0.000150" and found["note"] == "1 replies without token counts"
    assert (found["replies"], found["errors"], found["host"]) == (2, 1, "host.example:8443/v1")
    assert endpoints.table_row("j", Endpoint(url=url, model="m"), "s", rows)["cost"] == ""


# ---- identity and the study file ----


def test_the_digest_covers_host_model_and_settings_and_no_limit():
    entry = {"url": "https://a.example/v1", "model": "m", "settings": {"temperature": 0}}

    def digest_of(change):
        return endpoints.manifest(Endpoint(**{**entry, **change}))["digest"]

    digest = digest_of({})
    same = [{"requests_per_minute": 3}, {"url": "https://A.example/v1/"}, {"api_key_variable": "K"}, {"timeout": 1}]
    other = [{"url": "https://b.example/v1"}, {"model": "n"}, {"settings": {"temperature": 1}}, {"settings": {}}]
    assert {digest_of(change) for change in same} == {digest}
    assert len({digest, *(digest_of(change) for change in other)}) == 5
    assert backends.of(endpoints.manifest(Endpoint(**entry))) == "openai"


@pytest.mark.parametrize("url", ["http://", "https://a.example/v1?key=1", "http://a.example:99999/", "http://[::1/"])
def test_an_address_that_cannot_be_asked_is_refused(url):
    with pytest.raises(JudgemergeError, match="url is no address of an API"):
        endpoints.check_entry(Endpoint(url=url, model="m", settings={}), "study.yaml")


def test_a_key_in_the_address_and_settings_of_ours_are_refused():
    with pytest.raises(JudgemergeError, match="url holds a user or a key; put") as caught:
        endpoints.check_entry(Endpoint(url="https://secret@a.example/v1", model="m"), "study.yaml")
    assert "secret" not in str(caught.value)
    with pytest.raises(JudgemergeError, match=r"settings\.max_tokens is decided by judgemerge"):
        endpoints.check_entry(Endpoint(url="https://a.example/v1", model="m", settings={"max_tokens": 3}), "study.yaml")


def test_log_probabilities_are_not_to_be_had(repository):
    template = load_template(repository / "config" / "prompts" / "brief_pairwise_choice.yaml")
    with pytest.raises(JudgemergeError, match="mode choices"):
        judging.plan(make_items("pairwise", "test", 1, 1), {"pairwise": template}, make("http://127.0.0.1:9"), 100)


# ---- labels that are chosen ----

CHOOSING = {"settings": {"temperature": 0, "logprobs": True}}
LN = {share: math.log(share) for share in (0.05, 0.1, 0.15, 0.2, 0.5, 0.6)}


def pairwise_verdicts(repository, answer, **entry):
    """Return the verdicts of an endpoint on two pairs in both orders, asked with a prompt of mode choices."""
    template = load_template(repository / "config" / "prompts" / "brief_pairwise_choice.yaml")
    items = make_items("pairwise", "test", 2, 1)
    with serving(answer) as server, tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "store.jsonl")
        verdicts = judging.verdicts(items, {"pairwise": template}, make(server.url, **CHOOSING, **entry), 10**6, store)
    return verdicts, server.bodies


def test_the_alternatives_to_the_first_token_are_the_probabilities_of_labels(repository):
    first = ("\n", {"\n": -0.1, "A": -5.0})  # white space is no label
    likely = {" A": LN[0.5], "A": LN[0.1], "B": LN[0.2], "Both": LN[0.05], "ti": LN[0.15]}
    verdicts, bodies = pairwise_verdicts(
        repository, lambda body, n: reply("\nA", "length", logprobs=[first, (" A", likely)])
    )
    shown = {"first": 0.6 / 0.95, "second": 0.2 / 0.95, "tie": 0.15 / 0.95}
    turned = {"first": shown["second"], "second": shown["first"], "tie": shown["tie"]}
    assert [one.outcome for one in verdicts] == ["first", "second"] * 2
    assert [one.probabilities for one in verdicts] == [
        pytest.approx(shown, abs=1e-5),
        pytest.approx(turned, abs=1e-5),
    ] * 2
    assert {(body["logprobs"], body["top_logprobs"], body["max_tokens"]) for body in bodies} == {(True, 20, 4)}
    assert all(body["messages"][-1]["role"] == "user" and "Verdict" not in str(body["messages"]) for body in bodies)


def test_a_label_that_is_no_alternative_is_as_likely_as_the_last_one(repository):
    likely = {"B": LN[0.6], "A": LN[0.2], "The": LN[0.1]}
    verdicts, _ = pairwise_verdicts(repository, lambda body, n: reply("B", logprobs=[("B", likely)]))
    assert verdicts[0].probabilities == pytest.approx(
        {"first": 0.2 / 0.9, "second": 0.6 / 0.9, "tie": 0.1 / 0.9}, abs=1e-5
    )


def test_where_no_label_is_an_alternative_there_is_no_verdict(repository):
    verdicts, _ = pairwise_verdicts(repository, lambda body, n: reply("I", logprobs=[("I", {"I": -0.1, "Well": -3.0})]))
    assert {one.reason for one in verdicts} == {"no_verdict"}
    assert {one.probabilities for one in verdicts} == {None}


def test_a_server_without_log_probabilities_ends_the_job_in_one_sentence(repository):
    with pytest.raises(JudgemergeError, match="settings.logprobs of its `endpoint` is true, but the reply has no log-"):
        pairwise_verdicts(repository, lambda body, n: reply("A"))


def test_a_busy_server_is_asked_again_for_labels_too(repository):
    busy = {0: Answer(b"{}", 503), 1: Answer(b"nothing")}
    good = reply("A", logprobs=[("A", {"A": -0.1, "B": -3.0})])
    verdicts, bodies = pairwise_verdicts(repository, lambda body, n: busy.get(n, good))
    assert [one.reason for one in verdicts] == [None] * 4 and len(bodies) == 6


def test_a_given_response_cannot_be_scored(repository):
    template = load_template(repository / "config" / "prompts" / "likelihood_pairwise.yaml")
    with pytest.raises(JudgemergeError, match="an endpoint cannot say how likely a given response is"):
        backend = make("http://127.0.0.1:9", **CHOOSING)
        judging.plan(make_items("pairwise", "test", 1, 1), {"pairwise": template}, backend, 100)


# ---- any answer at all ----

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
        ["choices", "message", "content", "usage", "error", "finish_reason", "prompt_tokens", "text", "type", "code"]
    ), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
BODIES = st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode())
COMPLETIONS = JSON.map(lambda value: json.dumps({"choices": [{"message": {"content": value}}]}).encode())


class Response:
    """What _read looks at."""

    def __init__(self, status):
        self.status_code, self.headers = status, {}


@settings(max_examples=300, deadline=None)
@given(
    BODIES | COMPLETIONS, st.sampled_from([200, 200, 200, 201, 204, 302, 400, 401, 404, 413, 418, 422, 429, 500, 599])
)
def test_any_answer_is_a_reply_a_failure_or_one_of_two_errors(body, status):
    from judgemerge.judge.backends.openai import _TryAgain

    try:
        result = make("http://127.0.0.1:9/v1")._read(Response(status), body)
    except (_TryAgain, JudgemergeError) as error:
        assert "\n" not in str(error) and len(str(error)) < 600
        return
    assert isinstance(result, (Completion, Failure))
    if isinstance(result, Completion):
        result.text.encode("utf-8")

"""Replies that are told while they are written: the same as asked in a batch, whole characters, and ended at will."""

import json
import time

import pytest
from endpoint_server import Answer, reply, serving

from judgemerge.judge.backends import Backend, Completion, Failure, GenerationParameters
from judgemerge.judge.event_streams import EventStream

GREEDY = GenerationParameters(max_new_tokens=12)
DRAWN = GenerationParameters(max_new_tokens=12, temperature=1.5, top_p=0.9, min_p=0.01, repetition_penalty=1.1, seed=7)
QUESTION = [{"role": "user", "content": "How many legs has a cat?"}]


class Enough(Exception):
    """Somebody pressed a button."""


def completed(backend, text, parameters):
    seeds = () if parameters.is_greedy else (parameters.seed,)
    ((_, whole),) = (pair for batch in backend.complete([text], parameters, (), seeds) for pair in batch)
    return whole


@pytest.fixture(scope="module")
def model(tiny_models):
    from judgemerge.judge.backends import transformers

    return transformers.Transformers(tiny_models["base"], "float32", 2048, 1)


@pytest.mark.parametrize("parameters", [GREEDY, DRAWN], ids=["greedy", "drawn"])
@pytest.mark.parametrize("forgets", [False, True], ids=["own loop", "generate"])
def test_a_told_reply_is_the_reply(model, parameters, forgets, monkeypatch):
    monkeypatch.setattr(type(model), "forgets", forgets)
    text, told = model.render(QUESTION), []
    whole = model.write(text, parameters, told.append)
    assert whole == completed(model, text, parameters) and whole.text
    assert len(told) == whole.reply_tokens == 12 and whole.finish_reason == "length"
    assert all(whole.text.startswith(part) for part in told) and told[-1] == whole.text.rstrip("\ufffd")
    if not parameters.is_greedy:
        others = [model.write(text, GenerationParameters(12, 1.5, seed=seed), told.append).text for seed in range(3)]
        assert len(set(others)) > 1


def test_whoever_listens_can_end_a_reply(model):
    told = []

    def hear(text):
        told.append(text)
        if len(told) == 3:
            raise Enough

    with pytest.raises(Enough):
        model.write(model.render(QUESTION), GREEDY, hear)
    assert len(told) == 3
    assert completed(model, model.render(QUESTION), GREEDY).text  # the model goes on afterwards


def test_half_a_character_is_not_told(model):
    class Bytes:
        def reply(self, ids):
            return bytes(ids).decode("utf-8", "replace"), len(ids), "length"

    letters = "aé€".encode()
    so_far = [type(model.chat).so_far(Bytes(), letters[:n]) for n in range(1, len(letters) + 1)]
    assert so_far == ["a", "a", "aé", "aé", "aé", "aé€"]


def test_a_backend_that_knows_nothing_of_it_tells_the_whole():
    class Plain(Backend):
        digest_settings = "plain"

        def render(self, messages):
            return messages[-1]["content"]

        def complete(self, texts, parameters, skip=(), seeds=()):
            yield [(0, Completion(f"{texts[0]} {parameters.temperature} {list(seeds)}"))]

    class Refusing(Plain):
        def complete(self, texts, parameters, skip=(), seeds=()):
            yield [(0, Failure("endpoint_error"))]

    told = []
    assert Plain().write("q", GREEDY, told.append).text == "q 0.0 []"
    assert Plain().write("q", DRAWN, told.append).text == "q 1.5 [7]"
    assert told == ["q 0.0 []", "q 1.5 [7]"]
    assert Refusing().write("q", GREEDY, told.append) == Failure("endpoint_error") and len(told) == 2


# ---- endpoints ----


def event(**choice):
    return f"data: {json.dumps({'choices': [{'index': 0, **choice}]})}\n\n".encode()


def stream(*events, **others):
    return Answer(b"".join(events), headers={"Content-Type": "text/event-stream; charset=utf-8"}, **others)


def words(*texts):
    return [event(delta={"content": text}) for text in texts]


END = event(delta={}, finish_reason="stop") + b"data: [DONE]\n\n"


def endpoint(url, **settings):
    from judgemerge.judge.backends.openai import OpenAI
    from judgemerge.settings.models import Endpoint

    return OpenAI(Endpoint(url=url, model="m", attempts=3, settings=settings), first_wait=0.01)


def test_an_endpoint_is_read_event_by_event():
    usage = b'data: {"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 3}}\r\n\r\n'
    answer = stream(event(delta={"role": "assistant"}), b": a comment\n", *words("Vér", "dict: ", "A"), usage, END)
    with serving(lambda body, n: answer) as server:
        backend, told = endpoint(server.url, top_k=3), []
        whole = backend.write(backend.render(QUESTION), GREEDY, told.append)
        assert (whole.text, whole.prompt_tokens, whole.reply_tokens, whole.finish_reason) == (
            "Vérdict: A",
            5,
            3,
            "stop",
        )
        assert told == ["Vér", "Vérdict: ", "Vérdict: A", "Vérdict: A"]
        backend.write(backend.render(QUESTION), DRAWN, told.append)
    first, second = server.bodies
    assert first == {"model": "m", "messages": QUESTION, "max_tokens": 12, "stream": True, "top_k": 3}
    assert second == {**first, "temperature": 1.5, "top_p": 0.9}


def test_pieces_come_while_the_server_still_writes():
    answer = stream(*words("one ", "two"), END, pieces=2)  # a second lies between the pieces
    with serving(lambda body, n: answer) as server:
        backend, moments = endpoint(server.url), []
        backend.write(backend.render(QUESTION), GREEDY, lambda text: moments.append(time.monotonic()))
    assert moments[-1] - moments[0] > 0.5


def test_an_event_may_be_cut_anywhere():
    text = b"".join(words("a", "é", "€")) + END
    for size in (1, 2, 7, 1000):
        told = []
        events = EventStream(told.append)
        for start in range(0, len(text), size):
            events.take(text[start : start + size])
        assert told == ["a", "aé", "aé€"]
        assert json.loads(events.whole())["choices"][0]["message"]["content"] == "aé€"


ODD = {
    "no stream": ([reply("whole")], "whole", 1),
    "busy at first": ([Answer(b"", 503), stream(*words("late"), END)], "late", 2),
    "broke off": ([stream(*words("half")), stream(*words("half", " and half"), END)], "half and half", 2),
    "cut": ([stream(*words("half"), cut=True), stream(*words("all"), END)], "all", 2),
    "an error in it": ([stream(*words("x"), b'data: {"error": {"message": "no"}}\n\n'), reply("then")], "then", 2),
    "no JSON": ([stream(b"data: <html>\n\n"), reply("then")], "then", 2),
    "a number": ([stream(b"data: 3\n\n"), stream(event(delta={"content": 3})), reply("then")], "then", 3),
    "a thought alone": (
        [stream(event(delta={"reasoning_content": "hm"}), event(delta={}, finish_reason="length"))],
        "<think>\nhm",
        1,
    ),
}


@pytest.mark.parametrize(("answers", "text", "n_asked"), ODD.values(), ids=ODD)
def test_odd_streams(answers, text, n_asked):
    with serving(lambda body, n: answers[n]) as server:
        backend, told = endpoint(server.url), []
        assert backend.write(backend.render(QUESTION), GREEDY, told.append).text == text == told[-1]
    assert len(server.bodies) == n_asked


def test_a_refusal_is_a_failure_and_nothing_is_told():
    with serving(lambda body, n: Answer(b'{"error": {"message": "too many tokens"}}', 400)) as server:
        backend, told = endpoint(server.url), []
        assert backend.write(backend.render(QUESTION), GREEDY, told.append).reason == "prompt_too_long" and not told

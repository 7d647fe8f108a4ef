"""The one loop that asks: what is missing, in the batches of the whole, stored as it comes."""

from judgemerge.judge.backends import Backend, Completion, Failure, GenerationParameters
from judgemerge.judge.requests import SCORED, Request, Tally, ask, without_long
from judgemerge.judge.store import Store

SHORT, LONG = GenerationParameters(2), GenerationParameters(8)


class Echo(Backend):
    """Replies with the prompt in upper case, two prompts at a time; "no" gets no reply."""

    digest_settings = "echo"
    abilities = ("logprobs",)

    def __init__(self):
        self.calls = []

    def prepare(self):
        self.calls.append("prepare")

    def counts(self, texts):
        return [len(text) for text in texts]

    def complete(self, texts, parameters, skip=(), seeds=()):
        self.calls.append((texts, parameters.max_new_tokens, sorted(skip), list(seeds)))
        for start in range(0, len(texts), 2):
            batch = [index for index in range(start, min(start + 2, len(texts))) if index not in skip]
            yield [(n, Failure("refused") if texts[n] == "no" else Completion(texts[n].upper(), 1, 1)) for n in batch]

    def score(self, questions, skip=()):
        self.calls.append((questions, sorted(skip)))
        yield [(index, Completion("scored")) for index in range(len(questions)) if index not in skip]


def request(text, parameters=LONG, **more):
    return Request(None, text, text, parameters, **more)


def test_known_prompts_are_left_out_of_the_batches_of_all_and_fewest_tokens_come_first(tmp_path):
    backend = Echo()
    with Store(tmp_path / "s.jsonl") as store:
        store.add([("b", Completion("B"))])
        requests = [request("a"), request("b"), request("a"), request("c", SHORT), request("d", SCORED, options=("x",))]
        assert ask(requests, backend, store)[:2] == (4, 3)
        assert backend.calls == [
            "prepare",
            ([("d", ("x",))], []),
            (["c"], 2, [], []),
            (["a", "b"], 8, [1], []),
        ]
        assert {key: reply.text for key, reply in store.replies.items()} == {
            "a": "A",
            "b": "B",
            "c": "C",
            "d": "scored",
        }
        assert ask(requests, backend, store) == Tally(4, 0) and len(backend.calls) == 4


def test_a_failure_is_noted_and_never_stored(tmp_path):
    progress = []
    with Store(tmp_path / "s.jsonl") as store:
        ask([request("yes"), request("no")], Echo(), store, lambda done, total: progress.append((done, total)))
        assert store.failures == {"no": "refused"} and store.knows("no")
    assert progress == [(0, 2), (2, 2)]
    with Store(tmp_path / "s.jsonl") as store:
        assert set(store.replies) == {"yes"} and not store.knows("no")


def test_seeds_go_with_their_prompts_and_time_with_the_reply(tmp_path):
    backend = Echo()
    with Store(tmp_path / "s.jsonl") as store:
        ask([request("a", seed=5), request("b", seed=6)], backend, store, with_seconds=True)
    assert backend.calls[1] == (["a", "b"], 8, [], [5, 6])
    reply = Store(tmp_path / "s.jsonl").replies["a"]
    assert reply.batch == 2 and reply.seconds is not None


def test_what_cannot_be_asked_is_left_alone_and_what_is_too_long_has_a_reason():
    requests = [Request("x", None, reason="no_text"), request("abc"), request("ab", options=("c", "dddd"))]
    assert [one.reason for one in without_long(requests, Echo(), 4)] == ["no_text", None, "prompt_too_long"]


def test_without_a_file_replies_are_held_in_memory():
    store = Store()
    assert ask([request("a")], Echo(), store).n_new == 1
    assert store.replies["a"].text == "A"


def test_others_files_are_read_and_not_written(tmp_path):
    old = '{"asked": "a", "reply": "old", "finish_reason": "stop"}\n'
    (tmp_path / "earlier.jsonl").write_text(old, encoding="utf-8")
    with Store(tmp_path / "s.jsonl", [tmp_path / "earlier.jsonl", tmp_path / "missing.jsonl"]) as store:
        assert store.replies["a"] == Completion("old")
        assert ask([request("a"), request("b")], Echo(), store).n_new == 1
    assert (tmp_path / "earlier.jsonl").read_text(encoding="utf-8") == old
    assert set(Store(tmp_path / "s.jsonl").replies) == {"b"}

"""Backend vllm without a GPU: what the engine is made with, what it is asked, and what is made of its answers."""

import sys
from types import SimpleNamespace

import pytest

from judgemerge.core.errors import JudgemergeError
from judgemerge.judge import backends
from judgemerge.judge.backends import Completion, Failure, GenerationParameters, not_finite
from judgemerge.judge.backends.transformers import Transformers
from judgemerge.judge.backends.vllm import VLLM, completion, engine_arguments, is_finite

SETTINGS = {"dtype": "auto", "batch_tokens": 100, "threads": 1, "max_prompt_tokens": 300, "max_new_tokens": 20}
GREEDY = GenerationParameters(5)
MESSAGES = [{"role": "user", "content": "A or B?"}]


@pytest.fixture(scope="module")
def backend(tiny_models):
    return backends.load("vllm", tiny_models["base"], SETTINGS)


def test_without_the_package_one_sentence_says_what_to_do(backend):
    if "vllm" in sys.modules:
        pytest.skip("vllm is installed here")
    with pytest.raises(JudgemergeError, match=r"needs the package vllm.*judging\.backend: transformers") as caught:
        list(backend.complete([backend.render(MESSAGES)], GREEDY))
    assert "\n" not in str(caught.value)


def test_the_engine_is_made_for_greedy_judging_with_a_shared_prefix(backend, tiny_models):
    assert backend.arguments == {
        "model": str(tiny_models["base"]),
        "dtype": "auto",
        "max_model_len": 320,
        "enable_prefix_caching": True,
        "load_format": "safetensors",
        "trust_remote_code": False,
        "generation_config": "vllm",
        "seed": 0,
    }
    assert engine_arguments("m", "bfloat16", 99, 3)["dtype"] == "bfloat16"
    longest = VLLM(tiny_models["base"], "auto", 100_000, 10)
    assert longest.max_model_len == 8192  # what the model was made for


def test_prompts_are_those_of_the_transformers_backend(backend, tiny_models):
    other = Transformers(tiny_models["base"], "auto", 100, 1)
    text = backend.render(MESSAGES)
    assert text == other.render(MESSAGES)
    assert backend.counts([text, text * 2]) == other.counts([text, text * 2])
    assert backend.counts([]) == []
    assert backend._ids([text])[0].count(backend.tokenizer.bos_token_id) == 1
    assert sorted(backend.sampling(GREEDY)["stop_token_ids"]) == other.stop
    # Replies of both may differ in the last bits, so they are never taken for each other.
    assert backend.digest_settings == "vllm,greedy,float32" != other.digest_settings


def output(ids, reply, finish_reason="stop", logprob=-0.5):
    """Return what vLLM gives back: a RequestOutput has these fields, among others (vllm/outputs.py)."""
    best = SimpleNamespace(token_ids=reply, finish_reason=finish_reason, cumulative_logprob=logprob)
    return SimpleNamespace(prompt_token_ids=ids, outputs=[best])


def test_answers_are_mapped_and_counted(backend):
    reply = backend.tokenizer("Verdict: A<|eot_id|>", add_special_tokens=False)["input_ids"]
    mapped = completion(output([1, 2, 3], reply), backend.chat)
    assert (mapped, mapped.finish_reason) == (Completion("Verdict: A", 3, len(reply)), "stop")
    assert completion(output([1], reply[:-1], "length"), backend.chat).finish_reason == "length"


def test_replies_are_drawn_with_a_seed_per_prompt_and_greedy_ones_are_not(backend):
    greedy, ends = (
        backend.sampling(GREEDY),
        backend.sampling(GREEDY)["stop_token_ids"],
    )
    assert greedy == {"temperature": 0.0, "max_tokens": 5, "stop_token_ids": ends, "logprobs": 0}
    parameters = GenerationParameters(5, 0.7, top_p=0.9, min_p=0.1, repetition_penalty=1.03, seed=42)
    one, other = backend.sampling(parameters, 0), backend.sampling(parameters, 1)
    how = {"temperature": 0.7, "top_p": 0.9, "repetition_penalty": 1.03, "min_p": 0.1}
    assert one == greedy | how | {"seed": one["seed"]} and one["seed"] != other["seed"]
    assert backend.sampling(parameters, 1) == other
    assert backend.sampling(parameters, 1, (7, 8))["seed"] == 8
    assert backend.abilities == ("sampling",)


def test_logits_that_are_no_numbers_end_the_job_and_name_the_dtype(backend):
    nan = output([1], [0] * 8, "length", float("nan"))
    assert not is_finite(nan) and is_finite(output([1], [7]))
    error = not_finite("models/m", "float16")
    assert str(error) == (
        "models/m: the logits are not finite in float16; set judging.dtype: bfloat16 (judge.py: --dtype bfloat16)"
    )


def test_each_prompt_once_in_its_order_and_what_is_too_long_is_said(backend, monkeypatch):
    asked = []

    def generate(self, pairs, parameters, seeds):
        asked.append([index for index, _ in pairs])
        yield from (
            (index, completion(output(ids, backend.tokenizer.encode(str(index))[1:]), self.chat))
            for index, ids in pairs
        )

    monkeypatch.setattr(VLLM, "_complete", generate)
    monkeypatch.setattr("judgemerge.judge.backends.vllm.PROMPTS_AT_ONCE", 3)
    texts = [backend.render(MESSAGES)] * 8
    texts[4] = texts[4] * 40
    found = dict(pair for batch in backend.complete(texts, GREEDY, skip={1}) for pair in batch)
    assert asked == [[0, 2, 3], [5, 6], [7]]
    assert sorted(found) == [0, 2, 3, 4, 5, 6, 7]
    assert found[4] == Failure("prompt_too_long", "the model takes 320 tokens")
    assert found[7].text == "7"

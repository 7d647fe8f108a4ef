"""Backend vllm without a GPU: what the engine is made with, what it is asked, and what is made of its answers."""

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
from transformers import AutoConfig

from judgemerge.core.errors import JudgemergeError
from judgemerge.judge import backends
from judgemerge.judge.backends import Completion, Failure, GenerationParameters, not_finite
from judgemerge.judge.backends.transformers import Transformers
from judgemerge.judge.backends.vllm import (
    VLLM,
    Engine,
    Question,
    cause,
    completion,
    cpu_arguments,
    engine_arguments,
    is_finite,
    remedy,
)

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
        "dtype": "float32",  # vLLM would make half precision of `auto`, and the digest say otherwise
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


def test_without_a_gpu_it_keeps_keys_and_values_of_so_many_tokens(backend, tiny_models):
    config = AutoConfig.from_pretrained(tiny_models["base"])
    per_token = 2 * config.num_hidden_layers * config.num_key_value_heads * config.head_dim * 4
    assert backend.arguments_on_cpu["kv_cache_memory_bytes"] == (320 + 64) * per_token  # one whole prompt, two blocks
    more = backends.load("vllm", tiny_models["base"], {**SETTINGS, "batch_tokens": 1001})
    assert more.arguments_on_cpu["kv_cache_memory_bytes"] == (1024 + 64) * per_token
    half = cpu_arguments(config, "bfloat16", 320)
    assert half["kv_cache_memory_bytes"] == (320 + 64) * per_token // 2
    assert cpu_arguments(SimpleNamespace(), "float32", 320) == {"enforce_eager": True}  # a model without attention


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
    assert greedy == {
        "temperature": 0.0,
        "max_tokens": 5,
        "stop_token_ids": ends,
        "logprobs": 0,
        "detokenize": False,
    }
    parameters = GenerationParameters(5, 0.7, top_p=0.9, min_p=0.1, repetition_penalty=1.03, seed=42)
    one, other = backend.sampling(parameters, 0), backend.sampling(parameters, 1)
    how = {"temperature": 0.7, "top_p": 0.9, "repetition_penalty": 1.03, "min_p": 0.1}
    assert one == greedy | how | {"seed": one["seed"]} and one["seed"] != other["seed"]
    assert backend.sampling(parameters, 1) == other
    assert backend.sampling(parameters, 1, (7, 8))["seed"] == 8
    assert backend.abilities == ("sampling", "logprobs")


def test_logits_that_are_no_numbers_end_the_job_and_name_the_dtype(backend):
    nan = output([1], [0] * 8, "length", float("nan"))
    assert not is_finite(nan) and is_finite(output([1], [7]))
    error = not_finite("models/m", "float16")
    assert str(error) == (
        "models/m: the logits are not finite in float16; set judging.dtype: bfloat16 (judge.py: --dtype bfloat16)"
    )


class Core:
    """An engine that answers the oldest request at each step with the number of its tokens; tests/vllm has the real."""

    def __init__(self, dies_at=None):
        self.waiting, self.most, self.asked, self.dies_at = [], 0, [], dies_at

    def add_request(self, name, prompt, parameters):
        self.waiting.append((name, prompt["prompt_token_ids"]))
        self.most = max(self.most, len(self.waiting))

    def step(self):
        if len(self.asked) == self.dies_at:
            raise RuntimeError("the engine is dead")
        name, ids = self.waiting.pop(0)
        self.asked.append(len(ids))
        best = SimpleNamespace(token_ids=[ids[-1]], finish_reason="length", cumulative_logprob=-1.0)
        fields = {"prompt_token_ids": ids, "outputs": [best], "num_cached_tokens": 1}
        return [SimpleNamespace(request_id=name, finished=True, **fields)]

    def abort_request(self, names):
        self.waiting = [one for one in self.waiting if one[0] not in names]


@pytest.fixture
def with_core(tiny_models, monkeypatch):
    """Return a function: a backend whose engine has a core."""
    monkeypatch.setattr("judgemerge.judge.backends.vllm.PROMPTS_AT_ONCE", 3)

    def make(core):
        made = backends.load("vllm", tiny_models["base"], SETTINGS)
        made.__dict__["engine"] = Engine(core, dict)
        return made

    return make


def test_each_prompt_once_in_its_order_and_what_is_too_long_is_said(with_core):
    core = Core()
    backend = with_core(core)
    texts = [backend.render(MESSAGES) + "A" * number for number in range(8)]
    texts[4] = texts[4] * 40
    lengths = backend.counts(texts)
    found = dict(pair for batch in backend.complete(texts, GREEDY, skip={1}) for pair in batch)
    assert core.asked == [lengths[index] for index in (0, 2, 3, 5, 6, 7)] and core.most == 3
    assert sorted(found) == [0, 2, 3, 4, 5, 6, 7]
    assert found[4] == Failure("prompt_too_long", "the model takes 320 tokens")
    assert [found[index].prompt_tokens for index in (0, 7)] == [lengths[0], lengths[7]]


def test_what_was_answered_before_the_engine_died_is_given_and_one_sentence_follows(with_core, capsys):
    backend, batches = with_core(Core(dies_at=2)), []
    with pytest.raises(
        JudgemergeError, match=r"base: vLLM broke off \(RuntimeError: the engine is dead\); see the log"
    ):
        batches.extend(backend.complete([backend.render(MESSAGES)] * 5, GREEDY))
    assert sorted(index for batch in batches for index, _ in batch) == [0, 1]
    assert "Traceback" in capsys.readouterr().err


def test_requests_that_nobody_waits_for_are_dropped(with_core, monkeypatch):
    monkeypatch.setattr("judgemerge.judge.backends.vllm.SECONDS_PER_BATCH", -1)
    core = Core()
    backend = with_core(core)
    answers = backend.complete([backend.render(MESSAGES)] * 5, GREEDY)
    next(answers)
    answers.close()
    assert core.asked and not core.waiting


def test_continuations_of_one_token_take_one_pass_and_others_one_each():
    one_pass = Question([1, 2], [[7], [9], [7]])
    ((ids, how),) = one_pass.requests()
    assert ids == [1, 2] == one_pass.longest and how["logprob_token_ids"] == [7, 9] and how["max_tokens"] == 1
    logprob = SimpleNamespace
    best = SimpleNamespace(logprobs=[{5: logprob(logprob=-0.1), 7: logprob(logprob=-1.25), 9: logprob(logprob=-2)}])
    one_pass.note(SimpleNamespace(outputs=[best]))
    assert one_pass.is_done and one_pass.is_finite
    assert one_pass.completion().text == '{"logprobs": [-1.25, -2, -1.25], "tokens": [1, 1, 1]}'

    several = Question([1, 2], [[7], [8, 9], [7]])
    passes = list(several.requests())
    assert [ids for ids, _ in passes] == [[1, 2, 7], [1, 2, 8, 9]] and passes[0][1]["prompt_logprobs"] == 0
    for ids, _ in passes:
        assert not several.is_done
        places = [None, *({token: logprob(logprob=-float(token))} for token in ids[1:])]
        several.note(SimpleNamespace(prompt_token_ids=ids, prompt_logprobs=places))
    assert several.completion() == Completion('{"logprobs": [-7.0, -17.0, -7.0], "tokens": [1, 2, 1]}', 2, 4)
    several.sums[(7,)] = float("nan")
    assert not several.is_finite


SAID = {
    "memory": (
        "(EngineCore pid=7) ERROR 11-29 ValueError: To serve at least one request with the model's max seq len (600), "
        "(0.1 GiB KV cache is needed, which is larger than the available KV cache memory (0.05 GiB).",
        "lower judging.max_prompt_tokens",
    ),
    "gpu": ("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.", "judging.gpus"),
    "weights": ("safetensors_rust.SafetensorError: Error while deserializing header", "get the model again"),
    "heads": ("ValueError: Total number of attention heads (9) must be divisible by tensor parallel size.", "divides"),
    "settings": (
        "  Value error, Total number of attention heads (4) must be divisible by tensor parallel size (3).",
        "divides",
    ),
    "kind": ("ValueError: Model architectures ['X'] are not supported for now.", "backend: transformers"),
    "other": ("RuntimeError: what nobody foresaw", "see the log"),
}  # fmt: skip


@pytest.mark.parametrize("line, advice", SAID.values(), ids=SAID)
def test_the_error_of_a_process_is_found_among_its_lines(line, advice):
    said = [
        "INFO loading",
        line,
        "RuntimeError: Engine core initialization failed. See root cause above.",
        "RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}",
        "ValidationError: 1 validation error for VllmConfig",
    ]
    assert cause(said)[:40] in line and len(cause(said)) <= 200
    assert advice in remedy(said)


def test_a_spawned_process_does_not_run_the_jobs_script_again(tmp_path, repository):
    script = tmp_path / "job.py"
    script.write_text(
        "import multiprocessing, os\n"
        "from judgemerge.judge.backends.vllm import script_not_run_again\n"
        "print('the job runs', flush=True)\n"
        "with script_not_run_again():\n"
        "    child = multiprocessing.get_context('spawn').Process(target=os.getpid)\n"
        "    child.start()\n"
        "child.join()\n"
        "print(child.exitcode, os.path.basename(__file__))\n"
    )
    environment = os.environ | {"PYTHONPATH": str(repository / "scripts")}
    done = subprocess.run([sys.executable, str(script)], env=environment, capture_output=True, text=True, timeout=60)
    assert done.stdout == "the job runs\n0 job.py\n", done.stderr

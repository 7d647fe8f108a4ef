"""The form that LLaMA-Factory trains in against the one that a model is asked in."""

import json
import os
import shutil
from types import SimpleNamespace

import pytest
from chat_template_cases import CHATML, CHATML_DEFAULT, DATED, GEMMA, MORE, SILENT, STRICT, S, U
from transformers import AutoTokenizer

from judgemerge.core.errors import JudgemergeError
from judgemerge.prompting import chat_templates
from judgemerge.prompting.chat_templates import Chat
from judgemerge.train import exports, llamafactory, planned_forms, trained_forms

TURNS = {
    "chatml": ("<|im_start|>", "<|im_end|>"),
    "gemma": ("<start_of_turn>", "<end_of_turn>"),
}


@pytest.fixture(scope="module")
def model(tiny_models, tmp_path_factory):
    """Return a function that gives a folder with the tiny base's tokenizer, a chat template, and added tokens."""

    def made(template, *tokens):
        folder = tmp_path_factory.mktemp("model")
        for path in tiny_models["base"].glob("*.json"):
            shutil.copy(path, folder)
        tokenizer = AutoTokenizer.from_pretrained(tiny_models["base"])
        if tokens:
            tokenizer.add_special_tokens({"additional_special_tokens": list(tokens)})
        tokenizer.chat_template = template
        tokenizer.save_pretrained(folder)
        return folder

    return made


def form(folder, chat=None, longer=(), **settings):
    return llamafactory.load_form(folder, settings, chat or {}, "experts.x", longer)


def trained(one, messages):
    """Return the prompt that LLaMA-Factory trains on, from the row as it is written for it."""
    system = {"system": messages[0]["content"]} if messages[0]["role"] == "system" else {}
    row = one.laid_out({"instruction": messages[-1]["content"], "input": "", "output": "Verdict: A", **system})
    return one.text(trained_forms.messages_of(row)[:-1])[0]


@pytest.mark.parametrize(
    ("template", "tokens", "name"),
    [
        (CHATML, TURNS["chatml"], "chatml"),
        (CHATML_DEFAULT, TURNS["chatml"], "chatml"),
        (GEMMA, TURNS["gemma"], "gemma"),
        (DATED, (), "llama3"),
        (STRICT, (), "llama2"),
        (SILENT, (), "llama2"),
    ],
)
def test_what_is_trained_is_what_is_asked_with_and_without_a_system_text(model, template, tokens, name):
    folder = model(template, *tokens)
    one = form(folder, template=name)
    asked = Chat(AutoTokenizer.from_pretrained(folder), folder)
    for messages in ([U], [S, U]):
        assert trained(one, messages) == asked.render(messages)
    assert form(folder).name in planned_names(folder), "and without a name one that fits is taken"


def planned_names(folder):
    return list(trained_forms.fitting(AutoTokenizer.from_pretrained(folder), folder, {}, {}))


def test_conversations_of_several_turns_are_laid_out_as_they_are_asked(model):
    folder = model(CHATML_DEFAULT, *TURNS["chatml"])
    one = form(folder, template="chatml", longer=trained_forms.longer_talks([{"messages": [S, *MORE]}]))
    asked = Chat(AutoTokenizer.from_pretrained(folder), folder)
    answer = {"role": "assistant", "content": "So."}
    for messages in (MORE, [S, *MORE]):
        row = one.laid_out({"messages": [*messages, answer]})
        assert one.text(row["messages"][:-1], answer)[0] == asked.render(messages)
    ranked = {"messages": [U], "chosen": answer, "rejected": {"role": "assistant", "content": "No, not at all so."}}
    assert one.laid_out(ranked)["messages"][0] == {"role": "system", "content": "You are a helpful assistant."}
    assert one.count(ranked) == one.count({"messages": [U, ranked["rejected"]]}) > one.count({"messages": [U, answer]})


def test_conversations_are_compared_only_in_the_shapes_that_a_training_has(model):
    last = "{{ bos_token }}{% set s = '' %}{% if messages[0]['role'] == 'system' %}{% set s = messages[0]['content'] + "
    last += (
        "'\n\n' %}{% endif %}{% for m in messages %}{% if m['role'] == 'user' %}{{ '[INST] ' + (s if loop.last else '')"
    )
    last += " + m['content'] + '[/INST]' }}{% elif m['role'] == 'assistant' %}{{ ' ' + m['content'] + eos_token }}"
    folder = model(last + "{% endif %}{% endfor %}")  # Mistral's later releases: the system text in the last turn
    assert trained_forms.longer_talks([{"messages": [S, U]}, {"instruction": "x"}]) == []
    form(folder, template="mistral")
    form(folder, template="mistral", longer=trained_forms.longer_talks([{"messages": MORE}]))
    # LLaMA-Factory's `mistral` writes it into the first: such rows are laid out for the last one.
    form(folder, template="mistral", longer=trained_forms.longer_talks([{"messages": [S, *MORE]}]))


def test_a_row_that_needs_no_change_has_none(tiny_models):
    one = form(tiny_models["base"])
    assert one.name == "llama3"
    row = {"instruction": "Which?", "input": "", "output": "A", "system": "Be fair."}
    assert one.laid_out(row) == row
    assert one.laid_out({**row, "instruction": " Which?\n"}) == row, "what the chat template takes off its ends"


@pytest.mark.parametrize(
    ("template", "tokens", "name", "sentence"),
    [
        (CHATML, TURNS["chatml"], "llama2", r"trains on .*\[INST\] Which.*asks .<\|im_start\|>.*template to .*chatml"),
        (CHATML, TURNS["chatml"], "gemma", r"would add <end_of_turn> to the vocabulary of .*set training.template to "),
        (CHATML, TURNS["chatml"], "qwen", r"trains on .*You are Qwen.*asks .<\|im_start\|>user"),
        (STRICT, (), "mistral", r"trains on .*\[/INST\]\".*, but the chat template of .* \[/INST\]\".*llama2"),
        (CHATML, TURNS["chatml"], "lama3", "LLaMA-Factory has no template 'lama3'; did you mean 'llama3'"),
        (None, (), None, "training.template is not set, and .* has no chat template that it follows from; set it"),
        ("{{ '<<' + messages[0]['content'] + '>>' }}", (), None, "none of LLaMA-Factory's templates writes what"),
        (None, (), "chatglm3", "would add"),
    ],
)
def test_another_form_is_refused_before_anything_is_trained(model, template, tokens, name, sentence):
    with pytest.raises(JudgemergeError, match=sentence) as caught:
        form(model(template, *tokens), **({"template": name} if name else {}))
    assert "\n" not in str(caught.value)


def test_a_model_without_a_template_is_asked_as_it_is_trained_or_as_the_study_says(model):
    folder = model(None, *TURNS["gemma"])
    one = form(folder, template="gemma")
    assert one.chat.render([S, U]) == trained(one, [S, U])
    end = one.tokenizer.convert_tokens_to_ids("<end_of_turn>")
    assert end in one.chat.turn_ends
    named = form(folder, chat={"chat_template": "gemma"}, template="gemma")
    assert named.chat.render([S, U]) == one.chat.render([S, U])
    mistral = form(folder, chat={"chat_template": "mistral_v1"}, template="llama2")
    assert trained(mistral, [S, U]) == "<|begin_of_text|>[INST] Be fair.\n\nA or B? [/INST]"
    with pytest.raises(JudgemergeError, match=r"trains on .*start_of_turn.*asks .*INST"):
        form(folder, chat={"chat_template": "llama2"}, template="gemma")


def test_lengths_are_those_that_llamafactory_encodes(model):
    from llamafactory.data.processor.supervised import SupervisedDatasetProcessor

    for template, tokens, name in (
        (CHATML_DEFAULT, TURNS["chatml"], "chatml"),
        (GEMMA, (*TURNS["gemma"], "<eos>"), "gemma2"),
    ):
        one = form(model(template, *tokens), template=name)
        row = one.laid_out({"instruction": "A or B? " * 9, "input": "", "output": "Verdict: A", "system": "Be fair."})
        *prompt, answer = trained_forms.messages_of(row)
        system, turns = (prompt[0]["content"], prompt[1:]) if len(prompt) == 2 else (None, prompt)
        for limit in (one.count(row), one.count(row) - 1):
            settings = SimpleNamespace(cutoff_len=limit, mask_history=False, train_on_prompt=False)
            processor = SupervisedDatasetProcessor(one.template, one.tokenizer, None, settings)
            ids, labels = processor._encode_data_example(turns, [answer], system, None, [], [], [])
            whole = one.tokenizer.decode(ids).count("<|im_start|>assistant\n" if name == "chatml" else "turn>model\n")
            assert len(ids) == len(labels) <= limit
            assert ("Verdict: A" in one.tokenizer.decode(ids) and whole == 1 and len(ids) == limit) == (
                limit == one.count(row)
            )


def test_an_exported_expert_carries_the_form_it_was_trained_in(model):
    folder = model(CHATML, *TURNS["chatml"])
    text = CHATML_DEFAULT
    exports.carry_form(folder, text)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert chat_templates.read(folder) == tokenizer.chat_template == text
    ends = json.loads((folder / "generation_config.json").read_text())["eos_token_id"]
    assert tokenizer.convert_tokens_to_ids("<|im_end|>") in ends
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    exports.carry_form(folder, text)
    assert before == {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_plan_refuses_what_a_training_would_and_asks_once(model, tmp_path):
    folder = model(CHATML, *TURNS["chatml"])

    def study(**settings):
        return SimpleNamespace(
            where="study.yaml",
            settings=SimpleNamespace(training=settings, screening=None),
            experts={"x": SimpleNamespace(settings={})},
            models={"qwen": SimpleNamespace(path=str(folder))},
            base_of=lambda expert: "qwen",
            chat_in_training=lambda base: {},
        )

    planned_forms.check(study(template="chatml"), tmp_path)
    with pytest.raises(JudgemergeError, match=r"^study.yaml: experts.x: .*would add <\|eot_id\|>|trains on"):
        planned_forms.check(study(template="llama3"), tmp_path)
    kept = sorted((path.name, os.stat(path).st_mtime_ns) for path in tmp_path.iterdir())
    planned_forms.check(study(template="chatml"), tmp_path)
    assert kept == sorted((path.name, os.stat(path).st_mtime_ns) for path in tmp_path.iterdir())

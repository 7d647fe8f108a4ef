"""Modelfiles: chat templates of several families, and templates that only look like one."""

import pytest
from chat_template_cases import CHATML, CHATML_DEFAULT, GEMMA
from rule_scripts import rule_script
from transformers import PreTrainedTokenizerFast

from judgemerge.core.errors import JudgemergeError
from judgemerge.quantize.deploying import family_of, modelfile

write_modelfile = rule_script("quantize/write_modelfile")

MISTRAL = (
    "{{ bos_token }}{% set ns = namespace(system='') %}{% for message in messages %}"
    "{% if message['role'] == 'system' %}{% set ns.system = message['content'] + '\n\n' %}"
    "{% elif message['role'] == 'user' %}"
    "{{ '[INST] ' + (ns.system if loop.last else '') + message['content'] + '[/INST]' }}"
    "{% else %}{{ ' ' + message['content'] + '</s>' }}{% endif %}{% endfor %}"
)
LLAMA2 = "{% for message in messages %}{{ '[INST] <<' + message['content'] + '>> [/INST]' }}{% endfor %}"


def renderer(tiny_models, template):
    tokenizer = PreTrainedTokenizerFast.from_pretrained(tiny_models["base"])
    tokenizer.chat_template = template or tokenizer.chat_template
    return tokenizer, lambda talk: tokenizer.apply_chat_template(list(talk), tokenize=False, add_generation_prompt=True)


@pytest.mark.parametrize(
    ("template", "name", "system", "added"),
    [
        (None, "llama3", "turn", None),
        (CHATML, "chatml", "turn", None),
        (CHATML_DEFAULT, "chatml", "turn", "You are a helpful assistant."),
        (GEMMA, "gemma", "none", None),
        (MISTRAL, "mistral", "last", None),
    ],
)
def test_a_known_template_is_recognised_by_what_it_renders(tiny_models, template, name, system, added):
    tokenizer, own = renderer(tiny_models, template)
    family, default_system = family_of(own, tokenizer.bos_token, "here")
    assert (family.name, family.system, default_system) == (name, system, added)


def test_a_template_that_only_looks_like_a_known_one_is_refused_with_what_it_renders(tiny_models):
    tokenizer, own = renderer(tiny_models, LLAMA2)
    with pytest.raises(
        JudgemergeError, match=r"here: its chat template is none that is known .*chatml.*<<First question"
    ):
        family_of(own, tokenizer.bos_token, "here")


def test_go_templates_hold_the_text_of_the_family_and_no_bos(tiny_models):
    for template, pieces in (
        (None, ["<|start_header_id|>system<|end_header_id|>\n\n{{ .Content }}<|eot_id|>"]),
        (GEMMA, ['{{ else if eq .Role "assistant" }}<start_of_turn>model\n{{ .Content }}<end_of_turn>\n']),
        (MISTRAL, ["{{ if and $.System (eq (len (slice $.Messages $index)) 1) }}{{ $.System }}\n\n{{ end }}"]),
    ):
        tokenizer, own = renderer(tiny_models, template)
        go = family_of(own, tokenizer.bos_token, "here")[0].go()
        assert all(piece in go for piece in pieces) and tokenizer.bos_token not in go
        assert go.count("{{ end }}") == go.count("{{ if") + go.count("{{- range") and go.startswith("{{- range")


def test_the_modelfile_names_weights_window_and_stops(tiny_models, tmp_path):
    path = tmp_path / "deploy" / "q4.Modelfile"
    write_modelfile.main(str(tiny_models["base"]), 1100, str(path))
    lines = path.read_text().splitlines()
    assert any(line.startswith("FROM ./../") and line.endswith("/model.gguf") for line in lines)
    assert {"PARAMETER temperature 0", "PARAMETER num_ctx 1100", 'PARAMETER stop "<|eot_id|>"'} <= set(lines)
    write_modelfile.main(str(tiny_models["base"]), 100_000, str(path))
    assert "PARAMETER num_ctx 8192" in path.read_text().splitlines()  # the model's own limit


def test_a_default_system_message_becomes_the_models_own(tiny_models):
    tokenizer, own = renderer(tiny_models, CHATML_DEFAULT)
    text = modelfile(*family_of(own, "", "here"), "./model.gguf", 10, [])
    assert 'SYSTEM """You are a helpful assistant."""' in text

"""Chat templates as models ship them: what is asked, on whatever day, and what ends a turn."""

import json
import time

import pytest
from chat_template_cases import CHATML, CHATML_DEFAULT, DATED, GEMMA, MORE, SILENT, STRICT, S, U
from rule_scripts import rule_script
from transformers import AutoTokenizer

from judgemerge.core import files
from judgemerge.core.errors import JudgemergeError
from judgemerge.prompting import chat_templates
from judgemerge.prompting.chat_templates import Chat
from judgemerge.prompting.parsing import opened_thought
from judgemerge.study.load import load_study

link_model = rule_script("train/link_model")

HEAD = "<|start_header_id|>' + {} + '<|end_header_id|>\\n\\n"
QWEN3 = CHATML + (
    "{% if add_generation_prompt and enable_thinking is defined and enable_thinking is false %}"
    "{{ '<think>\n\n</think>\n\n' }}{% endif %}"
)
UNOPENED = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}{% endfor %}"
)
IN_PARTS = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' }}"
    "{% for part in message['content'] %}{% if part['type'] == 'text' %}{{ part['text'] }}{% endif %}{% endfor %}"
    "{{ '<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
# The forms of well-known families, as short as they go: Phi-3 (old and new), DeepSeek R1, Vicuna, Yi and Granite; and
# two that are rare: one that wants a system message, one that knows no earlier turns.
PHI = (
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'user' %}{{'<|user|>\n' + m['content'] + '<|end|>\n"
    "<|assistant|>\n'}}{% elif m['role'] == 'assistant' %}{{m['content'] + '<|end|>\n'}}{% endif %}{% endfor %}"
)
PHI_35 = (
    "{% for m in messages %}{{'<|' + m['role'] + '|>\n' + m['content'] + '<|end|>\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}"
)
DEEPSEEK = (
    "{% set ns = namespace(system='') %}{% for m in messages %}{% if m['role'] == 'system' %}"
    "{% set ns.system = m['content'] %}{% endif %}{% endfor %}{{ bos_token }}{{ ns.system }}{% for m in messages %}"
    "{% if m['role'] == 'user' %}{{ '<｜User｜>' + m['content'] }}{% elif m['role'] == 'assistant' %}"
    "{{ '<｜Assistant｜>' + m['content'].split('</think>')[-1] + '<｜end▁of▁sentence｜>' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<｜Assistant｜><think>\n' }}{% endif %}"
)
VICUNA = (
    "{% if messages[0]['role'] == 'system' %}{% set system = messages[0]['content'] %}{% set messages = messages[1:] %}"
    "{% else %}{% set system = 'A chat.' %}{% endif %}{{ bos_token + system }}{% for m in messages %}"
    "{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Roles must alternate') }}{% endif %}"
    "{{ (' USER: ' if m['role'] == 'user' else ' ASSISTANT: ') + m['content'].strip() }}"
    "{% if m['role'] == 'assistant' %}{{ eos_token }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ ' ASSISTANT:' }}{% endif %}"
)
YI = (
    "{% if messages[0]['role'] == 'system' %}{{ messages[0]['content'] }}{% endif %}{% for m in messages %}"
    "{% if m['role'] == 'user' %}{{ '<|im_start|>user\n' + m['content'] + '<|im_end|>\n<|im_start|>assistant\n' }}"
    "{% elif m['role'] == 'assistant' %}{{ m['content'] + '<|im_end|>\n' }}{% endif %}{% endfor %}"
)
GRANITE = (
    "{% if messages[0]['role'] != 'system' %}{{ 'Date: ' + strftime_now('%B %d, %Y') + '.\n' }}{% endif %}"
    "{% for m in messages %}{{ '<|start_of_role|>' + m['role'] + '<|end_of_role|>' + m['content'] + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_of_role|>assistant<|end_of_role|>' }}{% endif %}"
)
NEEDY = (
    "{% if messages[0].role != 'system' %}{{ raise_exception('A system message, please.') }}{% endif %}"
    "{% for m in messages %}{{ '<|' + m.role + '|>' + m.content + '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
FORGETFUL = "{{ bos_token + '[INST] ' + messages[-1]['content'] + ' [/INST]' }}"


@pytest.fixture(scope="module")
def folder(tiny_models):
    return tiny_models["base"]


@pytest.fixture
def tokenizer(folder):
    return AutoTokenizer.from_pretrained(folder)


@pytest.fixture
def chat(tokenizer, folder):
    """Return a function that makes the Chat of a template."""

    def made(text, **settings):
        tokenizer.chat_template = text
        return Chat(tokenizer, folder, **settings)

    return made


@pytest.mark.parametrize(
    ("template", "asked"),
    [
        (STRICT, "<|begin_of_text|>[INST] Be fair.\n\nA or B? [/INST]"),
        (SILENT, "<|begin_of_text|>[INST] Be fair.\n\nA or B? [/INST]"),
        (GEMMA, "<|begin_of_text|><start_of_turn>user\nBe fair.\n\nA or B?<end_of_turn>\n<start_of_turn>model\n"),
        (
            CHATML,
            "<|im_start|>system\nBe fair.<|im_end|>\n<|im_start|>user\nA or B?<|im_end|>\n<|im_start|>assistant\n",
        ),
    ],
)
def test_a_system_text_is_asked_whatever_the_template_takes(chat, template, asked):
    one = chat(template)
    assert one.render([S, U]) == asked
    assert one.has_system_turn == (template is CHATML)
    assert one.digest == ("" if template is CHATML else ",system=first_user")
    assert one.render(MORE).count("A or B?") == 1
    assert one.render([S, *MORE]).index("Be fair.") < one.render([S, *MORE]).index("A or B?")


def test_a_template_that_takes_a_system_message_leaves_text_and_digest_as_they_were(tokenizer, folder):
    one = Chat(tokenizer, folder)
    assert one.digest == ""
    for talk in ([U], [S, U], MORE, [S, *MORE]):
        assert one.render(talk) == tokenizer.apply_chat_template(talk, tokenize=False, add_generation_prompt=True)


@pytest.mark.parametrize("template", [STRICT, SILENT, GEMMA, CHATML, CHATML_DEFAULT, DATED, QWEN3, UNOPENED, IN_PARTS])
def test_a_reply_is_opened_once_and_a_text_begun_once(chat, template, tokenizer):
    for talk in ([U], [S, U], [S, *MORE]):
        text = chat(template).render(talk)
        assert text.count("assistant\n") + text.count("model\n") <= 1 + text.count("A.")
        assert text.count(tokenizer.bos_token) == template.count("bos_token")
        assert text.endswith(("[/INST]", "assistant\n", "assistant<|end_header_id|>\n\n", "model\n"))
    assert chat("{{ bos_token }}" + STRICT).render([U]).count(tokenizer.bos_token) == 1


@pytest.mark.parametrize(
    ("template", "asked", "digest"),
    [
        (PHI, "<|begin_of_text|><|user|>\nBe fair.\n\nA or B?<|end|>\n<|assistant|>\n", ",system=first_user"),
        (PHI_35, "<|system|>\nBe fair.<|end|>\n<|user|>\nA or B?<|end|>\n<|assistant|>\n", ""),
        (DEEPSEEK, "<|begin_of_text|>Be fair.<｜User｜>A or B?<｜Assistant｜><think>\n", ""),
        (VICUNA, "<|begin_of_text|>Be fair. USER: A or B? ASSISTANT:", ""),
        (YI, "Be fair.<|im_start|>user\nA or B?<|im_end|>\n<|im_start|>assistant\n", ""),
        (
            GRANITE,
            "<|start_of_role|>system<|end_of_role|>Be fair.\n<|start_of_role|>user<|end_of_role|>A or B?\n"
            "<|start_of_role|>assistant<|end_of_role|>",
            "",
        ),
        (NEEDY, "<|system|>Be fair.<|end|><|user|>A or B?<|end|><|assistant|>", ""),
        (FORGETFUL, "<|begin_of_text|>[INST] Be fair.\n\nA or B? [/INST]", ",system=first_user"),
    ],
)
def test_families_are_asked_in_their_own_forms(chat, template, asked, digest):
    one = chat(template)
    assert (one.render([S, U]), one.digest) == (asked, digest)
    assert one.continuation([S, U], "Verdict: A").strip().startswith("Verdict: A")
    if template is FORGETFUL:
        with pytest.raises(JudgemergeError, match="leaves out all but the last turn"):
            one.render(MORE)
    else:
        assert all(message["content"] in one.render([S, *MORE]) for message in [S, *MORE])
    if template is NEEDY:
        with pytest.raises(JudgemergeError, match=r"refuses a conversation of user \(A system message, please"):
            one.render([U])
    assert opened_thought(one.render([S, U])) == ("<think>" if template is DEEPSEEK else "")


def test_a_message_of_harmony_ends_no_turn(chat, tokenizer):
    end, channel = with_tokens(tokenizer, "<|end|>", "<|channel|>")
    assert end not in chat(CHATML).turn_ends and channel not in chat(CHATML).turn_ends


def test_the_same_prompt_is_asked_on_every_day(chat, monkeypatch):
    texts = []
    for zone in ("UTC-14", "UTC+12"):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        texts.append(chat(DATED).render([S, U]))
    monkeypatch.undo()
    time.tzset()
    assert texts[0] == texts[1] and "Today Date: 26 Jul 2024\n" in texts[0]
    assert chat(DATED).digest == ",date=2024-07-26"
    later = chat(DATED, date="2026-11-30")
    assert "Today Date: 30 Nov 2026\n" in later.render([U]) and later.digest == ",date=2026-11-30"
    assert chat("{{ strftime_now('%s %Z') }}" + STRICT).render([U]).startswith("1721995200 ")
    with pytest.raises(JudgemergeError, match="date is '30.11.2026', no date; write it as 2024-07-26"):
        chat(DATED, date="30.11.2026")


@pytest.mark.parametrize(
    ("template", "sentence"),
    [
        (None, "has no chat template; say with chat_template how the model is asked: alpaca, .* a file"),
        ("{{ 'nothing' }}", "shows nothing of a user's message; give another one with chat_template"),
        ("{{ messages | random }}", "draws at random"),
        (STRICT + "{{ lipsum() }}", r"refuses a conversation of user \("),
        ("{{ raise_exception('Never.') }}", r"refuses a conversation of user \(Never.\); give another one"),
        ("{{ now() }}" + STRICT, r"refuses a conversation of user \('now' is undefined\)"),
        ("{% if %}", "refuses a conversation of user"),
        (
            {"tool_use": STRICT, "rag": STRICT},
            r"several chat templates \(tool_use, rag\) and none of them is the default",
        ),
    ],
)
def test_a_template_that_cannot_be_used_is_one_sentence(chat, folder, template, sentence):
    with pytest.raises(JudgemergeError, match=sentence) as caught:
        chat(template)
    assert str(folder) in str(caught.value) and "\n" not in str(caught.value)


def test_a_conversation_that_is_refused_later_is_one_sentence(chat):
    with pytest.raises(JudgemergeError, match=r"refuses a conversation of user, user \(Conversation roles must"):
        chat(STRICT).render([U, U])


def test_arguments_reach_the_template_and_its_prompts(chat):
    thinking, plain = chat(QWEN3), chat(QWEN3, template_arguments={"enable_thinking": False})
    assert plain.render([U]) == thinking.render([U]) + "<think>\n\n</think>\n\n"
    assert (thinking.digest, plain.digest) == ("", ',arguments={"enable_thinking": false}')
    with pytest.raises(JudgemergeError, match="does not use 'enable_thinkin'; did you mean 'enable_thinking'"):
        chat(QWEN3, template_arguments={"enable_thinkin": False})
    with pytest.raises(JudgemergeError, match="judgemerge itself gives 'messages' to chat templates"):
        chat(QWEN3, template_arguments={"messages": []})


def test_every_named_template_asks_once_what_is_to_be_asked(chat, tokenizer, tmp_path):
    assert "none" in chat_templates.names()
    for name in chat_templates.names():
        text = chat(None, chat_template=name).render([S, *MORE])
        assert all(text.count(message["content"]) == 1 for message in [S, *MORE])
    assert chat(None, chat_template="none").render([S, U]) == "<|begin_of_text|>Be fair.\n\nA or B?\n\n"
    (tmp_path / "own.jinja").write_text(GEMMA)
    assert chat(None, chat_template=str(tmp_path / "own.jinja")).render([U]) == chat(GEMMA).render([U])
    with pytest.raises(JudgemergeError, match="is 'gema', neither a file nor .* did you mean 'gemma'"):
        chat(None, chat_template="gema")


def test_a_folder_tells_its_template_wherever_it_stands(folder, tmp_path):
    assert chat_templates.read(folder) == AutoTokenizer.from_pretrained(folder).chat_template
    assert chat_templates.read(tmp_path) is None
    settings = {"chat_template": [{"name": "tool_use", "template": "a"}, {"name": "default", "template": "b"}]}
    files.write_json(tmp_path / "tokenizer_config.json", settings)
    assert chat_templates.read(tmp_path) == "b"
    chat_templates.write(tmp_path, "c")
    assert chat_templates.read(tmp_path) == "c"
    assert chat_templates.agreed([tmp_path, tmp_path / "none"]) == "c"
    assert chat_templates.agreed([tmp_path, folder]) is None


def test_a_template_of_the_study_is_written_beside_the_links_and_not_through_them(folder, tmp_path):
    own = chat_templates.read(folder)
    link_model.main(str(folder), str(tmp_path / "m"), str(tmp_path / "m.json"), chat_templates.load("none", "here"))
    link_model.main(str(folder), str(tmp_path / "n"), str(tmp_path / "n.json"))
    assert AutoTokenizer.from_pretrained(tmp_path / "m").chat_template == chat_templates.load("none", "here")
    assert chat_templates.read(folder) == chat_templates.read(tmp_path / "n") == own
    assert files.read_json(tmp_path / "m.json")["digest"] != files.read_json(tmp_path / "n.json")["digest"]


# ---- what ends a turn ----


def with_tokens(tokenizer, *names):
    tokenizer.add_special_tokens({"additional_special_tokens": list(names)}, replace_extra_special_tokens=False)
    return tokenizer.convert_tokens_to_ids(list(names))


def test_a_turn_ends_where_settings_tokenizer_and_template_say(chat, tokenizer, tmp_path):
    files.write_json(tmp_path / "config.json", {"eos_token_id": 7})
    start, end = with_tokens(tokenizer, "<turn>", "<turn_end>")
    template = GEMMA.replace("<start_of_turn>", "<turn>").replace("<end_of_turn>", "<turn_end>")
    tokenizer.chat_template = template
    known = {tokenizer.eos_token_id, *tokenizer.convert_tokens_to_ids(["<|eot_id|>", "<|end_of_text|>"])}
    assert set(Chat(tokenizer, tmp_path).turn_ends) == {7, end, *known}
    files.write_json(tmp_path / "generation_config.json", {"eos_token_id": [5, 6]})
    one = Chat(tokenizer, tmp_path)
    assert set(one.turn_ends) == {5, 6, end, *known}
    reply = tokenizer("Verdict: tie<turn_end>\nVerdict: A", add_special_tokens=False)["input_ids"]
    assert one.reply(reply) == ("Verdict: tie", reply.index(end) + 1, "stop")
    chat_templates.write_turn_ends(tmp_path, one.turn_ends)
    assert json.loads((tmp_path / "generation_config.json").read_text()) == {"eos_token_id": one.turn_ends}
    # A reply that opens another turn without ending its own never reads like a verdict.
    assert one.reply([*reply[: reply.index(end)], start]) == ("Verdict: tie<turn>", reply.index(end) + 1, "length")


def test_settings_that_say_all_of_it_stay_as_they_are(folder, tokenizer, tmp_path):
    shipped = (folder / "generation_config.json").read_bytes()
    (tmp_path / "generation_config.json").write_bytes(shipped)
    chat_templates.write_turn_ends(tmp_path, Chat(tokenizer, folder).turn_ends)
    assert (tmp_path / "generation_config.json").read_bytes() == shipped


MESSAGES = [{"role": "system", "content": "Be {# fair #}."}, {"role": "user", "content": "Who {{won}}?"}]


@pytest.mark.parametrize("name", chat_templates.names())
def test_a_template_without_comments_writes_the_same(name, tokenizer):
    whole = chat_templates.file_of(name).read_text(encoding="utf-8")
    short = chat_templates.load(name, "here")
    assert "#}" in short and len(short) < len(whole)
    rendered = [
        tokenizer.apply_chat_template(MESSAGES, chat_template=text, tokenize=False, add_generation_prompt=True)
        for text in (whole, short)
    ]
    assert rendered[0] == rendered[1]
    assert chat_templates.without_comments(whole.replace(" -#}", ", in other words -#}", 1)) == short


@pytest.mark.parametrize(
    "text",
    ["{{ '{# no comment #}' }}", "{% if '{#' %}#}{% endif %}", "{% raw %}{# shown #}{% endraw %}", "{{'{#'}} #}"],
)
def test_what_only_looks_like_a_comment_stays(text):
    assert chat_templates.without_comments(text) == text


def test_a_template_is_known_by_what_it_says(repository, tmp_path):
    template = tmp_path / "own.jinja"
    given = {
        "study": "mine",
        "models": {"judge": {"path": str(tmp_path)}},
        "suites": {"demo": {"benchmarks": ["demo_pairwise"]}},
        "judges": ["judge"],
        "judging": {"prompts": {"pairwise": "brief_pairwise"}, "judges": {"judge": {"chat_template": str(template)}}},
    }

    def chat_of(text):
        template.write_text(text)
        return load_study(given, "mine.yaml", repository / "config").chat("judge")

    before = chat_of("{#- one -#}{{ messages[0]['content'] }}")
    assert chat_of("{#- two -#}{{ messages[0]['content'] }}") == before
    assert chat_of("{#- two -#}{{ messages[-1]['content'] }}") != before

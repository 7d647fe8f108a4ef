"""Stores written before the core of asking was made one: every reply is found again, and nothing is asked.

tests/data/stores/ holds the items, the prompts, what a tiny model and an endpoint replied, and the rows made from it.
"""

import dataclasses
import json
import shutil

import pytest

from judgemerge.compare import answering
from judgemerge.core import files
from judgemerge.core.items import read_items
from judgemerge.embed import Chunk, asking
from judgemerge.judge import judging, sampling
from judgemerge.judge.backends.openai import OpenAI
from judgemerge.judge.backends.transformers import Transformers
from judgemerge.judge.requests import ask
from judgemerge.judge.store import Store
from judgemerge.prompting.prompts import load_template
from judgemerge.settings.comparisons import Generation
from judgemerge.settings.models import Endpoint

SAMPLING = {"temperature": 1.0, "top_p": 0.9, "repetition_penalty": 1.03, "runs": 2, "seed": 42, "retries": 1}
PROMPTS = {
    "greedy": ["brief_pairwise", "brief_pointwise"],
    "choices": ["brief_pairwise_choice"],
    "likelihood": ["likelihood_pairwise"],
    "sampled": ["brief_pairwise", "brief_pointwise"],
    "endpoint": ["brief_pairwise", "brief_pointwise"],
}
ANSWERS = {
    "answers_greedy": {"max_new_tokens": 6, "samples": 1},
    "answers_sampled": {
        "max_new_tokens": 6, "temperature": 1.5, "top_p": 0.95, "min_p": 0.01, "seed": 7, "samples": 2
    },
}  # fmt: skip


@pytest.fixture
def stores(data, tmp_path):
    """Return a copy of the stores, for a store is opened to be written to."""
    return shutil.copytree(data / "stores", tmp_path / "stores")


@pytest.fixture(scope="module")
def silent(tiny_models):
    """Return the backend that wrote the stores, which now must not be asked."""
    backend = Transformers(tiny_models["base"], "auto", batch_tokens=4096, threads=1)
    for method in ("prepare", "complete", "score"):
        setattr(backend, method, refuse)
    return backend


def refuse(*arguments, **settings):
    raise AssertionError("a stored reply was asked for again")


def endpoint(**settings):
    backend = OpenAI(Endpoint(url="http://127.0.0.1:9/v1", model="m", settings={"temperature": 0, **settings}))
    backend.complete = refuse
    return backend


def expected(folder):
    return list(files.read_jsonl(folder / "expected" / "replies.jsonl"))


@pytest.mark.parametrize("name", PROMPTS)
def test_a_judged_suite_is_found_in_its_store(name, stores, silent):
    loaded = [load_template(stores / "prompts" / f"{prompt}.yaml") for prompt in PROMPTS[name]]
    templates = {template.protocol: template for template in loaded}
    items = [item for item in read_items(stores / "items.jsonl") if item.protocol in templates]
    backend = endpoint(seed=3) if name == "endpoint" else silent
    before = (stores / name / "suite.jsonl").read_bytes()
    requests = judging.plan(items, templates, backend, 1000)
    with Store.of_model(stores / name, "suite") as store:
        if name == "sampled":
            rows = list(
                sampling.replies(requests, items, templates, backend, store, sampling.from_settings(**SAMPLING))
            )
        else:
            assert ask(requests, backend, store).n_new == 0
            rows = list(judging.replies(requests, store))
    assert [reply.row() for reply in rows] == expected(stores / name)
    assert (stores / name / "suite.jsonl").read_bytes() == before


@pytest.mark.parametrize("name", ["choices", "likelihood"])
def test_verdicts_of_an_old_store_gain_probabilities_and_nothing_is_asked(name, stores, silent):
    (prompt,) = PROMPTS[name]
    items = [item for item in read_items(stores / "items.jsonl") if item.protocol == "pairwise"]
    templates = {"pairwise": load_template(stores / "prompts" / f"{prompt}.yaml")}
    with Store.of_model(stores / name, "suite") as store:
        verdicts = judging.verdicts(items, templates, silent, 1000, store)
    read = [verdict for verdict in verdicts if verdict.outcome != "error"]
    assert read and all(verdict.confidence == max(verdict.probabilities.values()) for verdict in read)
    assert all(sum(verdict.probabilities.values()) == pytest.approx(1) for verdict in read)


@pytest.mark.parametrize("name", ANSWERS)
def test_the_answers_of_a_model_are_found_in_their_store(name, stores, silent):
    questions = [dataclasses.replace(item, responses=()) for item in read_items(stores / "items.jsonl")]
    questions = [item for item in questions if item.protocol == "pairwise"]
    generation = Generation.of(ANSWERS[name])
    how = answering.parameters(generation)
    requests = answering.plan(questions, how, silent, 512, generation.samples)
    with Store.of_model(stores / name, "suite") as store:
        assert answering.generate(requests, silent, store) == 0
        rows = [row._asdict() for row in answering.rows(requests, store)]
    assert rows == expected(stores / name)


def test_the_questions_of_an_embedding_study_are_found_in_their_store(stores):
    folder = stores / "embedding"
    chunks = [Chunk(**row) for row in json.loads((folder / "expected" / "chunks.json").read_text(encoding="utf-8"))]
    pairs, missing = asking.questions_of(chunks, chunks, 2, endpoint(), folder / "questions.jsonl", "s")
    assert [[pair.anchor, pair.positive] for pair in pairs] == files.read_json(folder / "expected" / "questions.json")
    assert missing == {}


def test_grades_that_were_stored_under_another_name_of_the_suite_are_not_asked_again(stores, silent):
    folder = stores / "sampled"
    (folder / "suite.jsonl").rename(folder / "pairs_singly.jsonl")
    loaded = [load_template(stores / "prompts" / f"{prompt}.yaml") for prompt in PROMPTS["sampled"]]
    templates = {template.protocol: template for template in loaded}
    items = [item for item in read_items(stores / "items.jsonl") if item.protocol in templates]
    requests = judging.plan(items, templates, silent, 1000)
    with Store.of_model(folder, "pairs_from_grades") as store:
        how = sampling.from_settings(**SAMPLING)
        rows = list(sampling.replies(requests, items, templates, silent, store, how))
    assert [reply.row() for reply in rows] == expected(folder)


def test_a_store_that_lost_a_reply_asks_for_that_one_and_writes_a_line_of_the_same_form(stores, tiny_models):
    backend = Transformers(tiny_models["base"], "auto", batch_tokens=4096, threads=1)
    templates = {"pairwise": load_template(stores / "prompts" / "brief_pairwise.yaml")}
    items = [item for item in read_items(stores / "items.jsonl") if item.protocol == "pairwise"]
    path = stores / "greedy" / "suite.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    requests = judging.plan(items, templates, backend, 1000)
    lost = next(line for line in lines if json.loads(line)["prompt"] == requests[3].key)
    path.write_text("".join(line for line in lines if line != lost), encoding="utf-8")
    with Store.of_model(stores / "greedy", "suite") as store:
        assert ask(requests, backend, store).n_new == 1
    (new,) = path.read_text(encoding="utf-8").splitlines()[len(lines) - 1 :]
    assert json.loads(new).keys() == json.loads(lost).keys()
    assert json.loads(new)["prompt"] == requests[3].key

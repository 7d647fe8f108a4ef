"""The tab of one item: what the prompt asks for, and the verdict on it."""

import json
from dataclasses import replace

import pandas as pd
import streamlit as st

from judgemerge.core.errors import JudgemergeError
from judgemerge.judge.streaming import Fault, Record, Result
from judgemerge.page import results
from judgemerge.page.asking import Settings, judged
from judgemerge.page.parts import Page, Slots, chart, order_names, plain, words
from judgemerge.page.results import Judged
from judgemerge.prompting import dimensions
from judgemerge.prompting.prompts import Template

ANSWERS = {
    "pairwise": {"response_a": "Answer A", "response_b": "Answer B"},
    "pointwise": {"response": "Answer"},
}
OUTCOMES = {"first": "answer A is better", "second": "answer B is better", "tie": "both are equally good"}


def draw(page: Page, settings: Settings) -> None:
    """Draw what the prompt asks for, and the verdict on it."""
    template = settings.template
    with st.form("record", border=False):
        record = fields(settings)
        pressed = st.form_submit_button("Judge", type="primary")
    if pressed:
        st.session_state.pop("one", None)
        missing = [name for name, value in record.items() if name != "reference" and not value.strip()]
        if missing:
            plain(f"Fill in: {', '.join(label(name, template.protocol) for name in missing)}")
            return
        filled = Record(1, json.dumps({name: value for name, value in record.items() if value.strip()}))
        place = st.empty()
        with place.container(), st.spinner("Judging …"):
            slots = Slots(order_names(settings))
            try:
                backend, lock = page.opened()
                tell = slots.tell if settings.watches else None
                with lock:
                    (one,) = judged([filled], settings, backend, page.max_prompt_tokens, tell)
                st.session_state["one"] = one
            except JudgemergeError as error:
                st.session_state["one"] = Judged(filled, Fault(1, None, str(error)))
        place.empty()
    if "one" in st.session_state:
        show(st.session_state["one"])


def fields(settings: Settings) -> dict[str, str]:
    """Draw what the prompt asks for; return it by key of a record."""
    template = settings.template
    record = {"prompt": st.text_area(label("prompt", template.protocol), key="prompt", height=100)}
    names = ANSWERS[template.protocol]
    for column, name in zip(st.columns(len(names)), names, strict=True):
        record[name] = column.text_area(names[name], key=name, height=200)
    shown = shown_fields(template)
    if "category" in shown and settings.category is None and not settings.chosen:
        record["category"] = st.selectbox("Category of this item", sorted(template.criteria), key="category_of_item")
    for name in ("reference", *template.extra_fields):
        if name in shown or name == "reference" and settings.wants_overlap:
            record[name] = st.text_area(label(name, template.protocol), key=f"field_{name}")
    return record


def shown_fields(template: Template) -> set[str]:
    """Return what a prompt shows of an item, also of one that has a reference answer."""
    with_all = replace(template, otherwise=None).fields
    return with_all | ({"category"} if "criteria" in with_all else set())


def label(name: str, protocol: str) -> str:
    """Return what a key of a record is called on the page."""
    return {"prompt": "Question", **ANSWERS[protocol]}.get(name, name.replace("_", " ").capitalize())


def show(one: Judged) -> None:
    """Draw what came of a record: the verdict, scores per dimension, then each order with its feedback."""
    result = one.result
    if isinstance(result, Fault):
        plain(f"Not judged: {result.error}")
        return
    st.subheader("Verdict")
    plain(headline(result))
    means = results.means([one])
    if len({row.dimension for row in means}) > 1:
        chart(means)
    if one.overlaps:
        st.caption("Overlap with the reference answer (ROUGE: F1 from 0 to 1; BLEU: 0 to 100)")
        names = [f"Answer {name}".strip() for name in results.ANSWERS[result.protocol]]
        st.dataframe(pd.DataFrame(list(one.overlaps), index=names[: len(one.overlaps)]))
    is_pair = result.protocol == "pairwise"
    for column, order in zip(st.columns(len(result.orders)), result.orders, strict=True):
        with column:
            if is_pair:
                first = "A" if order.order == "original" else "B"
                st.subheader(f"With answer {first} shown first")
                plain(OUTCOMES.get(order.outcome, f"no verdict ({order.reason})"))
            for name, scores in zip("AB", order.scores, strict=False):
                st.caption(f"Scores of answer {name}" if is_pair else "Scores")
                plain(_listed(scores))
            st.caption("Feedback")
            words(order.feedback or f"none ({order.reason})")
            if order.reply and order.reply.strip() != order.feedback:
                with st.expander("The whole reply"):
                    words(order.reply)


def _listed(scores: dimensions.Scores) -> str:
    lines = [f"{dimension}: {value:g}" for dimension, value in scores.dimensions.items()]
    return "\n".join([*lines, *([] if scores.overall is None else [f"Overall: {scores.overall:g}"])])


def headline(result: Result) -> str:
    """Return the verdict in one sentence."""
    reasons = ", ".join(sorted(set(result.reasons)))
    if result.protocol == "pointwise":
        return f"Score: {result.score:g}" if result.score is not None else f"No score ({reasons})"
    if result.consistent is False:
        return "No verdict: it changes with the order of the answers"
    if result.verdict is None:
        return f"No verdict ({reasons})"
    return f"In both orders {OUTCOMES[result.verdict]}" if len(result.orders) > 1 else OUTCOMES[result.verdict]

"""Parts that all tabs of the page are drawn with.

Every word that may come from a model, a file or a prompt goes through `plain` or `words`: nothing in it is interpreted.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import altair as alt
import streamlit as st

from judgemerge.judge.backends import Backend
from judgemerge.page import results
from judgemerge.page.asking import Settings
from judgemerge.prompting.prompts import Template

SECONDS_BETWEEN = 0.08  # that a growing reply is drawn anew in
COLOURS = ["#3b76c4", "#e08a1e"]  # of answers A and B, on light and on dark


class Page(NamedTuple):
    """What the page is about; `opened` gives the backend and the lock of whoever asks it, loading it at first."""

    model: str
    templates: Mapping[str, Template]
    max_prompt_tokens: int
    opened: Callable[[], tuple[Backend, threading.Lock]]


class Slots:
    """Places where replies are drawn while they are written, one per order."""

    def __init__(self, names: Sequence[str]):
        columns = st.columns(len(names))
        self.places = []
        for column, name in zip(columns, names, strict=True):
            with column:
                st.caption(name)
                self.places.append(st.empty())
        self.drawn_at = 0.0

    def tell(self, number: int, text: str) -> None:
        """Draw what there is of a reply, not more often than somebody can see."""
        if time.monotonic() - self.drawn_at > SECONDS_BETWEEN:
            self.drawn_at = time.monotonic()
            with self.places[min(number, len(self.places) - 1)]:
                words(text)


def order_names(settings: Settings) -> list[str]:
    """Return what the replies to one item are called while they are written."""
    if settings.template.protocol == "pointwise":
        return ["The reply"]
    return ["With answer A shown first", "With answer B shown first"][: 1 if settings.orders else 2]


def chart(means: Sequence[results.Mean]) -> None:
    """Draw scores per dimension as bars, one per answer, with the intervals of means."""
    rows = [{**row._asdict(), "answer": f"Answer {row.answer}".strip()} for row in means]
    legend = alt.Legend(orient="top") if len({row["answer"] for row in rows}) > 1 else None
    highest = max(max(row.score, row.high or 0) for row in means)
    top = next((end for end in (1, 5, 10, 100) if highest <= end), highest)
    base = alt.Chart(alt.Data(values=rows)).encode(
        y=alt.Y("dimension:N", sort=None, title=None, axis=alt.Axis(labelLimit=260)),
        yOffset=alt.YOffset("answer:N"),
    )
    bars = base.mark_bar().encode(
        x=alt.X("score:Q", title=None, scale=alt.Scale(domain=[0, top], clamp=True), axis=alt.Axis(tickCount=5)),
        color=alt.Color("answer:N", title=None, scale=alt.Scale(range=COLOURS), legend=legend),
        tooltip=["dimension:N", "answer:N", alt.Tooltip("score:Q", format=".2f"), "n:Q"],
    )
    lines = (
        base.transform_filter("datum.low != null").mark_rule(strokeWidth=2, color="gray").encode(x="low:Q", x2="high:Q")
    )
    st.altair_chart((bars + lines).properties(height={"step": 16}))


def plain(text: str) -> None:
    """Draw a text as it is, in a frame."""
    st.code(text, language=None, wrap_lines=True)


def words(text: str) -> None:
    """Draw a text as it is, without a frame: no Markdown and no HTML in it is interpreted."""
    st.text(text)

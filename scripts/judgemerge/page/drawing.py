"""What the page looks like: settings at the side, one item, a list, and the chat, each under a tab.

Streamlit calls `draw` again at every click. What is judged is therefore kept in the session record by record, and a
list that was stopped goes on where it was. Every word that may come from a model, a file or a prompt goes through
`plain` or `words`: nothing in it is interpreted.
"""

import io
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import altair as alt
import pandas as pd
import streamlit as st

from judgemerge.core.errors import JudgemergeError
from judgemerge.data import loose_records
from judgemerge.judge import streaming
from judgemerge.judge.backends import Backend
from judgemerge.judge.streaming import Fault, Record, Result
from judgemerge.page import criteria, overlap, results
from judgemerge.page.asking import Asked, Manner, Told
from judgemerge.page.results import Judged
from judgemerge.prompting import dimensions
from judgemerge.prompting.prompts import Template

SECONDS_BETWEEN = 0.08  # that a growing reply is drawn anew in
COLOURS = ["#3b76c4", "#e08a1e"]  # of answers A and B, on light and on dark
AT_ONCE = 16  # records of a list that are asked together where nobody watches the replies
ANSWERS = {
    "pairwise": {"response_a": "Answer A", "response_b": "Answer B"},
    "pointwise": {"response": "Answer"},
}
OUTCOMES = {"first": "answer A is better", "second": "answer B is better", "tie": "both are equally good"}
OF_RECORD = "as each record says"
EXAMPLES = """[
  {"id": 1, "prompt": "2 + 2?", "response_a": "4", "response_b": "5", "reference": "4"},
  {"id": 2, "question_body": "MELD's own names", "answer1_body": "…", "answer2_body": "…", "category": "math"}
]
[
  {"prompt": "2 + 2?", "response": "4"},
  {"question_body": "MELD's own names", "answer_body": "…", "category": "math"}
]"""


class Page(NamedTuple):
    """What the page is about; `opened` gives the backend and the lock of whoever asks it, loading it at first."""

    model: str
    templates: Mapping[str, Template]
    max_prompt_tokens: int
    opened: Callable[[], tuple[Backend, threading.Lock]]


class Settings(NamedTuple):
    """What a person has chosen at the side."""

    template: Template
    chosen: list[str]  # criteria
    category: str | None
    always: bool  # the category, also for records that name one
    manner: Manner
    orders: tuple[str, ...] | None
    watches: bool
    wants_overlap: bool

    def about(self) -> dict[str, Any]:
        """Return what stands in downloaded files."""
        drawn = {"temperature": self.manner.temperature, "top_p": self.manner.top_p, "seed": self.manner.seed}
        return {
            "prompt": self.template.name,
            **(drawn if self.manner.temperature else {"temperature": 0}),
            **({"criteria": self.chosen} if self.chosen else {}),
            **({"category": self.category} if self.category else {}),
            **({"orders": list(self.orders)} if self.orders else {}),
        }


@dataclass
class Run:
    """A list that is being judged with the settings of its beginning, and what has come of it so far."""

    records: list[Record]
    settings: Settings
    judged: list[Judged] = field(default_factory=list)
    is_on: bool = True
    fault: str = ""  # what ended it
    seconds: float = 0.0

    @property
    def is_over(self) -> bool:
        """Whether every record was judged."""
        return len(self.judged) == len(self.records)


def draw(page: Page) -> None:
    """Draw the page."""
    from judgemerge.page import chatting

    st.set_page_config(page_title="judgemerge", layout="wide")
    settings = side(page)
    one, several, chat = st.tabs(["One item", "A list", "Chat"])
    with one:
        one_item(page, settings)
    with chat:
        chatting.draw(page)
    with several:  # at last: what is judged here holds up what is drawn after it
        a_list(page, settings)


# ---- the side ----


def side(page: Page) -> Settings:
    """Draw what is chosen once for an item and for a list."""
    with st.sidebar:
        st.markdown("### judgemerge")
        words(page.model)
        name = st.selectbox("Prompt", list(page.templates), key="template")
        template = page.templates[name]
        if template.description:
            words(template.description)
        category, always, chosen = _criteria(template)
        with st.expander("How it is asked"):
            temperature = st.slider(
                "Temperature", 0.0, 2.0, 0.0, 0.05, key="temperature", help="0: always the likeliest token"
            )
            is_drawn = temperature > 0
            top_p = st.slider("Top p", 0.05, 1.0, 1.0, 0.05, key="top_p", disabled=not is_drawn)
            seed = st.number_input("Seed", 0, 2**31 - 1, 1, key="seed", disabled=not is_drawn)
            is_pair = template.protocol == "pairwise" and template.mode != "likelihood"
            both = not is_pair or st.toggle("Both orders of a pair", True, key="both")
            watches = st.toggle(
                "Show replies as they are written",
                True,
                key="watch",
                help="One prompt at a time; off, a list is faster",
            )
            if overlap.is_possible():
                help_ = "ROUGE and BLEU of every answer, where there is a reference answer"
                wants_overlap = st.toggle("Overlap with the reference", False, key="overlap", help=help_)
            else:
                wants_overlap = False
    template = criteria.with_reference_where_there_is_one(template, page.templates)
    orders = None if both else ("original",)
    return Settings(
        template, chosen, category, always, Manner(temperature, top_p, int(seed)), orders, watches, wants_overlap
    )


def _criteria(template: Template) -> tuple[str | None, bool, list[str]]:
    """Draw category and criteria of a prompt that shows them; return (category, for all records, criteria)."""
    shown = template.fields
    if not {"category", "criteria"} & shown:
        return None, False, []
    if template.criteria:
        categories = sorted(template.criteria)
        category = st.selectbox("Category", [OF_RECORD, *categories], key="category", accept_new_options=True)
    else:
        category = st.text_input("Category", key="category_text") or OF_RECORD
    chosen: list[str] = []
    if "criteria" in shown:
        offered = criteria.offered(template)
        names = st.multiselect(
            "Criteria",
            list(offered),
            key="criteria",
            accept_new_options=True,
            placeholder="those of the category",
            help="Chosen ones stand in place of the category's. Write your own: Name: what it means",
        )
        chosen = [offered.get(name, name) for name in names]
    return (None, False, chosen) if category == OF_RECORD else (category, True, chosen)


# ---- asking ----


def prepared(record: Record, settings: Settings) -> Record:
    """Return a record with the category that it is judged by."""
    fallback = next(iter(sorted(settings.template.criteria)), None) if settings.chosen else None
    return criteria.with_category(record, settings.category or fallback, settings.always)


def judged(page: Page, settings: Settings, records: Sequence[Record], tell: Told | None) -> list[Judged]:
    """Return what came of records; `tell` hears replies as they are written."""
    ready = [prepared(record, settings) for record in records]
    template = criteria.with_criteria(settings.template, settings.chosen, criteria.categories_of(ready))
    backend, lock = page.opened()
    judge = streaming.Judge(backend, template, page.max_prompt_tokens, settings.orders)
    judge.backend = Asked(backend, settings.manner, tell)
    with lock:
        answers = judge.answer(ready)
    pairs = zip(records, answers, strict=True)
    return [Judged(record, result, _overlaps(record, result, settings)) for record, result in pairs]


def _overlaps(record: Record, result: Result | Fault, settings: Settings) -> list[Mapping[str, float | None]]:
    """Return the overlap of every answer with the reference answer, where both are there and somebody wants it."""
    reference = criteria.reference_of(record) if settings.wants_overlap and isinstance(result, Result) else None
    if reference is None:
        return []
    item = streaming.read_item(record, settings.template)
    return [overlap.overlap(response[-1], reference) for response in item.responses]


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


def _order_names(settings: Settings) -> list[str]:
    """Return what the replies to one item are called while they are written."""
    if settings.template.protocol == "pointwise":
        return ["The reply"]
    return ["With answer A shown first", "With answer B shown first"][: 1 if settings.orders else 2]


# ---- one item ----


def one_item(page: Page, settings: Settings) -> None:
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
            slots = Slots(_order_names(settings))
            try:
                (st.session_state["one"],) = judged(page, settings, [filled], slots.tell if settings.watches else None)
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
    shown = dimension_fields(template)
    if "category" in shown and settings.category is None and not settings.chosen:
        record["category"] = st.selectbox("Category of this item", sorted(template.criteria), key="category_of_item")
    for name in ("reference", *template.extra_fields):
        if name in shown or name == "reference" and settings.wants_overlap:
            record[name] = st.text_area(label(name, template.protocol), key=f"field_{name}")
    return record


def dimension_fields(template: Template) -> set[str]:
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


# ---- a list ----


def a_list(page: Page, settings: Settings) -> None:
    """Draw a file of records, how far it is judged, and what came of it."""
    upload = st.file_uploader("A JSON list, or an object per line (JSON lines)", type=["json", "jsonl"], key="file")
    with st.expander("What records look like"):
        st.code(EXAMPLES, language="json")
    run: Run | None = st.session_state.get("run")
    records = _read(upload.getvalue()) if upload else []
    if upload and not records:
        plain("The file holds no record: give a JSON list of objects, or an object per line")
    for_all = f"Judge {len(records)} record{'s' if len(records) != 1 else ''}"
    buttons = st.container(horizontal=True)
    is_on = bool(run and run.is_on)
    if records:
        begin = {"on_click": _begin, "args": (records, settings)}
        buttons.button(for_all, type="primary", key="judge_list", disabled=is_on, **begin)
    if is_on:
        buttons.button("Stop", key="stop_list", on_click=_turn, args=(run, False))
    elif run and not run.is_over:
        n_left = len(run.records) - len(run.judged)
        buttons.button(f"Go on with the other {n_left}", key="go_on", on_click=_turn, args=(run, True))
    if run and run.fault:
        plain(f"Not judged: {run.fault}")
    if is_on:
        _go_on(page, run)
    if run and run.judged:
        _summary(page, run)


@st.cache_data(max_entries=2, show_spinner="Reading the file …")
def _read(data: bytes) -> list[Record]:
    return list(streaming.split(streaming.read_lines(io.BytesIO(data))))


def _begin(records: list[Record], settings: Settings) -> None:
    st.session_state["run"] = Run(records, settings)


def _turn(run: Run, is_on: bool) -> None:
    run.is_on, run.fault = is_on, ""


def _go_on(page: Page, run: Run) -> None:
    """Judge what is left of a list, drawing how far it is; a click anywhere ends this, and it goes on afterwards."""
    settings = run.settings
    place = st.empty()
    with place.container():
        bar = st.progress(0.0, "…")
        question = st.empty()
        slots = Slots(_order_names(settings)) if settings.watches else None
    for part in _parts(run):
        bar.progress(len(run.judged) / len(run.records), _how_far(run))
        begin = time.monotonic()
        if slots:
            with question:
                words(f"Line {part[0].line}: {_question(part[0])}")
        try:
            run.judged += judged(page, settings, part, slots.tell if slots else None)
        except JudgemergeError as error:
            run.fault = str(error)
            break
        run.seconds += time.monotonic() - begin
    run.is_on = False
    place.empty()
    st.rerun()  # other buttons belong to it now


def _parts(run: Run) -> Iterator[list[Record]]:
    size = 1 if run.settings.watches else AT_ONCE
    while not run.is_over:
        yield run.records[len(run.judged) : len(run.judged) + size]


def _how_far(run: Run) -> str:
    done, total = len(run.judged), len(run.records)
    if not done:
        return f"0 of {total} records"
    left = run.seconds / done * (total - done)
    return f"{done} of {total} records, about {left / 60:.0f} min left" if left > 90 else f"{done} of {total} records"


def _question(record: Record) -> str:
    """Return the beginning of the question of a record, for finding it again."""
    value = None if record.fault else streaming.parsed(record.text)[0]
    text = value.get(loose_records.key_of(value, "prompt"), "") if isinstance(value, dict) else ""
    return " ".join(str(text).split())[:160]


def _summary(page: Page, run: Run) -> None:
    """Draw shares, means, the table and the files of what has been judged."""
    n_judged, total = len(run.judged), len(run.records)
    words(f"{n_judged} of {total} records judged with prompt {run.settings.template.name}")
    counted = pd.DataFrame(
        [
            {"": share.what, "records": share.n, "%": 100 * share.value, "95 % interval": _percents(share)}
            for share in results.shares(run.judged)
        ]
    )
    left, right = st.columns([2, 3])
    with left:
        st.dataframe(counted, hide_index=True, column_config={"%": st.column_config.NumberColumn(format="%.1f")})
    means = results.means(run.judged)
    if means:
        with right:
            chart(means)
            st.caption("Mean scores; lines are 95 % intervals over records")
    table = pd.DataFrame([results.flat(one) for one in run.judged])
    table.insert(2, "question", [_question(one.record) for one in run.judged])
    wide = {name: st.column_config.TextColumn(width="medium") for name in ("question", "fault")}
    event = st.dataframe(
        table, hide_index=True, on_select="rerun", selection_mode="single-row", column_config=wide, key="table"
    )
    st.caption("Select a row to read the feedback of its record.")
    about = {"model": page.model, **run.settings.about()}
    downloads = st.container(horizontal=True)
    downloads.download_button(
        "Download as JSON", results.as_json(run.judged, about), "judged.json", "application/json", on_click="ignore"
    )
    downloads.download_button(
        "Download as CSV", results.as_csv(run.judged), "judged.csv", "text/csv", on_click="ignore"
    )
    selected = event["selection"]["rows"]
    if selected and selected[0] < n_judged:
        one = run.judged[selected[0]]
        with st.container(border=True):
            words(f"Line {one.record.line}: {_question(one.record)}")
            show(one)


def _percents(share: results.Share) -> str:
    return f"{100 * share.low:.0f} – {100 * share.high:.0f}"


# ---- parts of all ----


def chart(means: Sequence[results.Mean]) -> None:
    """Draw scores per dimension as bars, one per answer, with the intervals of means."""
    rows = [{**row._asdict(), "answer": f"Answer {row.answer}".strip()} for row in means]
    highest = max(max(row.score, row.high or 0) for row in means)
    top = next((end for end in (1, 5, 10, 100) if highest <= end), highest)
    base = alt.Chart(alt.Data(values=rows)).encode(
        y=alt.Y("dimension:N", sort=None, title=None, axis=alt.Axis(labelLimit=260)),
        yOffset=alt.YOffset("answer:N"),
    )
    bars = base.mark_bar().encode(
        x=alt.X("score:Q", title=None, scale=alt.Scale(domain=[0, top], clamp=True), axis=alt.Axis(tickCount=5)),
        color=alt.Color(
            "answer:N", title=None, legend=alt.Legend(orient="top") if len({r["answer"] for r in rows}) > 1 else None
        ),
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

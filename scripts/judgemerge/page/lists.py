"""The tab of a list: a file of records, how far it is judged, and what came of it.

What is judged is kept in the session record by record: Streamlit begins anew at every click, and a list goes on where
it was.
"""

import io
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial

import pandas as pd
import streamlit as st

from judgemerge.core.errors import JudgemergeError
from judgemerge.data import loose_records
from judgemerge.judge import streaming
from judgemerge.judge.streaming import Record
from judgemerge.page import one_item, results
from judgemerge.page.asking import Settings, judged
from judgemerge.page.parts import Page, Slots, chart, order_names, plain, words
from judgemerge.page.results import Judged

AT_ONCE = 16  # records of a list that are asked together where nobody watches the replies
EXAMPLES = """[
  {"id": 1, "prompt": "2 + 2?", "response_a": "4", "response_b": "5", "reference": "4"},
  {"id": 2, "question_body": "MELD's own names", "answer1_body": "…", "answer2_body": "…", "category": "math"}
]
[
  {"prompt": "2 + 2?", "response": "4"},
  {"question_body": "MELD's own names", "answer_body": "…", "category": "math"}
]"""


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


def draw(page: Page, settings: Settings) -> None:
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
    # No callback: it would be given what was chosen when the page was drawn before.
    if records and buttons.button(for_all, type="primary", key="judge_list", disabled=is_on):
        st.session_state["run"] = Run(records, settings)
        st.rerun()
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


def _turn(run: Run, is_on: bool) -> None:
    run.is_on, run.fault = is_on, ""


def _go_on(page: Page, run: Run) -> None:
    """Judge what is left of a list, drawing how far it is; a click anywhere ends this, and it goes on afterwards."""
    settings = run.settings
    place = st.empty()
    with place.container():
        bar = st.progress(0.0, "…")
        question = st.empty()
        slots = Slots(order_names(settings)) if settings.watches else None
    for part in _parts(run):
        bar.progress(len(run.judged) / len(run.records), _how_far(run))
        begin = time.monotonic()
        if slots:
            with question:
                words(f"Line {part[0].line}: {_question(part[0])}")
        try:
            backend, lock = page.opened()
            with lock:
                run.judged += judged(part, settings, backend, page.max_prompt_tokens, slots.tell if slots else None)
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
    if not isinstance(value, dict):
        return ""
    question = value.get("turns") or value.get(loose_records.key_of(value, "prompt"), "")
    texts = question if isinstance(question, list) else [question]
    return " ".join(" ".join(map(str, texts)).split())[:160]


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
    left, right = st.columns(2)
    with left:
        st.dataframe(counted, hide_index=True, column_config={"%": st.column_config.NumberColumn(format="%.1f")})
    means = results.means(run.judged)
    if means:
        with right:
            chart(means)
            st.caption("Mean scores, their number of records under the pointer; lines are 95 % intervals")
    table = pd.DataFrame([results.flat(one) for one in run.judged])
    if "fault" in table and not table["fault"].any():
        table = table.drop(columns="fault")
    table.insert(2, "question", [_question(one.record) for one in run.judged])
    wide = {name: st.column_config.TextColumn(width="medium") for name in ("question", "fault")}
    event = st.dataframe(
        table, hide_index=True, on_select="rerun", selection_mode="single-row", column_config=wide, key="table"
    )
    st.caption("Select a row to read the feedback of its record.")
    about = {"model": page.model, **run.settings.about()}
    downloads = st.container(horizontal=True)
    judged_so_far = list(run.judged)  # files are written when somebody asks for them
    for kind, write in {"JSON": partial(results.as_json, about=about), "CSV": results.as_csv}.items():
        name, mime = f"judged.{kind.lower()}", {"JSON": "application/json", "CSV": "text/csv"}[kind]
        downloads.download_button(f"Download as {kind}", partial(write, judged_so_far), name, mime, on_click="ignore")
    selected = event["selection"]["rows"]
    if selected and selected[0] < n_judged:
        one = run.judged[selected[0]]
        with st.container(border=True):
            words(f"Line {one.record.line}: {_question(one.record)}")
            one_item.show(one)


def _percents(share: results.Share) -> str:
    return f"{100 * share.low:.0f} – {100 * share.high:.0f}"

"""What is chosen once for an item and for a list, at the side of the page: prompt, criteria, and how it is asked."""

import streamlit as st

from judgemerge.page import criteria, overlap
from judgemerge.page.asking import Manner, Settings
from judgemerge.page.parts import Page, words
from judgemerge.prompting.prompts import Template

OF_RECORD = "as each record says"


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

"""What the page looks like: what is chosen at the side, and three tabs. Streamlit calls `draw` at every click."""

import streamlit as st

from judgemerge.page import chatting, choosing, lists, one_item
from judgemerge.page.parts import Page


def draw(page: Page) -> None:
    """Draw the page."""
    st.set_page_config(page_title="judgemerge", layout="wide")
    settings = choosing.side(page)
    one, several, chat = st.tabs(["One item", "A list", "Chat"])
    with one:
        one_item.draw(page, settings)
    with chat:
        chatting.draw(page)
    with several:  # at last: what is judged here holds up what is drawn after it
        lists.draw(page, settings)

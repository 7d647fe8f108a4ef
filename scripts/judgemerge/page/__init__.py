"""The page on this machine: one item judged, a list of them judged, a chat with the model; what it shows and hands out.

`drawing` and `chatting` are Streamlit's; the other modules know nothing of it.
"""

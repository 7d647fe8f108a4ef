"""The page on this machine: one item judged, a list of them judged, a chat with the model; what it shows and hands out.

asking, criteria, overlap and results know nothing of Streamlit; the other modules draw with it.
"""

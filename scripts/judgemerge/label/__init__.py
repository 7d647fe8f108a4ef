"""People's labels: what is drawn for them, the page that asks them blind, their votes, and how far they agree."""

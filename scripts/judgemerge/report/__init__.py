"""Pages, figures and what is handed over."""

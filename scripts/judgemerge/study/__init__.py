"""The study as a whole: questions to it, checks across its parts, what its jobs need."""

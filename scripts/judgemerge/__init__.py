"""judgemerge: train, merge and audit LLM judges, reproducibly."""

__version__ = "0.1.0"

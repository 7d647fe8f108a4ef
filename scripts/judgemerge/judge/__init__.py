"""Asking judges: models, endpoints, recorded verdicts, baselines."""

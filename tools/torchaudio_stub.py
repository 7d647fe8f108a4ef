"""Placeholder for torchaudio: LLaMA-Factory 0.9.5 imports it unconditionally, and this project handles text only."""

__version__ = "0+stub"


def load(*args, **kwargs):
    """Refuse, because there is no audio here."""
    raise RuntimeError("audio is not supported in this environment")

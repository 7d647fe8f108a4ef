"""Training experts with LLaMA-Factory, and what can be checked before and after."""

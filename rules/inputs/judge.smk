"""Input functions of rules/judge.smk."""


def judge_backend(wildcards):
    """What one judge answers with, unless its manifest knows better (a quantized model, an endpoint)."""
    return study.backend(wildcards.judge)


def judge_gpus(wildcards):
    """The GPUs that one judge asks for."""
    return NEEDS.judging_gpus(wildcards.judge)

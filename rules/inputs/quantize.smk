"""Input functions of rules/quantize.smk."""

from judgemerge.quantize import quantizing
from judgemerge.prompting.prompts import load_template


def quantized_model(wildcards):
    """The folder of the model that a quantization is made from."""
    return results_file("models/{name}", name=settings["quantizations"][wildcards.quantization]["model"])


def quantized_manifest(wildcards):
    """The manifest of that model."""
    return f"{quantized_model(wildcards)}.json"


def converted_model(wildcards):
    """That model as an F16 GGUF file, made once for all of its quantizations."""
    return results_file("gguf/{name}.gguf", name=settings["quantizations"][wildcards.quantization]["model"])


def quantized_parent(wildcards):
    """The name of that model."""
    return settings["quantizations"][wildcards.quantization]["model"]


def quantized_type(wildcards):
    """The type of a quantization, by llama.cpp's full name."""
    return quantizing.type_of(settings["quantizations"][wildcards.quantization]["type"])


def quantization_parents():
    """Return judge → the model it is made from, for judges that are quantizations and for the models they are made from.

    A model that is not quantized is its own parent and comes first.
    """
    quantized = {
        judge: settings["quantizations"][judge]["model"] for judge in study.judges if judge in study.quantizations
    }
    plain = {judge: judge for judge in study.judges if judge in quantized.values()}
    return plain | quantized


def quantization_units():
    """Return what is compared, per benchmark that a quantization answers: its judges, and their files."""
    units = []
    for benchmark in study.benchmarks:
        judges = [judge for judge in quantization_parents() if judge in study.judges_of(benchmark)]
        if set(judges) & set(study.quantizations):
            units.append(
                {
                    "benchmark": benchmark,
                    "suite": study.suite_of(benchmark),
                    "judges": judges,
                    "items": results_file("items/{name}.jsonl", name=benchmark),
                    "verdicts": each(VERDICTS, study.in_suites((judge, benchmark) for judge in judges)),
                }
            )
    return units


def quantization_timings(wildcards):
    """The timing records of the jobs that judged those benchmarks."""
    pairs = {(judge, unit["suite"]) for unit in quantization_units() for judge in unit["judges"]}
    return [
        results_file("replies/{judge}/{suite}.timing.json", judge=judge, suite=suite) for judge, suite in sorted(pairs)
    ]


def quantization_chat(wildcards):
    """How the chat template of a quantization is used."""
    return study.chat(wildcards.quantization)


def deployed_context(wildcards):
    """The window that a served judge needs: the longest prompt that is judged, and the longest reply."""
    replies = [load_template(study.catalogues.prompts[name]).max_new_tokens for name in study.prompts_used]
    return settings["judging"]["max_prompt_tokens"] + max(replies, default=0)

"""Models → GGUF files with fewer bits per weight → what was gained and lost; and a file to serve them with."""

from judgemerge.quantize import quantizing
from judgemerge.quantize.plan import QuantizationPlan

quantization_plan = QuantizationPlan(study)


rule convert_gguf:
    """A model in llama.cpp's format, weights in 16 bits. The converter comes from the source package of the library."""
    input:
        model=layout.MODEL,
        manifest=layout.MANIFEST,
        package=paths.path(layout.SOURCE, quantizing.CONVERTER),
    output:
        layout.GGUF,
    log:
        "results/{study}/logs/convert_gguf/{model}.log",
    benchmark:
        "results/{study}/timings/convert_gguf/{model}.tsv"
    conda:
        "../envs/quantize.yaml"
    resources:
        **needed("convert_gguf"),
    script:
        "../scripts/quantize/convert_gguf.py"


rule quantize_model:
    """A GGUF file with fewer bits per weight, with the tokenizer and chat template of the model it is made from."""
    input:
        gguf=paths.one(layout.GGUF, quantization_plan.parent, "quantization"),
        model=paths.one(layout.MODEL, quantization_plan.parent, "quantization"),
        manifest=paths.one(layout.MANIFEST, quantization_plan.parent, "quantization"),
    output:
        model=directory(renamed(layout.MODEL, model="quantization")),
        manifest=renamed(layout.MANIFEST, model="quantization"),
    log:
        "results/{study}/logs/quantize_model/{quantization}.log",
    benchmark:
        "results/{study}/timings/quantize_model/{quantization}.tsv"
    conda:
        "../envs/quantize.yaml"
    threads: settings.threads
    resources:
        **needed("quantize_model"),
    params:
        parent=of(quantization_plan.parent, "quantization"),
        type=of(quantization_plan.type, "quantization"),
    script:
        "../scripts/quantize/quantize_model.py"


rule compare_quantizations:
    """quantization.csv: size, bits per weight, speed, and agreement with people and with the unquantized judge."""
    input:
        item_sets=each(layout.ITEMS, quantization_plan.judges),
        verdicts=each(layout.VERDICTS, study.in_suites(quantization_plan.verdicts)),
        manifests=each(layout.MANIFEST, quantization_plan.parents),
        timings=each(layout.TIMING, quantization_plan.timings),
    output:
        layout.QUANTIZATION_TABLE,
    log:
        "results/{study}/logs/compare_quantizations.log",
    benchmark:
        "results/{study}/timings/compare_quantizations.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        mem_mb=per_attempt(2000),
        runtime=per_attempt(20),
    params:
        parents=quantization_plan.parents,
        units=quantization_plan.units,
        models="results/{study}/models",
        replies="results/{study}/replies",
        statistics=settings.statistics.plain(),
        code=script_digest("quantize/compare_quantizations"),
    script:
        "../scripts/quantize/compare_quantizations.py"


rule write_modelfile:
    """What `ollama create` needs to serve a quantization: its chat template in Go's language, temperature 0."""
    input:
        model=renamed(layout.MODEL, model="quantization"),
        manifest=renamed(layout.MANIFEST, model="quantization"),
    output:
        layout.MODELFILE,
    log:
        "results/{study}/logs/write_modelfile/{quantization}.log",
    benchmark:
        "results/{study}/timings/write_modelfile/{quantization}.tsv"
    conda:
        "../envs/quantize.yaml"
    resources:
        **small_job,
    params:
        context=of(quantization_plan.context, "quantization"),
        chat=of(study.chat, "quantization"),
        code=script_digest("quantize/write_modelfile"),
    script:
        "../scripts/quantize/write_modelfile.py"


rule deploy:
    """The Modelfiles of all quantizations; asked for by name (`make deploy`)."""
    input:
        each(layout.MODELFILE, study.quantizations),


localrules:
    deploy,
    write_modelfile,
    compare_quantizations,

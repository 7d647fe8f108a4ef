"""Models → GGUF files with fewer bits per weight → what was gained and lost; and a file to serve them with."""

from judgemerge.quantize import quantizing
from judgemerge.quantize.plan import QuantizationPlan

quantization_plan = QuantizationPlan(study)


rule convert_gguf:
    """A model in llama.cpp's format, weights in 16 bits. The converter comes from the source package of the library."""
    input:
        model=paths.MODEL,
        manifest=paths.MANIFEST,
        package=paths.path(paths.SOURCE, quantizing.CONVERTER),
    output:
        paths.GGUF,
    log:
        "<logs>/convert_gguf/{model}.log",
    benchmark:
        "<benchmarks>/convert_gguf/{model}.tsv"
    conda:
        "../envs/quantize.yaml"
    resources:
        **needed("convert_gguf"),
    script:
        "../scripts/quantize/convert_gguf.py"


rule quantize_model:
    """A GGUF file with fewer bits per weight, with the tokenizer and chat template of the model it is made from."""
    input:
        gguf=paths.one(paths.GGUF, quantization_plan.parent, "quantization"),
        model=paths.one(paths.MODEL, quantization_plan.parent, "quantization"),
        manifest=paths.one(paths.MANIFEST, quantization_plan.parent, "quantization"),
    output:
        model=directory(renamed(paths.MODEL, model="quantization")),
        manifest=renamed(paths.MANIFEST, model="quantization"),
    log:
        "<logs>/quantize_model/{quantization}.log",
    benchmark:
        "<benchmarks>/quantize_model/{quantization}.tsv"
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
        item_sets=each(paths.ITEMS, quantization_plan.judges),
        verdicts=each(paths.VERDICTS, study.in_suites(quantization_plan.verdicts)),
        manifests=each(paths.MANIFEST, quantization_plan.parents),
        timings=each(paths.TIMING, quantization_plan.timings),
    output:
        paths.QUANTIZATION_TABLE,
    log:
        "<logs>/compare_quantizations.log",
    benchmark:
        "<benchmarks>/compare_quantizations.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        mem_mb=per_attempt(2000),
        runtime=per_attempt(20),
    params:
        parents=quantization_plan.parents,
        units=quantization_plan.units,
        models=paths.MODELS,
        replies=paths.ALL_REPLIES,
        statistics=settings.statistics.plain(),
        code=script_digest("quantize/compare_quantizations"),
    script:
        "../scripts/quantize/compare_quantizations.py"


rule write_modelfile:
    """What `ollama create` needs to serve a quantization: its chat template in Go's language, temperature 0."""
    input:
        model=renamed(paths.MODEL, model="quantization"),
        manifest=renamed(paths.MANIFEST, model="quantization"),
    output:
        paths.MODELFILE,
    log:
        "<logs>/write_modelfile/{quantization}.log",
    benchmark:
        "<benchmarks>/write_modelfile/{quantization}.tsv"
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
        each(paths.MODELFILE, study.quantizations),


localrules:
    deploy,
    write_modelfile,
    compare_quantizations,

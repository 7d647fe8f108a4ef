"""Which keys a LLaMA-Factory training file may have: all that its dataclasses know, but for those decided here.

The list (llamafactory_keys.json) is made from the installed LLaMA-Factory by tools/list_training_keys.py, so that a
study file is checked without importing it. Keys with a meaning of our own, or narrower values, are those of
`TrainingKeys`.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any, Literal

from judgemerge.settings.section import Section, key, schema_of, section

# Settings of a training stay the mapping that LLaMA-Factory is given.
LlamaFactory = dict[str, Any]
LLAMAFACTORY = {"$ref": "#/$defs/llamafactory"}
KEYS = Path(__file__).with_name("llamafactory_keys.json")
# Why a study cannot set some of them → which.
_REASONS = {
    "judgemerge names the folders and files of every training itself": """
        output_dir overwrite_output_dir resume_from_checkpoint tokenized_path overwrite_cache cache_dir logging_dir
        media_dir offload_folder""",
    "the model is the expert's `base`": "model_name_or_path model_revision train_from_scratch",
    "every expert starts with a fresh adapter": "adapter_name_or_path adapter_folder create_new_adapter",
    "the data set is made of the item sets in `train_on` and `evaluate_on`": """
        dataset dataset_dir eval_dataset mix_strategy interleave_probs eval_on_each_dataset""",
    "training is all that is done": "do_train do_eval do_predict predict_with_generate",
    "it follows from save_steps and eval_steps": "save_strategy eval_strategy",
    "it follows from `gpus` and `nodes` of the study": """
        local_rank master_addr master_port data_shared_file_system ray_num_workers""",
    "nothing is uploaded, and no token belongs in a study file": """
        push_to_hub hub_always_push hub_model_id hub_private_repo hub_revision hub_strategy hub_token hf_hub_token
        ms_hub_token om_hub_token export_hub_model_id swanlab_api_key swanlab_lark_secret""",
    "experts are exported by a step of their own, and quantized by `quantizations`": """
        export_device export_dir export_legacy_format export_quantization_bit export_quantization_dataset
        export_quantization_maxlen export_quantization_nsamples export_size""",
    "only the stages sft and dpo are offered": """
        ppo_buffer_size ppo_epochs ppo_score_norm ppo_target ppo_whiten_rewards reward_model reward_model_adapters
        reward_model_quantization_bit reward_model_type kto_chosen_weight kto_rejected_weight""",
    "nothing is generated while training, and replies are set in `judging`": """
        do_sample temperature top_p top_k num_beams max_length max_new_tokens repetition_penalty length_penalty
        skip_special_tokens infer_backend infer_dtype vllm_config vllm_enforce_eager vllm_gpu_util vllm_max_lora_rank
        vllm_maxlen sglang_config sglang_lora_backend sglang_maxlen sglang_mem_fraction sglang_tp_size
        generation_config generation_max_length generation_num_beams eval_num_beams compute_accuracy""",
    "code that comes with weights is never run": "trust_remote_code",
    "LLaMA-Factory sets it itself": "remove_unused_columns",
}
DECIDED = {key: reason for reason, keys in _REASONS.items() for key in keys.split()}


@cache
def known() -> dict[str, dict]:
    """Return the JSON schema of every key of LLaMA-Factory by its name."""
    return json.loads(KEYS.read_text(encoding="utf-8"))


@cache
def schema() -> dict[str, Any]:
    """Return the JSON schema of the keys that a training may have; those decided here are refused by their reason."""
    ours = schema_of(TrainingKeys)
    properties = {
        **{name: entry for name, entry in known().items() if name not in DECIDED},
        **{name: {**known().get(name, {}), **entry} for name, entry in ours["properties"].items()},
        **{name: {"not": {}, "description": reason} for name, reason in DECIDED.items()},
    }
    return ours | {"properties": properties}


@section
class TrainingKeys(Section):
    """The keys of LLaMA-Factory that have a meaning of our own, or narrower values than it takes."""

    template: str | None = key(
        "LLaMA-Factory's template of the training; it has to write the same text as the base's chat template."
        " Unset: the first template that does.",
        None,
    )
    stage: Literal["sft", "dpo"] | None = key(
        "Training objective: target answers (sft), or the preference of one answer over another (dpo, with "
        "`pref_loss`).",
        None,
    )
    pref_loss: Literal["sigmoid", "hinge", "ipo", "kto_pair", "orpo", "simpo"] | None = key(
        "Loss of stage dpo; orpo and simpo need no reference model.", None
    )
    pref_beta: float | None = key(
        "Weight of the preference in the loss (lambda of the ORPO paper).", None, exclusiveMinimum=0
    )
    pref_ftx: float | None = key("Weight of an added supervised loss; ORPO has one of its own.", None, minimum=0)
    simpo_gamma: float | None = key("Target margin of SimPO.", None, minimum=0)
    orpo_nll: Literal["answer", "conversation"] | None = key(
        "What the likelihood in ORPO's loss is taken over: the answer, averaged over its tokens, then over rows "
        "(LLaMA-Factory's and the paper's), or the whole conversation with its prompt, averaged over the tokens of "
        "the batch (TRL's and unsloth's). Unset is the answer.",
        None,
    )
    early_stopping_steps: int | None = key(
        "Evaluations without a lower loss after which the training ends; the checkpoint with the lowest loss "
        "is kept. Needs `eval_steps`, and `evaluate_on` or `val_size`.",
        None,
        minimum=1,
    )
    dpo_label_smoothing: float | None = key("Label smoothing of the sigmoid loss.", None, minimum=0, maximum=0.5)
    use_fast_tokenizer: bool | None = key("Use the tokenizer in Rust.", None)
    cutoff_len: int | None = key(
        "Longest example in tokens; longer ones are refused before training.", None, minimum=16
    )
    max_samples: int | None = key("Upper limit of training examples.", None, minimum=1)
    packing: bool | None = key("Pack short examples together.", None)
    finetuning_type: Literal["lora", "full", "freeze"] | None = key("What is trained.", None)
    lora_rank: int | None = key("Rank of the LoRA matrices.", None, minimum=1)
    lora_alpha: int | None = key("Scale of the LoRA update.", None, minimum=1)
    lora_dropout: float | None = key("Dropout in the LoRA matrices.", None, minimum=0, maximum=1)
    lora_target: str | None = key("Modules that get LoRA matrices, or all.", None)
    use_rslora: bool | None = key("Rank-stabilised LoRA.", None)
    use_dora: bool | None = key("Weight-decomposed LoRA.", None)
    quantization_bit: Literal[4, 8] | None = key("Train on a quantized base (QLoRA).", None)
    per_device_train_batch_size: int | None = key("Examples per device and step.", None, minimum=1)
    per_device_eval_batch_size: int | None = key(
        "Examples per device and step of the evaluation loss.", None, minimum=1
    )
    gradient_accumulation_steps: int | None = key("Steps added up before each update.", None, minimum=1)
    learning_rate: float | None = key("Peak learning rate.", None, exclusiveMinimum=0)
    lr_scheduler_type: str | None = key("Learning-rate schedule.", None)
    warmup_steps: float | None = key("Steps of warm-up; below 1 it is the share of all steps.", None, minimum=0)
    weight_decay: float | None = key("Weight decay.", None, minimum=0)
    max_grad_norm: float | None = key("Gradient clipping.", None, exclusiveMinimum=0)
    num_train_epochs: float | None = key("Passes over the data.", None, exclusiveMinimum=0)
    max_steps: int | None = key("Upper limit of steps, over epochs.", None)
    optim: str | None = key("Optimizer.", None)
    fp16: bool | None = key("Half-precision training.", None)
    bf16: bool | None = key("bfloat16 training.", None)
    disable_gradient_checkpointing: bool | None = key("Keep activations: faster, more memory.", None)
    flash_attn: Literal["auto", "disabled", "sdpa", "fa2"] | None = key("Attention implementation.", None)
    save_steps: int | None = key("Steps between checkpoints (kept until the training is complete).", None, minimum=1)
    save_total_limit: int | None = key("Checkpoints kept at a time.", None, minimum=1)
    deepspeed: str | None = key(
        "DeepSpeed file of a training on several GPUs; none trains with plain data parallelism. Unset: "
        "config/deepspeed/zero3.json.",
        None,
    )
    logging_steps: int | None = key("Steps between lines of the log.", None, minimum=1)
    val_size: float | None = key("Share of the data kept for the evaluation loss.", None, minimum=0)
    eval_steps: int | None = key("Steps between evaluations.", None, minimum=1)
    seed: int | None = key("Seed of this training.", None, minimum=0)

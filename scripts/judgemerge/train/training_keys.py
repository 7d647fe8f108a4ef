"""Which keys a LLaMA-Factory training file may have: all that its dataclasses know, but for those decided here.

The list (llamafactory_keys.json) is made from the installed LLaMA-Factory by tools/list_training_keys.py, so that a
study file is checked without importing it. Keys with a meaning of our own, or narrower values, stand in
config.schema.yaml.
"""

import copy
import json
from functools import cache
from pathlib import Path

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


def complete(schema: dict) -> dict:
    """Return the schema of a study with all keys that a training may have; those decided here are refused by reason."""
    schema = copy.deepcopy(schema)
    own = schema["$defs"]["llamafactory"]["properties"]
    schema["$defs"]["llamafactory"]["properties"] = {
        **{key: entry for key, entry in known().items() if key not in DECIDED},
        **{key: {**known().get(key, {}), **entry} for key, entry in own.items()},
        **{key: {"not": {}, "description": reason} for key, reason in DECIDED.items()},
    }
    return schema

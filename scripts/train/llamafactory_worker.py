"""LLaMA-Factory's command line with what it lacks: LoRA on experts of a mixture, TRL's ORPO loss, vocabularies kept.

Called as `llamafactory-cli` is (train FILE, export FILE); judgemerge.train.llamafactory sets the variables that
say what is wanted. Several processes are started with this file in the place of LLaMA-Factory's own.
"""

import os
import sys
from pathlib import Path

EXPERTS, ORPO_NLL = "JUDGEMERGE_SPLIT_EXPERTS", "JUDGEMERGE_ORPO_NLL"
SPARE_ENDS = "JUDGEMERGE_LEAVE_OUT_SPARE_ENDS"


def add_experts() -> None:
    """Let LoRA see every expert of a mixture as layers; a merged adapter goes back into the fused parameters."""
    from llamafactory.model import loader

    from judgemerge.train import fused_experts

    init_adapter = loader.init_adapter

    def wrapped(config, model, model_args, finetuning_args, is_trainable):
        experts = dict(fused_experts.fused(model))
        fused_experts.split(model, str(model_args.model_name_or_path))
        model = init_adapter(config, model, model_args, finetuning_args, is_trainable)
        if not is_trainable:
            fused_experts.fuse(model, experts)
        return model

    loader.init_adapter = wrapped


def add_orpo_loss() -> None:
    """Let ORPO take its likelihood over the whole chosen conversation, as TRL does."""
    from llamafactory.train.dpo import trainer, workflow

    from judgemerge.train.orpo import over_conversation

    trainer.CustomDPOTrainer = workflow.CustomDPOTrainer = over_conversation(trainer.CustomDPOTrainer)


def leave_out_spare_ends() -> None:
    """Let a template add no ends of a turn to the vocabulary that it never writes."""
    from llamafactory.data.template import Template

    from judgemerge.train import trained_forms

    fix_special_tokens = Template.fix_special_tokens

    def wrapped(template, tokenizer):
        trained_forms.leave_out_spare_ends(template, tokenizer)
        fix_special_tokens(template, tokenizer)

    Template.fix_special_tokens = wrapped


def main() -> None:
    """Add what is asked for, then do what LLaMA-Factory does."""
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # torchrun may have another one first
    if os.environ.get(EXPERTS):
        add_experts()
    if os.environ.get(ORPO_NLL) == "conversation":
        add_orpo_loss()
    if os.environ.get(SPARE_ENDS):
        leave_out_spare_ends()
    if len(sys.argv) > 1 and sys.argv[1] in ("train", "export"):
        from llamafactory import launcher

        launcher.__file__ = __file__  # what torchrun is given
        launcher.launch()
    else:
        from llamafactory.train.tuner import run_exp

        run_exp()


if __name__ == "__main__":
    main()

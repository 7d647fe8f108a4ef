"""What was trained, as a model that answers: a LoRA adapter folded into its base in memory, or a whole model."""

from collections.abc import Mapping
from pathlib import Path

from judgemerge.core import models


def load(base: str, trained: str | Path, judging: Mapping, threads: int, chat_template: str):
    """Return the backend of what was trained on `base`.

    `chat_template` is the text of the template that it was trained in, whatever its folder has; `judging` says how a
    job that judges on the side asks a model.
    """
    from judgemerge.judge.backends.transformers import Transformers

    chat = {**judging.get("chat", {}), "text": chat_template}
    if not Path(trained, "adapter_config.json").exists():
        models.check_folder(trained)
        return Transformers(trained, judging["dtype"], judging["batch_tokens"], threads, chat)
    from peft import PeftModel

    from judgemerge.train import fused_experts

    backend = Transformers(base, judging["dtype"], judging["batch_tokens"], threads, chat)
    fused_experts.split_for(backend.model, trained)
    backend.model = PeftModel.from_pretrained(backend.model, trained).merge_and_unload().eval()
    return backend

"""Greedy completion with Hugging Face Transformers, on the CPU or one GPU.

Prompts are sorted by length and batched by tokens, so that little is spent on padding and memory is bounded by
`batch_tokens`. The chat template is applied once and the text tokenized without further special tokens: a second BOS
would shift every answer.
"""

from collections.abc import Collection, Iterator
from functools import cached_property
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

from judgemerge.backends import Completion


class Transformers:
    """One model; greedy, left-padded, batched by tokens."""

    def __init__(self, folder: str | Path, dtype: str, batch_tokens: int, threads: int):
        """Read tokenizer and settings of the model in `folder`; the first prompt that is asked loads the weights."""
        torch.set_num_threads(threads)
        self.folder = folder
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.batch_tokens = batch_tokens
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
        self.dtype = (config.dtype or torch.float32) if dtype == "auto" else getattr(torch, dtype)
        self.tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, padding_side="left")
        if self.tokenizer.pad_token is None:
            # Padding is masked out; any token serves, and adding one would resize the embeddings.
            self.tokenizer.pad_token = self.tokenizer.eos_token
        self.digest_settings = f"greedy,{self.dtype}"

    @cached_property
    def model(self) -> PreTrainedModel:
        """The weights, from safetensors, never running code that came with them."""
        model = AutoModelForCausalLM.from_pretrained(
            self.folder, dtype=self.dtype, use_safetensors=True, trust_remote_code=False, device_map=self.device
        ).eval()
        # A sampling setting shipped with a model would only print warnings: decoding is greedy here.
        model.generation_config.temperature = None
        model.generation_config.top_p = None
        model.generation_config.top_k = None
        return model

    @cached_property
    def stop(self) -> list[int]:
        """Every token that ends a turn: those of the generation config, and Llama 3's by name."""
        configured = self.model.generation_config.eos_token_id
        stop = set(configured if isinstance(configured, list) else [configured]) - {None}
        vocabulary = self.tokenizer.get_vocab()
        stop |= {vocabulary[name] for name in ("<|eot_id|>", "<|end_of_text|>", "<|im_end|>") if name in vocabulary}
        return sorted(stop)

    def render(self, messages: list[dict[str, str]]) -> str:
        """Return the text the model reads, generation prompt included."""
        return self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)

    def counts(self, texts: list[str]) -> list[int]:
        """Return the number of tokens of each text."""
        if not texts:
            return []
        return [len(ids) for ids in self.tokenizer(texts, add_special_tokens=False)["input_ids"]]

    def complete(
        self, texts: list[str], max_new_tokens: int, skip: Collection[int] = ()
    ) -> Iterator[list[tuple[int, Completion]]]:
        """Yield batches of (index into `texts`, completion), longest prompts first so that memory fails early if at
        all.

        Batches are formed over all texts before those in `skip` are left out: a resumed run gets the same batches.
        """
        lengths = self.counts(texts)
        for whole_batch in batches(lengths, self.batch_tokens, max_new_tokens):
            batch = [index for index in whole_batch if index not in skip]
            if not batch:
                continue
            yield list(zip(batch, self._complete([texts[index] for index in batch], max_new_tokens), strict=True))

    @torch.inference_mode()
    def _complete(self, texts: list[str], max_new_tokens: int) -> list[Completion]:
        encoded = self.tokenizer(texts, add_special_tokens=False, padding=True, return_tensors="pt").to(self.device)
        generated = self.model.generate(
            **encoded,
            do_sample=False,
            num_beams=1,
            max_new_tokens=max_new_tokens,
            eos_token_id=self.stop,
            pad_token_id=self.tokenizer.pad_token_id,
            use_cache=True,
        )
        replies = generated[:, encoded["input_ids"].shape[1] :].tolist()
        prompt_tokens = encoded["attention_mask"].sum(dim=1).tolist()
        return [self._completion(ids, n_prompt) for ids, n_prompt in zip(replies, prompt_tokens, strict=True)]

    def _completion(self, ids: list[int], n_prompt: int) -> Completion:
        end = next((position for position, token in enumerate(ids) if token in self.stop), len(ids))
        text = self.tokenizer.decode(ids[:end], skip_special_tokens=True)
        return Completion(text, n_prompt, min(end + 1, len(ids)))


def batches(lengths: list[int], batch_tokens: int, max_new_tokens: int) -> list[list[int]]:
    """Return index batches, longest first, each of at most `batch_tokens` tokens with padding and replies counted.

    The split depends on the lengths alone. A prompt that alone exceeds the budget is a batch of its own.
    """
    order = sorted(range(len(lengths)), key=lambda index: (-lengths[index], index))
    result: list[list[int]] = []
    for index in order:
        widest = lengths[result[-1][0]] + max_new_tokens if result else 0
        if result and widest * (len(result[-1]) + 1) <= batch_tokens:
            result[-1].append(index)
        else:
            result.append([index])
    return result

"""ORPO as TRL and unsloth train it: the likelihood of the whole chosen conversation beside the answers' odds ratio.

TRL (ORPOTrainer, 0.12 to 0.24) takes the negative log-likelihood over prompt and answer, averaged over the tokens of
the batch; LLaMA-Factory takes that of the answer alone, averaged over its tokens, then over rows (arXiv:2403.07691,
equation 6). The odds ratio is the same in both. With a small beta the likelihood is nearly all of the loss.
"""

import torch

IGNORED = -100


def conversation_nll(logits: torch.Tensor, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
    """Return the mean negative log-likelihood per token of all texts together, padding aside.

    Shapes: logits (n_rows, n_tokens, n_vocabulary); ids and mask (n_rows, n_tokens), the mask 0 at padding.
    """
    labels = input_ids.masked_fill(attention_mask == 0, IGNORED)[:, 1:]
    return torch.nn.functional.cross_entropy(
        logits[:, :-1].reshape(-1, logits.shape[-1]), labels.reshape(-1), ignore_index=IGNORED
    )


def over_conversation(trainer_class: type) -> type:
    """Return LLaMA-Factory's preference trainer with TRL's ORPO loss."""

    class Trainer(trainer_class):
        def concatenated_forward(self, model, batch, is_ref_model=False):
            """Keep the likelihood of the chosen conversations, the first half of the batch."""
            half = batch["input_ids"].size(0) // 2
            ids, mask = batch["input_ids"][:half], batch["attention_mask"][:half]
            output = super().concatenated_forward(model, batch, is_ref_model)
            self.nll = conversation_nll(output["chosen_logits"], ids, mask)
            return output

        def odds_ratio_loss(self, chosen_logps, rejected_logps):
            """Return the loss per pair; the likelihood is the same number for all pairs of the batch."""
            return self.nll + chosen_logps + super().odds_ratio_loss(chosen_logps, rejected_logps)

        def get_batch_loss_metrics(self, model, batch, train_eval="train"):
            """Return the loss, with its two parts among the metrics as they are."""
            loss, metrics = super().get_batch_loss_metrics(model, batch, train_eval)
            prefix = "eval_" if train_eval == "eval" else ""
            metrics[f"{prefix}sft_loss"] = self.nll.item()
            metrics[f"{prefix}odds_ratio_loss"] = ((loss - self.nll) / self.beta).item()
            return loss, metrics

    return Trainer

"""Both ORPO objectives on the same rows: TRL's own code, LLaMA-Factory's own code, and ours in between."""

from types import SimpleNamespace

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from judgemerge.train import curves, llamafactory, orpo, training

BETA = 0.1
# Lengths of prompt, chosen and rejected answer per pair: rows are padded, and averages over rows are none over tokens.
LENGTHS = ((20, 3, 9), (4, 12, 2), (7, 5, 5))


@pytest.fixture(scope="module", autouse=True)
def trl_without_extras():
    """Let TRL see that its optional packages are not here: it takes (False, "N/A") of Transformers 5 for a yes."""
    from trl import import_utils

    for name in [name for name in vars(import_utils) if name.endswith("_available") and name.startswith("_")]:
        found = getattr(import_utils, name)
        setattr(import_utils, name, found[0] if isinstance(found, tuple) else found)
    import_utils._mergekit_available = False  # its functions are of an older one


@pytest.fixture(scope="module")
def model(tiny_models):
    return AutoModelForCausalLM.from_pretrained(tiny_models["base"]).eval()


@pytest.fixture
def batch():
    """Return ids, mask and labels as LLaMA-Factory's collator makes them: chosen rows, then rejected ones."""
    generator = torch.Generator().manual_seed(0)
    prompts = [torch.randint(500, (prompt,), generator=generator) for prompt, _, _ in LENGTHS]
    rows = {"input_ids": [], "attention_mask": [], "labels": []}
    for answer in (1, 2):
        for prompt, lengths in zip(prompts, LENGTHS, strict=True):
            ids = torch.cat([prompt, torch.randint(500, (lengths[answer],), generator=generator)])
            rows["input_ids"].append(ids)
            rows["attention_mask"].append(torch.ones_like(ids))
            rows["labels"].append(torch.where(torch.arange(len(ids)) < len(prompt), -100, ids))
    padding = {"input_ids": 0, "attention_mask": 0, "labels": -100}
    return {
        name: torch.nn.utils.rnn.pad_sequence(values, batch_first=True, padding_value=padding[name])
        for name, values in rows.items()
    }


def of_trl(model, batch):
    """Return TRL's loss and metrics."""
    from accelerate import Accelerator
    from trl import ORPOTrainer

    trainer = object.__new__(ORPOTrainer)
    trainer.beta, trainer.aux_loss_enabled, trainer.is_encoder_decoder = BETA, False, False
    trainer.label_pad_token_id, trainer.padding_value = -100, 0
    trainer.accelerator = Accelerator(cpu=True)
    names = {"input_ids": "input_ids", "attention_mask": "attention_mask", "labels": "labels"}
    half = len(LENGTHS)
    parts = {
        f"{side}_{name}": batch[name][rows]
        for side, rows in (("chosen", slice(half)), ("rejected", slice(half, None)))
        for name in names
    }
    loss, metrics = trainer.get_batch_loss_metrics(model, parts, train_eval="eval")
    return loss.item(), {name.removeprefix("eval_"): float(value) for name, value in metrics.items()}


def of_llamafactory(model, batch, wrap=lambda trainer: trainer):
    """Return the loss and metrics of LLaMA-Factory's trainer, or of one made of it."""
    from llamafactory.train.dpo.trainer import CustomDPOTrainer

    trainer = object.__new__(wrap(CustomDPOTrainer))
    trainer.finetuning_args = SimpleNamespace(use_ref_model=False)
    trainer.loss_type, trainer.beta, trainer.ftx_gamma, trainer.ld_alpha = "orpo", BETA, 0.0, None
    trainer.accelerator = SimpleNamespace(device=torch.device("cpu"))
    loss, metrics = trainer.get_batch_loss_metrics(model, dict(batch), train_eval="train")
    return loss.item(), metrics


def test_over_the_conversation_the_loss_is_that_of_trl(model, batch):
    expected, theirs = of_trl(model, batch)
    loss, metrics = of_llamafactory(model, batch, orpo.over_conversation)
    assert loss == pytest.approx(expected, rel=1e-5)
    assert metrics["sft_loss"] == pytest.approx(theirs["nll_loss"], rel=1e-5)
    assert metrics["odds_ratio_loss"] == pytest.approx(-theirs["log_odds_ratio"], rel=1e-4)
    for name in ("logps/chosen", "rewards/chosen", "rewards/margins", "rewards/accuracies"):
        assert metrics[name] == pytest.approx(theirs[name], rel=1e-5, abs=1e-7)


def test_over_the_answer_it_is_another_one(model, batch):
    theirs, _ = of_trl(model, batch)
    loss, metrics = of_llamafactory(model, batch)
    assert abs(loss - theirs) > 0.01
    half = len(LENGTHS)
    with torch.no_grad():
        logits = model(batch["input_ids"][:half], attention_mask=batch["attention_mask"][:half]).logits
    rows = [
        torch.nn.functional.cross_entropy(row[:-1], labels[1:], ignore_index=-100)
        for row, labels in zip(logits, batch["labels"][:half], strict=True)
    ]
    assert metrics["sft_loss"] == pytest.approx(float(torch.stack(rows).mean()), rel=1e-5)


def test_padding_and_the_first_token_do_not_count():
    logits = torch.zeros(2, 4, 8)
    logits[0, 0, 3] = 5.0  # predicts the second token of the first text
    ids, mask = torch.tensor([[1, 3, 0, 0], [2, 2, 2, 0]]), torch.tensor([[1, 1, 0, 0], [1, 1, 1, 0]])
    sure = -torch.log_softmax(logits[0, 0], -1)[3]
    expected = (sure + 2 * torch.log(torch.tensor(8.0))) / 3
    assert orpo.conversation_nll(logits, ids, mask) == pytest.approx(float(expected))


def test_a_training_has_the_loss_that_it_asks_for(tiny_models, model, tmp_path, tools_on_path):
    def says(role, content):
        return {"role": role, "content": content}

    rows = [
        {"messages": [says("user", f"Name {n} animals of Arland" + " please" * n)],
         "chosen": says("assistant", "A fox" * (n + 1)), "rejected": says("assistant", "No.")}
        for n in range(3)
    ]  # fmt: skip
    training.write_dataset(tmp_path / "data", rows)
    settings = {"stage": "dpo", "pref_loss": "orpo", "pref_beta": BETA, "orpo_nll": "conversation", "max_steps": 1}
    settings |= {"logging_steps": 1, "per_device_train_batch_size": 3, "cutoff_len": 128, "lora_rank": 2}
    recipe = training.training_recipe(
        tiny_models["base"], tmp_path / "data", tmp_path / "output", training.expert_settings({}, settings), 3
    )
    llamafactory.train(recipe, threads=1)
    first = curves.rows(curves.state_of(tmp_path / "output"))[0]
    tokenizer = AutoTokenizer.from_pretrained(tiny_models["base"])
    nll, n_tokens = 0.0, 0
    for row in rows:
        text = tokenizer.apply_chat_template([*row["messages"], row["chosen"]], return_tensors="pt", return_dict=True)
        with torch.no_grad():
            logits = model(text["input_ids"]).logits
        n = text["input_ids"].shape[1] - 1
        nll += n * float(orpo.conversation_nll(logits, text["input_ids"], text["attention_mask"]))
        n_tokens += n
    assert first["nll"] == pytest.approx(nll / n_tokens, rel=1e-3)
    assert first["loss"] == pytest.approx(first["nll"] + BETA * first["odds_ratio_loss"], rel=1e-3)

"""What LLaMA-Factory's sft learns from: the answer alone, as published for Prometheus, with two chat templates."""

import pytest


@pytest.mark.parametrize("name", ["llama3", "mistral"])
def test_the_loss_is_on_the_answer_alone(tiny_models, name):
    from llamafactory.data.processor.supervised import SupervisedDatasetProcessor
    from llamafactory.data.template import get_template_and_fix_tokenizer
    from llamafactory.hparams import DataArguments
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_models["base"])
    arguments = DataArguments(template=name, cutoff_len=512)
    template = get_template_and_fix_tokenizer(tokenizer, arguments)
    processor = SupervisedDatasetProcessor(template=template, tokenizer=tokenizer, processor=None, data_args=arguments)
    answer = "It names a fruit. [RESULT] 4"
    rows = processor.preprocess_dataset(
        {
            "_prompt": [[{"role": "user", "content": "Name a fruit. Pear."}]],
            "_response": [[{"role": "assistant", "content": answer}]],
            "_system": ["You grade."],
            "_tools": [""],
            "_images": [None],
            "_videos": [None],
            "_audios": [None],
        }
    )
    (labels,), (ids,) = rows["labels"], rows["input_ids"]
    learnt = [token for token in labels if token != -100]
    first = next(place for place, token in enumerate(labels) if token != -100)
    assert len(labels) == len(ids)
    assert tokenizer.decode(learnt, skip_special_tokens=True).strip() == answer
    assert all(token == -100 for token in labels[:first]), "system prompt and request are masked"
    assert "Pear." in tokenizer.decode(ids[:first])
    assert labels[first:] == ids[first:], "nothing of the answer is masked, its end included"

"""Training, searching, reranking and mixing with real, very small models."""

import pytest
import torch

from judgemerge.core import models
from judgemerge.core.errors import JudgemergeError
from judgemerge.embed import Pair, encoder_training, encoders, evaluation_sets, mixing, retrieval
from judgemerge.merge import names
from judgemerge.settings.embedding import ByLoss, SentenceTraining

pytestmark = pytest.mark.slow  # sentence-transformers alone takes ten seconds to import


def training(**changes):
    return SentenceTraining.of({**encoder_training.PRETRAINING, "batch_size": 8, "learning_rate": 5e-3, **changes})


SETTINGS = training()


@pytest.fixture(scope="module")
def pairs():
    """Return pairs in which every chunk stands twice, as with two questions per chunk."""
    return encoders.pretraining_pairs(2, 3, 300, per_chunk=2)[:48]


@pytest.fixture(scope="module")
def folders(tmp_path_factory, pairs):
    """Return an embedding model of 30,000 weights, and the same after some training."""
    folder = tmp_path_factory.mktemp("embedders")
    encoders.make_random_bert(
        folder / "random", [pair.positive for pair in pairs], 1, hidden=16, layers=1, vocabulary=400, max_tokens=64
    )
    encoders.as_embedder(folder / "random", 64).save_pretrained(str(folder / "base"), create_model_card=False)
    tuned = encoders.open_embedder(folder / "base")
    done = encoder_training.train_embedder(tuned, pairs, training(epochs=4), folder / "work", 1)
    tuned.save_pretrained(str(folder / "tuned"), create_model_card=False)
    return {"base": folder / "base", "tuned": folder / "tuned", "random": folder / "random", "done": done}


def test_a_made_model_is_the_same_again(tmp_path, pairs, folders):
    texts = [pair.positive for pair in pairs]
    encoders.make_random_bert(tmp_path / "again", texts, 1, hidden=16, layers=1, vocabulary=400, max_tokens=64)
    encoders.make_random_bert(tmp_path / "other", texts, 2, hidden=16, layers=1, vocabulary=400, max_tokens=64)
    digests = [
        models.describe(folder)["digest"] for folder in (folders["random"], tmp_path / "again", tmp_path / "other")
    ]
    assert digests[0] == digests[1] != digests[2]


def test_training_learns_its_pairs(folders, pairs):
    task = retrieval.task_of(evaluation_sets.rows_of(pairs))
    mrr = {
        name: retrieval.values(retrieval.search(encoders.open_embedder(folders[name]), task), 5)["mrr"].mean()
        for name in ("base", "tuned")
    }
    assert mrr["tuned"] > mrr["base"] + 0.1
    assert folders["done"]["pairs"] == len(pairs) and folders["done"]["steps"] >= 4 * len(pairs) // 8


def test_no_batch_holds_a_chunk_twice(folders, pairs, tmp_path, monkeypatch):
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

    seen = []
    forward = MultipleNegativesRankingLoss.forward

    def watched(self, features, labels=None):
        features = list(features)
        seen.append(features[1]["input_ids"].tolist())
        return forward(self, features, labels)

    monkeypatch.setattr(MultipleNegativesRankingLoss, "forward", watched)
    encoder_training.train_embedder(encoders.open_embedder(folders["base"]), pairs, SETTINGS, tmp_path / "work", 1)
    assert len({pair.positive for pair in pairs}) < len(pairs) and sum(map(len, seen)) >= 40
    for batch in seen:
        assert len({tuple(ids) for ids in batch}) == len(batch)


def test_hard_negatives_are_trained_with(folders, pairs, tmp_path):
    settings = training(hard_negatives=1)
    base = encoders.open_embedder(folders["base"])
    done = encoder_training.train_embedder(base, pairs, settings, tmp_path / "work", 1)
    assert done["steps"] > 0


def test_one_chunk_is_not_enough(folders, tmp_path):
    pair = Pair("1", "d", "q", "p", "en")
    with pytest.raises(JudgemergeError, match="fewer than two different chunks"):
        encoder_training.train_embedder(encoders.open_embedder(folders["base"]), [pair, pair], SETTINGS, tmp_path, 1)


def test_a_reranker_is_made_trained_and_read_again(folders, pairs, tmp_path):
    torch.manual_seed(1)
    reranker = encoders.open_reranker(folders["base"], 64)
    rows = encoder_training.labelled(pairs[:16], 0, 1, 1)
    done = encoder_training.train_reranker(reranker, rows, SETTINGS, tmp_path / "work", 1)
    reranker.save_pretrained(str(tmp_path / "reranker"), create_model_card=False)
    again = encoders.open_reranker(tmp_path / "reranker", 64)
    asked = [(pair.anchor, pair.positive) for pair in pairs[:4]]
    scores = [model.predict(asked, show_progress_bar=False) for model in (reranker, again)]
    assert done["pairs"] == 32 and scores[0].shape == (4,) and scores[0] == pytest.approx(scores[1], abs=1e-6)


def test_mixtures_are_weighted_sums_and_open_as_embedders(folders, tmp_path):
    two = {name: folders[name] for name in ("base", "tuned")}
    outputs = {"half": tmp_path / "half", "tenth": tmp_path / "tenth"}
    weights = {"half": {"base": 0.5, "tuned": 0.5}, "tenth": {"base": 0.9, "tuned": 0.1}}
    mixing.mix_with_card(two, weights, outputs, 1, {})
    tensors = {name: dict(models.tensors(folder)) for name, folder in {**two, **outputs}.items()}
    for name, base in tensors["base"].items():
        tuned = tensors["tuned"][name]
        written = names.current(name)
        assert torch.allclose(tensors["half"][written], (base + tuned) / 2, atol=1e-6)
        assert torch.allclose(tensors["tenth"][written], 0.9 * base + 0.1 * tuned, atol=1e-6)
    assert encoders.open_embedder(outputs["half"]).encode(["a text"]).shape == (1, 16)


def test_weights_by_loss_prefer_the_tuned_model(folders, pairs):
    two = {name: folders[name] for name in ("base", "tuned")}
    settings = ByLoss(examples=5, negatives=3, temperature=1.0)
    found = mixing.weights_by_loss(two, pairs, settings, 1, 1)
    assert sum(found.weights.values()) == pytest.approx(1) and found.weights["tuned"] > 0.5
    assert found.losses["tuned"].value < found.losses["base"].value
    same = mixing.weights_by_loss({"a": two["base"], "b": two["base"]}, pairs, settings, 1, 1)
    assert same.weights == pytest.approx({"a": 0.5, "b": 0.5})
    assert found == mixing.weights_by_loss(two, pairs, settings, 1, 1)


def test_a_model_is_copied_with_its_modules(folders, tmp_path):
    encoders.copy_model(folders["base"], tmp_path / "copy")
    vectors = [encoders.open_embedder(folder).encode(["a text"]) for folder in (folders["base"], tmp_path / "copy")]
    assert vectors[0] == pytest.approx(vectors[1])
    with pytest.raises(JudgemergeError, match="is no folder"):
        encoders.copy_model(tmp_path / "none", tmp_path / "x")

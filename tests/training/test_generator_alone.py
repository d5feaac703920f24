import numpy as np
import pytest

from electra_tf.config import ElectraConfig, ObjectiveConfig, OptimizerConfig, generator_of, replace
from electra_tf.errors import InputError
from electra_tf.model.encoder import ElectraEncoder
from electra_tf.training import initial_weights
from electra_tf.training.optimizer import optimizer_for
from electra_tf.training.pretrainer import ElectraPretrainer
from electra_tf.training.run_weights import RunWeights, save_networks
from tests.training.tiny_run import tiny_config, tiny_vocabulary


def test_a_discriminator_weight_of_zero_trains_generator_and_embeddings_alone():
    config = ElectraConfig(vocabulary_size=31, embedding_size=6, hidden_size=12, num_layers=2, num_heads=3,
                           intermediate_size=20, max_positions=9, generator_size=0.5)
    pretrainer = ElectraPretrainer(config, discriminator_weight=0.0)
    settings = OptimizerConfig(learning_rate=1e-2, warmup_steps=0, weight_decay=0.0)
    pretrainer.compile(optimizer=optimizer_for(settings, train_steps=10))
    before = {name: variable.numpy() for name, variable in pretrainer.weights_by_name().items()}
    token_ids = np.random.default_rng(0).integers(5, 31, (4, 9)).astype(np.int32)
    batch = {"token_ids": token_ids, "segment_ids": np.zeros_like(token_ids), "padding_mask": np.ones_like(token_ids)}
    logs = pretrainer.train_step(batch)
    assert logs["generator_loss"] > 0 and logs["discriminator_loss"] == 0
    changed = {name for name, variable in pretrainer.weights_by_name().items()
               if (variable.numpy() != before[name]).any()}
    assert {name for name in before if name.startswith("generator/") and not name.endswith("key/bias")} <= changed
    assert {name for name in changed if name.startswith("discriminator/")} <= {
        name for name in before if name.startswith("discriminator/encoder/embeddings/")}
    assert "discriminator/encoder/embeddings/word_embeddings" in changed


@pytest.mark.parametrize("shared", ["embeddings", "nothing"])
def test_a_generator_that_was_trained_alone_leaves_its_encoder_and_no_untrained_discriminator(tmp_path, shared):
    config = tiny_config(discriminator_weight=0.0, objective=ObjectiveConfig(shared=shared))
    pretrainer = ElectraPretrainer(config.model, objective=config.objective)
    arrays = {name: variable.numpy() for name, variable in pretrainer.weights_by_name().items()}
    save_networks(RunWeights(config, tiny_vocabulary(), 12, arrays), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"encoder", "generator"}
    token_ids = np.array([[2, 9, 10, 3]], np.int32)
    encoder = ElectraEncoder.from_preset(tmp_path / "encoder")
    assert encoder.config == generator_of(config.model, config.objective)
    np.testing.assert_array_equal(encoder(token_ids), pretrainer.generator.encoder(token_ids))


def test_a_second_stage_says_why_the_discriminator_cannot_start_with_the_generator(tmp_path, monkeypatch):
    config = tiny_config(model={"generator_size": 1.0}, discriminator_weight=0.0,
                         objective=ObjectiveConfig(shared="nothing"))
    arrays = {name: variable.numpy() for name, variable in ElectraPretrainer(
        config.model, objective=config.objective).weights_by_name().items()}
    monkeypatch.setattr(initial_weights, "is_run", lambda folder: True)
    monkeypatch.setattr(initial_weights, "read_run_weights", lambda folder, report: RunWeights(
        config, tiny_vocabulary(), 12, arrays))
    second = replace(config, discriminator_weight=50.0)
    told = initial_weights.read_initial_weights(
        tmp_path, config=second, vocabulary=tiny_vocabulary(), report=pytest.fail).told
    assert "was not trained there and starts anew, as the generator differs (embedding_size is 16 and 10; " in told
    frozen = replace(second, objective=ObjectiveConfig(shared="nothing", freeze_generator=True))
    with pytest.raises(InputError, match="learns nothing beside a generator that is done; --set model"):
        initial_weights.read_initial_weights(
            tmp_path, config=frozen, vocabulary=tiny_vocabulary(), report=pytest.fail)


@pytest.mark.parametrize("generator_size", [1.0, 0.5])
def test_a_discriminator_starts_with_the_encoder_of_a_generator_that_was_trained_alone_at_its_size(
        generator_size, tmp_path, monkeypatch):
    config = tiny_config(model={"generator_size": generator_size, "num_heads": 1, "intermediate_size": 64},
                         discriminator_weight=0.0)
    generator = ElectraPretrainer(config.model)
    arrays = {name: variable.numpy() for name, variable in generator.weights_by_name().items()}
    run = RunWeights(config, tiny_vocabulary(), 12, arrays)
    monkeypatch.setattr(initial_weights, "is_run", lambda folder: True)
    monkeypatch.setattr(initial_weights, "read_run_weights", lambda folder, report: run)
    initial = initial_weights.read_initial_weights(
        tmp_path, config=config, vocabulary=tiny_vocabulary(), report=pytest.fail)
    pretrainer = ElectraPretrainer(config.model)
    initial.assign_to(pretrainer)
    starts_alike = generator_size == 1.0
    assert ("starts with the generator's encoder" in initial.told) == starts_alike
    for name, variable in pretrainer.weights_by_name().items():
        twin = name.replace("discriminator/encoder/", "generator/encoder/")
        expected = arrays[twin] if starts_alike and twin in arrays else arrays[name]
        np.testing.assert_array_equal(variable.numpy(), expected, err_msg=name)

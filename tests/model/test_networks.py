import dataclasses
import json
from math import erf, exp, pi, sqrt

import keras
import numpy as np
import pytest
import safetensors.numpy
import tensorflow as tf

from electra_tf.config import PRESETS, ElectraConfig
from electra_tf.errors import InputError
from electra_tf.model.encoder import ElectraEncoder, encoder_weights
from electra_tf.model.layers import LayerNorm, gelu
from electra_tf.model.networks import ElectraDiscriminator, ElectraGenerator
from electra_tf.objective.random_bits import RandomSource
from electra_tf.text.vocabulary import Vocabulary
from electra_tf.training.pretrainer import ElectraPretrainer
from tests.oracles.original import our_name
from tests.oracles.shared import shared_path

CONFIG = ElectraConfig(vocabulary_size=31, embedding_size=6, hidden_size=12, num_layers=2, num_heads=3,
                       intermediate_size=20, max_positions=9, generator_size=0.5)
TOKEN_IDS = np.array([[2, 7, 8, 9, 10, 11, 3], [2, 12, 13, 3, 0, 0, 0]], np.int32)
PADDING_MASK = (TOKEN_IDS > 0).astype(np.int32)
PIECES = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxy", "##a")


@pytest.mark.parametrize("name, total, encoder, head, language_model_head", [
    ("small", 14_196_219, 13_483_008, 66_049, 39_098),
    ("small_plus_plus", 23_122_875, 13_483_008, 66_049, 63_674),
    ("base", 119_386_427, 108_891_648, 591_361, 229_434),
    ("large", 354_655_291, 334_092_288, 1_050_625, 295_738)])
def test_variables_of_every_paper_preset_are_those_of_the_original(name, total, encoder, head, language_model_head):
    with tf.Graph().as_default():  # no memory is filled
        pretrainer = ElectraPretrainer(PRESETS[name].model)
    shapes = {key: list(variable.shape) for key, variable in pretrainer.weights_by_name().items()}

    def count(prefix):
        return sum(int(np.prod(shape)) for key, shape in shapes.items() if key.startswith(prefix))
    assert (count(""), count("discriminator/encoder/"), count("discriminator/head/"), count("generator/head/")) == (
        total, encoder, head, language_model_head)
    listed = json.loads(shared_path("oracles/original/variables_real.json").read_text())["variables"][name]
    assert shapes == {our_name(variable): shape for variable, shape in listed}


def test_gelu_and_its_slope_are_exact():
    points = tf.constant(np.linspace(-6, 6, 101), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(points)
        values = gelu(points)
    expected, slope = [], []
    for x in points.numpy().astype(float):
        cumulative = 0.5 * (1 + erf(x / sqrt(2)))
        expected.append(x * cumulative)
        slope.append(cumulative + x * exp(-x * x / 2) / sqrt(2 * pi))
    np.testing.assert_allclose(values, expected, atol=5e-7)
    np.testing.assert_allclose(tape.gradient(values, points), slope, atol=5e-7)


def test_layer_norm_and_its_gradients_against_finite_differences():
    rng = np.random.default_rng(3)
    values, upstream = rng.normal(size=(2, 5, 7)) * 3 + 1, rng.normal(size=(2, 5, 7))
    gamma, beta = rng.normal(size=7) + 1, rng.normal(size=7)

    def reference(x, g, b):
        centred = x - x.mean(-1, keepdims=True)
        return centred / np.sqrt((centred ** 2).mean(-1, keepdims=True) + 1e-12) * g + b
    layer = LayerNorm(epsilon=1e-12)
    layer.build((2, 5, 7))
    layer.gamma.assign(gamma)
    layer.beta.assign(beta)
    inputs = tf.constant(values, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = layer(inputs)
        total = tf.reduce_sum(outputs * upstream.astype(np.float32))
    gradients = tape.gradient(total, [inputs, layer.gamma.value, layer.beta.value])
    np.testing.assert_allclose(outputs, reference(values, gamma, beta), atol=2e-6)
    for position, (argument, gradient) in enumerate(zip((values, gamma, beta), gradients)):
        direction = rng.normal(size=argument.shape)
        shifted = [[values, gamma, beta], [values, gamma, beta]]
        for sign, arguments in zip((1, -1), shifted):
            arguments[position] = argument + sign * 1e-6 * direction
        slope = sum(((reference(*shifted[0]) - reference(*shifted[1])) * upstream).ravel()) / 2e-6
        np.testing.assert_allclose((gradient.numpy() * direction).sum(), slope, rtol=1e-4)


def test_initial_weights_follow_the_original():
    encoder = ElectraEncoder(dataclasses.replace(CONFIG, vocabulary_size=5000, hidden_size=120, embedding_size=64))
    weights = encoder_weights(encoder)
    words = weights["encoder/embeddings/word_embeddings"].numpy()
    assert abs(words.std() - 0.0176) < 0.0003 and abs(words).max() <= 0.04
    projection = weights["encoder/embeddings_project/kernel"].numpy()
    limit = np.sqrt(6 / (64 + 120))  # Glorot uniform
    assert 0.98 * limit < abs(projection).max() <= limit
    assert all((variable.numpy() == 0).all() for name, variable in weights.items() if name.endswith(("bias", "beta")))


def test_the_activation_acts_in_layers_and_discriminator_head_but_not_in_the_generator_head():
    def outputs(**settings):
        keras.utils.set_random_seed(4)
        config = dataclasses.replace(CONFIG, initializer_range=1.0, **settings)
        discriminator, generator = ElectraDiscriminator(config), ElectraGenerator(config)
        hidden = tf.constant(np.random.default_rng(1).normal(size=(2, 5, 12)), tf.float32)
        return [value.numpy() for value in (
            discriminator.encoder(TOKEN_IDS), discriminator.head(hidden), generator.head(hidden))]
    exact, approximate = outputs(), outputs(activation="gelu_tanh")
    differences = [abs(one - other).max() for one, other in zip(exact, approximate, strict=True)]
    assert differences[0] > 1e-5 and differences[1] > 1e-5 and differences[2] == 0


def test_an_untied_generator_has_an_output_table_of_its_own():
    generator = ElectraGenerator(dataclasses.replace(CONFIG, has_tied_output=False))
    before = generator(TOKEN_IDS).numpy()
    table = generator.weights_by_name()["head/output_embeddings"]
    assert table.shape == (31, 6)
    table.assign(table.numpy() + np.eye(31, 6))
    assert (abs(generator(TOKEN_IDS).numpy() - before).max(axis=(0, 1)) > 1e-6).nonzero()[0].max() == 5
    assert "head/output_embeddings" not in ElectraGenerator(CONFIG).weights_by_name()


def test_padding_is_not_attended_to():
    encoder = ElectraEncoder(CONFIG)
    changed = np.where(PADDING_MASK == 1, TOKEN_IDS, 29)
    np.testing.assert_allclose(encoder(TOKEN_IDS, padding_mask=PADDING_MASK)[1, :4],
                               encoder(changed, padding_mask=PADDING_MASK)[1, :4], atol=1e-6)


def test_dictionary_and_separate_inputs_are_the_same():
    encoder = ElectraEncoder(CONFIG)
    np.testing.assert_array_equal(
        encoder({"token_ids": TOKEN_IDS, "padding_mask": PADDING_MASK}), encoder(TOKEN_IDS, padding_mask=PADDING_MASK))


def test_segments_and_positions_matter():
    encoder = ElectraEncoder(CONFIG)
    plain = encoder(TOKEN_IDS).numpy()
    assert abs(plain - encoder(TOKEN_IDS, segment_ids=np.ones_like(TOKEN_IDS)).numpy()).max() > 1e-3
    assert abs(plain[0, 1:3] - encoder(TOKEN_IDS[:, [0, 2, 1, 3, 4, 5, 6]]).numpy()[0, [2, 1]]).max() > 1e-4


def test_dropout_follows_the_example_in_training_and_is_off_otherwise():
    encoder = ElectraEncoder(dataclasses.replace(CONFIG, hidden_dropout=0.3, attention_dropout=0.2))
    source = RandomSource(tf.constant(1), tf.constant([5, 6], tf.int64))
    first = encoder(TOKEN_IDS, training=True, random=source).numpy()
    np.testing.assert_array_equal(first, encoder(TOKEN_IDS, training=True, random=source))
    alone = encoder(TOKEN_IDS[1:], training=True, random=RandomSource(tf.constant(1), tf.constant([6], tf.int64)))
    np.testing.assert_allclose(first[1:], alone, atol=1e-6)
    assert abs(first - encoder(TOKEN_IDS).numpy()).max() > 0.1
    assert abs(encoder(TOKEN_IDS, training=True).numpy() - encoder(TOKEN_IDS, training=True).numpy()).max() > 0.1


def test_generator_shares_all_embeddings_and_its_output_table_is_the_word_table():
    pretrainer = ElectraPretrainer(CONFIG)
    assert pretrainer.generator.encoder.embeddings is pretrainer.discriminator.encoder.embeddings
    before = pretrainer.generator(TOKEN_IDS, positions=np.array([[1], [2]])).numpy()
    table = pretrainer.discriminator.encoder.embeddings.word_embeddings
    values = table.numpy()
    values[20, 0] += 1.0  # of a piece that is in no input
    table.assign(values)
    after = pretrainer.generator(TOKEN_IDS, positions=np.array([[1], [2]])).numpy()
    assert (abs(after - before).max(axis=(0, 1)) > 1e-6).nonzero()[0].tolist() == [20]


def test_a_network_comes_back_from_its_folder_unchanged(tmp_path):
    vocabulary = Vocabulary(PIECES)
    for network in (ElectraDiscriminator(CONFIG), ElectraGenerator(CONFIG.generator)):
        expected = network.KIND
        network.save_to_preset(tmp_path / expected, vocabulary=vocabulary)
        again = type(network).from_preset(tmp_path / expected)
        np.testing.assert_array_equal(network(TOKEN_IDS), again(TOKEN_IDS))
        assert again.vocabulary == vocabulary and again.config == network.config
    encoder = ElectraEncoder.from_preset(tmp_path / "discriminator", hidden_dropout=0.3)
    assert encoder.config.hidden_dropout == 0.3 and encoder.vocabulary == vocabulary
    with pytest.raises(InputError, match="kind 'generator', not 'discriminator'"):
        ElectraDiscriminator.from_preset(tmp_path / "generator")


def test_a_keras_file_of_the_encoder_comes_back_unchanged(tmp_path):
    encoder = ElectraEncoder(CONFIG)
    encoder.save(tmp_path / "encoder.keras")
    again = keras.saving.load_model(tmp_path / "encoder.keras")
    np.testing.assert_array_equal(encoder(TOKEN_IDS), again(TOKEN_IDS))


def damaged(folder, change):
    arrays = safetensors.numpy.load_file(folder / "model.safetensors")
    change(arrays)
    safetensors.numpy.save_file(arrays, folder / "model.safetensors")


def test_a_folder_whose_weights_do_not_fit_is_refused_by_name(tmp_path):
    ElectraEncoder(CONFIG).save_to_preset(tmp_path / "model")

    def change(arrays):
        arrays["encoder/layer_0/output/kernels"] = arrays.pop("encoder/layer_0/output/kernel")
        arrays["encoder/layer_1/output/bias"] = np.zeros(13, np.float32)
    damaged(tmp_path / "model", change)
    with pytest.raises(InputError, match=(
            r"missing: encoder/layer_0/output/kernel; left over: encoder/layer_0/output/kernels; "
            r"of another shape: encoder/layer_1/output/bias is \[13\] .* \[12\]")):
        ElectraEncoder.from_preset(tmp_path / "model")


def test_a_folder_that_is_no_model_and_a_torn_file_are_refused(tmp_path):
    with pytest.raises(InputError, match="no config.json in it"):
        ElectraEncoder.from_preset(tmp_path)
    ElectraEncoder(CONFIG).save_to_preset(tmp_path / "model")
    content = (tmp_path / "model" / "model.safetensors").read_bytes()
    (tmp_path / "model" / "model.safetensors").write_bytes(content[:-100])
    with pytest.raises(InputError, match="model.safetensors is damaged"):
        ElectraEncoder.from_preset(tmp_path / "model")


def test_a_foreign_vocabulary_in_a_model_folder_is_refused(tmp_path):
    ElectraEncoder(CONFIG).save_to_preset(tmp_path / "one", vocabulary=Vocabulary(PIECES))
    Vocabulary((*PIECES[:-1], "##ä")).save(tmp_path / "other")
    for name in ("vocab.txt", "text_settings.json"):
        (tmp_path / "one" / "vocabulary" / name).write_bytes((tmp_path / "other" / name).read_bytes())
    with pytest.raises(InputError, match="is not the vocabulary that this model was trained with"):
        ElectraEncoder.from_preset(tmp_path / "one")


def test_a_model_folder_is_never_written_over_other_work(tmp_path):
    ElectraEncoder(CONFIG).save_to_preset(tmp_path / "model")
    with pytest.raises(InputError, match="model"):
        ElectraEncoder(CONFIG).save_to_preset(tmp_path / "model")


def test_initial_weights_have_the_spread_of_the_originals():
    """Drawn by the original's initialisers for the preset small, layer 0."""
    stored = json.loads(shared_path("oracles/original/init_stats_small.json").read_text())["stats"]
    keras.utils.set_random_seed(11)
    config = dataclasses.replace(PRESETS["small"].model, num_layers=1)
    weights = ElectraPretrainer(config).weights_by_name()
    compared = 0
    for name, expected in stored.items():
        values = weights[our_name(name)].numpy()
        assert list(values.shape) == expected["shape"]
        # The spread of n uniform or normal numbers is known to 1 / sqrt(2 n); four of these.
        assert abs(values.std() / expected["std"] - 1 if expected["std"] else values.std()) < 4 / np.sqrt(values.size)
        assert values.max() <= max(1.001 * expected["max"], 1.02 * abs(expected["min"])) + 0.003, name
        compared += 1
    assert compared > 30

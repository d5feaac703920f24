"""Positions, gate and DropConnect against numpy, and the networks of other objectives."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from electra_tf.config import ElectraConfig
from electra_tf.model.embeddings import sinusoids
from electra_tf.model.encoder import ElectraEncoder, encoder_weights
from electra_tf.model.layers import DropConnectDense
from electra_tf.model.networks import TwoTowerGenerator
from electra_tf.model.transformer import FARTHEST, relative_bias
from electra_tf.objective.random_bits import RandomSource

CONFIG = ElectraConfig(vocabulary_size=31, embedding_size=6, hidden_size=12, num_layers=2, num_heads=3,
                       intermediate_size=20, max_positions=90, generator_size=0.5, hidden_dropout=0.0,
                       attention_dropout=0.0)
TOKEN_IDS = np.array([[2, 7, 8, 9, 10, 11, 3], [2, 12, 13, 3, 0, 0, 0]], np.int32)
SOURCE = RandomSource(tf.constant(1), tf.constant([5, 6], tf.int64))


def variant(**settings):
    return ElectraEncoder(dataclasses.replace(CONFIG, **settings))


def test_sinusoids_are_sines_and_cosines_of_slower_and_slower_waves():
    table = sinusoids(9, 6)
    for place in range(9):
        for column in range(6):
            angle = place / 10000 ** (2 * (column // 2) / 6)
            np.testing.assert_allclose(table[place, column], (np.sin, np.cos)[column % 2](angle), atol=1e-6)


def test_a_distance_has_one_bias_per_head_and_far_ones_share_it():
    biases = np.random.default_rng(0).normal(size=(3, 2 * FARTHEST + 1)).astype(np.float32)
    found = relative_bias(tf.constant(biases), 80).numpy()
    for query, key in ((0, 0), (3, 1), (1, 3), (0, 79), (79, 0), (10, 42), (42, 10), (10, 43)):
        distance = min(max(key - query, -FARTHEST), FARTHEST)
        np.testing.assert_array_equal(found[:, query, key], biases[:, FARTHEST + distance])


@pytest.mark.parametrize(("position_type", "added", "removed"), [
    ("sinusoidal", set(), {"encoder/embeddings/position_embeddings"}),
    ("relative", {f"encoder/layer_{number}/attention/distance_bias" for number in range(2)},
     {"encoder/embeddings/position_embeddings"})])
def test_position_types_have_their_own_weights_and_order_matters(position_type, added, removed):
    encoder, plain = variant(position_type=position_type), ElectraEncoder(CONFIG)
    weights = encoder_weights(encoder)
    assert weights.keys() == (encoder_weights(plain).keys() - removed) | added
    for name in added:
        weights[name].assign(np.random.default_rng(1).normal(size=weights[name].shape))
    swapped = TOKEN_IDS[:, [0, 2, 1, 3, 4, 5, 6]]
    assert abs(encoder(TOKEN_IDS).numpy()[0, [1, 2]] - encoder(swapped).numpy()[0, [2, 1]]).max() > 1e-4


def test_relative_positions_know_distances_only():
    encoder = variant(position_type="relative")
    for layer in encoder.transformer_layers:
        layer.attention.distance_bias.assign(np.random.default_rng(1).normal(size=(3, 2 * FARTHEST + 1)))
    shifted = np.concatenate([np.zeros((2, 4), np.int32), TOKEN_IDS], axis=1)
    padding_mask = np.concatenate([np.zeros((2, 4), np.int32), np.ones_like(TOKEN_IDS)], axis=1)
    np.testing.assert_allclose(encoder(shifted, padding_mask=padding_mask)[:, 4:], encoder(TOKEN_IDS), atol=1e-5)


def test_the_gate_multiplies_the_embeddings_by_a_sigmoid_of_themselves():
    encoder = variant(embedding_gate=True)
    kernel = np.random.default_rng(2).normal(size=(6, 6)).astype(np.float32)
    encoder.embeddings_gate.kernel.assign(kernel)
    encoder.embeddings_gate.bias.assign(np.arange(6) / 10)
    embedded = encoder.embeddings(TOKEN_IDS, np.zeros_like(TOKEN_IDS)).numpy()
    gated = embedded / (1 + np.exp(-(embedded @ kernel + np.arange(6) / 10)))
    expected = gated @ encoder.embeddings_project.kernel.numpy()
    np.testing.assert_allclose(encoder.layer_outputs(TOKEN_IDS)[0], expected, atol=1e-5)


def test_drop_connect_drops_its_rate_of_the_kernel_and_scales_the_rest():
    layer = DropConnectDense(400, rate=0.25, stream=3)
    layer.build((None, 300))
    kept = layer(np.eye(300, dtype=np.float32), training=True, random=SOURCE).numpy()
    kernel = layer.kernel.numpy()
    dropped = kept == 0
    assert abs(dropped.mean() - 0.25) < 0.006  # 120,000 draws
    np.testing.assert_allclose(kept[~dropped], (kernel / 0.75)[~dropped], rtol=1e-4)
    np.testing.assert_array_equal(layer(np.eye(300, dtype=np.float32)), kernel)
    np.testing.assert_array_equal(kept, layer(np.eye(300, dtype=np.float32), training=True, random=SOURCE))


def test_drop_connect_acts_on_three_kernels_of_each_layer_in_training_only():
    encoder = variant(drop_connect=0.3)
    dropped = [layer for layer in encoder._flatten_layers() if isinstance(layer, DropConnectDense)]
    assert len(dropped) == 6 and len({layer.stream for layer in dropped}) == 6
    assert encoder_weights(encoder).keys() == encoder_weights(ElectraEncoder(CONFIG)).keys()
    assert abs(encoder(TOKEN_IDS, training=True, random=SOURCE) - encoder(TOKEN_IDS)).numpy().max() > 1e-3
    plain = variant()
    np.testing.assert_array_equal(plain(TOKEN_IDS, training=True, random=SOURCE), plain(TOKEN_IDS))


def test_no_token_of_two_towers_sees_itself():
    generator = TwoTowerGenerator(CONFIG.generator)
    plain = generator(TOKEN_IDS[:1]).numpy()
    for place in range(7):
        changed = TOKEN_IDS[:1].copy()
        changed[0, place] = 29
        difference = abs(generator(changed).numpy() - plain).max(-1)[0]
        # At the ends the other end's tower is seen, which has seen every token.
        assert difference[place] < 1e-6 or place in (0, 6)
        assert (np.delete(difference, place) > 1e-6).all()

import numpy as np
import tensorflow as tf

from electra_tf.config import MaskingConfig
from electra_tf.objective.corruption import corrupt
from electra_tf.objective.masking import Masked
from electra_tf.objective.random_bits import RandomSource
from electra_tf.objective.sampling import sample_by_gumbel, sample_replacements, sample_tokens


def softmax(logits):
    weights = np.exp(logits.astype(np.float64) - logits.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True)


def test_samples_invert_the_cumulative_distribution():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(7, 5, 301)).astype(np.float32) * 3
    uniforms = rng.random((7, 5)).astype(np.float32)
    sampled = sample_tokens(tf.constant(logits), tf.constant(uniforms)).numpy()
    ends = np.cumsum(softmax(logits), axis=-1)
    expected = (ends <= uniforms[..., None]).sum(-1)
    # Float32 may move a draw that lies on an edge; none of these does.
    np.testing.assert_array_equal(sampled, expected)


def test_frequencies_follow_the_softmax_at_a_temperature():
    logits = np.random.default_rng(1).normal(size=257).astype(np.float32) * 2
    count, temperature = 200_000, 1.7
    uniforms = (np.arange(count, dtype=np.float32) + 0.5) / count
    sampled = sample_tokens(tf.tile(tf.constant(logits)[None, None], [1, 1, 1]) + tf.zeros([200, 1000, 1]),
                            tf.constant(uniforms.reshape(200, 1000)), temperature=temperature).numpy()
    frequencies = np.bincount(sampled.ravel(), minlength=257) / count
    np.testing.assert_allclose(frequencies, softmax(logits / temperature), atol=2e-5)


def test_edges_of_the_unit_interval_never_sample_an_impossible_token():
    logits = np.full((1, 2, 300), -np.inf, np.float32)
    logits[0, :, [3, 131]] = 0.0
    sampled = sample_tokens(tf.constant(logits), tf.constant([[0.0, 1 - 2.0**-24]])).numpy()
    assert sampled.tolist() == [[3, 131]]


def test_no_gradient_flows_through_a_sample():
    logits = tf.Variable(np.random.default_rng(2).normal(size=(2, 3, 31)).astype(np.float32))
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(tf.cast(sample_tokens(logits, tf.fill([2, 3], 0.5)), tf.float32))
    assert tape.gradient(total, logits) is None


def test_corruption_leaves_no_mask_and_labels_only_what_differs():
    token_ids = tf.constant([[2, 11, 12, 13, 3], [2, 21, 22, 3, 0]])
    masked = Masked(
        token_ids=tf.constant([[2, 4, 12, 4, 3], [2, 4, 22, 3, 0]]), positions=tf.constant([[1, 3], [1, 0]]),
        original_ids=tf.constant([[11, 13], [21, 2]]), is_masked=tf.constant([[True, True], [True, False]]))
    corrupted = corrupt(token_ids, masked, sampled_ids=tf.constant([[17, 13], [29, 30]]))
    assert corrupted.token_ids.numpy().tolist() == [[2, 17, 12, 13, 3], [2, 29, 22, 3, 0]]
    assert corrupted.is_replaced.numpy().astype(int).tolist() == [[0, 1, 0, 0, 0], [0, 1, 0, 0, 0]]


def test_gumbel_noise_samples_from_the_softmax_at_a_temperature():
    logits = np.random.default_rng(4).normal(size=13).astype(np.float32) * 2
    uniforms = np.random.default_rng(5).random((500, 200, 13)).astype(np.float32)
    sampled = sample_by_gumbel(tf.constant(logits) + tf.zeros([500, 200, 1]), tf.constant(uniforms), temperature=1.7)
    frequencies = np.bincount(sampled.numpy().ravel(), minlength=13) / 100_000
    # A share's standard deviation is at most 0.0016.
    np.testing.assert_allclose(frequencies, softmax(logits / 1.7), atol=0.006)


def draw(**settings):
    logits = tf.constant(np.random.default_rng(6).normal(size=(40, 5, 17)).astype(np.float32) * 2)
    original_ids = tf.argmax(logits, axis=-1, output_type=tf.int32)
    sampled = sample_replacements(logits, original_ids, masking=MaskingConfig(**settings),
                                  source=RandomSource(3, tf.range(40, dtype=tf.int64)))
    return sampled.numpy(), original_ids.numpy()


def test_each_setting_of_sampling_changes_the_samples():
    plain, original_ids = draw()
    assert (plain == original_ids).mean() > 0.3
    assert (draw(sampler="gumbel")[0] != plain).any()
    assert (draw(temperature=5.0)[0] == original_ids).mean() < (plain == original_ids).mean() - 0.05
    for sampler in ("cumulative", "gumbel"):
        assert not (draw(disallow_correct=True, sampler=sampler, temperature=3.0)[0] == original_ids).any()

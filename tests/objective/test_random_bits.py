import numpy as np
import tensorflow as tf

from electra_tf.objective import random_bits
from electra_tf.objective.random_bits import RandomSource


def numpy_philox(counter, key):
    """Philox4x32-10 in Python integers, one block."""
    c, (k0, k1) = list(counter), key
    for _ in range(10):
        p0, p1 = c[0] * 0xD2511F53, c[2] * 0xCD9E8D57
        c = [(p1 >> 32) ^ c[1] ^ k0, p1 & 0xFFFFFFFF, (p0 >> 32) ^ c[3] ^ k1, p0 & 0xFFFFFFFF]
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return c


def test_philox_meets_the_published_known_answers():
    def run(counter, key):
        counter, key = ([tf.constant([part], tf.uint32) for part in parts] for parts in (counter, key))
        words = random_bits.philox(counter, key)
        return [int(word[0]) for word in words]
    # The vectors distributed with Random123.
    assert run([0] * 4, [0] * 2) == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]
    assert run([0xFFFFFFFF] * 4, [0xFFFFFFFF] * 2) == [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]
    assert run([0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344], [0xA4093822, 0x299F31D0]) == [
        0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1]


def test_words_are_a_function_of_seed_stream_and_example_alone():
    seed, stream, example = 7, 3, 5_000_000_017
    together = random_bits.random_words(
        RandomSource(seed, tf.constant([2, example, 9], tf.int64)), stream=stream, count=6)
    alone = random_bits.random_words(RandomSource(seed, tf.constant([example], tf.int64)), stream=stream, count=6)
    expected = [word for block in range(2)
                for word in numpy_philox([block, stream, example & 0xFFFFFFFF, example >> 32], (seed, 0))][:6]
    assert alone.numpy()[0].tolist() == expected
    assert together.numpy()[1].tolist() == expected


def test_seed_stream_and_example_each_change_the_numbers():
    def draw(seed, stream, example):
        source = RandomSource(seed, tf.constant([example], tf.int64))
        return tuple(random_bits.random_words(source, stream=stream, count=4).numpy()[0])
    assert len({draw(0, 0, 0), draw(1, 0, 0), draw(0, 1, 0), draw(0, 0, 1), draw(0, 0, 2**32)}) == 5


def test_xla_and_graph_mode_draw_the_same_numbers():
    source = RandomSource(tf.constant(5), tf.range(4, dtype=tf.int64))

    def draw():
        return random_bits.uniform(source, stream=2, count=11)
    np.testing.assert_array_equal(tf.function(draw)(), tf.function(draw, jit_compile=True)())


def test_uniform_numbers_are_uniform_and_independent_of_their_neighbours():
    values = random_bits.uniform(RandomSource(1, tf.range(400, dtype=tf.int64)), stream=0, count=500).numpy()
    assert values.min() >= 0 and values.max() < 1
    counts, _ = np.histogram(values, bins=100, range=(0, 1))
    # Chi-square with 99 degrees of freedom: 160 has a probability below 1e-4.
    assert ((counts - 2000) ** 2 / 2000).sum() < 160
    for left, right in ((values[:, :-1], values[:, 1:]), (values[:-1], values[1:])):
        assert abs(np.corrcoef(left.ravel(), right.ravel())[0, 1]) < 0.01


def test_keep_mask_drops_its_rate():
    mask = random_bits.keep_mask(
        RandomSource(3, tf.range(50, dtype=tf.int64)), stream=20, shape=(40, 101), rate=0.1).numpy()
    assert mask.shape == (50, 40, 101)
    # 202,000 draws: the standard deviation of the rate is 0.00067.
    assert abs(1 - mask.mean() - 0.1) < 0.003
    assert abs(np.corrcoef(mask[:, :, :-1].ravel(), mask[:, :, 1:].ravel())[0, 1]) < 0.01

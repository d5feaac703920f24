"""A tiny world for tests of tasks and serving: a vocabulary of a few words, small networks, reviews of a clear mood."""

import keras
import numpy as np

from electra_tf.config import ElectraConfig
from electra_tf.model.networks import ElectraDiscriminator, ElectraGenerator
from electra_tf.text.vocabulary import SPECIAL_PIECES, Vocabulary

LETTERS = "abcdefghijklmnopqrstuvwxyz"
GOOD, BAD = ("good", "fine", "lovely"), ("bad", "dull", "awful")
OTHERS = ("the", "film", "plot", "was", "and", "a", "very", "scene")
MAX_POSITIONS = 40


def tiny_vocabulary():
    """All letters, alone and continuing a word, and the words above: 5 + 3 + 52 + 13 pieces."""
    words = [word for word in (*GOOD, *BAD, *OTHERS) if len(word) > 1]
    return Vocabulary((*SPECIAL_PIECES, "!", ".", "[", *LETTERS, *(f"##{letter}" for letter in LETTERS), *words))


def tiny_config(**settings):
    """Another number for each size."""
    return ElectraConfig(**{
        "vocabulary_size": tiny_vocabulary().size, "embedding_size": 10, "hidden_size": 18, "num_layers": 2,
        "num_heads": 3, "intermediate_size": 28, "max_positions": MAX_POSITIONS, "generator_size": 0.5, **settings})


def save_networks(folder, *, seed=3):
    """Writes `folder`/discriminator and `folder`/generator, as a pretraining run has them, with random weights."""
    keras.utils.set_random_seed(seed)
    config, vocabulary = tiny_config(), tiny_vocabulary()
    discriminator, generator = ElectraDiscriminator(config), ElectraGenerator(config.generator)
    for network in (discriminator, generator):
        scatter_weights(network, seed=seed)
        network.save_to_preset(folder / network.KIND, vocabulary=vocabulary)
    return folder


def scatter_weights(model, *, seed):
    """Larger weights than an initializer gives, so that a wrong input, order or form changes the answers visibly."""
    random = np.random.default_rng(seed)
    for weight in model.weights:
        weight.assign(weight.numpy() + random.normal(0, 0.3, weight.shape).astype(np.float32))


def reviews(count, *, seed):
    """(texts, labels): 2 to 12 words around one that tells the label."""
    random = np.random.default_rng(seed)
    texts, labels = [], []
    for _ in range(count):
        is_good = random.integers(2)
        words = list(random.choice(OTHERS, random.integers(1, 12)))
        words.insert(random.integers(len(words) + 1), random.choice(GOOD if is_good else BAD))
        texts.append(" ".join(words))
        labels.append("pos" if is_good else "neg")
    return texts, labels


def write_tsv(path, texts, labels):
    """A file with the columns sentence and label."""
    rows = [f"{text}\t{label}\n" for text, label in zip(texts, labels, strict=True)]
    path.write_text("".join(["sentence\tlabel\n", *rows]), encoding="utf-8")
    return path

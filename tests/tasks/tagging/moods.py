"""Sentences in which moods of one to three words are the spans, and files of them."""

import numpy as np

from tests.tasks.tiny import BAD, GOOD, OTHERS


def moods(count, *, seed, longest=12):
    """(sentences, tags): moods of one to three words are the spans."""
    random = np.random.default_rng(seed)
    sentences, tags = [], []
    for _ in range(count):
        words, own = [], []
        while not words or len(words) < random.integers(2, longest):
            kind = random.integers(4)
            if kind < 2:
                length = random.integers(1, 4)
                words += list(random.choice((GOOD, BAD)[kind], length))
                own += [f"B-{('GOOD', 'BAD')[kind]}"] + [f"I-{('GOOD', 'BAD')[kind]}"] * (length - 1)
            words.append(str(random.choice(OTHERS)))
            own.append("O")
        sentences.append(list(map(str, words)))
        tags.append(own)
    return sentences, tags


def write_columns(path, sentences, tags):
    """A file of two columns, an empty line after each sentence."""
    path.write_text("".join("".join(f"{word} {tag}\n" for word, tag in zip(*pair, strict=True)) + "\n"
                            for pair in zip(sentences, tags, strict=True)), encoding="utf-8")
    return path

"""What a generator reaches that knows the word frequencies and nothing else: the first bar it has to pass."""

import numpy as np

from electra_tf.records.dataset import pretraining_dataset

_ROWS, _BATCHES = 512, 16


def unigram_loss(token_counts):
    """Entropy in nats of the distribution with these counts.

    Args:
        token_counts: integer array [vocabulary].

    >>> unigram_loss(np.array([2, 1, 1]))   # 1.04
    """
    shares = token_counts[token_counts > 0] / token_counts.sum()
    return float(-(shares * np.log(shares)).sum())


def count_tokens(data, *, vocabulary, seed):
    """How often each piece stands among the first rows of a run, special pieces left out.

    Args:
        data: folder of records.
        vocabulary: Vocabulary of the records.
        seed: run seed, which decides the order of the rows.

    Returns:
        int64 [vocabulary].

    >>> unigram_loss(count_tokens("records", vocabulary=vocabulary, seed=0))   # 6.7
    """
    counts = np.zeros(vocabulary.size, np.int64)
    for batch in pretraining_dataset(data, batch_size=_ROWS, seed=seed).take(_BATCHES):
        counts += np.bincount(batch["token_ids"].numpy().ravel(), minlength=vocabulary.size)
    counts[[vocabulary.pad_id, vocabulary.cls_id, vocabulary.sep_id, vocabulary.mask_id]] = 0
    return counts

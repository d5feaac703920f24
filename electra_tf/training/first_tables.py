"""What the tables of words and positions start from in a new run, where its settings say so."""

from electra_tf.model.embeddings import sinusoids
from electra_tf.training.cooccurrence import SCALE, cooccurrence_embeddings


def assign_first_tables(pretrainer, *, config, data, vocabulary):
    """Puts counted words and waves into the tables of both networks; what the settings call random stays as it is.

    Args:
        pretrainer: a new ElectraPretrainer.
        config: PretrainingConfig; `first_embeddings` and `first_positions` decide.
        data: folder of records, which the words are counted in.
        vocabulary: Vocabulary of the records.

    >>> assign_first_tables(pretrainer, config=preset("tiny"), data="records", vocabulary=vocabulary)
    """
    for name, table in pretrainer.weights_by_name().items():
        if name.endswith("word_embeddings") and config.first_embeddings == "cooccurrence":
            table.assign(cooccurrence_embeddings(
                data, vocabulary=vocabulary, embedding_size=table.shape[1],
                initializer_range=config.model.initializer_range, seed=config.seed))
        elif name.endswith("position_embeddings") and config.first_positions == "sinusoids":
            table.assign(wave_positions(*table.shape, initializer_range=config.model.initializer_range))


def wave_positions(positions, width, *, initializer_range):
    """A position table to start from in which near places are alike, as strong as counted words.

    Attention has to find the neighbouring places before a masked language model can know more than how frequent words
    are. From random positions that takes it tens of millions of tokens, as each place is learned by itself; from waves,
    one step to the left is the same rotation everywhere (Vaswani et al., 2017, section 3.5).

    Args:
        positions, width: shape of the table.
        initializer_range: standard deviation of the weights that start at random.

    Returns:
        float32 numpy [positions, width].

    >>> wave_positions(512, 128, initializer_range=0.02).std()   # 0.06
    """
    waves = sinusoids(positions, width)
    return waves * (SCALE * initializer_range / waves.std())

"""How many floating point operations a pretraining step takes, by formula; nothing but numbers in and out."""

# The original's script counts the language model's head on this share of the tokens.
_SCRIPTS_MASKED_SHARE = 0.15625


def layer_flops(config, *, sequence_length):
    """Matrix products of one transformer layer for one token, forward; a multiplication with its addition counts 2.

    Args:
        config: ElectraConfig (hidden_size, intermediate_size).
        sequence_length: tokens that it attends to.

    >>> layer_flops(ElectraConfig(), sequence_length=128)   # 1703936
    """
    hidden = config.hidden_size
    return 8 * hidden**2 + 4 * hidden * config.intermediate_size + 4 * sequence_length * hidden


def encoder_flops(config, *, sequence_length):
    """Matrix products of an encoder for one token, forward."""
    project = 2 * config.embedding_size * config.hidden_size * (config.embedding_size != config.hidden_size)
    return config.num_layers * layer_flops(config, sequence_length=sequence_length) + project


def forward_flops(config, *, sequence_length, masked):
    """Matrix products of one forward pass over one row.

    Args:
        config: ElectraConfig of the discriminator.
        sequence_length: tokens in the row.
        masked: slots for masked positions in the row.

    Returns:
        dict of "discriminator" and "generator" (encoders; the discriminator with its head) and
        "language_model_head", which sees the masked positions alone.
    """
    generator, hidden = config.generator, config.hidden_size
    head = 2 * generator.hidden_size * generator.embedding_size + 2 * config.embedding_size * config.vocabulary_size
    return {"discriminator": sequence_length * (
                encoder_flops(config, sequence_length=sequence_length) + 2 * hidden**2 + 2 * hidden),
            "generator": sequence_length * encoder_flops(generator, sequence_length=sequence_length),
            "language_model_head": masked * head}


def training_step_flops(config, *, batch_size, sequence_length, masked):
    """Matrix products of a whole step: backward, each product has two, so a step has three times the forward pass.

    Args:
        config, sequence_length, masked: see `forward_flops`.
        batch_size: rows.

    >>> training_step_flops(ElectraConfig(), batch_size=16, sequence_length=128, masked=19)   # 1.44e11
    """
    return 3 * batch_size * sum(forward_flops(config, sequence_length=sequence_length, masked=masked).values())


def script_flops_of_a_step(config, *, batch_size, sequence_length):
    """What the original's script says of a step, and the paper's tables with it; no processor does this work.

    It counts dense embedding lookups and elementwise work, too, and a step as twice the forward pass.

    Args:
        config: ElectraConfig of the discriminator.
        batch_size, sequence_length: rows, and tokens in each.

    >>> script_flops_of_a_step(preset("small").model, batch_size=128, sequence_length=128)   # 1.2937e12
    """
    generator = config.generator
    embedding, vocabulary = config.embedding_size, config.vocabulary_size
    head = _SCRIPTS_MASKED_SHARE * (
        2 * embedding * vocabulary + 2 * generator.hidden_size * embedding + 14 * embedding + 7 * vocabulary)
    token = (_script_encoder(config, sequence_length) + _script_head(config)
             + _script_encoder(generator, sequence_length) + head)
    return 2 * batch_size * sequence_length * token


def script_flops_of_inference(config, *, sequence_length):
    """What the original's script says of the discriminator on one row."""
    return sequence_length * (_script_encoder(config, sequence_length) + _script_head(config))


def _script_head(config):
    return 2 * config.hidden_size**2 + 11 * config.hidden_size


def _script_encoder(config, length):
    hidden, inner, heads = config.hidden_size, config.intermediate_size, config.num_heads
    embedding = config.embedding_size
    lookup = 2 * embedding * config.vocabulary_size + 2 * embedding * (length + 2) + 11 * embedding
    project = (2 * hidden * embedding + hidden) * (embedding != hidden)
    attention = 6 * hidden**2 + 3 * hidden + 4 * hidden * length + 10 * length * heads
    # LayerNorm after the attention counts 5, after the feed-forward layers 5 for each number: the script's slip.
    attention_output = 2 * hidden**2 + 6 * hidden + 5
    feed_forward = 4 * hidden * inner + 9 * inner + 11 * hidden
    return lookup + project + config.num_layers * (attention + attention_output + feed_forward)

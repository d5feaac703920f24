"""A tiny world for tests of pretraining: a language of 190 words, records of short documents, two small networks."""

import itertools
import pathlib
import random

from electra_tf.config import ElectraConfig, OptimizerConfig, PretrainingConfig, replace
from electra_tf.records.builder import build_pretraining_data
from electra_tf.text.vocabulary import SPECIAL_PIECES, Vocabulary

WORDS = ["".join(pair) for pair in itertools.product(
    ["ba", "co", "du", "fe", "gi", "lo", "nu", "pe", "ra", "so", "ti", "va", "wo", "ya"], repeat=2)][:190]


def tiny_vocabulary():
    """Every word is one piece."""
    return Vocabulary((*SPECIAL_PIECES, *WORDS))


def write_records(folder, *, documents=400, words=WORDS, seed=1):
    """Builds records of rows of 12 tokens, many of them padded, and returns the folder.

    Each word is mostly followed by the next one or two of the list, so there is something to learn.
    """
    choices = random.Random(seed)
    texts = []
    for _ in range(documents):
        number = choices.randrange(len(words))
        text = []
        for _ in range(choices.randint(3, 14)):
            text.append(words[number % len(words)])
            number += choices.choice([1, 1, 1, 2, choices.randrange(len(words))])
        texts.append(" ".join(text))
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "corpus.txt").write_text("\n\n".join(texts) + "\n")
    build_pretraining_data(folder / "corpus.txt", vocabulary=tiny_vocabulary(), sequence_length=12,
                           output=folder / "records", seed=3, validation_fraction=0.1)
    return folder / "records"


def tiny_config(**settings):
    """Another number for each size; dropout, clipping and padding are all at work.

    Args:
        **settings: fields of PretrainingConfig; `model` and `optimizer` may be dictionaries of some of their fields.
    """
    model = ElectraConfig(
        vocabulary_size=195, embedding_size=10, hidden_size=16, num_layers=2, num_heads=2, intermediate_size=24,
        max_positions=14, generator_size=0.5)
    config = PretrainingConfig(
        model=model, optimizer=OptimizerConfig(learning_rate=1e-3, warmup_steps=0), batch_size=8, train_steps=40,
        checkpoint_steps=5, log_steps=10, evaluation_steps=40, evaluation_batches=3, keep_checkpoints=2, seed=7,
        precision="float32")
    nested = {name: replace(getattr(config, name), **settings.pop(name))
              for name in ("model", "optimizer", "masking") if isinstance(settings.get(name), dict)}
    return replace(config, **nested, **settings)


def flags_of(config, *, data, output):
    """The command line flags of experiments/pretrain.py that mean just this config."""
    groups = {"model", "masking", "objective", "optimizer"}
    flags = [f"--data={data}", f"--output={output}", "--preset=tiny"]
    for name, value in vars(config).items():
        if name in groups:
            flags += [f"--set={name}.{inner}={setting}" for inner, setting in vars(value).items()]
        elif value is not None:
            flags.append(f"--{name}={value}")
    return flags


def starts_alone(monkeypatch):
    """Makes `pretrain` stop before its first update; gives a list that gets the weights by name of each run."""
    started = []

    class StandStill:
        step, is_finished = 0, False

        def __init__(self, pretrainer, **_):
            started.append({name: weight.numpy() for name, weight in pretrainer.weights_by_name().items()})

        def train(self, *_, **__):
            pass

    monkeypatch.setattr("electra_tf.training.pretrain.Trainer", StandStill)
    return started

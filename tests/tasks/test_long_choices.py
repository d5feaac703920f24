"""Long texts of multiple choice: every window is seen with every ending, and the windows' scores answer together."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from electra_tf.model.encoder import ElectraEncoder
from electra_tf.tasks.ensemble import ChoiceEnsemble
from electra_tf.tasks.long_texts import EncodedWindows
from electra_tf.tasks.multiple_choice import ElectraMultipleChoice, EncodedChoices, context_windows
from electra_tf.tasks.text_batches import evaluation_dataset, training_dataset
from electra_tf.text.preprocessor import TextPreprocessor
from tests.tasks.tiny import OTHERS, scatter_weights, tiny_config, tiny_vocabulary

LENGTH = 14
ENDINGS = ("good", "the plot was bad", "a dull scene")
LONGEST = 4  # pieces of an ending


def chooser(long_text, *, stride=None, seed=1, num_choices=3):
    keras.utils.set_random_seed(seed)
    model = ElectraMultipleChoice(ElectraEncoder(tiny_config()), num_choices=num_choices, long_text=long_text,
                                  preprocessor=TextPreprocessor(tiny_vocabulary(), LENGTH), stride=stride)
    scatter_weights(model, seed=seed)
    return model


def mixed_texts(*, longest=60):
    """Twenty texts of up to `longest` words, one empty and one of 400 words, each with the endings in another order."""
    random = np.random.default_rng(5)
    words = (*OTHERS, "good", "awful")
    lengths = (*random.integers(0, longest, 19), 0, *([400] if longest > 10 else []))
    return [(" ".join(random.choice(words, length)), tuple(random.permutation(ENDINGS))) for length in lengths]


@pytest.mark.parametrize("num_pieces", [0, 1, 6, 7, 8, 30, 31])
@pytest.mark.parametrize("longest_ending", [0, 4, 5, 90])
@pytest.mark.parametrize("stride", [None, 1, 3, 50])
def test_windows_leave_no_piece_out_and_fit_beside_the_longest_ending(num_pieces, longest_ending, stride):
    windows = context_windows(list(range(num_pieces)), longest_ending=longest_ending, sequence_length=LENGTH,
                              stride=stride)
    room = LENGTH - 3 - min(longest_ending, (LENGTH - 3) // 2)
    assert all(len(window) <= room for window in windows) and (len(windows) == 1) == (num_pieces <= room)
    assert windows[0] == list(range(min(num_pieces, room)))
    assert sorted({piece for window in windows for piece in window}) == list(range(num_pieces))
    step = min(stride, room) if stride else -(-3 * room // 4)
    assert [window[0] for window in windows if window] == list(range(0, num_pieces, step))[:len(windows)]


@pytest.mark.parametrize("long_text, stride", [("mean", None), ("max", 3), ("first", None)])
def test_the_answer_is_that_of_the_pooled_scores_of_all_windows(long_text, stride):
    model, texts = chooser(long_text, stride=stride), mixed_texts()
    room, step = LENGTH - 3 - LONGEST, stride or 6
    windows, text_of = [], []
    for number, (text, endings) in enumerate(texts):
        words = text.split()
        for start in range(0, max(len(words) - room, 0) + step, step):
            windows.append((" ".join(words[start:start + room]), endings))
            text_of.append(number)
    plain = chooser("truncate").encode(windows)
    logits = model(plain.batch(np.arange(len(plain)), batch_size=len(plain))).numpy()
    reduce = {"mean": np.mean, "max": np.max, "first": lambda rows, axis: rows[0]}[long_text]
    pooled = np.array([reduce(logits[np.array(text_of) == number], axis=0) for number in range(len(texts))])
    answers = model.predict(texts, verbose=0)
    np.testing.assert_allclose(answers, tf.nn.softmax(pooled), atol=1e-5)
    labels = np.arange(len(texts)) % 3
    found = model.evaluate(texts, labels, verbose=0, return_dict=True)
    assert found["loss"] == pytest.approx(-np.log(answers[np.arange(len(texts)), labels]).mean(), rel=1e-4)
    first = chooser("first", stride=stride).predict(texts, verbose=0)
    assert (np.abs(answers[-1] - first[-1]).max() > 1e-3) == (long_text != "first")


def test_short_texts_are_read_as_ever():
    texts = mixed_texts(longest=7)
    long, usual = (chooser(name).encode(texts) for name in ("mean", "truncate"))
    assert type(long) is type(usual) is EncodedChoices
    np.testing.assert_array_equal(long.token_ids, usual.token_ids)
    np.testing.assert_array_equal(long.choice_lengths, usual.choice_lengths)


def test_one_window_of_each_text_with_all_its_endings_is_trained_on_in_each_epoch():
    encoded = chooser("mean", stride=4).encode(mixed_texts())
    assert isinstance(encoded, EncodedWindows) and encoded.num_windows.max() == 100
    rows_of = {row.tobytes(): place for place, row in enumerate(encoded.windows.token_ids)}
    seen = set()
    for epoch in range(60):
        rows = encoded.of_epoch(seed=0, epoch=epoch)
        assert isinstance(rows, EncodedChoices) and len(rows) == 21
        places = [rows_of[row.tobytes()] for row in rows.token_ids]
        seen.update(places)
        if epoch == 0:
            first = places
    assert len(seen) > 0.7 * len(rows_of) and first != places
    features, labels = next(iter(training_dataset(encoded, np.zeros(21, np.int32), batch_size=21, seed=0)))
    assert features["token_ids"].shape == (21, 3, LENGTH) and labels.shape == (21,)
    shapes = [features["token_ids"].shape for features, _ in evaluation_dataset(encoded, batch_size=8)]
    assert {shape[2:] for shape in shapes} <= {(3, 8), (3, LENGTH)}
    assert all(texts * windows <= 8 or texts == 1 for texts, windows, *_ in shapes)


def test_training_runs_on_long_texts():
    model, texts = chooser("max"), mixed_texts()
    labels = [endings.index("good") for _, endings in texts]
    history = model.fit(texts, labels, batch_size=7, epochs=8, validation_data=(texts, labels), verbose=0).history
    assert history["loss"][-1] < history["loss"][0]
    assert history["val_loss"][-1] == pytest.approx(model.evaluate(texts, labels, verbose=0)[0], rel=1e-4)


def test_an_ensemble_pools_the_mean_of_its_members_and_keeps_how_long_texts_are_read(tmp_path):
    members, texts = [chooser("max", seed=seed) for seed in (1, 2)], mixed_texts()
    ensemble = ChoiceEnsemble(members)
    encoded = members[0].encode(texts)
    rows = encoded.windows.batch(np.arange(len(encoded.windows)), batch_size=len(encoded.windows))
    mean = np.mean([member(rows) for member in members], axis=0)
    pooled = [part.max(axis=0) for part in np.split(mean, encoded.starts[1:-1])]
    np.testing.assert_allclose(ensemble.predict(texts, verbose=0), tf.nn.softmax(np.array(pooled)), atol=1e-5)
    ensemble.save_to_preset(tmp_path / "ensemble")
    again = ChoiceEnsemble.from_preset(tmp_path / "ensemble")
    assert again.long_text == "max"
    np.testing.assert_allclose(again.predict(texts, verbose=0), ensemble.predict(texts, verbose=0), atol=1e-5)

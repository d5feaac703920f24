"""Each way in which a run learns nothing is told with its cause; young and healthy runs hear nothing."""

import math

import numpy as np
import pytest

from electra_tf.training.baselines import count_tokens, unigram_loss
from electra_tf.training.collapse import collapse_warnings
from tests.training.tiny_run import tiny_vocabulary, write_records

UNIGRAM = 6.7
CONSTANT_GUESS = 0.4


def make_log(numbers, *, million_tokens=100, lines=400):
    """A log of `lines` train records, the given numbers as functions of the share done, the others healthy."""
    healthy = {"generator_loss": lambda done: 3.5 + 5.5 * math.exp(-30 * done),
               "sampled_originals": lambda done: 0.35 * done, "constant_guess_loss": lambda done: CONSTANT_GUESS,
               "discriminator_loss": lambda done: CONSTANT_GUESS * (0.985 - 0.3 * done),
               "replaced_fraction": lambda done: 0.12}
    records = [{"event": "start", "step": 0, "tokens": 0, "resumed_step": 0, "unigram_loss": UNIGRAM}]
    for number in range(1, lines + 1):
        done = number / lines
        records.append({"event": "train", "step": 50 * number, "steps": 50,
                        "tokens": round(million_tokens * 1e6 * done),
                        **{name: value(done) for name, value in {**healthy, **numbers}.items()}})
    return records


def causes(log, *, warmup_steps=200, **options):
    return [warning.cause for warning in collapse_warnings(log, warmup_steps=warmup_steps, **options)]


AT_CONSTANT_GUESS = {"discriminator_loss": lambda done: CONSTANT_GUESS * 0.999}
AT_UNIGRAM = {"generator_loss": lambda done: UNIGRAM * 1.01}
RISING = {"generator_loss": lambda done: 5.0 if done < 0.6 else 6.0}
ONLY_ORIGINALS = {"sampled_originals": lambda done: 0.99, "replaced_fraction": lambda done: 0.0015}


@pytest.mark.parametrize(("numbers", "cause", "words"), [
    (AT_CONSTANT_GUESS, "discriminator_at_constant_guess",
     ["loss is 0.3996 after 100 M tokens", "0.4000", "learning rate is too high", "optimizer.warmup_steps"]),
    (AT_UNIGRAM, "generator_does_not_learn",
     ["loss is 6.77 after 100 M tokens", "6.70", "learning rate is too low or far too high", "[UNK] rate"]),
    (RISING, "generator_rises", ["from 5.00 to 6.00", "learning rate is too high", "batch_size"]),
    (ONLY_ORIGINALS, "generator_samples_only_originals",
     ["99% of the generator's samples", "0.15% of all tokens", "mask_symbol_rate", "generator_size"])])
def test_each_cause_is_told_with_its_numbers_and_a_remedy(numbers, cause, words):
    found = collapse_warnings(make_log(numbers), warmup_steps=200)
    assert [warning.cause for warning in found] == [cause]
    for word in words:
        assert word in found[0].message


def test_a_healthy_run_hears_nothing_at_any_moment():
    log = make_log({})
    for length in range(0, len(log), 7):
        assert causes(log[:length]) == []


@pytest.mark.parametrize("numbers", [AT_CONSTANT_GUESS, AT_UNIGRAM])
def test_a_run_of_two_minutes_hears_nothing_though_it_has_learned_nothing_yet(numbers):
    log = make_log(numbers, million_tokens=4)
    for length in range(len(log)):
        assert causes(log[:length]) == []


@pytest.mark.parametrize("numbers", [AT_CONSTANT_GUESS, AT_UNIGRAM, ONLY_ORIGINALS])
def test_nothing_is_told_during_the_warmup(numbers):
    log = make_log(numbers)
    assert causes(log, warmup_steps=log[-1]["step"]) == []


def test_a_small_batch_whose_numbers_jump_is_not_mistaken_for_a_rise():
    random = np.random.default_rng(0)
    log = make_log({"generator_loss": lambda done: 6.0 + random.normal(0, 0.4)}, million_tokens=4)
    for length in range(len(log)):
        assert causes(log[:length]) == []


def test_one_good_window_among_the_last_three_silences_the_warning():
    better_at_last = {"discriminator_loss": lambda done: CONSTANT_GUESS * (0.9 if done > 0.995 else 0.999)}
    assert causes(make_log(better_at_last)) == []


def test_a_log_without_word_frequencies_is_judged_by_the_rest():
    log = make_log({**AT_UNIGRAM, **AT_CONSTANT_GUESS})[1:]
    assert causes(log) == ["discriminator_at_constant_guess"]


def test_unigram_loss_is_the_entropy_of_the_counts():
    assert unigram_loss(np.array([2, 1, 0, 1])) == pytest.approx(1.5 * math.log(2))
    assert unigram_loss(np.full(8192, 3)) == pytest.approx(math.log(8192))


def test_words_are_counted_and_special_pieces_are_not(tmp_path):
    vocabulary = tiny_vocabulary()
    words = list(vocabulary.pieces[5:8])
    counts = count_tokens(write_records(tmp_path, documents=60, words=words), vocabulary=vocabulary, seed=0)
    assert set(np.flatnonzero(counts)) == {5, 6, 7}
    assert unigram_loss(counts) == pytest.approx(math.log(3), abs=0.05)


@pytest.mark.parametrize("numbers", [AT_UNIGRAM, RISING])
def test_a_generator_whose_loss_need_not_fall_is_not_blamed(numbers):
    assert causes(make_log(numbers)) and not causes(make_log(numbers), generator_learns=False)


def test_where_nothing_is_asked_of_a_discriminator_it_is_not_blamed():
    numbers = {"constant_guess_loss": lambda done: 0.0, "discriminator_loss": lambda done: 5.0}
    assert causes(make_log(numbers)) == []

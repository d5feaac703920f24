"""Each augmentation against plain Python on lists, its rates, and what it must never touch."""

import itertools
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from electra_tf.config import AugmentationConfig, FineTuningConfig, replace
from electra_tf.errors import InputError
from electra_tf.model.networks import ElectraGenerator
from electra_tf.objective.random_bits import RandomSource
from electra_tf.tasks.augmentation import (
    Tokens,
    augment,
    augmenter,
    delete_tokens,
    generator_proposals,
    insert_places,
    swap_tokens,
)
from electra_tf.tasks.multiple_choice import ElectraMultipleChoice
from electra_tf.tasks.question_answering.question_answerer import ElectraQuestionAnswerer
from electra_tf.tasks.tagging.token_classification import ElectraTokenClassifier
from electra_tf.tasks.text_classification import ElectraTextClassifier
from electra_tf.text.vocabulary import SPECIAL_PIECES, Vocabulary
from tests.tasks.tiny import reviews, save_networks, tiny_config, tiny_vocabulary

CLS, SEP, MASK = (tiny_vocabulary().id_of(piece) for piece in ("[CLS]", "[SEP]", "[MASK]"))
ALL = {"deletion_rate": 0.2, "swap_rate": 0.3, "insertion_rate": 0.2, "replacement_rate": 0.2}
LONGEST = 24


def batch_of(pairs, length):
    """Tokens of (first, second) lists of ids; None for a single text."""
    rows = []
    for first, second in pairs:
        ids = [CLS, *first, SEP, *([] if second is None else [*second, SEP])]
        rows.append((ids, [0] * (len(first) + 2) + [1] * (len(ids) - len(first) - 2), [1] * len(ids)))
    return Tokens(*(tf.constant([row[part] + [0] * (length - len(row[part])) for row in rows]) for part in range(3)))


def texts_of(tokens):
    """The reverse: (first, second) of every row, after checking that its frame stands."""
    found = []
    for ids, segments, mask in zip(*(np.asarray(part).tolist() for part in tokens), strict=True):
        count = sum(mask)
        assert mask == [1] * count + [0] * (len(mask) - count) and not any(ids[count:]) and not any(segments[count:])
        if not count:
            found.append(None)
            continue
        assert segments[:count] == sorted(segments[:count]) and ids[0] == CLS
        ends = [place for place in range(count) if ids[place] == SEP]
        assert ends[-1] == count - 1 and [segments[place] for place in ends] == [0, 1][:len(ends)]
        found.append((ids[1:ends[0]], ids[ends[0] + 1:ends[1]] if len(ends) == 2 else None))
    return found


def random_pairs(count, *, seed):
    """Pairs and single texts in which no token stands twice, and an empty row at the end."""
    random, pairs = np.random.default_rng(seed), []
    for row in range(count):
        ids = (random.permutation(50) + 8).tolist()
        first, second = random.integers(1, 9, 2)
        pairs.append((ids[:first], ids[first:first + second] if row % 3 else None))
    return pairs


PAIRS = random_pairs(300, seed=0)
LENGTH = 20
UNIFORMS = np.random.default_rng(1).random((len(PAIRS), LENGTH), np.float32)
FIXED = {"fixed_ids": (CLS, SEP)}


def numbers_of(pairs):
    """The uniform number of every token, as lists beside the texts."""
    return [(row[1:1 + len(first)].tolist(), None if second is None else
             row[2 + len(first):2 + len(first) + len(second)].tolist())
            for (first, second), row in zip(pairs, UNIFORMS, strict=True)]


def test_deletion_is_that_of_lists_and_no_text_is_emptied():
    def deleted(text, numbers):
        kept = text and [token for token, number in zip(text, numbers, strict=True) if number >= 0.6]
        return kept or text
    expected = [tuple(map(deleted, pair, numbers)) for pair, numbers in zip(PAIRS, numbers_of(PAIRS), strict=True)]
    got = texts_of(delete_tokens(batch_of(PAIRS, LENGTH), UNIFORMS, rate=0.6, **FIXED))
    assert got == expected
    assert sum(len(first) for first, _ in got) < sum(len(first) for first, _ in PAIRS)


def test_swapping_is_that_of_lists():
    expected = []
    for (first, second), numbers in zip(PAIRS, numbers_of(PAIRS), strict=True):
        tokens = [*first, *(second or [])]
        chosen = [place for place, number in enumerate([*numbers[0], *(numbers[1] or [])]) if number < 0.5]
        for one, other in zip(chosen[::2], chosen[1::2], strict=False):
            if (one < len(first)) == (other < len(first)):
                tokens[one], tokens[other] = tokens[other], tokens[one]
        expected.append((tokens[:len(first)], second and tokens[len(first):]))
    got = texts_of(swap_tokens(batch_of(PAIRS, LENGTH), UNIFORMS, rate=0.5, **FIXED))
    assert got == expected and got != PAIRS


def test_insertion_is_that_of_lists_and_ends_where_there_is_no_room():
    expected = []
    for (first, second), numbers in zip(PAIRS, numbers_of(PAIRS), strict=True):
        room = LONGEST - len(first) - 2 - (0 if second is None else len(second) + 1)
        texts = []
        for text, chances in zip((first, second), numbers, strict=True):
            made = None if text is None else []
            for token, chance in zip(text or [], chances or [], strict=True):
                made.append(token)
                if chance < 0.7 and room:
                    made.append(token)
                    room -= 1
            texts.append(made)
        expected.append(tuple(texts))
    tokens, is_new = insert_places(batch_of(PAIRS, LENGTH), UNIFORMS, rate=0.7, longest=LONGEST, **FIXED)
    assert texts_of(tokens) == expected and tokens.token_ids.shape[1] == LONGEST
    repeats = np.asarray(tokens.token_ids)[:, 1:] == np.asarray(tokens.token_ids)[:, :-1]
    repeats &= np.asarray(tokens.padding_mask)[:, 1:] == 1
    np.testing.assert_array_equal(np.asarray(is_new)[:, 1:], repeats)


def test_a_batch_grows_only_as_far_as_it_must_and_is_never_cut():
    short = batch_of([([9, 10], None)], 5)
    tokens, _ = insert_places(short, np.zeros((1, 5), np.float32), rate=0.5, longest=128, **FIXED)
    assert texts_of(tokens) == [([9, 9, 10, 10], None)] and tokens.token_ids.shape[1] == 8
    tokens, is_new = insert_places(short, np.zeros((1, 5), np.float32), rate=0.5, longest=3, **FIXED)
    assert texts_of(tokens) == [([9, 10], None)] and not np.any(is_new)


def source_of(rows, *, seed=3, step=0):
    return RandomSource(tf.constant(seed), tf.range(rows, dtype=tf.int64) + step * 2**24)


def augmented(pairs, config, *, length=LENGTH, generator=None, **source):
    return texts_of(augment(batch_of(pairs, length), source_of(len(pairs), **source), config=config,
                            vocabulary=tiny_vocabulary(), longest=128, generator=generator))


# 4000 texts of 12 tokens: a share p is found within 4 standard deviations, sqrt(p (1 - p) / 48000).
MANY = [(list(range(10, 22)), None)] * 4000


def within_four_deviations(share, rate):
    return abs(share - rate) < 4 * (rate * (1 - rate) / (12 * len(MANY))) ** 0.5


@pytest.mark.parametrize("new_tokens", ["mask", "random"])
def test_replacement_has_its_rate_and_its_tokens(new_tokens):
    got = augmented(MANY, AugmentationConfig(replacement_rate=0.2, new_tokens=new_tokens))
    rows = np.array([first for first, _ in got])
    if new_tokens == "mask":
        is_new = rows == MASK
        assert ((rows == np.arange(10, 22)) | is_new).all()
        assert within_four_deviations(is_new.mean(), 0.2)
        assert np.abs(is_new.mean(axis=0) - 0.2).max() < 0.03  # every place alike
    else:
        vocabulary = tiny_vocabulary()
        ordinary = vocabulary.size - len(SPECIAL_PIECES)
        assert within_four_deviations((rows != np.arange(10, 22)).mean(), 0.2 * (1 - 1 / ordinary))
        drawn = np.bincount(rows[rows != np.arange(10, 22)], minlength=vocabulary.size)
        special = [vocabulary.id_of(piece) for piece in SPECIAL_PIECES]
        assert not drawn[special].any()
        counts = np.delete(drawn, [*special, *range(10, 22)])
        assert counts.min() > 0.6 * counts.mean() and counts.max() < 1.4 * counts.mean()


def test_deletion_and_insertion_have_their_rates():
    kept = sum(len(first) for first, _ in augmented(MANY, AugmentationConfig(deletion_rate=0.1))) / (12 * len(MANY))
    assert within_four_deviations(kept, 0.9)
    grown = augmented(MANY, AugmentationConfig(insertion_rate=0.15))
    assert within_four_deviations(sum(first.count(MASK) for first, _ in grown) / (12 * len(MANY)), 0.15)
    assert all([token for token in first if token != MASK] == MANY[0][0] for first, _ in grown)


def test_swapping_keeps_the_tokens_and_moves_a_share_of_them():
    rows = np.array([first for first, _ in augmented(MANY, AugmentationConfig(swap_rate=0.2))])
    np.testing.assert_array_equal(np.sort(rows, axis=1), np.tile(MANY[0][0], (len(MANY), 1)))
    # A row with k chosen tokens moves k of them, or k - 1 where k is odd: E = (n p - P(odd)) / n.
    odd = (1 - (1 - 2 * 0.2) ** 12) / 2
    assert (rows != np.arange(10, 22)).mean() == pytest.approx(0.2 - odd / 12, abs=0.01)


@pytest.mark.parametrize("new_tokens", ["mask", "random"])
def test_frames_stand_under_all_at_once_and_rows_do_not_depend_on_their_neighbours(new_tokens):
    config = AugmentationConfig(**ALL, new_tokens=new_tokens)
    pairs = [*PAIRS, ([], None)]
    got = augmented(pairs, config)   # texts_of checks the frames
    assert got[-1] == ([], None) and sum(one != other for one, other in zip(got, pairs, strict=True)) > 250
    assert got == augmented(pairs, config, length=40) and got[:7] == augmented(pairs[:7], config)
    assert got != augmented(pairs, config, seed=4) and got != augmented(pairs, config, step=1)


def test_rows_that_only_fill_a_batch_stay_empty():
    tokens = Tokens(*(tf.pad(part, [[0, 2], [0, 0]]) for part in batch_of(PAIRS[:3], LENGTH)))
    changed = augment(tokens, source_of(5), config=AugmentationConfig(**ALL), vocabulary=tiny_vocabulary(), longest=40)
    assert texts_of(changed)[3:] == [None, None]


def test_the_spare_pieces_of_a_vocabulary_are_not_drawn():
    vocabulary = Vocabulary((*SPECIAL_PIECES, "[unused0]", "[unused1]", "a", "b"))
    tokens = augment(batch_of([([7] * 9, None)] * 50, 12), source_of(50), vocabulary=vocabulary, longest=12,
                     config=AugmentationConfig(replacement_rate=0.9, new_tokens="random"))
    assert set(itertools.chain(*(first for first, _ in texts_of(tokens)))) == {7, 8}


# --- the generator's own samples -----------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return save_networks(tmp_path_factory.mktemp("run"))


def test_a_generator_proposes_from_its_distribution_at_the_masks(run):
    """Its samples against the softmax of its own logits over what may be proposed, chi-squared."""
    generator = ElectraGenerator.from_preset(run / "generator")
    for weight in generator.head.weights:
        weight.assign(weight * 0.2)  # a flatter distribution
    rows, allowed = 3000, list(range(5, 20))
    tokens = batch_of([([9, MASK, 11, MASK], None)] * rows, 7)
    is_new = tf.equal(tokens.token_ids, MASK)
    uniforms = np.random.default_rng(0).random((rows, 7), np.float32)
    proposed = np.asarray(generator_proposals(generator, tokens, is_new, uniforms, allowed_ids=allowed))
    assert not proposed[~np.asarray(is_new)].any()
    logits = np.asarray(generator({name: part[:1] for name, part in tokens._asdict().items()}))[0].astype(float)
    for place in (2, 4):
        expected = np.exp(logits[place, allowed] - logits[place, allowed].max())
        expected *= rows / expected.sum()
        counts = np.bincount(proposed[:, place], minlength=20)[allowed]
        common = expected > 5
        assert common.sum() > 3 and counts.sum() == rows
        distance = ((counts - expected)[common] ** 2 / expected[common]).sum()
        assert distance < common.sum() + 5 * (2 * common.sum()) ** 0.5


def test_generator_samples_replace_and_fill_in(run):
    config = AugmentationConfig(**ALL, new_tokens="generator", generator=str(run))
    change = augmenter(config, vocabulary=tiny_vocabulary(), longest=40)
    features = batch_of(PAIRS[:40], LENGTH)._asdict()
    changed = change(features, source_of(40))
    masked = augmenter(replace(config, new_tokens="mask", generator=""), vocabulary=tiny_vocabulary(), longest=40)(
        features, source_of(40))
    is_new = np.asarray(masked["token_ids"]) == MASK
    assert is_new.sum() > 50
    samples = np.asarray(changed["token_ids"])
    np.testing.assert_array_equal(samples[~is_new], np.asarray(masked["token_ids"])[~is_new])
    special = [tiny_vocabulary().id_of(piece) for piece in SPECIAL_PIECES]
    assert not np.isin(samples[is_new], special).any() and len(set(samples[is_new].tolist())) > 2


@pytest.mark.parametrize("new_tokens", ["random", "generator"])
def test_a_graph_for_any_shape_does_the_same(run, new_tokens):
    config = AugmentationConfig(**ALL, new_tokens=new_tokens, generator=str(run) if new_tokens == "generator" else "")
    change = augmenter(config, vocabulary=tiny_vocabulary(), longest=40)
    features = {name: tf.TensorSpec([None, None], tf.int32) for name in Tokens._fields}
    graph = tf.function(lambda features, index: change(features, RandomSource(tf.constant(3), index)),
                        input_signature=(features, tf.TensorSpec([None], tf.int64)))
    for rows, length in ((9, LENGTH), (4, 25)):
        batch = batch_of(PAIRS[:rows], length)._asdict()
        eager, compiled = change(batch, source_of(rows)), graph(batch, tf.range(rows, dtype=tf.int64))
        for name, values in eager.items():
            np.testing.assert_array_equal(values, compiled[name])


def test_a_batch_in_which_nothing_is_chosen_needs_no_sample(run):
    config = AugmentationConfig(replacement_rate=1e-6, new_tokens="generator", generator=str(run / "generator"))
    features = batch_of(PAIRS[:3], LENGTH)._asdict()
    changed = augmenter(config, vocabulary=tiny_vocabulary(), longest=40)(features, source_of(3))
    np.testing.assert_array_equal(changed["token_ids"], features["token_ids"])


def test_a_generator_that_does_not_fit_is_refused(run, tmp_path):
    def refused(folder, message, longest=20):
        with pytest.raises(InputError, match=message):
            augmenter(AugmentationConfig(replacement_rate=0.1, new_tokens="generator", generator=str(folder)),
                      vocabulary=tiny_vocabulary(), longest=longest)
    refused(run / "generator", "it has 40 positions, fewer than sequence_length=41", longest=41)
    refused(run / "discriminator", "holds a model of kind 'discriminator', not 'generator'")
    refused(tmp_path / "missing", "missing is not a model folder")
    other = ElectraGenerator(tiny_config().generator)
    other.save_to_preset(tmp_path / "other", vocabulary=Vocabulary(tiny_vocabulary().pieces[:-1]))
    refused(tmp_path / "other", "its vocabulary is not the model's; give the generator of the same pretraining")


# --- in training -----------------------------------------------------------------------------------------------------

ALL_MASKS = AugmentationConfig(replacement_rate=0.999)


def seen_in_training(model, x, y, settings):
    """What the encoder is shown in each update of one epoch."""
    seen, call = [], model.encoder.call

    def watched(inputs, *others, training=False, **rest):
        if training:
            seen.append({name: np.asarray(values) for name, values in inputs.items()})
        return call(inputs, *others, training=training, **rest)

    model.encoder.call = watched
    model.compile(settings=settings, run_eagerly=True)
    model.fit(x, y, verbose=0)
    return seen


def test_texts_are_changed_in_training_alone_and_differently_in_every_epoch(run):
    texts, labels = reviews(6, seed=0)
    classifier = ElectraTextClassifier.from_preset(run / "discriminator", labels=["neg", "pos"])
    before = classifier.predict(texts, verbose=0)
    settings = FineTuningConfig(batch_size=6, epochs=2, learning_rate=1e-9,
                                augmentation=AugmentationConfig(replacement_rate=0.5))
    seen = seen_in_training(classifier, texts, labels, settings)
    masks = [(batch["token_ids"] == MASK) for batch in seen]
    assert len(seen) == 2 and all(0.2 < mask.mean() < 0.7 for mask in masks)
    assert masks[0].shape != masks[1].shape or (masks[0] != masks[1]).any()
    np.testing.assert_allclose(classifier.predict(texts, verbose=0), before, atol=1e-5)


def test_the_choices_of_a_text_are_changed_each_by_itself(run):
    model = ElectraMultipleChoice.from_preset(run / "discriminator", num_choices=2)
    x = [("the film was very good", ("a fine plot", "a fine plot")), ("the scene", ("dull", "dull"))]
    seen, = seen_in_training(model, x, [0, 1], FineTuningConfig(
        epochs=1, batch_size=2, augmentation=AugmentationConfig(replacement_rate=0.5)))
    assert seen["token_ids"].shape[0] == 4 and (seen["token_ids"][0] != seen["token_ids"][1]).any()
    assert (seen["token_ids"] == MASK).any()


def test_labels_of_single_tokens_and_models_without_vocabulary_are_refused(run):
    tagger = ElectraTokenClassifier.from_preset(run / "discriminator", labels=["O", "B-LOC", "I-LOC"])
    for model in (tagger, ElectraQuestionAnswerer.from_preset(run / "discriminator", sequence_length=40)):
        with pytest.raises(InputError, match=f"augmentation moves and changes tokens, and the labels of a {model.KIND} "
                                             "belong to single tokens; leave the rates of augmentation at 0"):
            model.compile(settings=FineTuningConfig(augmentation=ALL_MASKS))
    without = ElectraTextClassifier(tagger.encoder, labels=["a", "b"])
    with pytest.raises(InputError, match="augmentation needs the model's vocabulary"):
        without.compile(settings=FineTuningConfig(augmentation=ALL_MASKS))


def test_nothing_of_the_generator_is_saved_with_the_model(run, tmp_path):
    classifier = ElectraTextClassifier.from_preset(run / "discriminator", labels=["neg", "pos"])
    weights = len(classifier.weights)
    classifier.compile(settings=FineTuningConfig(augmentation=AugmentationConfig(
        replacement_rate=0.3, new_tokens="generator", generator=str(pathlib.Path(run)))))
    assert len(classifier.weights) == weights and classifier.jit_compile is False

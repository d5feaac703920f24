"""Batches for training: whole epochs, any starting point, the held-out split, damaged records."""

import itertools
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from electra_tf.errors import InputError
from electra_tf.records import dataset as dataset_module
from electra_tf.records.builder import build_pretraining_data
from electra_tf.records.dataset import pretraining_dataset
from electra_tf.records.order import spans_from
from electra_tf.text.vocabulary import Vocabulary
from tests.records.conftest import WORDS, read_rows

NAMES = ["example_index", "padding_mask", "segment_ids", "token_ids"]


def batches(folder, count=None, **settings):
    """Batches as {name: array}."""
    return [{name: value.numpy() for name, value in batch.items()}
            for batch in itertools.islice(pretraining_dataset(folder, **settings), count)]


def examples(folder, count, *, batch_size=7, **settings):
    """The first `count` examples as {name: array}, whatever the batches are."""
    found = batches(folder, -(-count // batch_size), batch_size=batch_size, **settings)
    return {name: np.concatenate([batch[name] for batch in found])[:count] for name in NAMES}


def assert_equal(ours, theirs):
    assert sorted(ours) == sorted(theirs) == NAMES
    for name in NAMES:
        np.testing.assert_array_equal(ours[name], theirs[name])


def sorted_rows(token_ids):
    return sorted(map(tuple, np.asarray(token_ids).tolist()))


def test_batches_have_static_shapes_and_the_types_of_the_contract(records):
    dataset = pretraining_dataset(records[0], batch_size=5)
    assert {name: (spec.shape.as_list(), spec.dtype.name) for name, spec in dataset.element_spec.items()} == {
        "token_ids": ([5, 24], "int32"), "segment_ids": ([5, 24], "int32"), "padding_mask": ([5, 24], "int32"),
        "example_index": ([5], "int64")}
    assert dataset.cardinality() == tf.data.UNKNOWN_CARDINALITY


@pytest.mark.parametrize("split", ["train", "validation"])
def test_nobody_waits_for_the_thread_that_tunes_pipelines(records, split):
    """It sleeps twice as long each time, and an iterator is gone only when it wakes."""
    assert pretraining_dataset(records[0], batch_size=5, split=split).options().autotune.enabled is False


def test_every_epoch_holds_every_row_once_in_a_new_order(records):
    folder, manifest = records
    rows = manifest.splits["train"].rows
    assert len(manifest.splits["train"].shards) >= 4
    found = examples(folder, 3 * rows)
    epochs = np.split(found["token_ids"], 3)
    stored = read_rows(folder, manifest)
    for epoch in epochs:
        assert sorted_rows(epoch) == sorted_rows(stored["token_ids"])
    assert not np.array_equal(epochs[0], epochs[1])
    assert not np.array_equal(epochs[1], epochs[2])
    np.testing.assert_array_equal(found["example_index"], np.arange(3 * rows))


def test_rows_come_in_the_computed_order_with_their_segments(records):
    folder, manifest = records
    train = manifest.splits["train"]
    stored = read_rows(folder, manifest)
    starts = np.cumsum([0, *train.shard_rows])
    spans = spans_from(0, shard_rows=train.shard_rows, seed=4)
    order = np.concatenate([starts[span.shard] + span.rows for span in itertools.islice(spans, len(train.shards))])
    found = examples(folder, train.rows, seed=4)
    np.testing.assert_array_equal(found["token_ids"], stored["token_ids"][order])
    np.testing.assert_array_equal(found["segment_ids"], stored["segment_ids"][order])
    np.testing.assert_array_equal(found["padding_mask"], stored["token_ids"][order] != 0)
    assert found["segment_ids"].max() == 1
    assert 0 < found["padding_mask"].mean() < 1


@pytest.mark.parametrize("split", ["train", "validation"])
def test_tokens_of_a_shared_row_have_the_number_of_their_document(vocabulary, tmp_path, split):
    words = [" ".join(WORDS[number:number + 1 + number % 5]) for number in range(300)]
    (tmp_path / "corpus.txt").write_text("\n\n".join(words))
    build_pretraining_data(tmp_path / "corpus.txt", vocabulary=vocabulary, sequence_length=16, packing="documents",
                           output=tmp_path / "records", validation_fraction=0.2)
    dataset = pretraining_dataset(tmp_path / "records", batch_size=9, split=split)
    assert dataset.element_spec["document_ids"] == dataset.element_spec["token_ids"]
    largest = 0
    for batch in dataset.take(12).as_numpy_iterator():
        assert batch["document_ids"].dtype == np.int32
        for tokens, numbers in zip(batch["token_ids"].tolist(), batch["document_ids"].tolist()):
            expected, document = [], 0
            for token in tokens:
                document += token == vocabulary.cls_id
                expected.append(0 if token == vocabulary.pad_id else document)
            assert numbers == expected
            largest = max(largest, document)
    assert largest > 2


@pytest.fixture(scope="module")
def uninterrupted(records):
    """The first 600 examples, more than two epochs, in batches of 7."""
    return examples(records[0], 600, seed=2)


@pytest.mark.parametrize(("start", "batch_size"), [(1, 33), (7, 4), (200, 4), (243, 1), (520, 33)])
def test_a_start_yields_what_an_uninterrupted_run_yields_after_it(records, uninterrupted, start, batch_size):
    resumed = examples(records[0], 80, seed=2, start=start, batch_size=batch_size)
    assert_equal(resumed, {name: values[start:start + 80] for name, values in uninterrupted.items()})


def test_a_batch_may_be_larger_than_the_corpus(records):
    rows = records[1].splits["train"].rows
    batch, = batches(records[0], 1, batch_size=rows + 3)
    assert_equal(batch, examples(records[0], rows + 3))


def test_the_order_depends_on_the_seed(records):
    first, second = (examples(records[0], 50, seed=seed)["token_ids"] for seed in (0, 1))
    assert not np.array_equal(first, second)


def test_the_order_survives_a_small_block_size(records, uninterrupted, monkeypatch):
    monkeypatch.setattr(dataset_module, "_ROWS_AT_ONCE", 3)
    assert_equal(examples(records[0], 150, seed=2), {name: values[:150] for name, values in uninterrupted.items()})


def test_a_dataset_can_be_iterated_again_from_its_start(records):
    dataset = pretraining_dataset(records[0], batch_size=5, start=11)
    first, second = (next(iter(dataset))["example_index"].numpy().tolist() for _ in range(2))
    assert first == second == [11, 12, 13, 14, 15]


@pytest.mark.parametrize("batch_size", [4, 7, 1000])
def test_the_validation_split_comes_once_in_order_with_a_filled_last_batch(records, batch_size):
    folder, manifest = records
    stored = read_rows(folder, manifest, "validation")
    rows = len(stored["token_ids"])
    found = batches(folder, batch_size=batch_size, split="validation")
    assert len(found) == -(-rows // batch_size)
    assert len(pretraining_dataset(folder, batch_size=batch_size, split="validation")) == len(found)
    assert all(batch["token_ids"].shape == (batch_size, 24) for batch in found)
    joined = {name: np.concatenate([batch[name] for batch in found]) for name in NAMES}
    np.testing.assert_array_equal(joined["token_ids"][:rows], stored["token_ids"])
    np.testing.assert_array_equal(joined["segment_ids"][:rows], stored["segment_ids"])
    assert joined["padding_mask"][:rows].any(axis=1).all()
    assert len(joined["padding_mask"]) > rows
    for name in ("padding_mask", "segment_ids", "token_ids"):
        assert not joined[name][rows:].any()
    np.testing.assert_array_equal(joined["example_index"], np.arange(len(joined["example_index"])))


def test_padding_is_found_by_the_id_of_the_vocabulary(tmp_path, vocabulary):
    (tmp_path / "corpus.txt").write_text("bababa cococo\n")
    turned = Vocabulary(tuple(reversed(vocabulary.pieces)))
    build_pretraining_data(tmp_path / "corpus.txt", vocabulary=turned, sequence_length=8, output=tmp_path / "records")
    batch, = batches(tmp_path / "records", 1, batch_size=1)
    assert batch["padding_mask"].tolist() == [[1, 1, 1, 1, 0, 0, 0, 0]]


TWO_REPLICAS = """
import sys
import numpy as np
import tensorflow as tf
from electra_tf.records.dataset import pretraining_dataset
cpu, = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
assert strategy.num_replicas_in_sync == 2
dataset = pretraining_dataset(sys.argv[1], batch_size=6, start=3)
distributed = iter(strategy.experimental_distribute_dataset(dataset))
batches = [next(distributed) for _ in range(4)]
np.savez(sys.argv[2], **{name: [[part.numpy() for part in strategy.experimental_local_results(batch[name])]
                                for batch in batches] for name in batches[0]})
# An iterator that lives until the interpreter ends waits for a thread that waits for the interpreter.
del distributed
"""


def test_a_strategy_gives_each_replica_its_rows_of_the_global_batch(records, tmp_path):
    subprocess.run([sys.executable, "-c", TWO_REPLICAS, str(records[0]), str(tmp_path / "batches.npz")], check=True,
                   timeout=600, capture_output=True)
    expected = examples(records[0], 24, start=3)
    with np.load(tmp_path / "batches.npz") as found:
        for name in NAMES:  # [batch, replica, row, ...]
            assert found[name].shape[:3] == (4, 2, 3)
            np.testing.assert_array_equal(found[name].reshape(expected[name].shape), expected[name])


def test_gzip_records_are_read(tmp_path, vocabulary):
    (tmp_path / "corpus.txt").write_text("bababa cococo\n")
    build_pretraining_data(tmp_path / "corpus.txt", vocabulary=vocabulary, sequence_length=8,
                           output=tmp_path / "records", compression="gzip")
    batch, = batches(tmp_path / "records", 1, batch_size=1)
    assert batch["token_ids"][0, 1:3].tolist() == [vocabulary.id_of("bababa"), vocabulary.id_of("cococo")]


def test_a_small_corpus_is_read_once_and_a_large_one_two_shards_at_a_time(records, tmp_path, vocabulary, monkeypatch):
    reads = []
    read_shard = dataset_module._read_shard

    def counting(folder, manifest, shard):
        reads.append(shard.name)
        return read_shard(folder, manifest, shard)

    monkeypatch.setattr(dataset_module, "_read_shard", counting)
    (tmp_path / "corpus.txt").write_text("bababa cococo\n")
    build_pretraining_data(tmp_path / "corpus.txt", vocabulary=vocabulary, sequence_length=8,
                           output=tmp_path / "records")
    batches(tmp_path / "records", 9, batch_size=2)
    assert len(reads) == 1
    reads.clear()
    manifest = records[1]
    start = manifest.splits["train"].rows * 5 + 1
    stream = dataset_module._train_examples(records[0], manifest, 0, start)
    next(stream)
    spans = spans_from(start, shard_rows=manifest.splits["train"].shard_rows, seed=0)
    wanted = [manifest.splits["train"].shards[span.shard].name for span in itertools.islice(spans, 2)]
    assert set(reads) <= set(wanted), "a run that begins in a late epoch reads its own shard and the next only"
    assert reads[0] == wanted[0]
    stream.close()


@pytest.mark.parametrize(("settings", "sentence"), [
    ({"batch_size": 0}, "batch_size=0 must be 1 or more"),
    ({"start": -1}, "start=-1 must be 0 or more, and 0 for the validation split"),
    ({"start": 5, "split": "validation"}, "start=5 must be 0 or more, and 0 for the validation split"),
    ({"split": "test"}, "split='test' must be train or validation"),
    ({"sequence_length": 128}, "holds rows of 24 tokens, but sequence_length is 128"),
])
def test_wrong_settings_are_refused_at_once(records, settings, sentence):
    with pytest.raises(InputError, match=sentence):
        pretraining_dataset(records[0], **{"batch_size": 4, **settings})


def test_another_vocabulary_is_refused_at_once(records, vocabulary):
    other = Vocabulary((*vocabulary.pieces, "xyzzy"))
    with pytest.raises(InputError, match="was built with another vocabulary"):
        pretraining_dataset(records[0], batch_size=4, vocabulary=other)


def test_damaged_records_are_refused_at_once(records, tmp_path):
    copy = shutil.copytree(records[0], tmp_path / "records")
    shard = copy / records[1].splits["train"].shards[0].name
    shard.write_bytes(shard.read_bytes()[:-9])
    with pytest.raises(InputError, match="was truncated or changed"):
        pretraining_dataset(copy, batch_size=4)


def test_records_without_a_validation_split_say_so(tmp_path, vocabulary):
    (tmp_path / "corpus.txt").write_text("bababa cococo\n")
    build_pretraining_data(tmp_path / "corpus.txt", vocabulary=vocabulary, sequence_length=8,
                           output=tmp_path / "records")
    with pytest.raises(InputError, match="has no rows in the validation split; a corpus of 20 documents or more gives"):
        pretraining_dataset(tmp_path / "records", batch_size=4, split="validation")

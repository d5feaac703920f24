"""Several documents in one row: the losses and gradients of each in a row of its own, and runs on such records."""

import json
import shutil

import numpy as np
import pytest
import safetensors.numpy
import tensorflow as tf

from electra_tf.config import ObjectiveConfig, replace
from electra_tf.errors import InputError
from electra_tf.model.encoder import ElectraEncoder, places_in_documents, same_document
from electra_tf.objective.masking import hide_tokens
from electra_tf.records.builder import build_pretraining_data
from electra_tf.records.packing import Segments, lay_out
from electra_tf.training import pretrainer as pretrainer_module
from electra_tf.training.checkpoint import training_variables
from electra_tf.training.cooccurrence import count_cooccurrences
from electra_tf.training.distribution import strategy_for
from electra_tf.training.pretrain import new_pretrainer, pretrain
from tests.records.segments_of_tokens import to_spans
from tests.training.tiny_run import tiny_config, tiny_vocabulary, write_records

CLS, SEP, MASK, PAD = 2, 3, 4, 0
LENGTH = 14
# Documents by the row in which they stand together; words are 5..194.
SHARED = [[Segments([50, 61, 72], []), Segments([80], [91, 95]), Segments([15], [])],
          [Segments([110, 121, 132, 143, 155, 165, 177, 188, 60, 71, 85], [])],
          [Segments([30, 42], [53, 65]), Segments([70, 75], [])]]


def batch(*, is_shared):
    """The documents as a batch, in rows together or each in a row of its own."""
    rows = SHARED if is_shared else [[document] for row in SHARED for document in row]
    arrays = {name: np.zeros([len(rows), LENGTH], np.int32) for name in (
        "token_ids", "segment_ids", "padding_mask", "document_ids")}
    for row, documents in enumerate(rows):
        begin = 0
        for number, document in enumerate(documents, start=1):
            token_ids, segment_ids = lay_out(*to_spans([document]), sequence_length=LENGTH, cls_id=CLS, sep_id=SEP,
                                             pad_id=PAD)
            size = int((token_ids != PAD).sum())
            for name, values in (("token_ids", token_ids[0]), ("segment_ids", segment_ids[0]),
                                 ("padding_mask", [1] * size), ("document_ids", [number] * size)):
                arrays[name][row, begin:begin + size] = values[:size]
            begin += size
    if not is_shared:
        del arrays["document_ids"]
    return {name: tf.constant(values) for name, values in arrays.items()}


def mask_every_fifth_word(token_ids, padding_mask, *, masking, special_ids, source):
    """Words are masked by what they are, so that the rows do not matter; every tenth stays visible."""
    slots = 4
    is_masked = (token_ids > MASK) & (token_ids % 5 == 0)
    positions = tf.math.top_k(tf.cast(is_masked, tf.int32), k=slots)[1]
    used = tf.gather(is_masked, positions, batch_dims=1)
    shows_symbol = tf.gather(token_ids, positions, batch_dims=1) % 10 != 0
    return hide_tokens(token_ids, positions, is_masked=used, shows_symbol=shows_symbol, mask_id=MASK)


def sample_by_the_word(logits, original_ids, *, masking, source):
    """Some samples hit the original."""
    return tf.where(original_ids % 3 == 0, original_ids, 5 + original_ids * 7 % 190)


def losses_and_gradients(monkeypatch, batch, *, objective, model):
    """What one update without dropout and clipping sees; the first moments are a tenth of the gradients."""
    monkeypatch.setattr(pretrainer_module, "mask_tokens", mask_every_fifth_word)
    monkeypatch.setattr(pretrainer_module, "sample_replacements", sample_by_the_word)
    # The fused operations sample by themselves; their masks between documents have a test of their own.
    config = tiny_config(model={"hidden_dropout": 0.0, "attention_dropout": 0.0, **model}, kernels="off",
                         optimizer={"clip_norm": 1e9}, objective=ObjectiveConfig(**objective))
    pretrainer = new_pretrainer(config, tiny_vocabulary(), strategy_for("one_device"))
    logs = pretrainer.train_step(batch)
    gradients = {name: 10 * variable.numpy() for name, variable in training_variables(pretrainer).items()
                 if name.startswith("optimizer/momentum/")}
    return {name: float(value) for name, value in logs.items()}, gradients


@pytest.mark.parametrize(("objective", "model"), [
    ({}, {}), ({"generator": "two_tower"}, {}), ({}, {"position_type": "relative"}), *(
        pytest.param(objective, model, marks=pytest.mark.slow) for objective, model in [
            ({}, {"position_type": "sinusoidal"}), ({"name": "electra_15"}, {}), ({"name": "mlm"}, {}),
            ({"name": "replace_mlm"}, {}), ({"name": "all_tokens_mlm"}, {}), ({"name": "adversarial"}, {}),
            ({"generator": "uniform"}, {}), ({"shared": "token_position"}, {}), ({"shared": "everything"}, {})])])
def test_documents_that_share_rows_have_the_losses_and_gradients_of_rows_of_their_own(monkeypatch, objective, model):
    logs, gradients = losses_and_gradients(monkeypatch, batch(is_shared=True), objective=objective, model=model)
    expected_logs, expected = losses_and_gradients(
        monkeypatch, batch(is_shared=False), objective=objective, model=model)
    assert expected_logs["generator_loss"] > 0.1
    for name, value in expected_logs.items():
        assert logs[name] == pytest.approx(value, rel=1e-5, abs=1e-6), name
    largest = max(np.abs(gradient).max() for gradient in expected.values())
    for name, gradient in expected.items():
        np.testing.assert_allclose(gradients[name], gradient, rtol=1e-5, atol=1e-5 * largest, err_msg=name)


def test_without_the_numbers_of_the_documents_the_losses_are_others(monkeypatch):
    """What the test above would say of attention or positions that cross documents."""
    shared = batch(is_shared=True)
    logs, _ = losses_and_gradients(monkeypatch, shared, objective={}, model={})
    del shared["document_ids"]
    mixed, _ = losses_and_gradients(monkeypatch, shared, objective={}, model={})
    assert abs(mixed["generator_loss"] - logs["generator_loss"]) > 1e-4
    assert abs(mixed["discriminator_loss"] - logs["discriminator_loss"]) > 1e-4


def test_micro_batches_of_shared_rows_make_one_update(monkeypatch):
    rows = {name: tf.concat([values, values[:1]], axis=0) for name, values in batch(is_shared=True).items()}
    logs, gradients = losses_and_gradients(monkeypatch, rows, objective={}, model={})
    made = pretrainer_module.ElectraPretrainer.__init__
    monkeypatch.setattr(pretrainer_module.ElectraPretrainer, "__init__", lambda self, *arguments, **settings: made(
        self, *arguments, **{**settings, "accumulation_steps": 2}))
    split_logs, split_gradients = losses_and_gradients(monkeypatch, rows, objective={}, model={})
    assert split_logs["generator_loss"] == pytest.approx(logs["generator_loss"], rel=1e-5)
    for name, gradient in gradients.items():
        np.testing.assert_allclose(split_gradients[name], gradient, rtol=1e-4, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("position_type", ["learned", "sinusoidal", "relative"])
@pytest.mark.parametrize("sees", ["both", "left", "right"])
def test_a_document_in_a_shared_row_is_encoded_as_alone_and_without_padding(position_type, sees):
    encoder = ElectraEncoder(replace(tiny_config().model, position_type=position_type), sees=sees)
    for weight in encoder.weights:  # the bias of relative positions starts at 0
        weight.assign(tf.random.stateless_normal(weight.shape, [len(weight.path), 1], stddev=0.5))
    shared = batch(is_shared=True)
    states = encoder(shared).numpy()
    document_ids = shared["document_ids"].numpy()
    for row in range(len(SHARED)):
        for number in range(1, len(SHARED[row]) + 1):
            places = document_ids[row] == number
            alone = encoder({"token_ids": shared["token_ids"].numpy()[row][places][None],
                             "segment_ids": shared["segment_ids"].numpy()[row][places][None]})
            np.testing.assert_allclose(states[row][places], alone[0], rtol=1e-4, atol=1e-5)


def test_who_sees_whom_and_where_a_document_begins_are_those_of_a_plain_loop():
    document_ids = np.array([[1, 1, 1, 2, 2, 3, 0, 0], [1, 1, 1, 1, 1, 1, 1, 1], [0] * 8])
    seen, places = np.zeros([3, 8, 8], int), np.zeros([3, 8], int)
    for row in range(3):
        for place in range(8):
            for other in range(8):
                seen[row, place, other] = document_ids[row, place] == document_ids[row, other]
            places[row, place] = place - document_ids[row].tolist().index(document_ids[row, place])
    is_same = same_document(tf.constant(document_ids))
    np.testing.assert_array_equal(is_same, seen)
    np.testing.assert_array_equal(places_in_documents(is_same), places)


def test_words_of_two_documents_are_not_counted_as_neighbours():
    rows, document_ids = np.array([[5, 6, 7, 8]]), np.array([[1, 1, 2, 2]])
    context_of = np.arange(9)
    counts, apart = np.zeros([9, 9], np.float32), np.zeros([9, 9], np.float32)
    count_cooccurrences(rows, counts=counts, context_of=context_of, document_ids=document_ids)
    for document in ([[5, 6]], [[7, 8]]):
        count_cooccurrences(np.array(document), counts=apart, context_of=context_of)
    np.testing.assert_array_equal(counts, apart)
    assert counts[5, 6] == counts[8, 7] == 1 and counts[6, 7] == counts[5, 7] == 0


@pytest.fixture(scope="module")
def shared_records(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_records(folder)
    build_pretraining_data(folder / "corpus.txt", vocabulary=tiny_vocabulary(), sequence_length=14,
                           output=folder / "shared", packing="documents", validation_fraction=0.1)
    return folder / "shared"


RUN = tiny_config(train_steps=6, checkpoint_steps=3, log_steps=3, evaluation_steps=6, model={"num_layers": 1},
                  first_embeddings="cooccurrence")


@pytest.fixture(scope="module")
def whole_run(shared_records, tmp_path_factory):
    return pretrain(RUN, data=shared_records, output=tmp_path_factory.mktemp("runs") / "whole")


def test_a_run_on_shared_rows_ends_with_an_evaluation(whole_run):
    assert whole_run.is_finished and 0 < whole_run.metrics["discriminator_loss"] < 1
    evaluated = [record for record in map(json.loads, (whole_run.folder / "log.jsonl").read_text().splitlines())
                 if record["event"] == "validation"]
    assert [record["step"] for record in evaluated] == [6]


@pytest.mark.slow
def test_a_run_on_shared_rows_is_resumed_bit_for_bit(whole_run, shared_records, tmp_path):
    cut = shutil.copytree(whole_run.folder, tmp_path / "cut")
    for name in ("discriminator", "generator", "checkpoints/step-00000006"):
        shutil.rmtree(cut / name)
    (cut / "result.json").unlink()
    assert pretrain(RUN, data=shared_records, output=cut).metrics == whole_run.metrics
    expected, found = (safetensors.numpy.load_file(folder / "checkpoints" / "step-00000006" / "tensors.safetensors")
                       for folder in (whole_run.folder, cut))
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name)


def test_an_objective_that_judges_the_ends_of_rows_is_refused_on_shared_rows(shared_records, tmp_path):
    config = tiny_config(objective=ObjectiveConfig(name="electric", generator="two_tower"))
    with pytest.raises(InputError, match="holds several documents in a row, but objective.name='electric' also judges "
                                         "the ends of a row.*--packing=carry_over"):
        pretrain(config, data=shared_records, output=tmp_path / "run")
    assert not (tmp_path / "run").exists()

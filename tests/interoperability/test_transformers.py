"""Folders of ours in the real transformers, and folders of the real transformers in ours: the same numbers and tokens.

The libraries live in .venv-torch (`make interoperability`); without it these tests are skipped.
"""

import dataclasses
import json
import pathlib
import subprocess

import numpy as np
import pytest

from electra_tf.convert.vocabularies import read_vocabulary_beside
from electra_tf.model.convert_checkpoint import convert_checkpoint
from electra_tf.model.encoder import ElectraEncoder, encoder_weights
from electra_tf.model.model_folder import load_model_folder, save_model_folder
from electra_tf.model.networks import ElectraDiscriminator, ElectraGenerator
from electra_tf.tasks.text_classification import ElectraTextClassifier
from electra_tf.text.tokenizer import Tokenizer
from tests.convert.checkpoints import write_checkpoint
from tests.oracles import hugging_face, keras_hub
from tests.oracles.original import PretrainingFixture
from tests.oracles.shared import shared_path
from tests.tasks.tiny import save_networks, scatter_weights, tiny_config, tiny_vocabulary

pytestmark = pytest.mark.interoperability
ROOT = pathlib.Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venv-torch/bin/python"
TOLERANCE = hugging_face.OUTPUT_TOLERANCE
AUTO_CLASSES = {"encoder": "AutoModel", "discriminator": "AutoModelForPreTraining", "generator": "AutoModelForMaskedLM",
                "text_classifier": "AutoModelForSequenceClassification",
                "token_classifier": "AutoModelForTokenClassification",
                "question_answerer": "AutoModelForQuestionAnswering", "multiple_choice": "AutoModelForMultipleChoice",
                "text_regressor": "AutoModelForSequenceClassification",
                "text_multilabel_classifier": "AutoModelForSequenceClassification"}
FIXTURES = ("model", "discriminator_equal", "discriminator_gelu_new", "discriminator_bfloat16", "generator_narrow",
            "generator_untied", "sequence_classification_2", "sequence_regression", "sequence_multilabel",
            "token_classification", "question_answering", "multiple_choice")


def run_transformers(tasks, folder):
    """Does all tasks in one process of the other environment: starting it takes longer than the tasks."""
    if not PYTHON.exists():
        pytest.skip("needs PyTorch and transformers in .venv-torch; `make interoperability` installs them")
    (folder / "tasks.json").write_text(json.dumps(tasks, default=str))
    script = pathlib.Path(__file__).with_name("with_transformers.py")
    done = subprocess.run([PYTHON, script, folder / "tasks.json"], capture_output=True, text=True, check=False,
                          env={"HF_HUB_OFFLINE": "1", "PATH": "/usr/bin:/bin", "HOME": str(folder)})
    assert done.returncode == 0, done.stderr[-3000:]


def load_task(folder, kind, inputs, outputs):
    """A "load" task, with inputs under the names of transformers."""
    np.savez(f"{outputs}.inputs.npz", **inputs)
    return {"what": "load", "class": AUTO_CLASSES[kind], "folder": folder, "inputs": f"{outputs}.inputs.npz",
            "outputs": outputs}


def random_inputs(config, *, rows=3, length=11):
    random = np.random.default_rng(2)
    mask = (np.arange(length) < np.array([[length], [7], [4]])[:rows]).astype(np.int32)
    return {"input_ids": random.integers(5, config.vocabulary_size, size=(rows, length), dtype=np.int32) * mask,
            "token_type_ids": random.integers(2, size=(rows, length), dtype=np.int32) * mask, "attention_mask": mask}


def ours(inputs):
    """The same inputs under our names."""
    return {"token_ids": inputs["input_ids"], "segment_ids": inputs["token_type_ids"],
            "padding_mask": inputs["attention_mask"]}


def our_models(folder):
    """Folder -> kind, of models with random weights in each of our formats."""
    save_networks(folder / "run")
    classifier = ElectraTextClassifier.from_preset(
        folder / "run/discriminator", labels=["neg", "pos", "other"], head_hidden_layer=True)
    scatter_weights(classifier, seed=6)
    classifier.save_to_preset(folder / "classifier")
    tanh = ElectraDiscriminator(dataclasses.replace(tiny_config(), activation="gelu_tanh", embedding_size=18))
    scatter_weights(tanh, seed=7)
    tanh.save_to_preset(folder / "tanh", vocabulary=tiny_vocabulary())
    fixture = PretrainingFixture("proj")
    write_checkpoint(folder / "original", {name.removeprefix("init/"): array for name, array in fixture.arrays.items()
                                           if name.startswith("init/")}, settings=fixture.settings["bert_config"],
                     vocabulary=shared_path("oracles/original/tiny_vocab.txt"))
    convert_checkpoint(folder / "original", folder / "from_original", to="electra_tf")
    return {folder / "run/discriminator": "discriminator", folder / "run/generator": "generator",
            folder / "classifier": "text_classifier", folder / "tanh": "discriminator",
            folder / "from_original/discriminator": "discriminator", folder / "from_original/generator": "generator",
            keras_hub.folder_of("backbone"): "encoder"}


NETWORKS = {"encoder": ElectraEncoder, "discriminator": ElectraDiscriminator, "generator": ElectraGenerator,
            "text_classifier": ElectraTextClassifier}


def test_transformers_gives_the_numbers_of_our_models(tmp_path):
    models, tasks = our_models(tmp_path), []
    for number, (source, kind) in enumerate(models.items()):
        convert_checkpoint(source, tmp_path / f"theirs_{number}", to="huggingface")
        inputs = random_inputs(load_model_folder(source).config)
        tasks.append(load_task(tmp_path / f"theirs_{number}", kind, inputs, tmp_path / f"{number}.npz"))
    run_transformers(tasks, tmp_path)
    for number, (source, kind) in enumerate(models.items()):
        network, theirs = NETWORKS[kind].from_preset(source), np.load(tmp_path / f"{number}.npz")
        inputs = ours(random_inputs(load_model_folder(source).config))
        encoder = network if kind == "encoder" else network.encoder
        for layer, state in enumerate(encoder.layer_outputs(inputs)):
            np.testing.assert_allclose(state, theirs[f"hidden_states_{layer}"], atol=TOLERANCE, err_msg=str(source))
        name = "last_hidden_state" if kind == "encoder" else "logits"
        np.testing.assert_allclose(network(inputs), theirs[name], atol=TOLERANCE, err_msg=str(source))


def test_transformers_gives_its_own_numbers_again_after_a_round_trip_through_ours(tmp_path):
    tasks = []
    for name in FIXTURES:
        convert_checkpoint(hugging_face.folder_of(name), tmp_path / name / "ours", to="electra_tf")
        convert_checkpoint(tmp_path / name / "ours", tmp_path / name / "theirs", to="huggingface")
        arrays = hugging_face.arrays_of(name, "inputs")
        inputs = {key: arrays[key] for key in ("input_ids", "token_type_ids", "attention_mask")}
        kind = load_model_folder(tmp_path / name / "ours").kind
        tasks.append(load_task(tmp_path / name / "theirs", kind, inputs, tmp_path / f"{name}.npz"))
    run_transformers(tasks, tmp_path)
    for name in FIXTURES:
        before, after = hugging_face.arrays_of(name, "outputs"), np.load(tmp_path / f"{name}.npz")
        names = [key for key in after.files if key in before]
        assert names
        for key in names:
            np.testing.assert_allclose(after[key], before[key], atol=TOLERANCE, err_msg=f"{name} {key}")


@pytest.mark.parametrize("name, which", [("tokenizer_uncased", "uncased"), ("tokenizer_cased", "cased")])
def test_tokens_are_the_same_but_where_the_definitions_differ(name, which, tmp_path):
    vocabulary = load_vocabulary(name)
    save_model_folder(tmp_path / "ours", kind="encoder", vocabulary=vocabulary,
                      config=(config := tiny_config(vocabulary_size=vocabulary.size)),
                      weights=encoder_arrays(config))
    convert_checkpoint(tmp_path / "ours", tmp_path / "theirs", to="huggingface")
    cases = json.loads(shared_path("oracles/huggingface/tokenizer_cases.json").read_text(encoding="utf-8"))["single"]
    listed = json.loads(shared_path("oracles/huggingface/tokenizer_original_differences.json").read_text(
        encoding="utf-8"))["differences"]
    differing = {case["text"] for case in listed if case["which"] == which}
    texts = [case["text"] for case in cases]
    run_transformers([{"what": "tokenize", "folder": tmp_path / "theirs", "texts": texts,
                       "outputs": tmp_path / "ids.json"}], tmp_path)
    theirs, tokenizer = json.loads((tmp_path / "ids.json").read_text()), Tokenizer(vocabulary)
    unequal = {text for text, ids in zip(texts, theirs["ids"], strict=True) if ids != tokenizer.ids(text)}
    assert unequal <= differing
    assert len(texts) - len(unequal) > 380
    assert theirs["mask"] == vocabulary.mask_id
    a, b = tokenizer.ids("a"), tokenizer.ids("b")
    assert theirs["pair"] == [[vocabulary.cls_id, *a, vocabulary.sep_id, *b, vocabulary.sep_id],
                              [0] * (len(a) + 2) + [1] * (len(b) + 1)]


def load_vocabulary(name):
    """The vocabulary of a tokenizer folder, beside the settings of a model that has the right number of pieces."""
    vocabulary, told = read_vocabulary_beside(hugging_face.folder_of(name))
    assert told == ()
    return vocabulary


def encoder_arrays(config):
    return {name: variable.numpy() for name, variable in encoder_weights(ElectraEncoder(config)).items()}


@pytest.mark.parametrize("class_name, as_bin", [
    ("BertModel", False), ("BertForMaskedLM", True), ("BertForPreTraining", False),
    ("BertForSequenceClassification", True)])
def test_the_layers_of_a_real_bert_are_equal(class_name, as_bin, tmp_path):
    settings = {"vocab_size": 37, "hidden_size": 24, "num_hidden_layers": 3, "num_attention_heads": 3,
                "intermediate_size": 28, "max_position_embeddings": 19}
    inputs = random_inputs(tiny_config(vocabulary_size=37))
    np.savez(tmp_path / "inputs.npz", **inputs)
    run_transformers([{"what": "make_bert", "class": class_name, "folder": tmp_path / "bert", "as_bin": as_bin,
                       "settings": settings, "inputs": tmp_path / "inputs.npz", "outputs": tmp_path / "outputs.npz"}],
                     tmp_path)
    saved, expected = load_model_folder(tmp_path / "bert"), np.load(tmp_path / "outputs.npz")
    assert saved.kind == "encoder" and saved.config.embedding_size == 24
    left_out = " ".join(saved.told)
    assert ("pooler.dense.weight" in left_out) == (class_name != "BertForMaskedLM")
    for layer, state in enumerate(ElectraEncoder.from_preset(tmp_path / "bert").layer_outputs(ours(inputs))):
        np.testing.assert_allclose(state, expected[f"hidden_states_{layer}"], atol=TOLERANCE)

import json
import pathlib

import numpy as np
import pytest

from electra_tf.config import FineTuningConfig
from electra_tf.errors import InputError
from electra_tf.model.convert_checkpoint import convert_checkpoint
from electra_tf.model.encoder import ElectraEncoder
from electra_tf.model.model_folder import load_model_folder
from electra_tf.model.networks import ElectraGenerator
from electra_tf.serving.predictor import Predictor
from electra_tf.tasks.ensemble import ElectraEnsemble
from electra_tf.tasks.finetune import finetune
from electra_tf.tasks.options import TextClassification
from electra_tf.tasks.text_classification import ElectraTextClassifier
from electra_tf.tasks.text_regression import ElectraTextRegressor
from tests.oracles.hugging_face import folder_of
from tests.tasks.tiny import reviews, scatter_weights, write_tsv

JOB = pathlib.Path(__file__).resolve().parents[2] / "experiments" / "convert_checkpoint.py"


def test_the_job_tells_what_it_found_what_it_left_out_and_what_it_wrote(run, tmp_path):
    done = run(f"--input={folder_of('discriminator')}", "--output=preset", "--to=keras_hub")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == f"{folder_of('discriminator')} is of format huggingface"
    assert "written as zeros" in lines[1] and "Left out" in lines[2]
    assert lines[3].startswith("KerasHub cannot represent this model's exact GELU")
    assert lines[4] == "discriminator: preset is of format keras_hub"
    assert load_model_folder(tmp_path / "preset").kind == "encoder"


def test_a_mistake_is_one_sentence(run):
    done = run(f"--input={folder_of('refuse_pickle')}", "--output=out")
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "would run __builtin__.print when it is unpickled" in done.stderr.splitlines()[-1]


def test_a_foreign_folder_is_fine_tuned_as_it_is(tmp_path):
    """--model takes any of the formats; the run remembers which weights it had."""
    sets = {name: str(write_tsv(tmp_path / f"{name}.tsv", *reviews(20, seed=seed)))
            for name, seed in (("train", 0), ("validation", 1))}
    config = FineTuningConfig(sequence_length=20, batch_size=16, epochs=1.0)
    result = finetune(config, **sets, task=TextClassification(("sentence",), "label"),
                      model=str(folder_of("discriminator")), output=tmp_path / "run")
    tuned = ElectraTextClassifier.from_preset(result.folder / "model")
    assert tuned.labels == ("neg", "pos") and tuned.encoder.config.hidden_size == 32
    before = load_model_folder(folder_of("discriminator")).weights["encoder/layer_0/output/kernel"]
    assert 0 < abs(tuned.weights_by_name()["encoder/layer_0/output/kernel"].numpy() - before).max() < 0.01
    assert len(json.loads((tmp_path / "run/settings.json").read_text())["inputs"]["model"]) == 64


def test_a_foreign_classifier_and_a_foreign_generator_answer_texts():
    answer = Predictor(folder_of("sequence_classification_2")).predict(["the king said"])[0]
    assert set(answer.probabilities) == {"negative", "positive"}
    masks = Predictor(folder_of("generator"), top_k=2).predict(["the [MASK] said"])[0].masks
    assert len(masks) == 1 and len(masks[0]) == 2
    assert np.isfinite(masks[0][0].probability)


def test_what_other_formats_do_not_tell_of_inputs_is_given(run, tmp_path):
    folder = folder_of("sequence_classification_3_equal_gelu_new")
    assert run(f"--input={folder}", "--output=told", "--pairs", "--sequence_length=20").returncode == 0
    usual, told = (ElectraTextClassifier.from_preset(one) for one in (folder, tmp_path / "told"))
    assert (told.pairs, told.preprocessor.sequence_length) == (True, 20) and not usual.pairs
    same = ElectraTextClassifier.from_preset(folder, pairs=True, sequence_length=20)
    pair = (["the king said"], ["so it was"])
    np.testing.assert_allclose(told.predict(pair, verbose=0), same.predict(pair, verbose=0), atol=1e-6)


@pytest.mark.parametrize("name, flags, message", [
    ("discriminator", ["--pairs"], "pairs can be given for folders of electra_tf with a model of kind text_classifier"),
    ("token_classification", ["--pairs"], "and this is 'token_classifier' to be written as 'electra_tf'"),
    ("sequence_classification_2", ["--sequence_length=20", "--to=huggingface"], "sequence_length can be given for"),
    ("sequence_classification_2", ["--sequence_length=4000"], "sequence_length=4000 must lie between 3 and the")])
def test_inputs_that_a_model_cannot_take_are_refused(run, tmp_path, name, flags, message):
    done = run(f"--input={folder_of(name)}", "--output=told", *flags)
    assert done.returncode == 2 and message in done.stderr and not (tmp_path / "told").exists()


def test_the_scores_of_a_regressor_are_the_same_in_a_folder_of_hugging_face(tmp_path):
    regressor = ElectraTextRegressor.from_preset(folder_of("model"), score_range=(1, 5), head_hidden_layer=True)
    scatter_weights(regressor.classifier, seed=0)
    regressor.save_to_preset(tmp_path / "ours")
    told = convert_checkpoint(tmp_path / "ours", tmp_path / "theirs", to="huggingface").told
    assert "The scores from 1 to 5 are what the network itself gives there." in told
    again = ElectraTextRegressor.from_preset(tmp_path / "theirs")
    texts = ["the king said", "so it was"]
    np.testing.assert_allclose(again.predict(texts, verbose=0), regressor.predict(texts, verbose=0), rtol=1e-5)
    assert again.score_range == (0, 1)


def test_an_ensemble_has_no_form_elsewhere(tmp_path):
    classifier = ElectraTextClassifier.from_preset(folder_of("model"), labels=["a", "b"], sequence_length=20)
    ElectraEnsemble([classifier, classifier]).save_to_preset(tmp_path / "ensemble")
    for to in ("huggingface", "original", "keras_hub"):
        with pytest.raises(InputError, match=f"is an ensemble, which to='{to}' has no form for; convert the model of"):
            convert_checkpoint(tmp_path / "ensemble", tmp_path / "out", to=to)


def test_the_network_of_a_run_that_trains_an_encoder_alone_goes_first(tmp_path):
    encoder = ElectraEncoder.from_preset(folder_of("model"))
    encoder.save_to_preset(tmp_path / "run" / "encoder", vocabulary=load_model_folder(folder_of("model")).vocabulary)
    ElectraGenerator.from_preset(folder_of("generator")).save_to_preset(
        tmp_path / "run" / "generator", vocabulary=load_model_folder(folder_of("generator")).vocabulary)
    done = convert_checkpoint(tmp_path / "run", tmp_path / "out", to="huggingface")
    assert list(done.folders) == ["encoder", "generator"]
    only = convert_checkpoint(tmp_path / "run", tmp_path / "only", to="huggingface", part="encoder")
    words = load_model_folder(only.folders["encoder"]).weights["encoder/embeddings/word_embeddings"]
    np.testing.assert_array_equal(words, encoder.embeddings.word_embeddings.numpy())

import json
import pathlib

import numpy as np

from electra_tf.config import FineTuningConfig
from electra_tf.model.model_folder import load_model_folder
from electra_tf.serving.predictor import Predictor
from electra_tf.tasks.finetune import finetune
from electra_tf.tasks.options import TextClassification
from electra_tf.tasks.text_classification import ElectraTextClassifier
from tests.oracles.hugging_face import folder_of
from tests.tasks.tiny import reviews, write_tsv

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

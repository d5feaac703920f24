"""From a pretraining run and 200 labelled sentences to answers in a process that knows nothing of this package."""

import io
import json
import subprocess
import sys

import pytest

from electra_tf.model.encoder import ElectraEncoder
from electra_tf.tasks.multiple_choice import ElectraMultipleChoice
from electra_tf.text.preprocessor import TextPreprocessor
from experiments import finetune, predict
from export import litert, saved_model
from tests.experiments.in_process import run
from tests.tasks.tiny import reviews, save_networks, scatter_weights, tiny_config, tiny_vocabulary, write_tsv

# What a program that has never heard of electra_tf does with an export.
STRANGER = """
import json, sys
import tensorflow as tf
import tensorflow_text
model = tf.saved_model.load(sys.argv[1])
answers = model.signatures["serving_default"](text=tf.constant(json.loads(sys.argv[2])))
print(json.dumps([label.decode() for label in answers["labels"].numpy()]))
print(sorted({name.split(".")[0] for name in sys.modules} & {"electra_tf", "keras_hub", "tokenizers"}))
"""


@pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated")
def test_finetune_export_and_predict(tmp_path, monkeypatch, capsys):
    save_networks(tmp_path / "pretrained")
    write_tsv(tmp_path / "train.tsv", *reviews(200, seed=0))
    write_tsv(tmp_path / "validation.tsv", *reviews(50, seed=1))
    tuned, export, texts = tmp_path / "tuned", tmp_path / "export", ["a lovely film", "the plot was awful and dull"]

    run(finetune, f"--train={tmp_path}/train.tsv", f"--validation={tmp_path}/validation.tsv", "--text_columns=sentence",
        "--label_column=label", f"--model={tmp_path}/pretrained", f"--output={tuned}", "--random_weights",
        "--sequence_length=20", "--batch_size=16", "--epochs=5", "--learning_rate=3e-3", "--layer_decay=0.9")
    accuracy = json.loads((tuned / "result.json").read_text())["median"]
    out, err = capsys.readouterr()
    assert f"validation: accuracy {accuracy:.4f}" in out and f"the tuned model is {tuned}/model" in out
    assert accuracy > 0.9 and "steps/s" in err and "best accuracy" in err

    run(saved_model, f"--model={tuned}", f"--output={export}")
    run(litert, f"--model={tuned}", f"--output={tmp_path}/model.tflite")
    assert "model.tflite: 0." in capsys.readouterr().out

    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO("\n".join(texts).encode())))
    run(predict, f"--model={export}", "--input=-")
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [answer["text"] for answer in answers] == texts
    assert [answer["label"] for answer in answers] == ["pos", "neg"]
    assert all(sum(answer["probabilities"].values()) == pytest.approx(1, abs=1e-5) for answer in answers)

    done = subprocess.run([sys.executable, "-c", STRANGER, str(export / "1"), json.dumps(texts)], cwd=tmp_path,
                          capture_output=True, text=True, check=True)
    assert done.stdout == '["pos", "neg"]\n[]\n'


def test_predict_answers_people_and_programs(tmp_path, capsys):
    save_networks(tmp_path)
    texts = tmp_path / "texts.txt"
    texts.write_bytes(b"a [MASK] film\r\n\nan odd\xff film\n")
    run(predict, f"--model={tmp_path}", f"--input={texts}", "--format=text", "--top_k=2")
    out, err = capsys.readouterr()
    first, masks, empty, judged = out.splitlines()
    assert " in float32" in err.splitlines()[-1]
    assert (first, empty) == ("a [MASK] film", "") and masks.startswith("  [MASK] 1: ") and masks.count(",") == 1
    assert "film" in judged and "\N{REPLACEMENT CHARACTER}" not in judged
    run(predict, f"--model={tmp_path}", f"--input={texts}")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["text"] for line in lines] == ["a [MASK] film", "", "an odd film"]
    assert [word["word"] for word in lines[2]["words"]] == ["an", "odd", "film"]


def test_endings_are_chosen_from_lines_with_tabs(tmp_path, capsys):
    model = ElectraMultipleChoice(ElectraEncoder(tiny_config(num_layers=1)), num_choices=2,
                                  preprocessor=TextPreprocessor(tiny_vocabulary(), sequence_length=12))
    scatter_weights(model, seed=0)
    model.save_to_preset(tmp_path / "model")
    run(saved_model, f"--model={tmp_path}/model", f"--output={tmp_path}/served")
    (tmp_path / "texts.tsv").write_text("the film\twas good\twas bad\n")
    shares = model.predict([("the film", ("was good", "was bad"))], verbose=0)[0]
    place = int(shares.argmax())
    capsys.readouterr()
    for folder in ("model", "served"):
        run(predict, f"--model={tmp_path}/{folder}", f"--input={tmp_path}/texts.tsv")
        answer = json.loads(capsys.readouterr().out)
        assert answer["text"] == ["the film", ["was good", "was bad"]]
        assert (answer["place"], answer["ending"]) == (place, ("was good", "was bad")[place])
        assert answer["probabilities"] == pytest.approx(shares.tolist(), abs=1e-5)
    run(predict, f"--model={tmp_path}/served", f"--input={tmp_path}/texts.tsv", "--format=text")
    assert capsys.readouterr().out == f"{answer['ending']} {shares[place]:.3f}  the film\n"
    (tmp_path / "texts.tsv").write_text("the film\twas good\n")
    run(predict, f"--model={tmp_path}/served", f"--input={tmp_path}/texts.tsv", code=2)
    assert "texts.tsv, line 1: the line has 2 columns, but this model chooses: a text" in capsys.readouterr().err


@pytest.mark.parametrize("module, flags, message", [
    (finetune, ["--train=a.tsv", "--validation=a.tsv", "--text_columns=text", "--label_column=label", "--model=tiny_en",
                "--output=out"], "finetune.py: a.tsv cannot be read: No such file or directory"),
    (finetune, ["--train=a.tsv", "--metrics=accuracy"], "flag '--metrics' does not exist; did you mean '--metric'?"),
    (saved_model, ["--model=none", "--output=out"], "saved_model.py: none is not a model folder"),
    (litert, ["--model=none", "--output=out"], "litert.py: none is not a model folder"),
    (predict, ["--model=none", "--input=-"], "predict.py: none is not a model folder"),
    (predict, ["--model=none", "--input=none.txt"], "predict.py: --input: none.txt is no file; give a file of texts"),
    (predict, ["--model=none", "--input=-", "--format=xml"], "--format='xml' is not known; choose one of json, text"),
])
def test_a_wrong_command_is_answered_in_one_sentence(tmp_path, monkeypatch, capsys, module, flags, message):
    monkeypatch.chdir(tmp_path)
    run(module, *flags, code=2)
    err = capsys.readouterr().err
    assert message in err and len(err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []

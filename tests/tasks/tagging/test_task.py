"""Fine-tuning on tagged files: from files to scores, predictions and a model that answers for plain texts."""

import dataclasses
import json

import pytest

from electra_tf.config import FineTuningConfig
from electra_tf.errors import InputError
from electra_tf.model.encoder import ElectraEncoder
from electra_tf.serving.predictor import Predictor
from electra_tf.tasks.evaluate import evaluate
from electra_tf.tasks.finetune import finetune, task_of
from electra_tf.tasks.report.wrong_examples import text_of
from electra_tf.tasks.statistics.paired_metrics import paired_metric
from electra_tf.tasks.statistics.prediction_files import read_predictions
from electra_tf.tasks.tagging.options import TokenClassification
from electra_tf.tasks.tagging.tag_schemes import labels_of, spans_of
from electra_tf.tasks.tagging.tagging_scores import METRICS, tagging_scores
from electra_tf.tasks.tagging.token_classification import ElectraTokenClassifier
from electra_tf.tasks.task_models import load_task_model
from electra_tf.text.preprocessor import TextPreprocessor
from electra_tf.text.vocabulary import TextSettings, Vocabulary
from experiments import finetune as finetune_job
from experiments import job, predict
from tests.tasks.tagging.moods import moods, write_columns
from tests.tasks.tiny import save_networks, tiny_config, tiny_vocabulary

CONFIG = FineTuningConfig(sequence_length=20, batch_size=16, epochs=8, learning_rate=3e-3, dropout=0.0, layer_decay=1.0)
EMPTY = "\u00ad"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Arguments of `finetune` for three small files and an untrained network."""
    folder = tmp_path_factory.mktemp("data")
    sets = {name: str(write_columns(folder / f"{name}.txt", *moods(count, seed=seed)))
            for name, count, seed in (("train", 300, 1), ("validation", 40, 2), ("test", 30, 3))}
    return {**sets, "model": str(save_networks(folder / "run") / "discriminator"), "random_weights": True}


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    return finetune(CONFIG, task=TokenClassification(), **data,
                    output=tmp_path_factory.mktemp("tuned") / "run")


def test_a_run_learns_spans_and_keeps_the_best_weights(run):
    assert run.metric == "f1" and run.split == "test" and set(run.best.validation) == set(METRICS)
    assert run.best.test["f1"] > 0.8 and not run.best.collapsed
    tagger = load_task_model(run.folder / "model")
    assert isinstance(tagger, ElectraTokenClassifier) and tagger.scheme == "BIOES"
    assert tagger.labels == labels_of(["BAD", "GOOD"], "BIOES")
    sentences, tags = moods(30, seed=3)
    found = [[word.tag for word in answer.words] for answer in tagger.predict(sentences)]
    # The file's spans are in IOB2, the model's in BIOES: spans compare all the same.
    assert tagging_scores(tags, found, scheme="IOB2").micro.f1 == pytest.approx(run.best.test["f1"])
    picture = run.folder / "trials" / "0" / "scores.png"
    assert picture.read_bytes()[:4] == b"\x89PNG"


def test_predictions_hold_the_truth_and_the_answer_for_each_word(run):
    lines = (run.folder / "trials" / "0" / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
    sentences, tags = moods(30, seed=3)
    assert len(lines) == 30
    for line, words, own in zip(map(json.loads, lines), sentences, tags, strict=True):
        assert line["words"] == words and len(words) == len(line["predicted_tags"]) == len(line["probabilities"])
        for spans, tags_of_spans in (("label", own), ("label", line["tags"]), ("prediction", line["predicted_tags"])):
            assert line[spans] == [{"type": kind, "start": start, "end": end}
                                   for kind, start, end in spans_of(tags_of_spans)]


def test_spans_in_predictions_count_characters_of_the_users_own_text(run, tmp_path):
    words = [json.loads(line) for line in (run.folder / "trials/0/predictions.jsonl").read_text("utf-8").splitlines()]
    texts = ["\U0001f3ac  a g\u00f3od   film,", "", "very\u200b dull"]
    lines = [json.dumps({"text": text, "spans": []}) for text in texts]
    (tmp_path / "texts.jsonl").write_text("\n".join(lines), encoding="utf-8")
    evaluate(run.folder, tmp_path / "texts.jsonl", task=TokenClassification(), output=tmp_path / "scores")
    own = [json.loads(line) for line in (tmp_path / "scores/predictions.jsonl").read_text("utf-8").splitlines()]
    tagger = load_task_model(run.folder / "model")
    assert [line["text"] for line in own] == texts and sum(len(line["spans"]) for line in own) > 1
    for line in own:
        found = [dataclasses.asdict(span) for span in tagger.predict([line["text"]])[0].spans]
        assert [{**span, "probability": 0} for span in line["spans"]] == [{**span, "probability": 0} for span in found]
        assert [span["probability"] for span in line["spans"]] == pytest.approx(
            [span["probability"] for span in found], abs=1e-5)
    for line in (*own, *words):
        assert [line["text"][span["start"]:span["end"]] for span in line["spans"]] == [
            span["text"] for span in line["spans"]]
        assert [span["type"] for span in line["spans"]] == [span["type"] for span in line["prediction"]]


def test_the_report_and_the_paired_test_read_the_spans(run):
    assert "GOOD" in (run.folder / "report.html").read_text(encoding="utf-8")
    lines = read_predictions(run.folder).trials
    assert [text_of(line) for line in lines[0]] == [line["text"] for line in lines[0]]
    metric = paired_metric("f1", lines, lines)
    assert metric.score(metric.first) == pytest.approx(run.best.test["f1"])


def test_the_predictor_and_its_job_find_spans_in_plain_texts(run, tmp_path, capsys):
    text = "  the good, fine film was awful"
    answer = Predictor(run.folder).predict([text])[0]
    assert [text[span.start:span.end] for span in answer.spans] == [span.text for span in answer.spans] != []
    (tmp_path / "texts.txt").write_text(text + "\n", encoding="utf-8")
    for form in ("json", "text"):
        with pytest.raises(SystemExit) as ended:
            job.run_job(predict.main, predict.Flags, ["predict.py", f"--model={run.folder}", f"--format={form}",
                                                      f"--input={tmp_path / 'texts.txt'}"])
        assert ended.value.code == 0
    first, second = capsys.readouterr().out.splitlines()
    shown = json.loads(first)
    assert shown["text"] == text and shown["spans"] == [dataclasses.asdict(span) for span in answer.spans]
    assert [word["word"] for word in shown["words"]] == ["the", "good", ",", "fine", "film", "was", "awful"]
    assert f"[{answer.spans[-1].type} {answer.spans[-1].text}]" in second


def test_the_job_takes_columns_and_tags_that_stand_for_themselves(data, tmp_path, capsys):
    files = {name: write_columns(tmp_path / f"{name}.txt", [["the", "film"], ["a", EMPTY, "plot"]] * 4,
                                 [["DET", "NOUN"], ["DET", "NOUN", "NOUN"]] * 4) for name in ("train", "validation")}
    with pytest.raises(SystemExit) as ended:
        job.run_job(finetune_job.main, finetune_job.Flags, [
            "finetune.py", "--task=token_classification", "--token_column=0", "--tag_column=-1", "--epochs=1",
            *(f"--{name}={path}" for name, path in files.items()), f"--model={data['model']}",
            f"--output={tmp_path / 'run'}", "--sequence_length=20", "--metric=accuracy"])
    shown = capsys.readouterr()
    assert ended.value.code == 0, shown.err
    assert "validation: f1" in shown.out and "of 4 words nothing is left once the text is cleaned (the first is " in (
        shown.err) and "in line 5); they get the tag NOUN" in shown.err
    tagger = ElectraTokenClassifier.from_preset(tmp_path / "run" / "model")
    assert (tagger.labels, tagger.scheme, tagger.empty_word_tag) == (("DET", "NOUN"), "plain", "NOUN")
    with pytest.raises(SystemExit) as ended:
        job.run_job(predict.main, predict.Flags, ["predict.py", f"--model={tmp_path / 'run'}", "--format=text",
                                                  f"--input={files['train']}"])
    assert ended.value.code == 0
    lines = capsys.readouterr().out.split("\n")
    assert len(lines) == 4 * (2 + 1 + 3 + 1) + 1 and lines.count("") == 4 * 2 + 1
    assert all("/" in line for line in lines if line)


@pytest.mark.parametrize(("option", "value"), [
    ("token_column", 1), ("tag_column", 1), ("scheme", "plain"), ("model_scheme", "IOB2"), ("label_pieces", "all"),
    ("stride", 3), ("segment_id", 1), ("drop_last_character", True)])
def test_each_option_is_alive(data, tmp_path, option, value):
    path = tmp_path / "a.txt"
    path.write_text("abx cdx B-X\n" * 20 + "efx ghx O\n", encoding="utf-8")

    def what_is_learnt(options):
        task = task_of(options)
        rows = task.read(path)
        model = task.new_model(data["model"], train=rows, config=CONFIG, load_weights=False)
        examples = task.examples(model, rows)
        return (model.labels, examples.texts.token_ids.tolist(), examples.texts.segment_ids.tolist(),
                examples.labels.values.tolist())

    assert what_is_learnt(TokenClassification(**{option: value})) != what_is_learnt(TokenClassification())


def test_json_lines_are_refused_where_the_model_would_find_other_words_in_them(data, tmp_path):
    kept = Vocabulary((*tiny_vocabulary().pieces, "語", "##語"), TextSettings(split_cjk=False))
    split = Vocabulary(kept.pieces)
    for name, text in (("latin", "a good film"), ("chinese", "a 語語")):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps({"text": text, "spans": [[0, 1, "X"]]}) + "\n")
    task = task_of(TokenClassification())
    for vocabulary, name in ((kept, "latin"), (split, "chinese")):
        model = ElectraTokenClassifier(
            ElectraEncoder(tiny_config(vocabulary_size=kept.size)), labels=["O", "B-X", "I-X"], scheme="IOB2",
            preprocessor=TextPreprocessor(vocabulary, sequence_length=20))
        assert len(task.examples(model, task.read(tmp_path / f"{name}.jsonl"))) == 1
    model.preprocessor = TextPreprocessor(kept, sequence_length=20)
    with pytest.raises(InputError, match=r"chinese\.jsonl, line 1: the model's vocabulary does not make each Chinese"):
        task.examples(model, task.read(tmp_path / "chinese.jsonl"))


@pytest.mark.parametrize(("content", "message"), [
    ("good B-GOOD\nfilm B-NEW\n", r"dev\.txt, line 2: tag 'B-NEW' does not occur in the training set, whose labels are "
                                  r"O, B-BAD, I-BAD, E-BAD"),
    ("good B-GOOD\n\nfilm\n", r"dev\.txt, line 3: 1 columns, but the first line has 2"),
    ("good NOUN\n", r"dev\.txt, line 1: tag 'NOUN' does not occur in the training set"),
])
def test_a_validation_set_that_does_not_fit_is_refused_before_any_work(data, tmp_path, content, message):
    (tmp_path / "dev.txt").write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        finetune(CONFIG, task=TokenClassification(), output=tmp_path / "run",
                 **{**data, "validation": str(tmp_path / "dev.txt")})
    assert not (tmp_path / "run").exists()


def test_a_training_set_without_spans_is_refused(data, tmp_path):
    write_columns(tmp_path / "train.txt", [["a", "film"]], [["O", "O"]])
    with pytest.raises(InputError, match=r"train\.txt: every tag is O; a tagger needs spans to learn"):
        finetune(CONFIG, task=TokenClassification(scheme="IOB2"), output=tmp_path / "run",
                 **{**data, "train": str(tmp_path / "train.txt")})


@pytest.mark.parametrize(("settings", "message"), [
    ({"scheme": "BIO"}, "scheme='BIO' must be one of IOB1, IOB2, BIOES, plain"),
    ({"model_scheme": "plain"}, "model_scheme='plain' must be one of IOB1, IOB2, BIOES"),
    ({"label_pieces": "last"}, "label_pieces='last' must be one of first, all"),
    ({"stride": 0}, "stride=0 must be 1 or more"),
    ({"segment_id": 2}, "segment_id=2 must be 0 or 1"),
])
def test_options_that_do_not_fit_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        TokenClassification(**settings)


def test_the_loss_of_a_constant_guess_is_the_entropy_of_the_labels_in_each_row(data, tmp_path):
    path = write_columns(tmp_path / "a.txt", [["a", "film", EMPTY], ["plot"]], [["A", "B", "B"], ["B"]])
    task = task_of(TokenClassification())
    rows = task.read(path)
    examples = task.examples(task.new_model(data["model"], train=rows, config=CONFIG, load_weights=False), rows)
    # Three words are asked in two rows: one A, two B.
    assert task.constant_guess_loss(examples) == pytest.approx((1.0986123 + 2 * 0.4054651) / 2)

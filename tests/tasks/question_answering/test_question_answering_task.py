"""A fine-tuning run on questions: files in, official predictions out; no number has chosen its own threshold."""

import json

import numpy as np
import pytest

from electra_tf.config import FineTuningConfig
from electra_tf.errors import InputError
from electra_tf.serving.predictor import Predictor
from electra_tf.tasks.finetune import finetune
from electra_tf.tasks.question_answering.answer_scores import score_answers
from electra_tf.tasks.question_answering.best_answers import AnswerSpan, QuestionAnswer
from electra_tf.tasks.question_answering.options import QuestionAnswering
from electra_tf.tasks.question_answering.question_answerer import ElectraQuestionAnswerer
from electra_tf.tasks.question_answering.question_answering_task import QuestionAnsweringTask
from electra_tf.tasks.question_answering.question_files import read_questions
from electra_tf.tasks.task_models import load_task_model
from experiments import finetune as finetune_job
from experiments import job, predict
from tests.tasks.question_answering.moods import QUESTION, moods, write_squad
from tests.tasks.tiny import save_networks

OPTIONS = QuestionAnswering(stride=4, beam_size=5, n_best=3)
CONFIG = FineTuningConfig(sequence_length=20, batch_size=16, epochs=3, learning_rate=3e-3, dropout=0.0, layer_decay=1.0)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    save_networks(folder / "run")
    return {"model": str(folder / "run"), **{
        name: str(write_squad(folder / f"{name}.json", *moods(count, seed=seed)))
        for name, count, seed in (("train", 160, 0), ("validation", 40, 1), ("test", 30, 2))}}


@pytest.fixture(scope="module")
def finished(files, tmp_path_factory):
    return finetune(CONFIG, task=OPTIONS, **files, output=tmp_path_factory.mktemp("tuned") / "run", random_weights=True)


def test_a_run_learns_and_scores_the_test_set_with_the_threshold_of_the_validation_set(finished, files):
    assert finished.metric == "f1" and not finished.best.collapsed
    assert finished.best.test["f1"] > 0.8 and finished.best.test["no_answer_f1"] > 0.8
    answerer = ElectraQuestionAnswerer.from_preset(finished.folder / "model")
    assert answerer.options == OPTIONS and 0 < answerer.no_answer_threshold < 1
    rows = read_questions(files["test"])
    answers = answerer.predict(*zip(*[(question.question, question.context) for question in rows.questions]), verbose=0)
    again = score_answers([answer.text for answer in answers], [question.gold_texts for question in rows.questions],
                          scorer="squad2")
    decided = again.numbers()
    assert {name: finished.best.test[name] for name in decided} == decided
    # These know no threshold: they rank the best answers, which stand even where "none" is the answer.
    ranked = score_answers([answer.best_text for answer in answers],
                           [question.gold_texts for question in rows.questions], scorer="squad2",
                           no_answer_probabilities=[answer.no_answer_probability for answer in answers]).numbers()
    names = finished.best.test.keys() - decided.keys()
    assert names == {f"{name}_average_precision" for name in ("f1", "exact_match", "answerability")}
    assert {name: finished.best.test[name] for name in names} == pytest.approx({name: ranked[name] for name in names})
    assert min(finished.best.test[name] for name in names) > 0.8


def test_predictions_are_written_as_the_official_scripts_read_them(finished, files):
    folder = finished.folder / "trials" / "0"
    official = json.loads((folder / "predictions.json").read_text(encoding="utf-8"))
    records = [json.loads(line) for line in (folder / "predictions.jsonl").read_text(encoding="utf-8").splitlines()]
    questions = read_questions(files["test"]).questions
    assert list(official) == [question.id for question in questions] == [record["id"] for record in records]
    assert "" in official.values() and len(set(official.values())) > 4
    for record, question in zip(records, questions):
        assert official[record["id"]] == record["prediction"] and record["label"] == list(question.gold_texts)
        assert len(record["n_best"]) <= 3 and 0 <= record["no_answer_probability"] <= 1
        if record["prediction"]:
            assert record["prediction"] == question.context[record["start"]:record["end"]]
        else:
            assert record["start"] is None and record["best_text"] == record["n_best"][0]["text"]
    for name in ("f1", "exact_match"):
        assert np.mean([record[name] for record in records]) == pytest.approx(finished.best.test[name])


def test_a_tuned_model_answers_through_the_predictor(finished):
    predictor = Predictor(finished.folder)
    assert predictor.takes_pairs
    (found, none) = predictor.predict([(QUESTION, "the plot was lovely and a scene"), (QUESTION, "")])
    assert (found.text, found.start, found.end) == ("lovely", 13, 19)
    assert (none.text, none.no_answer_probability) == ("", 1.0)


def test_the_job_answers_lines_of_question_and_text(finished, tmp_path, capsys):
    (tmp_path / "asked.txt").write_text(f"{QUESTION}\tthe plot was lovely\n{QUESTION}\t\n", encoding="utf-8")
    predict.main(predict.Flags(model=str(finished.folder), input=str(tmp_path / "asked.txt"), format="text"))
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("lovely ") and first.endswith(QUESTION) and second.startswith("(no answer) 1.000")


def test_the_model_of_a_run_is_loaded_by_its_folder(finished):
    assert isinstance(load_task_model(finished.folder / "model"), ElectraQuestionAnswerer)


def test_the_flags_of_the_job_make_the_options():
    flags = job.read_flags(finetune_job.Flags, [
        "finetune.py", "--task=question_answering", "--train=a", "--validation=b", "--model=m", "--output=o",
        "--nojoint", "--answerability=none", "--stride=64", "--answer_scorer=cmrc"])
    assert finetune_job.task_from(flags, finetune_job.TASKS) == QuestionAnswering(
        joint=False, answerability="none", stride=64, answer_scorer="cmrc")


class Scripted:
    """A model whose answers are given: texts, and probabilities that there is no answer."""

    no_answer_threshold = None

    def __init__(self, texts, probabilities):
        self.answers = [QuestionAnswer(text, 0, 1, 1.0, none, (AnswerSpan(text, 0, 1, 1.0),))
                        for text, none in zip(texts, probabilities)]

    def predict_encoded(self, encoded, verbose):
        return self.answers

    predict = predict_encoded


def scripted_examples(tmp_path, answers):
    """Examples of one question in each context."""
    path = write_squad(tmp_path / "dev.json", [QUESTION] * len(answers),
                       [f"good {'x' * number}" for number in range(len(answers))], answers)

    class Examples:
        rows = read_questions(path)
        texts = None
    return Examples


def test_a_validation_score_has_not_chosen_its_own_threshold(tmp_path):
    """Probabilities without any meaning: chosen on the same questions a threshold would seem to help."""
    random = np.random.default_rng(3)
    answers = [None if none else "good" for none in random.random(60) < 0.5]
    examples = scripted_examples(tmp_path, answers)
    task = QuestionAnsweringTask(QuestionAnswering())
    model = Scripted(["good"] * 60, random.random(60))
    honest = task.scores(model, examples)
    assert honest.no_answer_threshold is None
    assert abs(honest.numbers()["f1"] - 0.5) < 0.1
    task.settle(model, examples)
    assert 0 <= model.no_answer_threshold <= 1
    seeming = task.scores(model, examples)
    assert seeming.no_answer_threshold == model.no_answer_threshold
    assert seeming.numbers()["f1"] > honest.numbers()["f1"]


@pytest.mark.parametrize("with_none", [False, True])
def test_predictions_of_a_model_without_a_threshold_are_those_that_are_scored(tmp_path, with_none):
    random = np.random.default_rng(4)
    examples = scripted_examples(tmp_path, [None if with_none and none else "good" for none in random.random(40) < 0.5])
    task, model = QuestionAnsweringTask(QuestionAnswering()), Scripted(["good"] * 40, random.random(40))
    lines = list(task.predictions(model, examples.rows))
    scores = task.scores(model, examples)
    assert [line["prediction"] for line in lines] == scores.texts and ("" in scores.texts) == with_none
    np.testing.assert_allclose([line["f1"] for line in lines], scores.f1)
    assert {line["start"] is None for line in lines if not line["prediction"]} <= {True}


def test_answering_nothing_is_the_level_of_a_run_that_learnt_nothing(tmp_path):
    task = QuestionAnsweringTask(QuestionAnswering())
    assert task.majority_level(scripted_examples(tmp_path, ["good", None, None, "good"]), "f1") == 0.5
    assert task.majority_level(scripted_examples(tmp_path, ["good", "good"]), "f1") is None


def test_where_every_question_has_an_answer_one_is_always_given(tmp_path):
    task = QuestionAnsweringTask(QuestionAnswering())
    model = Scripted(["good", "x"], [0.999, 0.9])
    examples = scripted_examples(tmp_path, ["good", "good"])
    assert task.scores(model, examples).numbers() == {"f1": 0.5, "exact_match": 0.5}
    task.settle(model, examples)
    assert model.no_answer_threshold == 1.0


def test_questions_on_one_context_share_a_half(tmp_path):
    path = tmp_path / "dev.json"
    path.write_text(json.dumps({"data": [{"paragraphs": [
        {"context": context, "qas": [{"id": f"{context}{number}", "question": "?", "answers": []}
                                     for number in range(4)]}
        for context in "abcdefgh"]}]}))
    questions = read_questions(path).questions
    thresholds = QuestionAnsweringTask(QuestionAnswering())._threshold_of_other_half(
        questions, Scripted(["x"] * 32, np.linspace(0.1, 0.9, 32)).answers)
    by_context = np.reshape(thresholds, [8, 4])
    assert (by_context == by_context[:, :1]).all() and len(set(by_context[:, 0])) == 2


def test_the_scorer_follows_the_option_and_the_questions(tmp_path):
    model = Scripted(["good the"], [0.0])
    examples = scripted_examples(tmp_path, ["good"])
    assert QuestionAnsweringTask(QuestionAnswering()).scores(model, examples).scorer == "squad1"
    chinese = QuestionAnsweringTask(QuestionAnswering(answer_scorer="cmrc")).scores(model, examples)
    assert chinese.numbers() == {"f1": pytest.approx(2 / 3), "exact_match": 0.0}
    without = scripted_examples(tmp_path, [None])
    assert QuestionAnsweringTask(QuestionAnswering()).scores(model, without).scorer == "squad2"


def test_wrong_offsets_are_told_or_refused(tmp_path, capsys):
    path = tmp_path / "train.json"
    path.write_text(json.dumps({"data": [{"paragraphs": [{"context": "a good film", "qas": [
        {"id": "q7", "question": "?", "answers": [{"text": "good", "answer_start": 3}]}]}]}]}))
    rows = QuestionAnsweringTask(QuestionAnswering()).read(path)
    assert rows.questions[0].answers[0].start == 2
    told = capsys.readouterr().err
    assert "train.json: of 1 answers 1 did not stand at their answer_start" in told and "question q7" in told
    with pytest.raises(InputError, match="train.json, paragraph 0, question q7: the answer 'good' does not stand"):
        QuestionAnsweringTask(QuestionAnswering(wrong_answers="refuse")).read(path)


def test_files_that_teach_nothing_are_refused(files, tmp_path):
    def squad(answers):
        path = tmp_path / "train.json"
        entry = {"id": "q", "question": "?", **answers}
        path.write_text(json.dumps({"data": [{"paragraphs": [{"context": "a good film", "qas": [entry]}]}]}))
        return path

    task = QuestionAnsweringTask(QuestionAnswering())
    with pytest.raises(InputError, match="train.json: question 'q' has no list of answers"):
        task.read(squad({}))
    with pytest.raises(InputError, match="train.json holds no answer that stands in its context"):
        task.new_model(files["model"], train=task.read(squad({"answers": []})), config=CONFIG, load_weights=True)


def test_a_threshold_of_an_earlier_task_is_left_behind(finished, files):
    task = QuestionAnsweringTask(OPTIONS)
    model = task.new_model(finished.folder / "model", train=task.read(files["train"]), config=CONFIG, load_weights=True)
    assert model.no_answer_threshold is None
    kept = ElectraQuestionAnswerer.from_preset(finished.folder / "model")
    np.testing.assert_array_equal(model.head.start.kernel, kept.head.start.kernel)  # tuning on goes on with the head


def test_a_guess_without_knowledge_has_the_loss_of_its_shares(files):
    task = QuestionAnsweringTask(QuestionAnswering(answerless_windows="impossible"))
    rows = task.read(files["train"])
    model = task.new_model(f"{files['model']}/discriminator", train=rows, config=CONFIG, load_weights=False)
    examples = task.examples(model, rows)
    starts, impossible = examples.labels["start"], examples.labels["impossible"]
    room = (examples.texts.segment_ids == 1).sum(axis=1)
    here = (starts == 0).mean()
    of_a_place = np.where(starts == 0, -np.log(here), -np.log((1 - here) / room)).mean()
    of_none = np.where(impossible == 1, -np.log(impossible.mean()), -np.log(1 - impossible.mean())).mean()
    assert task.constant_guess_loss(examples) == pytest.approx(of_a_place + 0.5 * of_none)

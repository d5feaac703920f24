"""Files of questions in the forms that exist; what is wrong in them is named by file, paragraph and question."""

import copy
import gzip
import json
import lzma

import pytest

from electra_tf.errors import InputError
from electra_tf.tasks.question_answering.question_files import Answer, nearest_place, read_questions
from tests.oracles.shared import shared_path

CONTEXT = "Ann met Bob. Bob left; Ann stayed."
SQUAD = {"version": "1.1", "data": [
    {"title": "People", "paragraphs": [
        {"context": "\u6771\u4eac\u306f\U0001f5fc caf\u00e9", "qas": [
            {"id": "q0", "question": "Where?", "answers": [{"text": "\U0001f5fc caf\u00e9", "answer_start": 3}]}]},
        {"context": CONTEXT, "qas": [
            {"id": "q1", "question": "Who left?", "answers": [{"text": "Bob", "answer_start": 13},
                                                              {"text": "Bob.", "answer_start": 8}]},
            {"id": 2, "question": "Who came?", "answers": [], "is_impossible": True}]}]}]}
CMRC = [{"context_id": "c0", "context_text": "\u5317\u4eac\u662f\u9996\u90fd\u3002", "title": "t", "qas": [
    {"query_id": "c0_0", "query_text": "\u54ea\u91cc\uff1f", "answers": ["\u5317\u4eac", "\u9996\u90fd"]}]}]


def write(path, content):
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def changed(**changes):
    """SQUAD with other values in the last paragraph's first question."""
    content = copy.deepcopy(SQUAD)
    content["data"][0]["paragraphs"][1]["qas"][0] |= changes
    return content


def changed_cmrc(**changes):
    """CMRC with other values in its question."""
    content = copy.deepcopy(CMRC)
    content[0]["qas"][0] |= changes
    return content


def test_squad_is_read_with_its_answers_and_questions_without_one(tmp_path):
    rows = read_questions(write(tmp_path / "dev.json", SQUAD))
    assert [question.id for question in rows.questions] == ["q0", "q1", "2"] and len(rows) == 3
    first, second, third = rows.questions
    assert first.context[3:3 + len(first.answers[0].text)] == "\U0001f5fc caf\u00e9"
    assert second.answers == (Answer("Bob", 13), Answer("Bob.", 8)) and second.gold_texts == ("Bob", "Bob.")
    assert third.gold_texts == () and third.is_impossible and not second.is_impossible
    assert rows.counts.answers == 3 and rows.counts.warning("dev.json") is None


def test_an_empty_list_of_answers_says_that_there_is_none_and_no_list_says_nothing(tmp_path):
    content = changed(answers=[])
    del content["data"][0]["paragraphs"][0]["qas"][0]["answers"]
    content["data"][0]["paragraphs"][0]["qas"][0]["is_impossible"] = False
    first, second, _ = read_questions(write(tmp_path / "dev.json", content)).questions
    assert second.is_impossible
    assert first.gold_texts is None and not first.is_impossible
    (question,) = read_questions(write(tmp_path / "cmrc.json", changed_cmrc(answers=[]))).questions
    assert question.is_impossible


def test_the_own_form_of_cmrc_is_read_and_its_answers_are_found(tmp_path):
    (question,) = read_questions(write(tmp_path / "dev.json", CMRC)).questions
    assert (question.id, question.question) == ("c0_0", "\u54ea\u91cc\uff1f")
    assert question.answers == (Answer("\u5317\u4eac", 0), Answer("\u9996\u90fd", 3))


@pytest.mark.parametrize("suffix, pack", [(".gz", gzip.compress), (".xz", lzma.compress)])
def test_packed_files_are_unpacked(tmp_path, suffix, pack):
    path = tmp_path / f"dev.json{suffix}"
    path.write_bytes(pack(json.dumps(SQUAD).encode("utf-8")))
    assert len(read_questions(path)) == 3


def test_wrong_offsets_are_moved_to_the_nearest_place_or_left_out_and_counted(tmp_path):
    content = changed(answers=[{"text": "Bob", "answer_start": 14}, {"text": "Ann", "answer_start": -1},
                               {"text": "Eve", "answer_start": 3}])
    rows = read_questions(write(tmp_path / "dev.json", content))
    assert rows.questions[1].answers == (Answer("Bob", 13), Answer("Ann", 0))
    assert rows.questions[1].gold_texts == ("Bob", "Ann", "Eve")
    assert (rows.counts.answers, rows.counts.moved, rows.counts.absent) == (4, 2, 1)
    warning = rows.counts.warning("dev.json")
    assert "dev.json: of 4 answers 2 did not stand" in warning and "1 stand nowhere" in warning
    assert "paragraph 1 (of 'People'), question q1" in warning


@pytest.mark.parametrize("text, start, place", [
    ("Bob", 9, 8), ("Bob", 11, 13), ("Bob", -1, 8), ("Bob", 99, 13), ("Eve", 0, None), ("", 0, None)])
def test_the_nearest_place(text, start, place):
    assert nearest_place(text, CONTEXT, start) == place


def test_occurrences_that_overlap_are_all_looked_at():
    assert nearest_place("aa", "baaaa", 2) == 2


def test_wrong_offsets_can_be_refused(tmp_path):
    path = write(tmp_path / "dev.json", changed(answers=[{"text": "Bob", "answer_start": 9}]))
    with pytest.raises(InputError, match=r"dev.json, paragraph 1 \(of 'People'\), question q1: the answer 'Bob' does "
                                         r"not stand at answer_start=9"):
        read_questions(path, wrong_answers="refuse")


def test_half_characters_are_replaced_one_for_one(tmp_path):
    path = tmp_path / "dev.json"
    path.write_text(json.dumps(SQUAD).replace("Ann met", "\\ud800nn met"), encoding="utf-8")
    assert read_questions(path).questions[1].context == "\ufffd" + CONTEXT[1:]


def test_half_characters_of_ids_and_of_cmrc_answers_are_replaced_too(tmp_path):
    path = tmp_path / "dev.json"
    path.write_text(json.dumps(SQUAD).replace('"q0"', r'"q\ud800"'), encoding="utf-8")
    assert read_questions(path).questions[0].id == "q\ufffd"
    path.write_text(json.dumps(CMRC).replace(r"\u9996\u90fd", r"\ud800\u90fd"), encoding="utf-8")
    rows = read_questions(path)
    assert rows.questions[0].answers[1] == Answer("\ufffd\u90fd", 3) and rows.counts.moved == 0


@pytest.mark.parametrize("content, message", [
    (changed(id="q0"), r"question q0: another question has the id 'q0'"),
    (changed(id=None), r"dev.json, paragraph 1 \(of 'People'\): a question has no 'id'"),
    (changed(question=7), r"question q1: 'question' is 7; expected a string"),
    (changed(answers="Bob"), r"question q1: no list 'answers'"),
    (changed(answers=[{"text": "Bob"}]), r"question q1: answer_start is None"),
    (changed(answers=[{"text": None, "answer_start": 1}]), r"question q1: 'text' is null"),
    (changed(answers=[None]), r"question q1: an answer is null; expected an object with text and answer_start"),
    (changed(answers=["Bob"]),
     r'dev.json, paragraph 1 \(of .People.\), question q1: an answer is "Bob"; expected an object'),
    (changed_cmrc(answers=[None]), r"dev.json, paragraph 0, question c0_0: an answer is null; expected a string"),
    (changed_cmrc(answers=["\u5317\u4eac", {"text": "a"}]),
     r'question c0_0: an answer is {"text": "a"}; expected a string'),
    (changed(is_impossible=True), r"question q1: is_impossible is true, yet there are answers"),
    (changed(is_impossible=False, answers=[]),
     r"question q1: is_impossible is false, yet the list of answers is empty; correct one of the two, or leave the "
     r"list out where the answers are not known\."),
    ({"data": []}, "dev.json holds no questions"),
    ({"rows": []}, "dev.json: no list 'data'; expected the form of SQuAD or CMRC 2018"),
    ({"data": [{"title": "x"}]}, r"dev.json, data\[0\]: no list 'paragraphs'"),
    ([{"qas": []}], r"dev.json, paragraph 0: 'context_text' is null"),
])
def test_what_does_not_fit_the_form_is_named(tmp_path, content, message):
    with pytest.raises(InputError, match=message):
        read_questions(write(tmp_path / "dev.json", content))


def test_broken_json_is_named_by_line(tmp_path):
    path = tmp_path / "dev.json"
    path.write_text('{"data": [\n  {"paragraphs": oops}\n]}', encoding="utf-8")
    with pytest.raises(InputError, match="dev.json, line 2, column 18: not JSON"):
        read_questions(path)
    path.write_text("", encoding="utf-8")
    with pytest.raises(InputError, match="dev.json, line 1, column 1: not JSON"):
        read_questions(path)


@pytest.mark.parametrize("name, questions, impossible, moved, absent", [
    ("cmrc2018/cmrc2018_dev.json.gz", 3219, 0, 7, 193),
    ("cmrc2018/cmrc2018_trial.json.gz", 1002, 0, 5, 0),
    ("squad2.0/dev-v2.0.half.json.gz", 6078, 3168, 0, 0),
    ("xquad/xquad.zh.json.gz", 1190, 0, 0, 0),
    ("drcd/DRCD_dev.json.gz", 3524, 0, 0, 0),
])
def test_real_files_have_the_counts_that_were_found_by_other_means(name, questions, impossible, moved, absent):
    rows = read_questions(shared_path(f"data/finetune/qa/{name}"))
    assert (len(rows), sum(question.is_impossible for question in rows.questions)) == (questions, impossible)
    assert (rows.counts.moved, rows.counts.absent) == (moved, absent)

"""Files of questions: SQuAD 1.1 and 2.0 and what follows their form, and CMRC 2018's own form."""

import dataclasses
import hashlib
import json

from electra_tf.errors import InputError
from electra_tf.tasks.statistics.folds import fold_of_groups
from electra_tf.text.text_files import LineReader, whole_characters

_SHOWN = 3  # wrong answers that a warning names


@dataclasses.dataclass(frozen=True)
class Answer:
    """An answer and the place of its first character in the context (characters are Unicode code points)."""

    text: str
    start: int


@dataclasses.dataclass(frozen=True)
class Question:
    """One question on one text.

    Attributes:
        id: its name in the file.
        question, context: str.
        answers: Answers whose text stands at their place; empty where there is no answer, or none that stands there.
        gold_texts: the texts of all answers of the file, which the scorer compares with; None in a file without
            answers.
    """

    id: str
    question: str
    context: str
    answers: tuple
    gold_texts: tuple | None

    @property
    def is_impossible(self):
        """Whether the file says that the context does not answer the question."""
        return self.gold_texts == ()


@dataclasses.dataclass
class AnswerCounts:
    """What was wrong with the answers of a file.

    Attributes:
        answers: all answers of the file.
        moved: those that stood elsewhere in the context and were moved there.
        absent: those whose text does not stand in the context; they are scored, and not learnt.
        places: the first few of both.
    """

    answers: int = 0
    moved: int = 0
    absent: int = 0
    places: list = dataclasses.field(default_factory=list)

    def warning(self, source):
        """One sentence, or None where all is well.

        >>> AnswerCounts(10, 1, 0, ["paragraph 2, question q7"]).warning("dev.json")
        'dev.json: of 10 answers 1 did not stand at its answer_start and was moved to ... (paragraph 2, question q7).'
        """
        if not self.moved + self.absent:
            return None
        more = ", ..." if self.moved + self.absent > len(self.places) else ""
        return (f"{source}: of {self.answers} answers {self.moved} did not stand at their answer_start and were moved "
                f"to the nearest place of their text; {self.absent} stand nowhere in their paragraph and are scored "
                f"but not learnt ({'; '.join(self.places)}{more}).")


@dataclasses.dataclass(frozen=True)
class QuestionRows:
    """The questions of a file, in its order.

    Attributes:
        source: the file.
        questions: list of Question.
        counts: AnswerCounts.
    """

    source: str
    questions: list
    counts: AnswerCounts

    def __len__(self):
        return len(self.questions)

    def at(self, places):
        """The questions at some places."""
        return dataclasses.replace(self, questions=[self.questions[place] for place in places])

    def folds(self, count, *, seed):
        """The fold of each question, int array [questions]; all questions on one text are in one fold."""
        return fold_of_groups([question.context for question in self.questions], folds=count, seed=seed)

    def hash(self):
        """What tells one set of questions from another, wherever it lies."""
        rows = [dataclasses.astuple(question) for question in self.questions]
        return hashlib.sha256(json.dumps(rows).encode("ascii")).hexdigest()


def read_questions(source, *, wrong_answers="repair"):
    """Reads a file of questions in any language; .gz and .xz are unpacked.

    Known forms: SQuAD's {"data": [{"paragraphs": [{"context", "qas": [{"id", "question", "answers": [{"text",
    "answer_start"}]}]}]}]}, with or without "is_impossible"; and CMRC 2018's list of {"context_text", "qas":
    [{"query_id", "query_text", "answers": [text]}]}, whose answers are looked for in the text.

    Args:
        source: path.
        wrong_answers: what happens to an answer that does not stand at its offset: "repair" moves it to the nearest
            place of its text, or leaves it out of training where there is none, and counts; "refuse" raises.

    Returns:
        QuestionRows.

    Raises:
        InputError: names the file, and the line or the paragraph and question, of what cannot be read.

    >>> read_questions("dev-v2.0.json.gz").questions[0].answers   # (Answer(text='France', start=159),)
    """
    source = str(source)
    rows = QuestionRows(source, [], AnswerCounts())
    seen = set()
    for where, context, entry in _entries(_json(source), source):
        question = _question(where, context, entry, rows.counts, wrong_answers)
        if question.id in seen:
            raise InputError(f"{where}: another question has the id {question.id!r}; each needs its own.")
        seen.add(question.id)
        rows.questions.append(question)
    if not rows.questions:
        raise InputError(f"{source} holds no questions; give a file of SQuAD's or CMRC 2018's form.")
    return rows


def _json(source):
    text = "\n".join(line.text for line in LineReader(source, errors="strict", longest_line_bytes=None))
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"{source}, line {error.lineno}, column {error.colno}: not JSON ({error.msg}).") from None


def _entries(content, source):
    """Yields (where, context, entry of one question), each entry in SQuAD's form."""
    if isinstance(content, list):
        for number, paragraph in enumerate(content):
            where = f"{source}, paragraph {number}"
            context = _text(paragraph, "context_text", where)
            for entry in _list(paragraph, "qas", where):
                place = _place_of(entry, "query_id", where)
                yield place, context, _as_squad(entry, context, place)
        return
    number = 0
    for place, article in enumerate(_list(content, "data", source)):
        for paragraph in _list(article, "paragraphs", f"{source}, data[{place}]"):
            title = article.get("title")
            where = f"{source}, paragraph {number}" + (f" (of {title!r})" if title else "")
            number += 1
            context = _text(paragraph, "context", where)
            for entry in _list(paragraph, "qas", where):
                yield _place_of(entry, "id", where), context, entry


def _place_of(entry, key, where):
    """`where` with the question's own name."""
    name = entry.get(key) if isinstance(entry, dict) else None
    if not isinstance(name, str | int) or isinstance(name, bool):
        raise InputError(f"{where}: a question has no {key!r}; expected a string there.")
    return f"{where}, question {whole_characters(str(name))}"


def _as_squad(entry, context, where):
    texts = _list(entry, "answers", where)
    for text in texts:
        if not isinstance(text, str):
            raise InputError(f"{where}: an answer is {json.dumps(text)[:60]}; expected a string, as in CMRC 2018; "
                             f"correct or remove it.")
    answers = [{"text": text, "answer_start": context.find(whole_characters(text))} for text in texts]
    return {"id": entry["query_id"], "question": entry.get("query_text"), "answers": answers}


def _question(where, context, entry, counts, wrong_answers):
    question, gold_texts, answers = _text(entry, "question", where), None, []
    if "answers" in entry or entry.get("is_impossible"):
        pairs = [_answer(answer, where) for answer in (_list(entry, "answers", where) if "answers" in entry else ())]
        if pairs and entry.get("is_impossible"):
            raise InputError(f"{where}: is_impossible is true, yet there are answers; correct one of the two.")
        if not pairs and entry.get("is_impossible") is False:
            raise InputError(f"{where}: is_impossible is false, yet the list of answers is empty; correct one of the "
                             f"two, or leave the list out where the answers are not known.")
        gold_texts = tuple(answer.text for answer in pairs)
        counts.answers += len(pairs)
        answers = [_at_its_place(answer, context, where, counts, wrong_answers) for answer in pairs]
    return Question(whole_characters(str(entry["id"])), question, context, tuple(filter(None, answers)), gold_texts)


def _answer(answer, where):
    if not isinstance(answer, dict):
        raise InputError(f"{where}: an answer is {json.dumps(answer)[:60]}; expected an object with text and "
                         f"answer_start, as in SQuAD; correct or remove it.")
    text = _text(answer, "text", where)
    start = answer.get("answer_start")
    if not isinstance(start, int) or isinstance(start, bool):
        raise InputError(f"{where}: answer_start is {start!r}; expected the number of a character.")
    return Answer(text, start)


def _at_its_place(answer, context, where, counts, wrong_answers):
    """The answer, moved if need be, or None."""
    if answer.text and answer.start >= 0 and context.startswith(answer.text, answer.start):
        return answer
    if wrong_answers == "refuse":
        raise InputError(f"{where}: the answer {answer.text[:60]!r} does not stand at answer_start={answer.start}; "
                         f"correct it, or let wrong_answers=repair move it.")
    if len(counts.places) < _SHOWN:
        counts.places.append(where.partition(", ")[2])
    start = nearest_place(answer.text, context, answer.start)
    if start is None:
        counts.absent += 1
        return None
    counts.moved += 1
    return Answer(answer.text, start)


def nearest_place(text, context, start):
    """The place of a text in a context that is nearest to `start`, the first of two; None where there is none.

    >>> nearest_place("a", "bab ba", 4)   # 5
    """
    places, place = [], context.find(text) if text else -1
    while place >= 0:
        places.append(place)
        place = context.find(text, place + 1)
    return min(places, key=lambda found: abs(found - start), default=None)


def _list(values, key, where):
    found = values.get(key) if isinstance(values, dict) else None
    if not isinstance(found, list):
        raise InputError(f"{where}: no list {key!r}; expected the form of SQuAD or CMRC 2018.")
    return found


def _text(values, key, where):
    found = values.get(key) if isinstance(values, dict) else None
    if not isinstance(found, str):
        raise InputError(f"{where}: {key!r} is {json.dumps(found)[:60]}; expected a string.")
    return whole_characters(found)

"""Questions that a tiny model can learn: which word of the text tells the mood; in some texts none does."""

import json

import numpy as np

from tests.tasks.tiny import BAD, GOOD, OTHERS

QUESTION = "a film"


def moods(count, *, seed, share_without=0.3, longest=12):
    """(questions, contexts, answers): the answer is a str, or None."""
    random = np.random.default_rng(seed)
    contexts, answers = [], []
    for _ in range(count):
        words = list(random.choice(OTHERS, random.integers(2, longest)))
        answer = None
        if random.random() >= share_without:
            answer = str(random.choice(GOOD + BAD))
            words.insert(random.integers(len(words) + 1), answer)
        contexts.append(" ".join(words))
        answers.append(answer)
    return [QUESTION] * count, contexts, answers


def write_squad(path, questions, contexts, answers):
    """A file of SQuAD 2.0's form."""
    paragraphs = [
        {"context": context, "qas": [{"id": f"q{number}", "question": question, "is_impossible": answer is None,
                                      "answers": [] if answer is None else
                                      [{"text": answer, "answer_start": context.index(answer)}]}]}
        for number, (question, context, answer) in enumerate(zip(questions, contexts, answers, strict=True))]
    path.write_text(json.dumps({"data": [{"title": "moods", "paragraphs": paragraphs}]}), encoding="utf-8")
    return path

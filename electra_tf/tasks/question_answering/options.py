"""What a question-answering model is asked to do, beside how it is trained."""

import dataclasses

from electra_tf.settings import require, require_one_of, require_whole_numbers, setting

ANSWERABILITY = ("start", "cls", "none")
ANSWERLESS_WINDOWS = ("as_question", "impossible")
WRONG_ANSWERS = ("repair", "refuse")
ANSWER_SCORERS = ("squad", "cmrc")


@dataclasses.dataclass(frozen=True)
class QuestionAnswering:
    """Answers to questions as pieces of a text: head, windows, answers and files (the original's where it has them).

    >>> QuestionAnswering(joint=False, answerability="none").name   # 'question_answering', the head of Hugging Face
    """

    joint: bool = setting(True, "whether the end of an answer is chosen for each likely start (the original), or by "
                                "itself")
    answerability: str = setting("start", "classifier of \"is there an answer?\": start (sees [CLS] and what the start "
                                          "points at), cls (sees [CLS]), or none")
    beam_size: int = setting(20, "likely starts that are looked at, and likely ends for each")
    stride: int = setting(128, "pieces from the start of one window over a long text to the start of the next (the "
                               "original's doc_stride); windows overlap where it is shorter than they are")
    max_question_length: int = setting(64, "longest question in pieces; the rest is cut off")
    max_answer_length: int = setting(30, "longest answer in pieces")
    n_best: int = setting(20, "answers that are kept for each question")
    answerless_windows: str = setting("as_question", "what a window without the answer teaches the classifier: "
                                                     "as_question (the original: there is an answer), or impossible")
    wrong_answers: str = setting("repair", "answers that do not stand at their offset: repair moves them to the "
                                           "nearest place of their text, else leaves them out, and counts; refuse "
                                           "stops")
    answer_scorer: str = setting("squad", "squad: words, as the official scripts of SQuAD 1.1 and 2.0; cmrc: Chinese "
                                          "characters, as CMRC 2018's")
    name = "question_answering"

    def __post_init__(self):
        require_whole_numbers(self, ("beam_size", "stride", "max_question_length", "max_answer_length", "n_best"))
        require_one_of(self, "answerability", ANSWERABILITY)
        require_one_of(self, "answerless_windows", ANSWERLESS_WINDOWS)
        require_one_of(self, "wrong_answers", WRONG_ANSWERS)
        require_one_of(self, "answer_scorer", ANSWER_SCORERS)
        require(isinstance(self.joint, bool), f"joint={self.joint!r} must be true or false.")

    @property
    def head(self):
        """What the weights of the head depend on."""
        return self.joint, self.answerability

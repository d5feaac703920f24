"""How a fine-tuning run reads tagged files and learns their tags: plain settings, known without TensorFlow."""

import dataclasses

from electra_tf.config import setting
from electra_tf.settings import require, require_one_of
from electra_tf.tasks.tagging.tag_schemes import SCHEMES, SPAN_SCHEMES

LABEL_PIECES = ("first", "all")


@dataclasses.dataclass(frozen=True)
class TokenClassification:
    """A tag for each word of a sentence: names, chunks, parts of speech.

    >>> TokenClassification(token_column=0, tag_column=3).name   # 'token_classification'
    """

    token_column: int | None = setting(None, "column of the words, from 0, or from -1 backwards; left out, the first "
                                             "(the form of CoNLL-U)")
    tag_column: int | None = setting(None, "column of the tags; left out, the last (the universal part of speech of "
                                           "CoNLL-U)")
    scheme: str | None = setting(None, "how the files write spans: IOB1, IOB2, BIOES, or plain for tags that stand for "
                                       "themselves; left out, for each file what its tags break least")
    model_scheme: str = setting("BIOES", "scheme of spans that the model learns: BIOES as in the original, IOB2, IOB1")
    label_pieces: str = setting("first", "pieces of a word that are learnt and judged: first or all")
    stride: int | None = setting(None, "pieces from the start of a window to that of the next, for sentences that are "
                                       "longer than the input; left out, half a window")
    segment_id: int = setting(0, "segment of all pieces: 0, or 1 as in the original's tagging")
    drop_last_character: bool = setting(False, "the last character of each word in the file is not its own (Weibo NER "
                                               "numbers its characters)")
    name = "token_classification"

    def __post_init__(self):
        if self.scheme is not None:
            require_one_of(self, "scheme", SCHEMES)
        require_one_of(self, "model_scheme", SPAN_SCHEMES)
        require_one_of(self, "label_pieces", LABEL_PIECES)
        require(self.stride is None or self.stride >= 1, f"stride={self.stride} must be 1 or more.")
        require(self.segment_id in (0, 1), f"segment_id={self.segment_id} must be 0 or 1.")

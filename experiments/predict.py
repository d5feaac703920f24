"""Job: texts -> what a model says about them. `--help` shows the flags."""

import dataclasses
import itertools
import json
import pathlib
import sys

import electra_tf
from electra_tf import config
from electra_tf.text.text_files import LineReader
from experiments import job

FORMATS = ("json", "text")
_LINES_AT_ONCE = 256
# A word that the discriminator takes for a replacement, in the readable format.
_SUSPICIOUS = 0.5


@dataclasses.dataclass(frozen=True)
class Flags:
    """Answers texts, one in a line: labels, tags and spans, answers to questions (a tab separates question and
    context), the best of several endings (tabs separate text and endings) by a tuned model or its SavedModel; pieces
    for [MASK] (a generator), or how likely each word was replaced (a discriminator). A pretraining run does the last
    two.
    """

    model: str = job.required("run folder, model folder, folder of an exported SavedModel, or a shipped name")
    input: str = job.required("file of texts, one in a line (.gz and .xz are unpacked), or - for standard input; a tab "
                              "separates the texts of a pair")
    format: str = config.setting("json", "json: an object in each line; text: for people")
    top_k: int = config.setting(5, "candidates for each [MASK]")
    sequence_length: int = config.setting(128, "longest input in pieces of a generator or discriminator; a tuned model "
                                               "has its own")
    engine: str = config.setting("auto", "what computes a tuned model or a discriminator: tensorflow, onnx, openvino; "
                                         "auto: the fastest that is installed")
    precision: str = config.setting("float32", "float32, or bfloat16 with openvino: faster, less exact")


def main(flags):
    if flags.format not in FORMATS:
        raise electra_tf.InputError(f"--format={flags.format!r} is not known; choose one of {', '.join(FORMATS)}.")
    lines = _lines(flags.input)
    predictor = electra_tf.Predictor(flags.model, sequence_length=flags.sequence_length, top_k=flags.top_k,
                                     engine=flags.engine, precision=flags.precision)
    print(predictor.engine, file=sys.stderr)
    # A person at the keyboard wants each answer at once.
    lines_at_once = 1 if flags.input == "-" and sys.stdin.isatty() else _LINES_AT_ONCE
    numbered = enumerate(lines, start=1)
    tabs_are_known = predictor.takes_pairs or predictor.takes_choices
    while batch := list(itertools.islice(numbered, lines_at_once)):
        places = [f"--input: {flags.input}, line {number}" for number, _ in batch]
        tabs_are_known = tabs_are_known or _tell_of_tab(places, [line for _, line in batch])
        texts = [_columns(line, place, predictor) for (_, line), place in zip(batch, places, strict=True)]
        for text, answer in zip(texts, _answers(predictor, texts, places), strict=True):
            answer = dataclasses.asdict(answer)
            print(_readable(text, answer) if flags.format == "text" else
                  json.dumps(_record(text, answer), ensure_ascii=False), flush=True)


def _lines(source):
    """The lines of the input, one by one; bytes that are not UTF-8 are left out, as in every tokenizer of ours."""
    if source == "-":
        return (line.rstrip(b"\r\n").decode("utf-8", errors="ignore") for line in sys.stdin.buffer)
    if not pathlib.Path(source).is_file():
        raise electra_tf.InputError(f"--input: {source} is no file; give a file of texts, or - for standard input.")
    return (line.text for line in LineReader(source, longest_line_bytes=None))


def _columns(line, where, predictor):
    """What the predictor takes of one line: a text, a pair, or (text, endings)."""
    columns = line.split("\t")
    if predictor.takes_pairs and len(columns) != 2:
        raise electra_tf.InputError(f"{where}: the line has {len(columns)} columns, but this model takes pairs: two "
                                    f"texts with a tab between them.")
    if predictor.takes_choices and len(columns) < 3:
        raise electra_tf.InputError(f"{where}: the line has {len(columns)} columns, but this model chooses: a text and "
                                    f"two or more endings with tabs between them.")
    if predictor.takes_choices:
        return columns[0], tuple(columns[1:])
    return tuple(columns) if predictor.takes_pairs else line


def _tell_of_tab(places, lines):
    """Says of the first line with a tab that this model takes it for a space; returns whether there was one."""
    found = next((place for place, line in zip(places, lines, strict=True) if "\t" in line), None)
    if found is not None:
        print(f"{found}: the line holds a tab, which is a space to this model: it takes one text and no pair.",
              file=sys.stderr)
    return found is not None


def _answers(predictor, texts, places):
    """Answers to texts; where they are refused together, each is asked alone, so that an error names its line."""
    try:
        return predictor.predict(texts)
    except electra_tf.InputError:
        return [_answer(predictor, text, place) for text, place in zip(texts, places, strict=True)]


def _answer(predictor, text, where):
    try:
        return predictor.predict([text])[0]
    except electra_tf.InputError as error:
        raise electra_tf.InputError(f"{where}: {error}") from None


def _record(text, answer):
    """What was asked and answered, ready for JSON."""
    if "n_best" in answer:
        question, context = text
        return {"question": question, "context": context, "answer": answer.pop("text"), **answer}
    return {"text": text, **answer}


def _readable(text, answer):
    """The answer and what it was asked of, for people."""
    if "label" in answer:
        return f"{answer['label']} {answer['probabilities'][answer['label']]:.3f}  {_one_or_pair(text)}"
    if "labels" in answer:
        shares = ", ".join(f"{label} {answer['probabilities'][label]:.3f}" for label in answer["labels"])
        return f"{shares or '(no label)'}  {_one_or_pair(text)}"
    if "score" in answer:
        return f"{answer['score']:.3f}  {_one_or_pair(text)}"
    if "ending" in answer:
        return f"{answer['ending']} {max(answer['probabilities']):.3f}  {text[0]}"
    if "spans" in answer:
        return _with_spans(text, answer)
    if "n_best" in answer:
        return f"{answer['text'] or '(no answer)'} {answer['probability']:.3f}  {text[0]}"
    note = "  (the end was cut off)" * answer["truncated"]
    if "masks" in answer:
        lines = [f"  [MASK] {number}: " + ", ".join(f"{best['piece']} {best['probability']:.3f}" for best in candidates)
                 for number, candidates in enumerate(answer["masks"], start=1)]
        return "\n".join([text + note, *lines])
    for word in reversed(answer["words"]):
        if word["probability"] > _SUSPICIOUS:
            text = f"{text[:word['start']]}*{word['word']}*({word['probability']:.2f}){text[word['end']:]}"
    return text + note


def _one_or_pair(text):
    return " | ".join(text) if isinstance(text, tuple) else text


def _with_spans(text, answer):
    """The spans in brackets, or each word with its tag where the tags stand for themselves."""
    if answer["spans"] is None:
        marked = [(word["start"], word["end"], "", f"/{word['tag']}") for word in answer["words"]]
    else:
        marked = [(span["start"], span["end"], f"[{span['type']} ", "]") for span in answer["spans"]]
    for start, end, before, after in reversed(marked):
        text = f"{text[:start]}{before}{text[start:end]}{after}{text[end:]}"
    return text


if __name__ == "__main__":
    job.run_job(main, Flags)

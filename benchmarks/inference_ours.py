"""Worker of inference.py: this package's discriminator and classifier on one of its engines.

It also writes what all workers read: the same weights as model folders and as Hugging Face folders, and the inputs.
"""

import csv
import dataclasses
import gzip
import itertools
import json
import pathlib

import keras
import numpy as np
import tensorflow as tf

from benchmarks.alternation import serve
from benchmarks.inference_workloads import INPUTS_FILE, LENGTH, WORKLOADS, batches_of, inputs_of, seconds_of_calls
from electra_tf.config import preset, replace
from electra_tf.model.convert_checkpoint import convert_checkpoint
from electra_tf.model.encoder import ElectraEncoder
from electra_tf.model.model_folder import load_model_folder
from electra_tf.model.networks import ElectraDiscriminator
from electra_tf.sample_data import movie_reviews, sentence_polarity
from electra_tf.serving.engines import start_engine
from electra_tf.serving.predictor import Predictor
from electra_tf.tasks.text_batches import FEATURES
from electra_tf.tasks.text_classification import ElectraTextClassifier
from electra_tf.text.preprocessor import TextPreprocessor
from electra_tf.text.vocabulary import SPECIAL_PIECES

LABELS = ("neg", "pos")
_VOCABULARY_OF = "tiny_en"
_IDS, _SENTENCES, _REVIEWS = 32, 256, 64
# Weights so large that the answers depend on the inputs, as those of a trained model.
_INITIALIZER_RANGE = 0.06


def write_models(folder, name):
    """A discriminator and a classifier with Hugging Face's head, of random weights, for both sides."""
    keras.utils.set_random_seed(0)
    vocabulary = load_model_folder(_VOCABULARY_OF).vocabulary
    config = replace(preset(name).model, vocabulary_size=vocabulary.size, initializer_range=_INITIALIZER_RANGE)
    ElectraDiscriminator(config).save_to_preset(folder / "ours" / "discriminator", vocabulary=vocabulary)
    ElectraTextClassifier(
        ElectraEncoder(config), labels=LABELS, head_hidden_layer=True,
        preprocessor=TextPreprocessor(vocabulary, LENGTH)).save_to_preset(folder / "ours" / "classifier")
    for model in ("discriminator", "classifier"):
        convert_checkpoint(folder / "ours" / model, folder / "huggingface" / model, to="huggingface")
    return vocabulary


def write_inputs(folder, vocabulary):
    """Random rows of ids without padding, sentences and long reviews about films."""
    ids = np.random.default_rng(0).integers(len(SPECIAL_PIECES), vocabulary.size, (_IDS, LENGTH))
    ids[:, 0], ids[:, -1] = vocabulary.cls_id, vocabulary.sep_id
    with open(sentence_polarity("test"), encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        sentences = [row["sentence"] for row in itertools.islice(rows, _SENTENCES)]
    with gzip.open(movie_reviews("test"), "rt", encoding="utf-8") as file:
        reviews = [json.loads(line)["text"] for line in itertools.islice(file, _REVIEWS)]
    (folder / INPUTS_FILE).write_text(json.dumps(
        {"ids": ids.tolist(), "sentences": sentences, "reviews": reviews}), encoding="utf-8")


def features_of(rows):
    token_ids = np.array(rows, np.int32)
    return dict(zip(FEATURES, (token_ids, np.zeros_like(token_ids), np.ones_like(token_ids)), strict=True))


class Ours:
    """The commands of this worker."""

    def prepare(self, folder, preset):
        """Writes models and inputs."""
        folder = pathlib.Path(folder)
        write_inputs(folder, write_models(folder, preset))
        return {}

    def build(self, folder, engine, precision):
        """Makes an engine for each of the two models; returns what they say of themselves."""
        folder = pathlib.Path(folder)
        self.inputs = inputs_of(folder)
        discriminator = ElectraDiscriminator.from_preset(folder / "ours" / "discriminator")
        self.judge, judged = start_engine(
            lambda *features: {"logits": discriminator(*features)}, discriminator.weights, engine=engine,
            precision=precision, samples=[features_of(self.inputs["ids"])],
            difference=lambda found, expected: float(np.abs(
                _sigmoid(found["logits"]) - _sigmoid(expected["logits"])).max()))
        self.predictor = Predictor(folder / "ours" / "classifier", engine=engine, precision=precision)
        return {"discriminator": dataclasses.asdict(judged), "classifier": dataclasses.asdict(self.predictor.engine),
                "tensorflow": tf.__version__}

    def answers(self):
        """Probabilities of the ids' tokens, and of the second label of the sentences and reviews."""
        return {"ids": _sigmoid(self.judge(features_of(self.inputs["ids"]))["logits"]).tolist(),
                **{name: [answer.probabilities[LABELS[1]] for answer in self.predictor.predict(self.inputs[name])]
                   for name in ("sentences", "reviews")}}

    def round(self, workload, calls):
        """Seconds of each call, over the workload's batches in their order, again and again."""
        workload = WORKLOADS[workload]
        batches = batches_of(workload, self.inputs)
        if not workload.is_text:
            batches = list(map(features_of, batches))
        answer = self.predictor.predict if workload.is_text else self.judge
        return {workload.name: seconds_of_calls(answer, batches, calls)}


def _sigmoid(logits):
    return 1 / (1 + np.exp(-logits))


if __name__ == "__main__":
    ours = Ours()
    serve({command: getattr(ours, command) for command in ("prepare", "build", "answers", "round")})

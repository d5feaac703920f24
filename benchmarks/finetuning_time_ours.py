"""Worker of finetuning_time.py: this package's classifier, trained by `fit` and asked through Predictor."""

import gc
import pathlib
import shutil
import time

import keras
import numpy as np

from benchmarks.alternation import serve
from benchmarks.finetuning_time_data import LABELS, read_data
from electra_tf.config import FineTuningConfig
from electra_tf.serving import openvino_engine
from electra_tf.serving.predictor import Predictor
from electra_tf.tasks.text_batches import epoch_batches
from electra_tf.tasks.text_classification import ElectraTextClassifier


class Ours:
    """The commands of this worker."""

    def build(self, folder, settings, precision):
        """Reads the data; `precision` is that of training and of prediction."""
        self.folder, self.settings, self.precision = pathlib.Path(folder), settings, precision
        self.data = read_data(folder)
        self.tuned = self.folder / f"tuned-{precision}"
        return {}

    def loss(self):
        """The mean loss of the first texts, without dropout."""
        texts = self.data["texts"][:self.settings["batch_size"]]
        labels = np.array(self.data["labels"][:self.settings["batch_size"]])
        model = self._model()
        encoded = model.encode(texts)
        batch = encoded.batch(np.arange(len(texts)), batch_size=len(texts))
        return {"loss": float(np.mean(model.losses(labels, model(batch, training=False))))}

    def train(self):
        """Seconds from texts to tuned weights."""
        keras.backend.clear_session()
        gc.collect()
        settings, data = self.settings, self.data
        model = self._model()
        began = time.perf_counter()
        model.compile(settings=FineTuningConfig(
            epochs=1.0, layer_decay=1.0, loss_reduction="mean",
            **{name: settings[name] for name in ("batch_size", "learning_rate", "weight_decay", "warmup_proportion",
                                                 "clip_norm")}))
        model.fit(data["texts"], data["labels"], verbose=0)
        seconds = time.perf_counter() - began
        self._save(model)
        return {"training": seconds, "trained_tokens": self._trained_tokens(model)}

    def predict(self):
        """Seconds from reviews to labels, the making of the engine with them."""
        began = time.perf_counter()
        predictor = Predictor(self.tuned, precision=self._precision_of_prediction())
        answers = predictor.predict(self.data["reviews"])
        seconds = time.perf_counter() - began
        right = [answer.label == LABELS[label] for answer, label in
                 zip(answers, self.data["review_labels"], strict=True)]
        return {"prediction": seconds, "accuracy": float(np.mean(right)), "engine": str(predictor.engine)}

    def _model(self, folder=None, length="training_length"):
        return ElectraTextClassifier.from_preset(
            folder or self.folder / "ours" / "classifier", sequence_length=self.settings[length],
            dropout=self.settings["dropout"], dtype="mixed_bfloat16" if self.precision == "bfloat16" else None)

    def _save(self, model):
        """The tuned model, with the length of the reviews."""
        for folder in (self.tuned, self.folder / "short"):
            shutil.rmtree(folder, ignore_errors=True)
        model.save_to_preset(self.folder / "short")
        self._model(self.folder / "short", "predicted_length").save_to_preset(self.tuned)

    def _trained_tokens(self, model):
        """Tokens of the epoch's batches, padding counted."""
        encoded, batch_size = model.encode(self.data["texts"]), self.settings["batch_size"]
        batches = epoch_batches(encoded.lengths, batch_size=batch_size, seed=0, epoch=0)
        return sum(batch_size * encoded.batch_length(rows) for rows in batches)

    def _precision_of_prediction(self):
        return self.precision if openvino_engine.version() else "float32"


if __name__ == "__main__":
    ours = Ours()
    serve({command: getattr(ours, command) for command in ("build", "loss", "train", "predict")})

"""Examples/s of fine-tuning by how the batches are made: texts of similar length together, or not, or padded.

    python benchmarks/finetuning_batches.py [MODEL]        MODEL: a model folder; tiny_en if left out

Sentence polarity, batch 32, dropout 0.1; the weights do not matter. Writes results/finetuning-batches-*.json.
"""

import pathlib
import sys
import time

import numpy as np
import tensorflow as tf

from electra_tf import files, sample_data
from electra_tf.tasks.labelled_files import read_labelled_texts
from electra_tf.tasks.run_models import model_folder_of
from electra_tf.tasks.text_batches import epoch_batches
from electra_tf.tasks.text_classification import ElectraTextClassifier

RESULTS = pathlib.Path(__file__).resolve().parent / "results"
BATCH_SIZE, STEPS, RUNS = 32, 60, 3
WAYS = ("grouped by length", "random, cut at the longest text", "padded to 128")


def batches(encoded, way, *, seed):
    """Endless features of one way of making batches."""
    epoch = 0
    while True:
        if way == WAYS[0]:
            order = epoch_batches(encoded.lengths, batch_size=BATCH_SIZE, seed=seed, epoch=epoch)
        else:
            places = np.random.default_rng([seed, epoch]).permutation(len(encoded))
            order = np.array_split(places, range(BATCH_SIZE, len(places), BATCH_SIZE))
        for rows in order:
            features = encoded.batch(rows, batch_size=BATCH_SIZE)
            if way == WAYS[2]:
                features = {name: np.pad(values, [(0, 0), (0, 128 - values.shape[1])])
                            for name, values in features.items()}
            yield features
        epoch += 1


def rates(classifier, encoded, way):
    """Examples/s in each of RUNS runs of STEPS updates, after one that warms up."""
    shape = {name: tf.TensorSpec([None, None], tf.int32) for name in ("token_ids", "segment_ids", "padding_mask")}
    labels = tf.zeros([BATCH_SIZE], tf.int32)
    update = tf.function(lambda features: classifier.train_step((features, labels)), input_signature=[shape])
    found = []
    for run in range(RUNS + 1):
        stream = batches(encoded, way, seed=run)
        began = time.perf_counter()
        for _ in range(STEPS):
            update(next(stream))
        found.append(STEPS * BATCH_SIZE / (time.perf_counter() - began))
    return found[1:]


def main(model="tiny_en"):
    data = read_labelled_texts(sample_data.sentence_polarity("train"), text_columns=["sentence"])
    classifier = ElectraTextClassifier.from_preset(model_folder_of(model), labels=["neg", "pos"], dropout=0.1)
    classifier.compile()
    encoded = classifier.encode(data.texts)
    print(f"{encoded.lengths.mean():.1f} pieces a sentence, the longest has {encoded.lengths.max()}")
    for way in WAYS:
        classifier.prepare_optimizer(100_000)
        row = {"what": f"fine-tuning on sentence polarity, batches {way}, examples/s",
               "measured": [round(rate, 1) for rate in rates(classifier, encoded, way)]}
        files.write_json_atomically(RESULTS / f"finetuning-batches-{way.split()[0].rstrip(',')}.json", {
            "table": "speed", "row": row, "command": "python benchmarks/finetuning_batches.py",
            "machine": "2 shared CPU cores"})
        print(row)


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Asks a SavedModel with TensorFlow and TensorFlow Text alone: python experiments/ask_saved_model.py DIR TEXT..."""

import sys

import tensorflow as tf
import tensorflow_text  # noqa: F401  (registers the text operations that the SavedModel holds)


def main(folder, *texts):
    model = tf.saved_model.load(folder)
    answers = model.signatures["serving_default"](tf.constant(texts))
    for text, label, probabilities in zip(texts, answers["labels"].numpy(), answers["probabilities"].numpy()):
        print(f"{label.decode():>8}  {max(probabilities):.2f}  {text}")


if __name__ == "__main__":
    main(*sys.argv[1:])

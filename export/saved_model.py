"""Job: a tuned model -> a SavedModel for TensorFlow Serving. `--help` shows the flags."""

import dataclasses

import electra_tf
from experiments import job


@dataclasses.dataclass(frozen=True)
class Flags:
    """Exports a tuned model as a SavedModel and compares its answers with Keras. Classifiers and regressors take
    strings; taggers, question answerers and multiple choice take token ids, and experiments/predict.py reads the texts.
    """

    model: str = job.required("folder of a fine-tuning run, or the model folder in it")
    output: str = job.required("folder to make; it gets a version folder 1, as TensorFlow Serving expects, and "
                               "export.json with labels and inputs")


def main(flags):
    version = electra_tf.export_saved_model(flags.model, flags.output)
    print(f"the SavedModel is {version}; it answers sample texts as Keras does")


if __name__ == "__main__":
    job.run_job(main, Flags)

"""ELECTRA on TensorFlow and Keras: from raw text to a served model.

`import electra_tf` is light: each public name is loaded when it is first used, so command line help, vocabulary
learning and record checks run without TensorFlow.
"""

import importlib

__version__ = "0.1.0"

_HOMES = {
    "electra_tf.config": ("ElectraConfig", "MaskingConfig", "ObjectiveConfig", "OptimizerConfig",
                          "PretrainingConfig", "FineTuningConfig", "PRESETS"),
    "electra_tf.errors": ("InputError",),
    "electra_tf.text.vocabulary": ("Vocabulary", "TextSettings"),
    "electra_tf.text.tokenizer": ("Tokenizer",),
    "electra_tf.text.preprocessor": ("TextPreprocessor",),
    "electra_tf.text.corpus": ("read_corpus",),
    "electra_tf.objective.masking": ("SpecialIds",),
    "electra_tf.records.builder": ("build_pretraining_data",),
    "electra_tf.records.dataset": ("pretraining_dataset",),
    "electra_tf.model.encoder": ("ElectraEncoder",),
    "electra_tf.model.convert_checkpoint": ("convert_checkpoint",),
    "electra_tf.model.networks": ("ElectraGenerator", "ElectraDiscriminator"),
    "electra_tf.training.pretrainer": ("ElectraPretrainer",),
    "electra_tf.training.optimizer": ("optimizer_for",),
    "electra_tf.training.pretrain": ("pretrain",),
    "electra_tf.tasks.text_classification": ("ElectraTextClassifier",),
    "electra_tf.tasks.text_regression": ("ElectraTextRegressor",),
    "electra_tf.tasks.multi_label_classification": ("ElectraMultiLabelClassifier",),
    "electra_tf.tasks.multiple_choice": ("ElectraMultipleChoice",),
    "electra_tf.tasks.tagging.token_classification": ("ElectraTokenClassifier",),
    "electra_tf.tasks.keras_metrics": (
        "ClassificationScore", "MacroF1", "MatthewsCorrelation", "MultiLabelScore", "PearsonCorrelation",
        "SpanAccuracy", "SpearmanCorrelation", "TaggingScore"),
    "electra_tf.tasks.finetune": ("finetune", "task_of"),
    "electra_tf.tasks.glue_submission": ("write_submission", "zip_submissions"),
    "electra_tf.tasks.evaluate": ("evaluate", "task_name_of"),
    "electra_tf.tasks.glue_diagnostic": ("evaluate_diagnostic",),
    "electra_tf.tasks.question_answering.question_answerer": ("ElectraQuestionAnswerer",),
    "electra_tf.tasks.options": ("TextClassification", "Regression", "MultiLabel", "MultipleChoice",
                                 "TokenClassification", "QuestionAnswering", "Trials"),
    "electra_tf.tasks.usual_settings": ("usual_settings",),
    "electra_tf.tasks.statistics.trials": ("trials_table",),
    "electra_tf.tasks.statistics.comparison": ("compare_results",),
    "electra_tf.serving.saved_model": ("export_saved_model",),
    "electra_tf.serving.litert": ("export_litert",),
    "electra_tf.serving.onnx_export": ("export_onnx",),
    "electra_tf.serving.predictor": ("Predictor",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}
__all__ = sorted(_HOME_OF)


def __getattr__(name):
    if name not in _HOME_OF:
        raise AttributeError(f"module 'electra_tf' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME_OF[name]), name)


def __dir__():
    return [*globals(), *__all__]

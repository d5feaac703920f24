"""The model of a folder, whichever task it was tuned for."""

from electra_tf.errors import InputError
from electra_tf.model.model_folder import load_model_folder
from electra_tf.tasks.ensemble import ENSEMBLE, ElectraEnsemble
from electra_tf.tasks.multi_label_classification import ElectraMultiLabelClassifier
from electra_tf.tasks.multiple_choice import ElectraMultipleChoice
from electra_tf.tasks.question_answering.question_answerer import ElectraQuestionAnswerer
from electra_tf.tasks.tagging.token_classification import ElectraTokenClassifier
from electra_tf.tasks.text_classification import ElectraTextClassifier
from electra_tf.tasks.text_regression import ElectraTextRegressor

MODEL_OF = {model.KIND: model for model in (ElectraTextClassifier, ElectraTextRegressor, ElectraMultiLabelClassifier,
                                            ElectraMultipleChoice, ElectraTokenClassifier, ElectraQuestionAnswerer,
                                            ElectraEnsemble)}


# What reads whole texts and can be exported.
TEXT_MODELS = tuple(model.KIND for model in (ElectraTextClassifier, ElectraTextRegressor, ElectraMultiLabelClassifier,
                                             ElectraEnsemble))


def tuned_kind(saved):
    """The kind of a ModelFolder; of an ensemble that of its members.

    >>> tuned_kind(load_model_folder("runs/polarity/ensemble"))   # 'text_classifier'
    """
    return saved.extra["of"] if saved.kind == ENSEMBLE else saved.kind


def load_text_model(folder):
    """The tuned model of whole texts in a model folder.

    Raises:
        InputError: there is no such folder, or it holds another kind of model.

    >>> load_text_model("runs/polarity/model").pairs   # False
    """
    saved = load_model_folder(folder)
    if tuned_kind(saved) not in TEXT_MODELS:
        raise InputError(f"{folder} holds a model of kind {tuned_kind(saved)!r}; give the labels of a tuned model: a "
                         f"folder of kind {', '.join(TEXT_MODELS)}.")
    return MODEL_OF[saved.kind].from_preset(folder)


def load_task_model(folder):
    """The tuned model in a model folder.

    Args:
        folder: path of a model folder that fine-tuning or `save_to_preset` of a task has written.

    Returns:
        A TextTask: ElectraTextClassifier, ElectraTextRegressor, ...

    Raises:
        InputError: there is no such folder, or it holds no model of a task.

    >>> load_task_model("runs/polarity/model").predict(["a fine film"])   # [[0.1, 0.9]]
    """
    kind = load_model_folder(folder).kind
    if kind not in MODEL_OF:
        raise InputError(f"{folder} holds a model of kind {kind!r}, which was not tuned for a task; fine-tune it "
                         f"first.")
    return MODEL_OF[kind].from_preset(folder)

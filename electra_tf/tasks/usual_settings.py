"""What a fine-tuning run is set to where nothing is said: by the size of the model, the task and the recipe."""

from electra_tf.config import FineTuningConfig, merged, preset, read_json, with_recipe
from electra_tf.errors import InputError
from electra_tf.model.model_folder import load_model_folder
from electra_tf.tasks.run_models import is_preset, model_folder_of

# The paper's (table 7): the larger the model, the smaller the rate.
_OF_WIDTH = ((1024, {"learning_rate": 5e-5, "layer_decay": 0.9}), (768, {"learning_rate": 1e-4}), (0, {}))
_LONGEST_QUESTION_INPUT = 384
# The original's: small sets are read more often, SQuAD less.
_OF_TASK = {"glue/rte": {"epochs": 10.0}, "glue/stsb": {"epochs": 10.0}, "question_answering": {"epochs": 2.0}}


def usual_settings(model, *, task="text_classification", recipe="ours"):
    """The settings to begin with for a model and a task.

    Base and large models get the learning rate and layer-wise decay of the paper, RTE and STS-B 10 epochs, question
    answering 2 epochs and inputs of 384 pieces, or as many as the model has positions for.

    Args:
        model: model folder, folder of a run, a shipped name or a preset; one that is not there counts as small.
        task: name of a task, "glue/rte" too.
        recipe: "ours", "paper" or "original" (docs/recipes.md).

    Returns:
        FineTuningConfig.

    >>> usual_settings("google/electra-large-discriminator").learning_rate   # 5e-05
    """
    config = with_recipe(FineTuningConfig(), recipe)
    width, positions = _width_and_positions(model)
    changes = {**next(changes for least, changes in _OF_WIDTH if width >= least), **_OF_TASK.get(task, {})}
    if task == "question_answering":
        changes["sequence_length"] = min(_LONGEST_QUESTION_INPUT, positions or _LONGEST_QUESTION_INPUT)
    return merged(config, changes)


def _width_and_positions(model):
    """hidden_size and max_positions of a model; (0, None) where there is none to read."""
    if is_preset(model):
        return preset(model).model.hidden_size, preset(model).model.max_positions
    folder = model_folder_of(model)
    path = folder / "config.json"
    try:
        settings = read_json(path) if path.is_file() else {}
        settings = settings.get("model", settings)
        if "hidden_size" not in settings:  # told in other words, or by the weights alone
            settings = vars(load_model_folder(folder).config)
    except InputError:  # will be told when the model is loaded
        return 0, None
    return settings["hidden_size"], settings.get("max_positions", settings.get("max_position_embeddings"))

"""Which model folders a task's model can be made from."""

from electra_tf.errors import InputError


def require_task_folder(saved, *, kind, has_new_head, head_setting):
    """InputError unless a folder holds a task's model, or one whose encoder can get a new head.

    Args:
        saved: ModelFolder.
        kind: the task's kind of model.
        has_new_head: whether any encoder with a vocabulary will do.
        head_setting: what a new head must be given, for the error.

    Raises:
        InputError: no vocabulary, a generator, or another kind and no new head.

    >>> require_task_folder(saved, kind="text_classifier", has_new_head=True, head_setting="labels")
    """
    if saved.vocabulary is None:
        raise InputError(f"{saved.path} has no vocabulary; a {kind} needs one.")
    if saved.kind == "generator":
        raise InputError(f"{saved.path} holds a model of kind 'generator', which only proposes words for the "
                         f"discriminator and is left behind after pretraining; give the discriminator of that run.")
    if not has_new_head and saved.kind != kind:
        raise InputError(f"{saved.path} holds a model of kind {saved.kind!r}; give the {head_setting} of the new "
                         f"{kind}.")

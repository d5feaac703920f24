"""How a task on texts is trained: `fit`, `evaluate` and `predict` on Python lists of str, by the original's recipe."""

import math

import keras
import numpy as np
import tensorflow as tf

from electra_tf import kernels
from electra_tf.config import AugmentationConfig, FineTuningConfig, from_dict, replace, to_dict
from electra_tf.errors import InputError
from electra_tf.model.encoder import unpack_inputs
from electra_tf.objective.random_bits import RandomSource
from electra_tf.tasks.augmentation import augmenter
from electra_tf.tasks.keras_metrics import ScoreMetric
from electra_tf.tasks.text_batches import (
    EncodedTexts,
    encode_texts,
    evaluation_dataset,
    evaluation_order,
    text_columns,
    training_dataset,
)
from electra_tf.training.optimizer import optimizer_for

# Rows of one step at most: numbers the examples of a run for dropout and augmentation.
_ROWS_PER_STEP = 2**24


class TextTask(keras.Model):
    """A Keras model on an encoder that reads texts; a task adds its head and says what its labels and answers are.

    A task sets `encoder`, `preprocessor` (TextPreprocessor or None), `pairs` and `num_outputs`, and defines `call`
    (features -> logits), `label_numbers`, `losses`, `answers` and `default_metrics`. In training and evaluation a row
    whose padding_mask is all zero weighs nothing, so a short batch may be filled up.
    """

    settings = FineTuningConfig()
    # Whether labels belong to whole texts, so that their tokens may be changed in training.
    labels_whole_texts = False
    # Of token_ids: [batch, length] for most.
    feature_rank = EncodedTexts.feature_rank
    _makes_optimizer = True
    _augment = None

    def label_numbers(self, y):
        """Labels as a user gives them -> int32 array."""
        raise NotImplementedError

    def logits_for(self, features, labels, *, training, random=None):
        """The logits that `losses` takes; a task where they depend on the right answer defines it anew."""
        return self(features, training=training, random=random)

    def losses(self, labels, logits):
        """The loss of each example, float32 [batch]."""
        raise NotImplementedError

    def answers(self, logits):
        """What `predict` returns for logits."""
        raise NotImplementedError

    def default_metrics(self):
        """Keras metrics of (labels, logits)."""
        raise NotImplementedError

    def compile(self, optimizer=None, *, settings=None, metrics=None, run_eagerly=False, jit_compile="auto"):
        """Sets how `fit` trains; it may be left out.

        Args:
            optimizer: a Keras optimizer; None makes the original's at each `fit`, from `settings` and the number of
                steps.
            settings: FineTuningConfig: batch size, epochs, loss reduction, seed, what the optimizer needs, which
                weights are trained, augmentation. The default takes the sum of the loss over a batch, as the original;
                with your own optimizer its mean, as usual in Keras.
            metrics: Keras metrics of (label numbers, logits) besides the loss; None takes the task's own.
            run_eagerly, jit_compile: as in Keras.

        Raises:
            InputError: settings that this model cannot have.

        >>> classifier.compile(settings=FineTuningConfig(learning_rate=1e-4, epochs=5))
        """
        reduction = FineTuningConfig().loss_reduction if optimizer is None else "mean"
        self.settings = settings or FineTuningConfig(loss_reduction=reduction)
        self._makes_optimizer = optimizer is None
        self._augment = None
        self._prepare_augmentation()
        if self.settings.lora_rank:
            self.encoder.enable_lora(self.settings.lora_rank)
        self.encoder.freeze(embeddings=self.settings.freeze_embeddings, layers=self.settings.frozen_layers)
        # A function: Keras would take the metrics themselves for parts of the model.
        self._given_metrics = lambda given=metrics: given
        metrics = self.default_metrics() if metrics is None else list(metrics)
        # Scores of whole sets and augmentation have shapes that only the data decides; XLA cannot compile them.
        if jit_compile == "auto" and (self._augment or any(isinstance(metric, ScoreMetric) for metric in metrics)):
            jit_compile = False
        # Every metric is weighted: rows that only fill a batch must not count.
        super().compile(optimizer=optimizer, weighted_metrics=metrics, run_eagerly=run_eagerly, jit_compile=jit_compile)
        if optimizer is not None:
            self.optimizer.build(self.trainable_variables)

    def head_settings(self):
        """The arguments of the model besides encoder and preprocessor, as plain values."""
        raise NotImplementedError

    def stored_settings(self):
        """What a model folder says of the model beyond its architecture."""
        return {**self.head_settings(), "sequence_length": self.preprocessor.sequence_length}

    def stored_weights(self):
        """The weights as a model folder holds them, by name."""
        return self.weights_by_name()

    def get_config(self):
        """What `keras.models.load_model` makes the model of."""
        return {"encoder": keras.saving.serialize_keras_object(self.encoder),
                "preprocessor": self.preprocessor and keras.saving.serialize_keras_object(self.preprocessor),
                **self.head_settings(), "name": self.name, "dtype": self.dtype_policy.name}

    @classmethod
    def from_config(cls, config):
        parts = {name: config[name] and keras.saving.deserialize_keras_object(config[name])
                 for name in ("encoder", "preprocessor")}
        return cls(**{**config, **parts})

    def get_compile_config(self):
        """What `keras.models.load_model` needs to compile the model again."""
        if not self.compiled:
            return {}
        # Weights are saved with LoRA merged, so an optimizer of its matrices would not fit them.
        optimizer = None if self.settings.lora_rank else self.optimizer
        return {"settings": to_dict(self.settings), "makes_optimizer": self._makes_optimizer,
                "metrics": self._given_metrics() and list(map(keras.saving.serialize_keras_object,
                                                              self._given_metrics())),
                "optimizer": optimizer and keras.saving.serialize_keras_object(optimizer)}

    def compile_from_config(self, config):
        """Compiles as before saving, but without LoRA, which is merged; a generator is loaded when training begins."""
        settings = replace(from_dict(FineTuningConfig, config["settings"]), lora_rank=0)
        optimizer = config["optimizer"] and keras.saving.deserialize_keras_object(config["optimizer"])
        metrics = config["metrics"] and list(map(keras.saving.deserialize_keras_object, config["metrics"]))
        self.compile(None if config["makes_optimizer"] else optimizer, metrics=metrics,
                     settings=replace(settings, augmentation=AugmentationConfig()))
        self.settings = settings
        if optimizer and self._makes_optimizer:
            self.optimizer = optimizer
            self.optimizer.build(self.trainable_variables)

    def _prepare_augmentation(self):
        augmentation = self.settings.augmentation
        if not augmentation.is_on or self._augment is not None:
            return
        if not self.labels_whole_texts:
            raise InputError(f"augmentation moves and changes tokens, and the labels of a {self.name} belong to single "
                             f"tokens; leave the rates of augmentation at 0.")
        if self.preprocessor is None:
            raise InputError("augmentation needs the model's vocabulary; give the model a preprocessor.")
        self._augment = augmenter(augmentation, vocabulary=self.preprocessor.vocabulary,
                                  longest=self.preprocessor.sequence_length)

    def prepare_optimizer(self, train_steps):
        """Makes the optimizer of a run of `train_steps` updates, unless the user has given one to `compile`."""
        self._prepare_augmentation()
        if self._makes_optimizer:
            with self.distribute_strategy.scope():
                self.optimizer = optimizer_for(self.settings.optimizer(train_steps), train_steps=train_steps,
                                               num_layers=self.encoder.config.num_layers,
                                               schedule=self.settings.schedule)
                self.optimizer.build(self.trainable_variables)
            self.train_function = None

    def fit(self, x, y=None, *, batch_size=None, epochs=None, steps_per_epoch=None, validation_data=None, **kwargs):
        """Trains on texts and labels.

        Without an optimizer of your own, each call is one whole run: warm-up, then decay of the rate to zero.

        Args:
            x: list of str; for pairs (first texts, second texts) or a list of (first, second). Or a tf.data.Dataset
                of batches (strings or preprocessed features, label numbers).
            y: labels by name or number, as many as texts; None with a Dataset.
            batch_size, epochs: None takes those of the settings, epochs rounded up.
            steps_per_epoch: batches in an epoch; needed for a Dataset that does not know its size.
            validation_data: (texts, labels), or a Dataset.
            **kwargs: as in Keras: callbacks, verbose, ...

        Returns:
            keras.callbacks.History.

        Raises:
            InputError: texts or labels that do not fit this task, or a batch_size that devices cannot share evenly.

        >>> classifier.fit(["a fine film", "a bore"], ["pos", "neg"], epochs=2)
        """
        if not self.compiled:
            self.compile()
        batch_size, epochs = batch_size or self.settings.batch_size, epochs or math.ceil(self.settings.epochs)
        if isinstance(x, tf.data.Dataset):
            dataset, steps = self._with_features(x).repeat(), int(x.cardinality())
        else:
            self._require_equal_parts(batch_size)
            encoded = self.encode(x)
            labels = self.labels_for(encoded, y)
            dataset = training_dataset(encoded, labels, batch_size=batch_size, seed=self.settings.seed)
            steps = math.ceil(len(encoded) / batch_size)
        steps = steps_per_epoch or steps
        if steps < 1:
            raise InputError("there is nothing to train on, or the Dataset does not know its size; "
                             "give texts, or steps_per_epoch.")
        self.prepare_optimizer(steps * epochs)
        if validation_data is not None:
            validation_data = self._evaluation_dataset(validation_data, batch_size=batch_size)
        return super().fit(dataset, epochs=epochs, steps_per_epoch=steps, validation_data=validation_data,
                           shuffle=False, **kwargs)

    def evaluate(self, x=None, y=None, *, batch_size=64, **kwargs):
        """Loss and metrics on texts and labels, as for `fit`; other arguments as in Keras.

        >>> classifier.evaluate(["a fine film"], ["pos"], return_dict=True)   # {"accuracy": 1.0, "loss": 0.2}
        """
        if not self.compiled:
            self.compile()
        data = x if isinstance(x, tf.data.Dataset) else (x, y)
        return super().evaluate(self._evaluation_dataset(data, batch_size=batch_size or 64), **kwargs)

    def predict(self, x, *, batch_size=64, **kwargs):
        """The task's answers, in the order given; `x` as for `fit`, other arguments as in Keras.

        >>> classifier.predict(["a fine film"])   # probabilities, [[0.1, 0.9]]
        """
        if isinstance(x, tf.data.Dataset):
            return super().predict(self._with_features(x), **kwargs)
        return self.predict_encoded(self.encode(x), batch_size=batch_size, **kwargs)

    def predict_encoded(self, encoded, *, batch_size=64, **kwargs):
        """`predict` for EncodedTexts."""
        answers = np.zeros((len(encoded), self.answer_width(encoded)), np.float32)
        if len(encoded):
            outputs = super().predict(evaluation_dataset(encoded, batch_size=batch_size), **kwargs)
            answers[evaluation_order(encoded)] = outputs[:len(encoded)]
        return answers

    def answer_width(self, encoded):
        """How many numbers answer one text."""
        return self.num_outputs

    def encode(self, x):
        """EncodedTexts of texts given as for `fit`."""
        if self.preprocessor is None:
            raise InputError("this model has no vocabulary; give it token ids in a tf.data.Dataset.")
        return encode_texts(self.preprocessor, text_columns(x, pairs=self.pairs))

    def labels_for(self, encoded, y):
        """What `training_dataset` takes as labels of encoded texts, from what a user gives to `fit`."""
        labels = self.label_numbers([] if y is None else y)
        if len(labels) != len(encoded):
            raise InputError(f"there are {len(encoded)} texts and {len(labels)} labels; give equally many.")
        return labels

    def _evaluation_dataset(self, data, *, batch_size):
        if isinstance(data, tf.data.Dataset):
            return self._with_features(data)
        self._require_equal_parts(batch_size)
        encoded = self.encode(data[0])
        return evaluation_dataset(encoded, self.labels_for(encoded, data[1]), batch_size=batch_size)

    def _require_equal_parts(self, batch_size):
        """Keras averages the devices' parts of the first batch to see its shape."""
        devices = self.distribute_strategy.num_replicas_in_sync
        if batch_size % devices:
            raise InputError(f"batch_size={batch_size} cannot be cut into {devices} equal parts, one for each device; "
                             f"take a multiple of {devices}.")

    def _with_features(self, dataset):
        """A Dataset whose strings are preprocessed; one of features stays as it is."""
        if tf.nest.flatten(dataset.element_spec)[0].dtype != tf.string:
            return dataset
        if isinstance(dataset.element_spec, tuple):
            return dataset.map(lambda x, *others: (self.preprocessor(x), *others))
        return dataset.map(self.preprocessor)

    def train_step(self, batch):
        """One update from one replica's part of a batch; the loss is the sum over the whole batch, or its mean."""
        features, labels, weights = _unpack(batch)
        random = self._random_source(tf.shape(weights, tf.int64)[0])
        if self._augment is not None:
            features = self._augment(features, random)
        with self._fused_operations(builds=True):
            with tf.GradientTape() as tape:
                logits = self.logits_for(features, labels, training=True, random=random)
                losses = self.losses(labels, logits)
                loss = tf.reduce_sum(losses * weights)
                if self.settings.loss_reduction == "mean":
                    loss = tf.math.divide_no_nan(loss, _over_replicas(tf.reduce_sum(weights)))
            # Keras adds the gradients of the replicas; ElectraAdamW clips that sum.
            self.optimizer.apply(tape.gradient(loss, self.trainable_variables), self.trainable_variables)
        return self._measure(features, labels, logits, losses, weights)

    def test_step(self, batch):
        """Loss and metrics of one batch."""
        features, labels, weights = _unpack(batch)
        with self._fused_operations():
            logits = self.logits_for(features, labels, training=False)
        return self._measure(features, labels, logits, self.losses(labels, logits), weights)

    def predict_step(self, batch):
        """The answers for one batch."""
        features, *_ = keras.utils.unpack_x_y_sample_weight(batch)
        with self._fused_operations():
            return self.answers(self(features, training=False))

    def _fused_operations(self, *, builds=False):
        """Within it layers take the fused operations where they can; exports, which call the model, never do."""
        return kernels.used(kernels.fit(self, self.settings.kernels, builds=builds))

    def _measure(self, features, labels, logits, losses, weights):
        self._loss_tracker.update_state(losses, sample_weight=weights)
        return self.compute_metrics(features, labels, logits, sample_weight=weights)

    def _random_source(self, batch_size):
        """Random numbers of (seed, step, row in the global batch)."""
        first = tf.cast(self.optimizer.iterations, tf.int64) * _ROWS_PER_STEP + _rows_before(batch_size)
        return RandomSource(tf.constant(self.settings.seed, tf.int32), first + tf.range(batch_size))


def _over_replicas(value):
    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, value)


def _rows_before(batch_size):
    """How many rows of the global batch the replicas before this one have; a short batch is dealt unevenly."""
    context = tf.distribute.get_replica_context()
    if context.num_replicas_in_sync == 1:
        return tf.zeros([], tf.int64)
    return tf.reduce_sum(context.all_gather(batch_size[None], axis=0)[:context.replica_id_in_sync_group])


def _unpack(batch):
    """(features, labels, weights float32 [batch]): rows of padding alone weigh nothing."""
    features, labels, weights = keras.utils.unpack_x_y_sample_weight(batch)
    *_, padding_mask = unpack_inputs(features)
    # The first piece is [CLS].
    is_real = tf.cast(tf.reshape(padding_mask, [tf.shape(padding_mask)[0], -1])[:, 0], tf.float32)
    return features, labels, is_real if weights is None else is_real * tf.cast(weights, tf.float32)

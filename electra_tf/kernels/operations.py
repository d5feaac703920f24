"""The fused operations with their gradients, one function for each.

Dropout here keeps the elements that `objective.random_bits.keep_mask` keeps: the bits are those of the same Philox
generator, made in the pass that needs them. Every function states the plain TensorFlow that it equals.
"""

import tensorflow as tf

from electra_tf import kernels


def linear(inputs, kernel, bias):
    """`inputs @ kernel + bias`.

    Args:
        inputs: float32 or bfloat16 [..., inputs].
        kernel: float32 [inputs, outputs]; rounded to the dtype of `inputs` before the product.
        bias: float32 [outputs].

    Returns:
        [..., outputs] in the dtype of `inputs`; its gradients of kernel and bias are float32 sums.
    """
    @tf.custom_gradient
    def operation(inputs, kernel, bias):
        (outputs,), _ = kernels.library().electra_linear(x=inputs, kernels=[kernel], biases=[bias], has_gelu=False)

        def gradient(upstream):
            by_inputs, (by_kernel,), (by_bias,) = _linear_gradient(inputs, [kernel], [upstream])
            return by_inputs, by_kernel, by_bias
        return outputs, gradient
    return operation(inputs, tf.convert_to_tensor(kernel), tf.convert_to_tensor(bias))


def times_table(inputs, table):
    """`inputs @ table'`: how well each row goes with each piece of an embedding table.

    Args:
        inputs: float32 or bfloat16 [rows, width].
        table: float32 [pieces, width]; rounded to the dtype of `inputs` before the product.

    Returns:
        [rows, pieces] in the dtype of `inputs`; its gradient of the table is float32.
    """
    @tf.custom_gradient
    def operation(inputs, table):
        (outputs,), _ = kernels.library().electra_linear(
            x=inputs, kernels=[table], biases=[], has_gelu=False, is_transposed=True)

        def gradient(upstream):
            by_inputs, (by_table,), _ = _linear_gradient(inputs, [table], [upstream], biases=0, is_transposed=True)
            return by_inputs, by_table
        return outputs, gradient
    return operation(inputs, tf.convert_to_tensor(table))


def three_linear(inputs, kernels_, biases):
    """`linear` of the same inputs with three kernels of one shape: query, key and value.

    Returns:
        (list of three tensors, `inputs` for the residual): what both add to the gradient of the inputs is added up in
        the pass that computes it.
    """
    @tf.custom_gradient
    def operation(inputs, *weights):
        of_kernels, of_biases = list(weights[:3]), list(weights[3:])
        outputs, _ = kernels.library().electra_linear(x=inputs, kernels=of_kernels, biases=of_biases, has_gelu=False)

        def gradient(*upstream):
            by_inputs, by_kernels, by_biases = _linear_gradient(
                inputs, of_kernels, list(upstream[:3]), added=[upstream[3]])
            return by_inputs, *by_kernels, *by_biases
        return (*outputs, inputs), gradient
    *outputs, residual = operation(inputs, *(tf.convert_to_tensor(weights) for weights in (*kernels_, *biases)))
    return outputs, residual


def feed_forward(inputs, kernels_, biases):
    """Two dense layers with the exact GELU between them.

    Args:
        inputs: float32 or bfloat16 [..., hidden].
        kernels_, biases: of both layers.

    Returns:
        (the second layer's output, `inputs` for the residual), as `three_linear`.
    """
    library = kernels.library()

    @tf.custom_gradient
    def operation(inputs, widening, narrowing, first_bias, second_bias):
        (wide,), slope = library.electra_linear(x=inputs, kernels=[widening], biases=[first_bias], has_gelu=True)
        (outputs,), _ = library.electra_linear(x=wide, kernels=[narrowing], biases=[second_bias], has_gelu=False)

        def gradient(by_outputs, by_residual):
            by_product, (by_narrowing,), (by_second_bias,) = _linear_gradient(
                wide, [narrowing], [by_outputs], factors=[slope])
            by_inputs, (by_widening,), (by_first_bias,) = _linear_gradient(
                inputs, [widening], [by_product], added=[by_residual])
            return by_inputs, by_widening, by_narrowing, by_first_bias, by_second_bias
        return (outputs, inputs), gradient
    return operation(inputs, *(tf.convert_to_tensor(weights) for weights in (*kernels_, *biases)))


def _linear_gradient(inputs, kernels_, upstream, *, factors=(), added=(), biases=None, is_transposed=False):
    """(gradient of the inputs * factors + added, list of kernels' gradients, list of biases' gradients)."""
    return kernels.library().electra_linear_gradient(
        x=inputs, kernels=kernels_, by_y=upstream, factors=list(factors), added=list(added),
        B=len(kernels_) if biases is None else biases, is_transposed=is_transposed)


def attention(query, key, value, mask, *, heads, dropout):
    """Softmax(query key' / sqrt(head_size) - 10000 where masked), dropout, times value; for each head.

    Args:
        query, key, value: float32 or bfloat16 [batch, length, heads * head_size].
        mask: int32 [batch, length] or [batch, length, length], 1 for the keys that are seen.
        heads: number of heads.
        dropout: Dice for the weights, of the shape [heads, length, length] for an example.

    Returns:
        Like `query`.
    """
    library, dice = kernels.library(), dropout.attributes(query)

    @tf.custom_gradient
    def operation(query, key, value):
        inputs = {"query": query, "key": key, "value": value, "mask": mask, "heads": heads, **dice}
        context, log_sums, keep = library.electra_attention(**inputs)

        def gradient(upstream):
            return library.electra_attention_gradient(
                **inputs, context=context, log_sums=log_sums, keep=keep, by_context=upstream)
        return context, gradient
    return operation(query, key, value)


def add_norm(values, residual, gamma, beta, *, epsilon, dropout):
    """LayerNorm(dropout(values) + residual).

    Args:
        values, residual: float32 or bfloat16 [batch, length, width].
        gamma, beta: float32 [width].
        epsilon: added to the variance.
        dropout: Dice for `values`.

    Returns:
        Like `values`.
    """
    library, dice = kernels.library(), dropout.attributes(values)

    @tf.custom_gradient
    def operation(values, residual, gamma, beta):
        inputs = {"x": values, "residual": residual, "gamma": gamma, "beta": beta, "epsilon": epsilon, **dice}
        outputs, statistics, keep = library.electra_add_norm(**inputs)

        def gradient(upstream):
            return library.electra_add_norm_gradient(**inputs, statistics=statistics, keep=keep, by_y=upstream)
        return outputs, gradient
    return operation(values, residual, tf.convert_to_tensor(gamma), tf.convert_to_tensor(beta))


def dropout(values, dice):
    """Dropout of float32 or bfloat16 [batch, length, width]."""
    library, attributes = kernels.library(), dice.attributes(values)

    @tf.custom_gradient
    def operation(values):
        outputs, keep = library.electra_dropout(x=values, **attributes)

        def gradient(upstream):
            return library.electra_dropout_gradient(
                by_y=upstream, keep=keep, stream=attributes["stream"], threshold=attributes["threshold"])
        return outputs, gradient
    return operation(values)


def guess(products, bias, original_ids, uniforms):
    """Cross-entropy of each row of the logits `products + bias`, with the best guess and one sample.

    Args:
        products: float32 or bfloat16 [rows, vocabulary].
        bias: float32 [vocabulary].
        original_ids: int32 [rows].
        uniforms: float32 [rows] in [0, 1), one for each sample.

    Returns:
        (losses float32 [rows], sampled int32 [rows], best int32 [rows]); as the losses of
        `objective.losses`, `objective.sampling.sample_tokens` and argmax.
    """
    library = kernels.library()

    @tf.custom_gradient
    def operation(products, bias):
        inputs = {"products": products, "bias": bias, "original": original_ids}
        losses, log_sums, sampled, best = library.electra_guess(**inputs, uniforms=uniforms)

        def gradient(by_losses, *_):
            return library.electra_guess_gradient(**inputs, log_sums=log_sums, by_losses=by_losses)
        return (losses, sampled, best), gradient
    return operation(products, tf.convert_to_tensor(bias))


def square_sums(gradients):
    """The sum of squares of each of several float32 tensors: float32 [number of tensors]."""
    return kernels.library().electra_square_sums(gradients=gradients)


def update(variables, momentums, velocities, gradients, *, numbers, factors, decays):
    """ElectraAdamW's update of all variables, in place; see `training.optimizer`.

    Args:
        variables, momentums, velocities: lists of float32 tf.Variable.
        gradients: list of float32 tensors.
        numbers: float32 [5]: rate, what the gradients are multiplied with (0: no update), 1 - beta_1, 1 - beta_2,
            epsilon.
        factors, decays: lists of floats, one for each variable: what multiplies its rate, and its weight decay.
    """
    handles = [[variable.handle for variable in group] for group in (variables, momentums, velocities)]
    return kernels.library().electra_update(
        weights=handles[0], momentums=handles[1], velocities=handles[2], gradients=gradients, numbers=numbers,
        factors=factors, decays=decays)


class Dice:
    """What decides a dropout: the rate, its stream, and the RandomSource of the batch, or None for no dropout.

    Args:
        rate: dropped fraction, a multiple of 2**-16.
        stream: the number that `random_bits.keep_mask` takes.
        source: RandomSource or None.
    """

    def __init__(self, rate, *, stream, source):
        self._threshold = round(rate * 65536) if source is not None else 0
        self._stream, self._source = stream, source

    def attributes(self, values):
        """Arguments of an operation on `values`, whose first axis is the batch."""
        if self._threshold:
            seed, examples = tf.cast(self._source.seed, tf.int32), tf.cast(self._source.example_index, tf.int64)
        else:
            seed, examples = tf.constant(0), tf.zeros([tf.shape(values)[0]], tf.int64)
        return {"seed": seed, "examples": examples, "stream": self._stream, "threshold": self._threshold}

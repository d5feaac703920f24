"""Sums of an update are taken in an order that no other thread can change: a resumed run is bit for bit the same.

TensorFlow's AddN adds into the first of its inputs that nobody else reads any more, and begins with that one. With
three inputs and more the order, and so the last bit, then depends on whether other readers were done; with input 0 or 1
free for certain it does not, because the sum of these two is the same either way.
"""

import collections

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.eager import context

from electra_tf import kernels
from electra_tf.training.distribution import strategy_for
from electra_tf.training.pretrain import new_pretrainer
from tests.training.tiny_run import tiny_config, tiny_vocabulary

UPDATES = {"ElectraUpdate", "ResourceApplyAdam"}
OWNED_BY_OTHERS = {"Const", "_Arg", "ReadVariableOp"}
SAME_BUFFER = {"Identity", "Reshape", "Squeeze", "ExpandDims"}


def optimized_graph(function, *inputs):
    """The largest graph of a function that was never called before, after TensorFlow's own rewriting."""
    context.context().enable_run_metadata()
    function(*inputs)
    graphs = context.context().export_run_metadata().function_graphs
    context.context().disable_run_metadata()
    return max((graph.post_optimization_graph for graph in graphs), key=lambda graph: len(graph.node))


def sums_of_many(graph, *, before=None):
    """Names of AddN nodes whose order others decide; with `before`, only of those that nodes of these types need."""
    nodes = {node.name: node for node in graph.node}
    readers = collections.Counter(name for node in graph.node for name in node.input)
    needed, waiting = set(), [node.name for node in graph.node if before is None or node.op in before]
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            waiting += [source.lstrip("^").split(":")[0] for source in nodes[name].input]

    def is_free(source):
        node = nodes[source.split(":")[0]]
        if node.op in SAME_BUFFER and readers[source] == 1:
            return is_free(node.input[0])
        return readers[source] == 1 and node.op not in OWNED_BY_OTHERS
    many = [nodes[name] for name in needed if nodes[name].op == "AddN" and len(nodes[name].input) > 2]
    return [node.name for node in many if not any(is_free(source) for source in node.input[:2])]


def test_the_order_of_a_sum_depends_on_other_readers_and_that_is_found():
    """What the check below looks for exists: the same sum, with readers that are done and with readers that are not."""
    numbers = [tf.constant(row) for row in np.random.default_rng(0).normal(size=(4, 1000)).astype(np.float32)]

    def add(keep):
        @tf.function
        def function(*inputs):
            products = [1.5 * tensor for tensor in inputs]
            total = tf.raw_ops.AddN(inputs=products)
            with tf.control_dependencies([total]):
                return total, tf.stack(products[:2]) + 0.0 if keep else total
        return function
    free, kept = add(False), add(True)
    assert sums_of_many(optimized_graph(free, *numbers)) == []
    assert len(sums_of_many(optimized_graph(kept, *numbers))) == 1
    assert np.any(free(*numbers)[0].numpy() != kept(*numbers)[0].numpy())


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("setting", ["auto", "off"])
def test_no_sum_of_an_update_depends_on_what_other_threads_did(setting, precision):
    if setting == "auto" and kernels.why_not(precision):
        pytest.skip(kernels.why_not(precision))
    config = tiny_config(precision=precision, kernels=setting)
    pretrainer = new_pretrainer(config, tiny_vocabulary(), strategy_for("one_device"))
    token_ids = np.random.default_rng(1).integers(5, 195, size=(8, 12)).astype(np.int32)
    batch = {"token_ids": tf.constant(token_ids), "segment_ids": tf.zeros([8, 12], tf.int32),
             "padding_mask": tf.ones([8, 12], tf.int32), "example_index": tf.range(8, dtype=tf.int64)}
    graph = optimized_graph(tf.function(pretrainer.train_step, autograph=False), batch)
    assert UPDATES & {node.op for node in graph.node}
    assert sums_of_many(graph, before=UPDATES) == []

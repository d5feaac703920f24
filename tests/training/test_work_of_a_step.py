"""What a compiled training step computes, counted in its graph: a guard of its speed that needs no clock."""

import math
from typing import NamedTuple

import pytest
import tensorflow as tf

from benchmarks.model_flops import training_step_flops
from electra_tf import kernels
from electra_tf.config import ElectraConfig
from electra_tf.training.distribution import strategy_for
from electra_tf.training.pretrain import new_pretrainer
from tests.training.tiny_run import tiny_config, tiny_vocabulary

# All sizes and all products of batch with them differ, so that a shape tells what it belongs to.
BATCH, LENGTH = 3, 26
MODEL = ElectraConfig(vocabulary_size=195, embedding_size=10, hidden_size=28, num_layers=1, num_heads=2,
                      intermediate_size=44, max_positions=30, generator_size=0.5)
PRODUCTS_PER_LAYER, OTHER_PRODUCTS = 8, 6  # two projections of embeddings, two of each head
HOST_OPS = {"PyFunc", "PyFuncStateless", "EagerPyFunc", "Print", "PrintV2", "Assert"}


class Product(NamedTuple):
    """Products of matrices that one operation makes: `count` of them, each rows x inner x columns."""

    dtype: tf.DType
    count: int
    rows: int
    inner: int
    columns: int

    @property
    def flops(self):
        return 2 * self.count * self.rows * self.inner * self.columns


def step_graph(kernels="off", **settings):
    """The graph of one step, as the loop of a run compiles it."""
    config = tiny_config(model=vars(MODEL), batch_size=BATCH, kernels=kernels, **settings)
    pretrainer = new_pretrainer(config, tiny_vocabulary(), strategy_for("one_device"))
    batch = {name: tf.TensorSpec([BATCH, LENGTH], tf.int32) for name in ("token_ids", "segment_ids", "padding_mask")}
    batch["example_index"] = tf.TensorSpec([BATCH], tf.int64)
    step = tf.function(pretrainer.train_step, autograph=False)
    return step.get_concrete_function(batch).graph


@pytest.fixture(scope="module")
def graphs():
    """Precision -> graph."""
    return {precision: step_graph(precision=precision) for precision in ("float32", "bfloat16")}


def products(graph):
    """All products of matrices in a graph, those of one row or column (sums in disguise) included."""
    found = []
    for operation in graph.get_operations():
        if "MatMul" in operation.type:
            left, right = (tensor.shape.as_list() for tensor in operation.inputs[:2])
            turned = operation.get_attr("transpose_a" if operation.type == "MatMul" else "adj_x")
            rows, inner = reversed(left[-2:]) if turned else left[-2:]
            found.append(Product(operation.inputs[0].dtype, math.prod(left[:-2]), rows, inner,
                                 operation.outputs[0].shape[-1]))
            assert inner in right
    return found


def types_of_all_nodes(graph):
    """Types of the operations in a graph and in every function that it calls."""
    definition = graph.as_graph_def()
    return {node.op for node in definition.node} | {
        node.op for function in definition.library.function for node in function.node_def}


def slots():
    return tiny_config().masking.max_masked(LENGTH)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_step_multiplies_no_more_than_the_formula_says(graphs, precision):
    expected = training_step_flops(MODEL, batch_size=BATCH, sequence_length=LENGTH, masked=slots())
    found = products(graphs[precision])
    # What gradient checks and metrics might add would be seen; less than nine tenths would mean that some went unseen.
    assert 0.9 * expected < sum(product.flops for product in found) <= expected
    layers = MODEL.num_layers + MODEL.generator.num_layers
    assert len(found) <= 3 * (PRODUCTS_PER_LAYER * layers + OTHER_PRODUCTS)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_generators_head_sees_the_masked_positions_alone(graphs, precision):
    heads = [product for product in products(graphs[precision])
             if MODEL.vocabulary_size in (product.rows, product.inner, product.columns)]
    assert len(heads) == 3
    for product in heads:
        assert product.flops == 2 * BATCH * slots() * MODEL.embedding_size * MODEL.vocabulary_size


def test_a_step_in_bfloat16_multiplies_nothing_in_float32(graphs):
    assert {product.dtype for product in products(graphs["bfloat16"])} == {tf.bfloat16}
    assert {product.dtype for product in products(graphs["float32"])} == {tf.float32}


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_nothing_of_a_step_runs_in_python(graphs, precision):
    assert not types_of_all_nodes(graphs[precision]) & HOST_OPS
    strings = [operation.name for operation in graphs[precision].get_operations()
               if any(tensor.dtype == tf.string for tensor in operation.outputs)]
    assert strings == []


def test_a_host_operation_would_be_seen_inside_a_function_too():
    inner = tf.function(lambda values: tf.numpy_function(lambda array: array, [values], tf.float32))
    outer = tf.function(lambda values: inner(values) + 1.0)
    graph = outer.get_concrete_function(tf.TensorSpec([2], tf.float32)).graph
    assert types_of_all_nodes(graph) & HOST_OPS


def test_all_products_stand_in_the_graph_itself(graphs):
    inside = {node.op for function in graphs["float32"].as_graph_def().library.function for node in function.node_def}
    assert not {name for name in inside if "MatMul" in name or name == "Einsum"}
    assert "Einsum" not in types_of_all_nodes(graphs["float32"])


def test_the_discriminator_costs_nothing_where_the_generator_is_trained_alone():
    alone = sum(product.flops for product in products(step_graph(discriminator_weight=0.0)))
    whole = training_step_flops(MODEL, batch_size=BATCH, sequence_length=LENGTH, masked=slots())
    assert alone < 0.6 * whole


@pytest.mark.skipif(kernels.why_not("float32") is not None, reason=f"{kernels.why_not('float32')}")
def test_the_fused_operations_leave_a_graph_of_half_the_size(graphs):
    fused = step_graph(kernels="auto")
    assert len(fused.get_operations()) < len(graphs["float32"].get_operations()) / 2
    # What is left of TensorFlow's products: the heads, and the embeddings' projections stand in fused layers.
    assert len(products(fused)) <= 3 * OTHER_PRODUCTS
    assert not types_of_all_nodes(fused) & HOST_OPS

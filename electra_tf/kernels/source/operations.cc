// The operations that TensorFlow sees: shapes, memory and threads; the work itself is in variant.cc.
#include <algorithm>
#include <atomic>
#include <cstring>
#include <memory>
#include <vector>

#include "kernels.h"
#include "absl/synchronization/notification.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/resource_mgr.h"
#include "tensorflow/core/framework/resource_var.h"
#include "tensorflow/core/framework/shape_inference.h"
#include "tensorflow/core/lib/core/threadpool.h"

namespace electra {

extern const Table kTableAvx2, kTableAvx512, kTableAvx512Bfloat16;

const Table& table() {
  static const Table& chosen = [&]() -> const Table& {
    __builtin_cpu_init();
    const bool is_wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
                         __builtin_cpu_supports("bmi2");
    if (is_wide && __builtin_cpu_supports("avx512bf16")) return kTableAvx512Bfloat16;
    return is_wide ? kTableAvx512 : kTableAvx2;
  }();
  return chosen;
}

namespace {

using tensorflow::DataType;
using tensorflow::OpKernel;
using tensorflow::OpKernelConstruction;
using tensorflow::OpKernelContext;
using tensorflow::Tensor;
using tensorflow::TensorShape;
using tensorflow::shape_inference::InferenceContext;

constexpr int kTurnsBeforeSleep = 4000;  // less than 0.1 ms; to be woken takes nearly as long
constexpr int64_t kCostOfHelp = 20000;  // cycles, about

Type type_of(DataType type) { return type == tensorflow::DT_BFLOAT16 ? kBfloat16 : kFloat; }

// One call of parallel_for. A helper that starts late finds no item left, so it may outlive the call.
struct Job {
  int64_t items;
  void (*body)(void*, int64_t, int64_t);
  void* data;
  std::atomic<int64_t> next{0}, done{0};
  absl::Notification finished;

  void work() {
    for (int64_t item = next++; item < items; item = next++) {
      body(data, item, item + 1);
      if (++done == items) finished.Notify();
    }
  }
};

// The calling thread works, too, with one helper less than there are threads: TensorFlow's own ParallelFor keeps one
// thread more busy than there are cores, and whoever is put aside for a time slice holds up all others.
void parallel_for(void* context, int64_t items, int64_t cost, void (*body)(void*, int64_t, int64_t), void* data) {
  auto* pool = static_cast<tensorflow::thread::ThreadPool*>(context);
  const int64_t helpers = std::min<int64_t>(pool->NumThreads(), items) - 1;
  if (helpers <= 0 || items * cost < kCostOfHelp) {
    for (int64_t item = 0; item < items; ++item) body(data, item, item + 1);
    return;
  }
  auto job = std::make_shared<Job>();
  job->items = items, job->body = body, job->data = data;
  for (int64_t helper = 0; helper < helpers; ++helper) pool->Schedule([job] { job->work(); });
  job->work();
  for (int turn = 0; turn < kTurnsBeforeSleep && !job->finished.HasBeenNotified(); ++turn) __builtin_ia32_pause();
  job->finished.WaitForNotification();
}

Workers workers_of(OpKernelContext* context) {
  return {context->device()->tensorflow_cpu_worker_threads()->workers, &parallel_for};
}

// A base that reads what most operations have.
class Kernel : public OpKernel {
 public:
  explicit Kernel(OpKernelConstruction* construction) : OpKernel(construction) {
    has_dice_ = construction->HasAttr("threshold");
    if (!has_dice_) return;
    int64_t stream, threshold;
    OP_REQUIRES_OK(construction, construction->GetAttr("stream", &stream));
    OP_REQUIRES_OK(construction, construction->GetAttr("threshold", &threshold));
    stream_ = stream, threshold_ = threshold;
  }

 protected:
  Dice dice(OpKernelContext* context, int seed, int examples) const {
    return {static_cast<uint32_t>(context->input(seed).scalar<int32_t>()()), stream_, threshold_,
            context->input(examples).flat<int64_t>().data()};
  }

  bool has_dice_ = false;
  uint32_t stream_ = 0, threshold_ = 0;
};

#define ELECTRA_OUTPUT(name, number, shape) \
  Tensor* name = nullptr;                   \
  OP_REQUIRES_OK(context, context->allocate_output(number, shape, &name))

template <class V>
V* data(Tensor* tensor) { return reinterpret_cast<V*>(const_cast<char*>(tensor->tensor_data().data())); }
const void* input_data(OpKernelContext* context, int number) { return context->input(number).tensor_data().data(); }

// x [..., inputs] -> rows
int64_t rows_of(const Tensor& x) { return x.dim_size(x.dims() - 1) ? x.NumElements() / x.dim_size(x.dims() - 1) : 0; }

// Inputs: x, N kernels, N biases or none. Outputs: N y, slope.
class LinearKernel : public Kernel {
 public:
  explicit LinearKernel(OpKernelConstruction* construction) : Kernel(construction) {
    OP_REQUIRES_OK(construction, construction->GetAttr("N", &count_));
    OP_REQUIRES_OK(construction, construction->GetAttr("B", &biases_));
    OP_REQUIRES_OK(construction, construction->GetAttr("has_gelu", &has_gelu_));
    OP_REQUIRES_OK(construction, construction->GetAttr("is_transposed", &is_transposed_));
    OP_REQUIRES(construction, count_ <= kMostKernels && !(has_gelu_ && count_ > 1) && (!biases_ || biases_ == count_),
                absl::InvalidArgumentError("ElectraLinear: at most three kernels, one with GELU, and as many biases."));
  }
  void Compute(OpKernelContext* context) override {
    const Tensor &x = context->input(0), &kernel = context->input(1);
    Linear made{};
    made.type = type_of(x.dtype()), made.x = input_data(context, 0), made.count = count_;
    made.is_transposed = is_transposed_;
    made.rows = rows_of(x), made.inputs = kernel.dim_size(is_transposed_), made.outputs = kernel.dim_size(!is_transposed_);
    TensorShape shape = x.shape();
    shape.set_dim(x.dims() - 1, made.outputs);
    for (int64_t i = 0; i < count_; ++i) {
      OP_REQUIRES(context, x.dim_size(x.dims() - 1) == made.inputs && context->input(1 + i).shape() == kernel.shape() &&
                               (!biases_ || context->input(1 + count_ + i).NumElements() == made.outputs),
                  absl::InvalidArgumentError("ElectraLinear: shapes that do not fit."));
      made.kernel[i] = context->input(1 + i).flat<float>().data();
      made.bias[i] = biases_ ? context->input(1 + count_ + i).flat<float>().data() : nullptr;
      ELECTRA_OUTPUT(y, i, shape);
      made.y[i] = data<void>(y);
    }
    ELECTRA_OUTPUT(slope, count_, (has_gelu_ ? shape : TensorShape({0})));
    made.slope = has_gelu_ ? data<void>(slope) : nullptr;
    Tensor packed;
    OP_REQUIRES_OK(context, context->allocate_temp(tensorflow::DT_UINT32,
                                                   TensorShape({count_ * packed_units(made.type, made.inputs, made.outputs)}), &packed));
    made.packed = packed.flat<uint32_t>().data();
    if (x.NumElements()) table().linear(made, workers_of(context));
  }

 private:
  int64_t count_, biases_;
  bool has_gelu_, is_transposed_;
};

// Inputs: x, N kernels, N by_y, F factors, A added (at most one of each). Outputs: by_x, N by_kernel, B by_bias (N or 0).
class LinearGradientKernel : public Kernel {
 public:
  explicit LinearGradientKernel(OpKernelConstruction* construction) : Kernel(construction) {
    OP_REQUIRES_OK(construction, construction->GetAttr("N", &count_));
    OP_REQUIRES_OK(construction, construction->GetAttr("F", &factors_));
    OP_REQUIRES_OK(construction, construction->GetAttr("A", &added_));
    OP_REQUIRES_OK(construction, construction->GetAttr("B", &biases_));
    OP_REQUIRES_OK(construction, construction->GetAttr("is_transposed", &is_transposed_));
  }
  void Compute(OpKernelContext* context) override {
    const Tensor &x = context->input(0), &kernel = context->input(1);
    LinearGradient made{};
    for (int i = 1 + 2 * count_; i < context->num_inputs(); ++i)
      OP_REQUIRES(context, context->input(i).shape() == x.shape(),
                  absl::InvalidArgumentError("ElectraLinearGradient: shapes that do not fit."));
    made.factors = factors_ ? input_data(context, 1 + 2 * count_) : nullptr;
    made.added = added_ ? input_data(context, 1 + 2 * count_ + factors_) : nullptr;
    made.type = type_of(x.dtype()), made.x = input_data(context, 0), made.count = count_;
    made.is_transposed = is_transposed_;
    made.rows = rows_of(x), made.inputs = kernel.dim_size(is_transposed_), made.outputs = kernel.dim_size(!is_transposed_);
    ELECTRA_OUTPUT(by_x, 0, x.shape());
    made.by_x = data<void>(by_x);
    for (int64_t i = 0; i < count_; ++i) {
      made.kernel[i] = context->input(1 + i).flat<float>().data(), made.by_y[i] = input_data(context, 1 + count_ + i);
      ELECTRA_OUTPUT(by_kernel, 1 + i, kernel.shape());
      made.by_kernel[i] = data<float>(by_kernel);
      if (made.rows == 0) std::memset(made.by_kernel[i], 0, by_kernel->TotalBytes());
    }
    for (int64_t i = 0; i < biases_; ++i) {
      ELECTRA_OUTPUT(by_bias, 1 + count_ + i, TensorShape({made.outputs}));
      made.by_bias[i] = data<float>(by_bias);
      if (made.rows == 0) std::memset(made.by_bias[i], 0, by_bias->TotalBytes());
    }
    if (made.rows == 0) return;
    const int64_t sizes[3] = {count_ * packed_units(made.type, made.outputs, made.inputs),
                              packed_units(made.type, made.rows, made.inputs),
                              count_ * packed_units(made.type, made.rows, made.outputs)};
    Tensor packed[3];
    for (int i = 0; i < 3; ++i)
      OP_REQUIRES_OK(context, context->allocate_temp(tensorflow::DT_UINT32, TensorShape({sizes[i]}), &packed[i]));
    made.packed_kernels = packed[0].flat<uint32_t>().data(), made.packed_x = packed[1].flat<uint32_t>().data();
    made.packed_by_y = packed[2].flat<uint32_t>().data();
    table().linear_gradient(made, workers_of(context));
  }

 private:
  int64_t count_, factors_, added_, biases_;
  bool is_transposed_;
};

class AttentionKernel : public Kernel {
 public:
  explicit AttentionKernel(OpKernelConstruction* construction) : Kernel(construction) {
    OP_REQUIRES_OK(construction, construction->GetAttr("heads", &heads_));
  }

 protected:
  // Inputs: query, key, value, mask, seed, examples.
  Attention call(OpKernelContext* context) const {
    const Tensor &query = context->input(0), &mask = context->input(3);
    Attention made{};
    made.type = type_of(query.dtype());
    made.query = input_data(context, 0), made.key = input_data(context, 1), made.value = input_data(context, 2);
    made.mask = mask.flat<int32_t>().data();
    made.batch = query.dim_size(0), made.length = query.dim_size(1), made.heads = heads_;
    made.head_size = query.dim_size(2) / heads_;
    made.mask_rows = mask.dims() == 3 ? mask.dim_size(1) : 1;
    made.dice = dice(context, 4, 5);
    return made;
  }
  int64_t heads_;
};

class AttentionForward : public AttentionKernel {
 public:
  using AttentionKernel::AttentionKernel;
  void Compute(OpKernelContext* context) override {
    const Tensor& query = context->input(0);
    Attention made = call(context);
    const Tensor& mask = context->input(3);
    OP_REQUIRES(context, mask.NumElements() == made.batch * made.mask_rows * made.length &&
                             context->input(1).shape() == query.shape() && context->input(2).shape() == query.shape() &&
                             context->input(5).NumElements() == made.batch && made.head_size * heads_ == query.dim_size(2),
                absl::InvalidArgumentError("ElectraAttention: shapes that do not fit."));
    ELECTRA_OUTPUT(result, 0, (query.shape()));
    ELECTRA_OUTPUT(log_sums, 1, (TensorShape({made.batch, heads_, made.length})));
    ELECTRA_OUTPUT(keep, 2, (TensorShape({made.batch, heads_, threshold_ ? keep_bytes(made.length * made.length) : 0})));
    made.context = data<void>(result), made.log_sums = data<float>(log_sums), made.keep = data<uint8_t>(keep);
    if (query.NumElements()) table().attention(made, workers_of(context));
  }
};

class AttentionGradient : public AttentionKernel {
 public:
  using AttentionKernel::AttentionKernel;
  void Compute(OpKernelContext* context) override {  // further inputs: context, log_sums, keep, by_context
    const Tensor& query = context->input(0);
    Attention made = call(context);
    made.context = const_cast<void*>(input_data(context, 6));
    made.log_sums = const_cast<float*>(context->input(7).flat<float>().data());
    made.keep = const_cast<uint8_t*>(context->input(8).flat<uint8_t>().data());
    made.by_context = input_data(context, 9);
    ELECTRA_OUTPUT(by_query, 0, (query.shape()));
    made.by_query = data<void>(by_query);
    ELECTRA_OUTPUT(by_key, 1, (query.shape()));
    made.by_key = data<void>(by_key);
    ELECTRA_OUTPUT(by_value, 2, (query.shape()));
    made.by_value = data<void>(by_value);
    if (query.NumElements()) table().attention_gradient(made, workers_of(context));
  }
};

class AddNormKernel : public Kernel {
 public:
  explicit AddNormKernel(OpKernelConstruction* construction) : Kernel(construction) {
    OP_REQUIRES_OK(construction, construction->GetAttr("epsilon", &epsilon_));
  }

 protected:
  // Inputs: x, residual, gamma, beta, seed, examples.
  AddNorm call(OpKernelContext* context) const {
    const Tensor& x = context->input(0);
    AddNorm made{};
    made.type = type_of(x.dtype());
    made.x = input_data(context, 0), made.residual = input_data(context, 1);
    made.gamma = context->input(2).flat<float>().data(), made.beta = context->input(3).flat<float>().data();
    made.epsilon = epsilon_;
    made.batch = x.dim_size(0), made.length = x.dim_size(1), made.width = x.dim_size(2);
    made.dice = dice(context, 4, 5);
    return made;
  }
  float epsilon_;
};

TensorShape keep_shape(int64_t batch, int64_t length, int64_t width, uint32_t threshold) {
  return TensorShape({batch, keep_chunks(length), threshold ? keep_bytes(kChunk * width) : 0});
}

class AddNormForward : public AddNormKernel {
 public:
  using AddNormKernel::AddNormKernel;
  void Compute(OpKernelContext* context) override {
    const Tensor& x = context->input(0);
    OP_REQUIRES(context, x.dims() == 3 && context->input(1).shape() == x.shape() && context->input(2).NumElements() == x.dim_size(2) &&
                             context->input(5).NumElements() == x.dim_size(0),
                absl::InvalidArgumentError("ElectraAddNorm: shapes that do not fit."));
    AddNorm made = call(context);
    ELECTRA_OUTPUT(y, 0, (x.shape()));
    made.y = data<void>(y);
    ELECTRA_OUTPUT(statistics, 1, (TensorShape({made.batch, made.length, 2})));
    made.statistics = data<float>(statistics);
    ELECTRA_OUTPUT(keep, 2, (keep_shape(made.batch, made.length, made.width, threshold_)));
    made.keep = data<uint8_t>(keep);
    if (x.NumElements()) table().add_norm(made, workers_of(context));
  }
};

class AddNormGradient : public AddNormKernel {
 public:
  using AddNormKernel::AddNormKernel;
  void Compute(OpKernelContext* context) override {  // further inputs: statistics, keep, by_y
    const Tensor& x = context->input(0);
    AddNorm made = call(context);
    made.statistics = const_cast<float*>(context->input(6).flat<float>().data());
    made.keep = const_cast<uint8_t*>(context->input(7).flat<uint8_t>().data());
    made.by_y = input_data(context, 8);
    ELECTRA_OUTPUT(by_x, 0, (x.shape()));
    made.by_x = data<void>(by_x);
    ELECTRA_OUTPUT(by_residual, 1, (x.shape()));
    made.by_residual = data<void>(by_residual);
    ELECTRA_OUTPUT(by_gamma, 2, (TensorShape({made.width})));
    made.by_gamma = data<float>(by_gamma);
    ELECTRA_OUTPUT(by_beta, 3, (TensorShape({made.width})));
    made.by_beta = data<float>(by_beta);
    Tensor partial;
    OP_REQUIRES_OK(context, context->allocate_temp(tensorflow::DT_FLOAT, TensorShape({made.batch, keep_chunks(made.length), 2, made.width}), &partial));
    made.partial_sums = partial.flat<float>().data();
    table().add_norm_gradient(made, workers_of(context));
  }
};

class DropKernel : public Kernel {
 public:
  using Kernel::Kernel;

 protected:
  Drop call(OpKernelContext* context) const {
    const Tensor& x = context->input(0);
    Drop made{};
    made.type = type_of(x.dtype());
    made.x = input_data(context, 0);
    made.batch = x.dim_size(0), made.length = x.dim_size(1), made.width = x.dim_size(2);
    return made;
  }
};

class DropForward : public DropKernel {
 public:
  using DropKernel::DropKernel;
  void Compute(OpKernelContext* context) override {  // x, seed, examples
    const Tensor& x = context->input(0);
    OP_REQUIRES(context, x.dims() == 3 && context->input(2).NumElements() == x.dim_size(0),
                absl::InvalidArgumentError("ElectraDropout: shapes that do not fit."));
    Drop made = call(context);
    made.dice = dice(context, 1, 2);
    ELECTRA_OUTPUT(y, 0, (x.shape()));
    made.y = data<void>(y);
    ELECTRA_OUTPUT(keep, 1, (keep_shape(made.batch, made.length, made.width, threshold_)));
    made.keep = data<uint8_t>(keep);
    if (x.NumElements()) table().drop(made, workers_of(context));
  }
};

class DropGradient : public DropKernel {
 public:
  using DropKernel::DropKernel;
  void Compute(OpKernelContext* context) override {  // by_y, keep
    const Tensor& x = context->input(0);
    Drop made = call(context);
    made.dice = {0, stream_, threshold_, nullptr};
    made.is_gradient = true;
    made.keep = const_cast<uint8_t*>(context->input(1).flat<uint8_t>().data());
    ELECTRA_OUTPUT(y, 0, (x.shape()));
    made.y = data<void>(y);
    if (x.NumElements()) table().drop(made, workers_of(context));
  }
};

class GuessKernel : public Kernel {
 public:
  using Kernel::Kernel;
  void Compute(OpKernelContext* context) override {  // products, bias, original, uniforms
    const Tensor& products = context->input(0);
    const int64_t rows = products.dim_size(0), vocabulary = products.dim_size(1);
    OP_REQUIRES(context, context->input(1).NumElements() == vocabulary && context->input(2).NumElements() == rows &&
                             context->input(3).NumElements() == rows,
                absl::InvalidArgumentError("ElectraGuess: shapes that do not fit."));
    const auto original = context->input(2).flat<int32_t>();
    for (int64_t row = 0; row < rows; ++row)
      OP_REQUIRES(context, original(row) >= 0 && original(row) < vocabulary,
                  absl::InvalidArgumentError("ElectraGuess: a token id past the vocabulary."));
    const TensorShape shape({rows});
    Guess made{};
    made.type = type_of(products.dtype()), made.products = input_data(context, 0);
    made.bias = context->input(1).flat<float>().data(), made.original = original.data();
    made.uniforms = context->input(3).flat<float>().data();
    made.rows = rows, made.vocabulary = vocabulary;
    ELECTRA_OUTPUT(losses, 0, (shape));
    made.losses = data<float>(losses);
    ELECTRA_OUTPUT(log_sums, 1, (shape));
    made.log_sums = data<float>(log_sums);
    ELECTRA_OUTPUT(sampled, 2, (shape));
    made.sampled = data<int32_t>(sampled);
    ELECTRA_OUTPUT(best, 3, (shape));
    made.best = data<int32_t>(best);
    table().guess(made, workers_of(context));
  }
};

class GuessGradientKernel : public Kernel {
 public:
  using Kernel::Kernel;
  void Compute(OpKernelContext* context) override {  // products, bias, original, log_sums, by_losses
    const Tensor& products = context->input(0);
    ELECTRA_OUTPUT(by_products, 0, (products.shape()));
    ELECTRA_OUTPUT(by_bias, 1, (context->input(1).shape()));
    const auto floats = [&](int input) { return context->input(input).flat<float>().data(); };
    table().guess_gradient({type_of(products.dtype()), input_data(context, 0), floats(1), floats(3), floats(4),
                            context->input(2).flat<int32_t>().data(), products.dim_size(0), products.dim_size(1),
                            data<void>(by_products), data<float>(by_bias)},
                           workers_of(context));
  }
};

class SquareSumsKernel : public Kernel {
 public:
  using Kernel::Kernel;
  void Compute(OpKernelContext* context) override {  // N gradients
    const int64_t count = context->num_inputs();
    std::vector<const float*> gradients;
    std::vector<int64_t> sizes;
    for (int64_t i = 0; i < count; ++i) {
      gradients.push_back(context->input(i).flat<float>().data());
      sizes.push_back(context->input(i).NumElements());
    }
    ELECTRA_OUTPUT(sums, 0, (TensorShape({count})));
    table().square_sums(gradients.data(), sizes.data(), count, data<float>(sums), workers_of(context));
  }
};

// Inputs: N weights, N momentums, N velocities (resources), N gradients, then float [5] rate (0 for a step that is left
// out), scale, 1 - beta_1, 1 - beta_2, epsilon; attributes: factors of the rate and weight decays.
class UpdateKernel : public Kernel {
 public:
  explicit UpdateKernel(OpKernelConstruction* construction) : Kernel(construction) {
    OP_REQUIRES_OK(construction, construction->GetAttr("factors", &factors_));
    OP_REQUIRES_OK(construction, construction->GetAttr("decays", &decays_));
  }
  void Compute(OpKernelContext* context) override {
    const int64_t count = factors_.size();
    const auto numbers = context->input(4 * count).flat<float>();
    std::vector<tensorflow::core::RefCountPtr<tensorflow::Var>> held(3 * count);
    std::vector<Update> updates(count);
    for (int64_t i = 0; i < count; ++i) {
      float* places[3];
      for (int kind = 0; kind < 3; ++kind) {
        auto& variable = held[kind * count + i];
        OP_REQUIRES_OK(context, tensorflow::LookupResource(context, tensorflow::HandleFromInput(context, kind * count + i), &variable));
        tensorflow::mutex_lock lock(*variable->mu());
        Tensor* tensor = variable->tensor();
        OP_REQUIRES(context, variable->is_initialized && tensor->NumElements() == context->input(3 * count + i).NumElements(),
                    absl::InvalidArgumentError("ElectraUpdate: a variable that does not fit its gradient."));
        if (!tensor->RefCountIsOne()) {  // somebody still reads the old value
          Tensor copy;
          OP_REQUIRES_OK(context, context->allocate_temp(tensor->dtype(), tensor->shape(), &copy));
          std::memcpy(data<void>(&copy), data<void>(tensor), tensor->TotalBytes());
          *tensor = copy;
        }
        places[kind] = tensor->flat<float>().data();
      }
      const float rate = numbers(0) * factors_[i];
      updates[i] = {context->input(3 * count + i).flat<float>().data(), places[0], places[1], places[2],
                    context->input(3 * count + i).NumElements(), rate, rate * decays_[i], numbers(1), numbers(2), numbers(3), numbers(4)};
    }
    table().update(updates.data(), count, workers_of(context));
  }

 private:
  std::vector<float> factors_, decays_;
};

absl::Status like_input(InferenceContext* c, int outputs) {
  for (int i = 0; i < outputs; ++i) c->set_output(i, c->input(0));
  return absl::OkStatus();
}

}  // namespace
}  // namespace electra

using tensorflow::shape_inference::InferenceContext;

#define ELECTRA_DICE .Attr("stream: int").Attr("threshold: int")
#define ELECTRA_TYPE .Attr("T: {float, bfloat16}")

REGISTER_OP("ElectraLinear")
    .Input("x: T").Input("kernels: N * float").Input("biases: B * float").Output("y: N * T").Output("slope: T")
    .Attr("N: int >= 1").Attr("B: int >= 0") ELECTRA_TYPE.Attr("has_gelu: bool").Attr("is_transposed: bool = false")
    .SetShapeFn([](InferenceContext* c) {
      const int outputs = c->num_outputs() - 1;
      for (int i = 0; i < outputs; ++i) {
        c->set_output(i, c->UnknownShape());
        if (!c->RankKnown(c->input(0)) || !c->RankKnown(c->input(1))) continue;
        tensorflow::shape_inference::ShapeHandle shape;
        bool is_transposed;
        TF_RETURN_IF_ERROR(c->GetAttr("is_transposed", &is_transposed));
        TF_RETURN_IF_ERROR(c->ReplaceDim(c->input(0), -1, c->Dim(c->input(1), !is_transposed), &shape));
        c->set_output(i, shape);
      }
      c->set_output(outputs, c->UnknownShape());
      return absl::OkStatus();
    });
REGISTER_OP("ElectraLinearGradient")
    .Input("x: T").Input("kernels: N * float").Input("by_y: N * T").Input("factors: F * T").Input("added: A * T")
    .Output("by_x: T").Output("by_kernels: N * float").Output("by_biases: B * float")
    .Attr("N: int >= 1").Attr("B: int >= 0").Attr("F: int >= 0").Attr("A: int >= 0") ELECTRA_TYPE
    .Attr("is_transposed: bool = false")
    .SetShapeFn([](InferenceContext* c) {
      int count;
      TF_RETURN_IF_ERROR(c->GetAttr("N", &count));
      c->set_output(0, c->input(0));
      for (int i = 1; i < c->num_outputs(); ++i) c->set_output(i, i <= count ? c->input(1) : c->UnknownShapeOfRank(1));
      return absl::OkStatus();
    });
REGISTER_OP("ElectraAttention")
    .Input("query: T").Input("key: T").Input("value: T").Input("mask: int32").Input("seed: int32").Input("examples: int64")
    .Output("context: T").Output("log_sums: float").Output("keep: uint8")
    ELECTRA_TYPE.Attr("heads: int") ELECTRA_DICE
    .SetShapeFn([](InferenceContext* c) { 
      c->set_output(0, c->input(0));
      c->set_output(1, c->UnknownShapeOfRank(3));
      c->set_output(2, c->UnknownShapeOfRank(3));
      return absl::OkStatus();
    });
REGISTER_OP("ElectraAttentionGradient")
    .Input("query: T").Input("key: T").Input("value: T").Input("mask: int32").Input("seed: int32").Input("examples: int64")
    .Input("context: T").Input("log_sums: float").Input("keep: uint8").Input("by_context: T")
    .Output("by_query: T").Output("by_key: T").Output("by_value: T")
    ELECTRA_TYPE.Attr("heads: int") ELECTRA_DICE
    .SetShapeFn([](InferenceContext* c) { return electra::like_input(c, 3); });
REGISTER_OP("ElectraAddNorm")
    .Input("x: T").Input("residual: T").Input("gamma: float").Input("beta: float").Input("seed: int32").Input("examples: int64")
    .Output("y: T").Output("statistics: float").Output("keep: uint8")
    ELECTRA_TYPE.Attr("epsilon: float") ELECTRA_DICE
    .SetShapeFn([](InferenceContext* c) {
      c->set_output(0, c->input(0));
      c->set_output(1, c->UnknownShapeOfRank(3));
      c->set_output(2, c->UnknownShapeOfRank(3));
      return absl::OkStatus();
    });
REGISTER_OP("ElectraAddNormGradient")
    .Input("x: T").Input("residual: T").Input("gamma: float").Input("beta: float").Input("seed: int32").Input("examples: int64")
    .Input("statistics: float").Input("keep: uint8").Input("by_y: T")
    .Output("by_x: T").Output("by_residual: T").Output("by_gamma: float").Output("by_beta: float")
    ELECTRA_TYPE.Attr("epsilon: float") ELECTRA_DICE
    .SetShapeFn([](InferenceContext* c) {
      c->set_output(0, c->input(0));
      c->set_output(1, c->input(0));
      c->set_output(2, c->input(2));
      c->set_output(3, c->input(2));
      return absl::OkStatus();
    });
REGISTER_OP("ElectraDropout").Input("x: T").Input("seed: int32").Input("examples: int64").Output("y: T").Output("keep: uint8")
    ELECTRA_TYPE ELECTRA_DICE
    .SetShapeFn([](InferenceContext* c) {
      c->set_output(0, c->input(0));
      c->set_output(1, c->UnknownShapeOfRank(3));
      return absl::OkStatus();
    });
REGISTER_OP("ElectraDropoutGradient").Input("by_y: T").Input("keep: uint8").Output("by_x: T") ELECTRA_TYPE ELECTRA_DICE
    .SetShapeFn([](InferenceContext* c) { return electra::like_input(c, 1); });
REGISTER_OP("ElectraGuess").Input("products: T").Input("bias: float").Input("original: int32").Input("uniforms: float")
    .Output("losses: float").Output("log_sums: float").Output("sampled: int32").Output("best: int32") ELECTRA_TYPE
    .SetShapeFn([](InferenceContext* c) {
      for (int i = 0; i < 4; ++i) c->set_output(i, c->input(2));
      return absl::OkStatus();
    });
REGISTER_OP("ElectraGuessGradient")
    .Input("products: T").Input("bias: float").Input("original: int32").Input("log_sums: float").Input("by_losses: float")
    .Output("by_products: T").Output("by_bias: float") ELECTRA_TYPE
    .SetShapeFn([](InferenceContext* c) {
      c->set_output(0, c->input(0));
      c->set_output(1, c->input(1));
      return absl::OkStatus();
    });
REGISTER_OP("ElectraSquareSums").Input("gradients: N * float").Output("sums: float").Attr("N: int >= 1")
    .SetShapeFn([](InferenceContext* c) {
      c->set_output(0, c->Vector(c->num_inputs()));
      return absl::OkStatus();
    });
REGISTER_OP("ElectraUpdate")
    .Input("weights: N * resource").Input("momentums: N * resource").Input("velocities: N * resource")
    .Input("gradients: N * float").Input("numbers: float")
    .Attr("N: int >= 1").Attr("factors: list(float)").Attr("decays: list(float)")
    .SetIsStateful()
    .SetShapeFn(tensorflow::shape_inference::NoOutputs);

#define ELECTRA_KERNEL(name, kernel) REGISTER_KERNEL_BUILDER(Name(name).Device(tensorflow::DEVICE_CPU), electra::kernel)
ELECTRA_KERNEL("ElectraLinear", LinearKernel);
ELECTRA_KERNEL("ElectraLinearGradient", LinearGradientKernel);
ELECTRA_KERNEL("ElectraAttention", AttentionForward);
ELECTRA_KERNEL("ElectraAttentionGradient", AttentionGradient);
ELECTRA_KERNEL("ElectraAddNorm", AddNormForward);
ELECTRA_KERNEL("ElectraAddNormGradient", AddNormGradient);
ELECTRA_KERNEL("ElectraDropout", DropForward);
ELECTRA_KERNEL("ElectraDropoutGradient", DropGradient);
ELECTRA_KERNEL("ElectraGuess", GuessKernel);
ELECTRA_KERNEL("ElectraGuessGradient", GuessGradientKernel);
ELECTRA_KERNEL("ElectraSquareSums", SquareSumsKernel);
ELECTRA_KERNEL("ElectraUpdate", UpdateKernel);

extern "C" __attribute__((visibility("default"))) int electra_has_bfloat16() { return electra::table().has_bfloat16; }

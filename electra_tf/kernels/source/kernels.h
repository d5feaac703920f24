// What the operations of TensorFlow (operations.cc) ask of the compute code, which is compiled once for each set of
// instructions (variant.cc). Only plain types cross this line: an inline function of the standard library that both
// sides used could be linked with the wrong instructions.
#pragma once
#include <cstdint>

namespace electra {

enum Type : int32_t { kFloat = 0, kBfloat16 = 1 };

// TensorFlow's thread pool: calls body(data, begin, end) for parts of [0, items).
struct Workers {
  void* context;
  void (*parallel_for)(void* context, int64_t items, int64_t cost, void (*body)(void*, int64_t, int64_t), void* data);
};

// Dropout of the rate threshold / 65536, drawn from (seed, stream, example, element); see objective/random_bits.py.
struct Dice {
  uint32_t seed, stream, threshold;
  const int64_t* examples;
};

constexpr int64_t kMostKernels = 3;  // query, key and value are products of the same rows

// y[i][rows, outputs] = activation(x[rows, inputs] kernel[i][inputs, outputs] + bias[i]); a transposed kernel is
// [outputs, inputs], as an embedding table that is used as output matrix.
struct Linear {
  Type type;
  bool is_transposed;
  const void* x;
  const float *kernel[kMostKernels], *bias[kMostKernels];  // bias: or null
  void* y[kMostKernels];
  void* slope;  // of GELU where it was taken, in `type`; null without activation; with one kernel only
  int64_t count, rows, inputs, outputs;
  uint32_t* packed;  // packed_units(type, inputs, outputs) for each kernel
};

struct LinearGradient {
  Type type;
  bool is_transposed;
  const void *x, *by_y[kMostKernels];
  const float* kernel[kMostKernels];
  void* by_x;
  float *by_kernel[kMostKernels], *by_bias[kMostKernels];  // by_bias: or null
  const void *factors, *added;  // by_x is multiplied with the first and the second is added; in `type`, or null
  int64_t count, rows, inputs, outputs;
  uint32_t *packed_kernels, *packed_x, *packed_by_y;  // the first and the last hold all kernels' parts
};

struct Attention {
  Type type;
  const void *query, *key, *value;  // [batch, length, heads * head_size]
  const int32_t* mask;              // [batch, mask_rows, length], 1 where a key is seen
  int64_t batch, length, heads, head_size, mask_rows;
  Dice dice;
  void* context;
  float* log_sums;  // [batch, heads, length]
  uint8_t* keep;    // [batch, heads, keep_bytes(length * length)]
  // Only for the gradient:
  const void* by_context;
  void *by_query, *by_key, *by_value;
};

// y = LayerNorm(dropout(x) + residual)
struct AddNorm {
  Type type;
  const void *x, *residual;  // [batch, length, width]
  const float *gamma, *beta;
  float epsilon;
  int64_t batch, length, width;
  Dice dice;
  void* y;
  float* statistics;  // [batch, length, 2]: mean and 1 / deviation
  uint8_t* keep;      // [batch, keep_chunks(length), keep_bytes(kChunk * width)]
  const void* by_y;
  void *by_x, *by_residual;
  float *by_gamma, *by_beta, *partial_sums;  // partial_sums: [batch, keep_chunks(length), 2, width]
};

struct Drop {
  Type type;
  const void* x;
  void* y;
  int64_t batch, length, width;
  Dice dice;
  uint8_t* keep;
  bool is_gradient;  // keep is read, not written
};

// Cross-entropy of guesses with one sample from each distribution; the logits are products + bias.
struct Guess {
  Type type;
  const void* products;  // [rows, vocabulary]
  const float* bias;     // [vocabulary]
  const int32_t* original;
  const float* uniforms;
  int64_t rows, vocabulary;
  float *losses, *log_sums;
  int32_t *sampled, *best;
};

struct GuessGradient {
  Type type;
  const void* products;
  const float *bias, *log_sums, *by_losses;
  const int32_t* original;
  int64_t rows, vocabulary;
  void* by_products;
  float* by_bias;
};

// One variable of one update: m, v and w in place; see training/optimizer.py.
struct Update {
  const float* gradient;
  float *weights, *momentum, *velocity;
  int64_t size;
  float rate, decay_rate, scale, share_1, share_2, epsilon;  // shares: 1 - beta, of the gradient in both moments
};

struct Table {
  bool has_bfloat16;
  void (*linear)(const Linear&, const Workers&);
  void (*linear_gradient)(const LinearGradient&, const Workers&);
  void (*attention)(const Attention&, const Workers&);
  void (*attention_gradient)(const Attention&, const Workers&);
  void (*add_norm)(const AddNorm&, const Workers&);
  void (*add_norm_gradient)(const AddNorm&, const Workers&);
  void (*drop)(const Drop&, const Workers&);
  void (*guess)(const Guess&, const Workers&);
  void (*guess_gradient)(const GuessGradient&, const Workers&);
  void (*square_sums)(const float* const* gradients, const int64_t* sizes, int64_t count, float* sums, const Workers&);
  void (*update)(const Update*, int64_t count, const Workers&);
};

constexpr int64_t kPanel = 64;   // columns that are packed side by side
constexpr int64_t kChunk = 32;   // rows of an example that one thread drops and normalises together

inline int64_t parts(int64_t size, int64_t part) { return (size + part - 1) / part; }
inline int64_t keep_chunks(int64_t length) { return parts(length, kChunk); }
// One bit for each element, in whole calls of the generator, and room to read past the end.
inline int64_t keep_bytes(int64_t elements) { return parts(elements + 7, 128) * 16 + 16; }
inline int64_t packed_units(Type type, int64_t depth, int64_t columns) {
  return (type == kBfloat16 ? parts(depth, 2) : depth) * parts(columns, kPanel) * kPanel;
}

}  // namespace electra

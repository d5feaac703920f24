// The generator's guesses: cross-entropy, the best guess and one sample of each, in two passes over the products.
#pragma once
#include "vectors.h"

namespace electra {
namespace {

constexpr int64_t kSampleBlock = 128;  // as in objective/sampling.py

inline Floats weights_at(const float* logits, int64_t i, int64_t vocabulary, float top) {
  const int64_t count = vocabulary - i;
  Floats weight = exponential(load(logits + i, count) - top);
  if (count >= kLanes) return weight;
  float some[kLanes] = {};
  store(some, weight, count);
  return load(some);
}

// The place in one block where the running sum of weights passes `target`.
inline int64_t sample_in_block(const float* logits, int64_t begin, int64_t vocabulary, float top, float target) {
  const int64_t end = begin + kSampleBlock < vocabulary ? begin + kSampleBlock : vocabulary;
  float weights[kSampleBlock];
  for (int64_t i = begin; i < end; i += kLanes) store(weights + i - begin, weights_at(logits, i, vocabulary, top));
  float running = 0;
  int64_t passed = 0, last = 0;
  for (int64_t i = 0; i < end - begin; ++i) {
    running += weights[i];
    if (running <= target) ++passed;
    if (weights[i] > 0) last = i;
  }
  return begin + (passed < last ? passed : last);
}

template <class T>
inline void guess_row(const Guess& call, int64_t row) {
  const T* products = static_cast<const T*>(call.products) + row * call.vocabulary;
  const int64_t vocabulary = call.vocabulary, blocks = parts(vocabulary, kSampleBlock);
  float* logits = reinterpret_cast<float*>(scratch(4 * (vocabulary + kLanes + blocks)));
  float* ends = logits + vocabulary + kLanes;
  Floats most = all(-3.4e38f);
  for (int64_t i = 0; i < vocabulary; i += kLanes) {
    const int64_t count = vocabulary - i;
    const Floats some = load(products + i, count) + load(call.bias + i, count);
    store(logits + i, some);
    if (count >= kLanes) most = larger(most, some);
  }
  float top = largest(most);
  for (int64_t i = vocabulary / kLanes * kLanes; i < vocabulary; ++i) top = logits[i] > top ? logits[i] : top;
  int32_t best = 0;
  while (best < vocabulary - 1 && !(logits[best] >= top)) ++best;
  float total = 0;
  for (int64_t block = 0; block < blocks; ++block) {
    Floats sums = Floats{};
    for (int64_t j = block * kSampleBlock; j < (block + 1) * kSampleBlock && j < vocabulary; j += kLanes)
      sums += weights_at(logits, j, vocabulary, top);
    total += sum(sums);
    ends[block] = total;
  }
  const float log_sum = __builtin_logf(total) + top, target = call.uniforms[row] * total;
  int64_t block = 0;
  while (block < blocks - 1 && ends[block] <= target) ++block;
  call.log_sums[row] = log_sum;
  call.losses[row] = log_sum - logits[call.original[row]];
  call.best[row] = best;
  call.sampled[row] = sample_in_block(logits, block * kSampleBlock, vocabulary, top,
                                      target - (block ? ends[block - 1] : 0.0f));
}

template <class T>
void guess_of(const Guess& call, const Workers& workers) {
  parallel(workers, call.rows, 10 * call.vocabulary, [&](int64_t row) { guess_row<T>(call, row); });
}

// Columns, so that each thread adds up its own part of the bias' gradient.
template <class T>
void guess_gradient_of(const GuessGradient& call, const Workers& workers) {
  constexpr int64_t part = 1024;
  parallel(workers, parts(call.vocabulary, part), 8 * part * call.rows, [&](int64_t item) {
    const int64_t begin = item * part, end = begin + part < call.vocabulary ? begin + part : call.vocabulary;
    float sums[part] = {};
    for (int64_t row = 0; row < call.rows; ++row) {
      const T* products = static_cast<const T*>(call.products) + row * call.vocabulary;
      T* to = static_cast<T*>(call.by_products) + row * call.vocabulary;
      const float log_sum = call.log_sums[row], by_loss = call.by_losses[row];
      for (int64_t i = begin; i < end; i += kLanes) {
        const int64_t count = end - i, lane = call.original[row] - i;
        Floats slope = exponential(load(products + i, count) + load(call.bias + i, count) - log_sum);
        if (lane >= 0 && lane < kLanes) slope[lane] -= 1.0f;
        slope *= by_loss;
        store(to + i, slope, count);
        store(sums + i - begin, load(sums + i - begin) + slope);
      }
    }
    std::memcpy(call.by_bias + begin, sums, 4 * (end - begin));
  });
}

}  // namespace
}  // namespace electra

// What goes over rows of activations: dropout, the sum with a residual, LayerNorm.
#pragma once
#include "random.h"

namespace electra {
namespace {

// A part of an example whose rows are worked on together; `bits` says which of its elements are kept.
struct Chunk {
  int64_t example, number, row, rows, first_element;
  uint8_t* bits;

  Chunk(int64_t item, int64_t length, int64_t width, uint8_t* keep) {
    const int64_t chunks = keep_chunks(length);
    example = item / chunks, number = item;
    row = item % chunks * kChunk;
    rows = length - row < kChunk ? length - row : kChunk;
    first_element = row * width;
    bits = keep + item * keep_bytes(kChunk * width);
  }
  Floats dropped(const Dice& dice, Floats values, float raise, int64_t element) const {
    return dice.threshold ? kept(values * raise, keep_bits(bits, first_element, first_element + element)) : values;
  }
};

inline float raise_of(const Dice& dice) { return 65536.0f / (65536.0f - dice.threshold); }

template <class T>
void drop_of(const Drop& call, const Workers& workers) {
  const float raise = raise_of(call.dice);
  parallel(workers, call.batch * keep_chunks(call.length), 4 * kChunk * call.width, [&](int64_t item) {
    const Chunk chunk(item, call.length, call.width, call.keep);
    const int64_t size = chunk.rows * call.width, start = (chunk.example * call.length + chunk.row) * call.width;
    if (!call.is_gradient)
      fill_keep(chunk.bits, call.dice, call.dice.examples[chunk.example], chunk.first_element, size);
    const T* x = static_cast<const T*>(call.x) + start;
    T* y = static_cast<T*>(call.y) + start;
    for (int64_t i = 0; i < size; i += kLanes)
      store(y + i, chunk.dropped(call.dice, load(x + i, size - i), raise, i), size - i);
  });
}

template <class T>
void add_norm_of(const AddNorm& call, const Workers& workers) {
  const int64_t width = call.width;
  const float raise = raise_of(call.dice);
  parallel(workers, call.batch * keep_chunks(call.length), 12 * kChunk * width, [&](int64_t item) {
    const Chunk chunk(item, call.length, width, call.keep);
    float* line = reinterpret_cast<float*>(scratch(4 * (width + kLanes)));
    if (call.dice.threshold)
      fill_keep(chunk.bits, call.dice, call.dice.examples[chunk.example], chunk.first_element, chunk.rows * width);
    for (int64_t r = 0; r < chunk.rows; ++r) {
      const int64_t row = chunk.example * call.length + chunk.row + r;
      const T *x = static_cast<const T*>(call.x) + row * width, *residual = static_cast<const T*>(call.residual) + row * width;
      Floats total = Floats{}, squares = Floats{};
      for (int64_t i = 0; i < width; i += kLanes) {
        const Floats value = chunk.dropped(call.dice, load(x + i, width - i), raise, r * width + i) + load(residual + i, width - i);
        store(line + i, value);
        total += i + kLanes <= width ? value : load(line + i, width - i);
      }
      const float mean = sum(total) / width;
      for (int64_t i = 0; i < width; i += kLanes) {
        Floats centred = load(line + i) - mean;
        store(line + i, centred);
        if (i + kLanes > width) centred = load(line + i, width - i);
        squares += centred * centred;
      }
      const float scale = 1.0f / __builtin_sqrtf(sum(squares) / width + call.epsilon);
      call.statistics[2 * row] = mean;
      call.statistics[2 * row + 1] = scale;
      T* y = static_cast<T*>(call.y) + row * width;
      for (int64_t i = 0; i < width; i += kLanes)
        store(y + i, load(line + i) * scale * load(call.gamma + i, width - i) + load(call.beta + i, width - i), width - i);
    }
  });
}

template <class T>
void add_norm_gradient_of(const AddNorm& call, const Workers& workers) {
  const int64_t width = call.width, chunks = call.batch * keep_chunks(call.length);
  const float raise = raise_of(call.dice);
  parallel(workers, chunks, 20 * kChunk * width, [&](int64_t item) {
    const Chunk chunk(item, call.length, width, call.keep);
    float* normed = reinterpret_cast<float*>(scratch(8 * (width + kLanes)));
    float* by_normed = normed + width + kLanes;
    float *by_gamma = call.partial_sums + item * 2 * width, *by_beta = by_gamma + width;
    std::memset(by_gamma, 0, 8 * width);
    for (int64_t r = 0; r < chunk.rows; ++r) {
      const int64_t row = chunk.example * call.length + chunk.row + r, start = row * width;
      const T *x = static_cast<const T*>(call.x) + start, *residual = static_cast<const T*>(call.residual) + start;
      const T* by_y = static_cast<const T*>(call.by_y) + start;
      const float mean = call.statistics[2 * row], scale = call.statistics[2 * row + 1];
      Floats total = Floats{}, products = Floats{};
      for (int64_t i = 0; i < width; i += kLanes) {
        const int64_t count = width - i;
        const Floats value = chunk.dropped(call.dice, load(x + i, count), raise, r * width + i) + load(residual + i, count);
        const Floats norm = (value - mean) * scale, up = load(by_y + i, count);
        store(by_gamma + i, load(by_gamma + i, count) + up * norm, count);
        store(by_beta + i, load(by_beta + i, count) + up, count);
        const Floats by_norm = up * load(call.gamma + i, count);  // 0 past the end
        store(normed + i, norm);
        store(by_normed + i, by_norm);
        total += by_norm;
        products += by_norm * norm;
      }
      const float mean_total = sum(total) / width, mean_product = sum(products) / width;
      T *by_x = static_cast<T*>(call.by_x) + start, *by_residual = static_cast<T*>(call.by_residual) + start;
      for (int64_t i = 0; i < width; i += kLanes) {
        const Floats by_value = scale * (load(by_normed + i) - mean_total - load(normed + i) * mean_product);
        store(by_residual + i, by_value, width - i);
        store(by_x + i, chunk.dropped(call.dice, by_value, raise, r * width + i), width - i);
      }
    }
  });
  for (int64_t i = 0; i < width; i += kLanes) {
    Floats by_gamma = Floats{}, by_beta = Floats{};
    for (int64_t item = 0; item < chunks; ++item) {
      by_gamma += load(call.partial_sums + item * 2 * width + i, width - i);
      by_beta += load(call.partial_sums + item * 2 * width + width + i, width - i);
    }
    store(call.by_gamma + i, by_gamma, width - i);
    store(call.by_beta + i, by_beta, width - i);
  }
}

}  // namespace
}  // namespace electra

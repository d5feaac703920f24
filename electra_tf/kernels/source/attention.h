// Attention of one head of one example at a time: scores, softmax, dropout and the sum of the values never leave the
// cache. The gradient computes the scores a second time.
#pragma once
#include "matmul.h"
#include "random.h"

namespace electra {
namespace {

constexpr int64_t kQueries = 48;        // rows of scores at a time; even, as pairs of rows are packed
constexpr float kMaskedScore = -10000.0f;  // as in the original

template <class V>
inline V* take(char** memory, int64_t count) {
  V* taken = reinterpret_cast<V*>(*memory);
  *memory += parts(count * sizeof(V), 64) * 64;
  return taken;
}

// One head of one example.
template <class T>
struct Head {
  const Attention& call;
  int64_t example, head, start, stride, length, size, width, key_panels, size_panels;
  float scale, raise;

  Head(const Attention& call, int64_t item) : call(call) {
    example = item / call.heads, head = item % call.heads;
    length = call.length, size = call.head_size, stride = call.heads * size;
    start = example * length * stride + head * size;
    width = parts(length, kLanes) * kLanes;
    key_panels = parts(length, kPanel), size_panels = parts(size, kPanel);
    scale = 1.0f / __builtin_sqrtf(static_cast<float>(size));
    raise = 65536.0f / (65536.0f - call.dice.threshold);
  }
  const T* of(const void* values) const { return static_cast<const T*>(values) + start; }
  int64_t by_size() const { return units<T>(size) * kPanel; }      // units in a panel of keys
  int64_t by_length() const { return units<T>(length) * kPanel; }  // units in a panel of columns of keys or values
  int64_t first_element() const { return head * length * length; }
  uint8_t* keep() const { return call.keep + (example * call.heads + head) * keep_bytes(length * length); }
  float* log_sums() const { return call.log_sums + (example * call.heads + head) * length; }

  // Asks for rows that are read soon: as they lie far apart, the processor does not fetch them ahead by itself.
  void fetch(const void* values, int64_t row) const {
    for (int64_t r = row; r < row + kQueries && r < length; ++r)
      for (int64_t at = 0; at < size; at += 64 / sizeof(T)) __builtin_prefetch(of(values) + r * stride + at);
  }
  void pack_by_size(const void* values, uint32_t* packed) const {
    for (int64_t panel = 0; panel < key_panels; ++panel)
      pack_columns<T>(of(values), size, length, stride, panel, packed + panel * by_size());
  }
  void pack_by_length(const void* values, uint32_t* packed) const {
    for (int64_t panel = 0; panel < size_panels; ++panel)
      pack_rows<T>(of(values), length, size, stride, panel, packed + panel * by_length());
  }
  // Added to the scores of row `row`; everything past the last key is as good as minus infinity.
  void penalties(int64_t row, float* added) const {
    const int32_t* mask = call.mask + (example * call.mask_rows + (call.mask_rows == 1 ? 0 : row)) * length;
    for (int64_t i = 0; i < length; ++i) added[i] = (1.0f - mask[i]) * kMaskedScore;
    for (int64_t i = length; i < width; ++i) added[i] = -1e30f;
  }
  // out[rows, keys] = rows of `left` times the keys or values that were packed by size.
  void times_keys(const void* left, int64_t row, int64_t rows, const uint32_t* packed, float* out, uint32_t* copy) const {
    const Left a = rows_as_left(of(left) + row * stride, rows, size, stride, copy);
    for (int64_t panel = 0; panel < key_panels; ++panel)
      multiply_panel<T>(a, rows, whole(packed + panel * by_size(), units<T>(size)), length - panel * kPanel,
                        out + panel * kPanel, width, false);
  }
  // Rows of `out` = weights[rows, keys] times what was packed by length.
  void times_columns(const T* weights, int64_t row, int64_t rows, const uint32_t* packed, void* out, float* results) const {
    const Left a = {reinterpret_cast<const uint32_t*>(weights), width / Unit<T>::kValues, 1};
    for (int64_t panel = 0; panel < size_panels; ++panel) {
      multiply_panel<T>(a, rows, whole(packed + panel * by_length(), units<T>(length)), size - panel * kPanel, results,
                        kPanel, false);
      T* to = static_cast<T*>(out) + start + row * stride + panel * kPanel;
      const int64_t columns = size - panel * kPanel < kPanel ? size - panel * kPanel : kPanel;
      for (int64_t r = 0; r < rows; ++r)
        for (int64_t at = 0; at < columns; at += kLanes)
          store(to + r * stride + at, load(results + r * kPanel + at), columns - at);
    }
  }
};

template <class T>
void attention_of(const Attention& call, const Workers& workers) {
  parallel(workers, call.batch * call.heads, 4 * call.length * call.length * call.head_size, [&](int64_t item) {
    const Head<T> head(call, item);
    const int64_t length = head.length, width = head.width;
    char* memory = scratch(4 * (head.key_panels * head.by_size() + head.size_panels * head.by_length() + width +
                                kQueries * (2 * width + kPanel + head.size)) + 1024);
    uint32_t* keys = take<uint32_t>(&memory, head.key_panels * head.by_size());
    uint32_t* values = take<uint32_t>(&memory, head.size_panels * head.by_length());
    float* added = take<float>(&memory, width);
    float* scores = take<float>(&memory, kQueries * width);
    T* weights = take<T>(&memory, kQueries * width);
    float* results = take<float>(&memory, kQueries * kPanel);
    uint32_t* copy = take<uint32_t>(&memory, kQueries * head.size);
    head.fetch(call.query, 0);
    head.pack_by_size(call.key, keys);
    head.pack_by_length(call.value, values);
    if (call.dice.threshold)
      fill_keep(head.keep(), call.dice, call.dice.examples[head.example], head.first_element(), length * length);
    if (call.mask_rows == 1) head.penalties(0, added);
    for (int64_t row = 0; row < length; row += kQueries) {
      const int64_t rows = length - row < kQueries ? length - row : kQueries;
      head.times_keys(call.query, row, rows, keys, scores, copy);
      head.fetch(call.query, row + kQueries);
      float tops[kQueries], factors[kQueries];
      for (int64_t r = 0; r < rows; ++r) {  // three loops over the rows, so that no row waits for its own reductions
        float* line = scores + r * width;
        if (call.mask_rows > 1) head.penalties(row + r, added);
        Floats most = all(-3e38f);
        for (int64_t i = 0; i < width; i += kLanes) {
          const Floats score = load(line + i) * head.scale + load(added + i);
          store(line + i, score);
          most = larger(most, score);
        }
        tops[r] = largest(most);
      }
      for (int64_t r = 0; r < rows; ++r) {
        float* line = scores + r * width;
        Floats total = Floats{};
        for (int64_t i = 0; i < width; i += kLanes) {
          const Floats weight = exponential(load(line + i) - tops[r]);
          store(line + i, weight);
          total += weight;
        }
        const float all_weights = sum(total);
        head.log_sums()[row + r] = tops[r] + __builtin_logf(all_weights);
        factors[r] = head.raise / all_weights;
      }
      for (int64_t r = 0; r < rows; ++r) {
        const int64_t element = head.first_element() + (row + r) * length;
        for (int64_t i = 0; i < width; i += kLanes) {
          Floats weight = load(scores + r * width + i) * factors[r];
          if (call.dice.threshold) weight = kept(weight, keep_bits(head.keep(), head.first_element(), element + i));
          store(weights + r * width + i, weight);
        }
      }
      head.times_columns(weights, row, rows, values, call.context, results);
    }
  });
}

template <class T>
void attention_gradient_of(const Attention& call, const Workers& workers) {
  parallel(workers, call.batch * call.heads, 12 * call.length * call.length * call.head_size, [&](int64_t item) {
    const Head<T> head(call, item);
    const int64_t length = head.length, width = head.width, size = head.size, stride = head.stride;
    const int64_t by_size = head.key_panels * head.by_size(), by_length = head.size_panels * head.by_length();
    const int64_t padded = head.size_panels * kPanel, tile_units = units<T>(kQueries) * kPanel;
    char* memory = scratch(4 * (2 * by_size + by_length + width + kQueries * (4 * width + kPanel + size) +
                                2 * head.size_panels * tile_units + tile_units + 2 * head.key_panels * kPanel * padded) + 2048);
    uint32_t* keys = take<uint32_t>(&memory, by_size);
    uint32_t* values = take<uint32_t>(&memory, by_size);
    uint32_t* key_columns = take<uint32_t>(&memory, by_length);
    float* added = take<float>(&memory, width);
    float* scores = take<float>(&memory, kQueries * width);
    float* by_weights = take<float>(&memory, kQueries * width);
    T* weights = take<T>(&memory, kQueries * width);
    T* by_scores = take<T>(&memory, kQueries * width);
    float* results = take<float>(&memory, kQueries * kPanel);
    uint32_t* copy = take<uint32_t>(&memory, kQueries * size);
    uint32_t* queries = take<uint32_t>(&memory, head.size_panels * tile_units);
    uint32_t* by_contexts = take<uint32_t>(&memory, head.size_panels * tile_units);
    uint32_t* turned = take<uint32_t>(&memory, tile_units);
    float* by_keys = take<float>(&memory, head.key_panels * kPanel * padded);
    float* by_values = take<float>(&memory, head.key_panels * kPanel * padded);
    head.fetch(call.query, 0);
    head.fetch(call.by_context, 0);
    head.pack_by_size(call.key, keys);
    head.pack_by_size(call.value, values);
    head.pack_by_length(call.key, key_columns);
    if (call.mask_rows == 1) head.penalties(0, added);
    for (int64_t row = 0; row < length; row += kQueries) {
      const int64_t rows = length - row < kQueries ? length - row : kQueries;
      head.times_keys(call.query, row, rows, keys, scores, copy);
      head.fetch(call.context, row);
      head.times_keys(call.by_context, row, rows, values, by_weights, copy);
      head.fetch(call.query, row + kQueries);
      head.fetch(call.by_context, row + kQueries);
      float means[kQueries];
      for (int64_t r = 0; r < rows; ++r) {
        const T* by_context = head.of(call.by_context) + (row + r) * stride;
        const T* context = head.of(call.context) + (row + r) * stride;
        Floats products = Floats{};
        for (int64_t at = 0; at < size; at += kLanes)
          products += load(by_context + at, size - at) * load(context + at, size - at);
        means[r] = sum(products);
      }
      for (int64_t r = 0; r < rows; ++r) {
        if (call.mask_rows > 1) head.penalties(row + r, added);
        const float mean = means[r], log_sum = head.log_sums()[row + r];
        const int64_t element = head.first_element() + (row + r) * length;
        for (int64_t i = 0; i < width; i += kLanes) {
          const Floats score = load(scores + r * width + i) * head.scale + load(added + i);
          const Floats weight = exponential(score - log_sum);
          Floats dropped = weight * head.raise, by_weight = load(by_weights + r * width + i) * head.raise;
          if (call.dice.threshold) {
            const uint32_t bits = keep_bits(head.keep(), head.first_element(), element + i);
            dropped = kept(dropped, bits);
            by_weight = kept(by_weight, bits);
          }
          store(weights + r * width + i, dropped);
          store(by_scores + r * width + i, weight * (by_weight - mean) * head.scale);
        }
      }
      head.times_columns(by_scores, row, rows, key_columns, call.by_query, results);
      for (int64_t panel = 0; panel < head.size_panels; ++panel) {
        pack_rows<T>(head.of(call.query) + row * stride, rows, size, stride, panel, queries + panel * tile_units);
        pack_rows<T>(head.of(call.by_context) + row * stride, rows, size, stride, panel, by_contexts + panel * tile_units);
      }
      for (int64_t panel = 0; panel < head.key_panels; ++panel) {
        const int64_t some = length - panel * kPanel < kPanel ? length - panel * kPanel : kPanel;
        const Panel left = whole(turned, units<T>(rows));
        for (int which = 0; which < 2; ++which) {
          pack_rows<T>(which ? by_scores : weights, rows, width, width, panel, turned);
          float* to = (which ? by_keys : by_values) + panel * kPanel * padded;
          const uint32_t* right = which ? queries : by_contexts;
          for (int64_t columns = 0; columns < head.size_panels; ++columns)
            multiply_panels<T>(left, some, whole(right + columns * tile_units, units<T>(rows)), size - columns * kPanel,
                               to + columns * kPanel, padded, row > 0);
        }
      }
    }
    T* to_keys = static_cast<T*>(call.by_key) + head.start;
    T* to_values = static_cast<T*>(call.by_value) + head.start;
    for (int64_t row = 0; row < length; ++row)
      for (int64_t at = 0; at < size; at += kLanes) {
        store(to_keys + row * stride + at, load(by_keys + row * padded + at), size - at);
        store(to_values + row * stride + at, load(by_values + row * padded + at), size - at);
      }
  });
}

}  // namespace
}  // namespace electra

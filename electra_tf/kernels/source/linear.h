// Dense layers: y = activation(x kernel + bias) and its gradient.
#pragma once
#include "matmul.h"

namespace electra {
namespace {

constexpr int64_t kRows = 48;  // rows of x that one thread multiplies with a panel at a time
constexpr int64_t kPanelsTogether = 16;

// The sum of products x[i] b[i] of rows [rows, depth] with packed right sides, in blocks that are worked on one by one.
template <class T>
struct Products {
  const void* const* x;
  int64_t count, rows, depth;
  const uint32_t* packed;
  int64_t columns;

  int64_t panels() const { return parts(columns, kPanel); }
  int64_t groups() const { return parts(panels(), kPanelsTogether); }
  int64_t blocks() const { return parts(rows, kRows) * groups(); }
  int64_t cost() const { return count * kRows * depth * kPanel; }

  // Calls finish(row, rows, column, columns, results, stride of them) for a block, whole rows of its columns at once:
  // panel by panel it would wait for memory, as lines that lie far apart are not fetched ahead.
  template <class Finish>
  void work(int64_t block, const Finish& finish) const {
    const int64_t all_units = units<T>(depth), row = block / groups() * kRows;
    const int64_t some_rows = rows - row < kRows ? rows - row : kRows;
    const int64_t first = block % groups() * kPanelsTogether, begin = first * kPanel;
    const int64_t last = first + kPanelsTogether < panels() ? first + kPanelsTogether : panels();
    const int64_t stride = (last - first) * kPanel + kLanes;  // no power of two, so that rows share no place in caches
    const int64_t copied = depth % 2 ? count * some_rows * all_units : 0;
    float* results = reinterpret_cast<float*>(scratch(4 * (kRows * stride + copied)));
    uint32_t* copies = reinterpret_cast<uint32_t*>(results + kRows * stride);
    Left left[kMostKernels];
    for (int64_t i = 0; i < count; ++i)
      left[i] = rows_as_left(static_cast<const T*>(x[i]) + row * depth, some_rows, depth, depth,
                             copies + i * some_rows * all_units);
    for (int64_t panel = first; panel < last; ++panel)
      for (int64_t i = 0; i < count; ++i)
        by_depth(packed + (i * panels() + panel) * all_units * kPanel, all_units, [&](const Panel& right, bool add) {
          multiply_panel<T>({left[i].data + right.unit, left[i].row, 1}, some_rows, right, columns - panel * kPanel,
                            results + (panel - first) * kPanel, stride, i > 0 || add);
        });
    finish(row, some_rows, begin, columns < last * kPanel ? columns - begin : last * kPanel - begin, results, stride);
  }
};

// Each operation has two phases, packing and multiplying: every further one would wake the other threads once more.
template <class T>
void linear_of(const Linear& call, const Workers& workers) {
  const int64_t panels = parts(call.outputs, kPanel), size = units<T>(call.inputs) * kPanel;
  parallel(workers, call.count * panels, 2 * size, [&](int64_t item) {
    const float* kernel = call.kernel[item / panels];
    uint32_t* packed = call.packed + item * size;
    if (call.is_transposed) return pack_columns<T>(kernel, call.inputs, call.outputs, call.inputs, item % panels, packed);
    pack_rows<T>(kernel, call.inputs, call.outputs, call.outputs, item % panels, packed);
  });
  const Products<T> products = {&call.x, 1, call.rows, call.inputs, nullptr, call.outputs};
  T* slope = static_cast<T*>(call.slope);
  parallel(workers, call.count * products.blocks(), products.cost(), [&](int64_t item) {
    const int64_t k = item / products.blocks();
    Products<T> own = products;
    own.packed = call.packed + k * panels * size;
    T* y = static_cast<T*>(call.y[k]);
    own.work(item % products.blocks(), [&](int64_t row, int64_t rows, int64_t column, int64_t width,
                                           const float* results, int64_t stride) {
      for (int64_t r = 0; r < rows; ++r)
        for (int64_t at = 0; at < width; at += kLanes) {
          const int64_t place = (row + r) * call.outputs + column + at, count = width - at;
          Floats value = load(results + r * stride + at);
          if (call.bias[k]) value += load(call.bias[k] + column + at, count);
          if (slope) {
            Floats by_value;
            value = gelu<T>(value, &by_value);
            store(slope + place, by_value, count);
          }
          store(y + place, value, count);
        }
    });
  });
}

// The square of by_kernel = x' by_y, or by_y' x, in which panel i of x meets panel j of by_y.
template <class T>
inline void by_kernel_square(const LinearGradient& call, int64_t k, int64_t i, int64_t j) {
  const int64_t all_units = units<T>(call.rows), size = all_units * kPanel, y_panels = parts(call.outputs, kPanel);
  alignas(64) float results[kPanel * kPanel];
  const int64_t x_columns = call.inputs - i * kPanel < kPanel ? call.inputs - i * kPanel : kPanel;
  const int64_t y_columns = call.outputs - j * kPanel < kPanel ? call.outputs - j * kPanel : kPanel;
  const uint32_t *left = call.packed_x + i * size, *right = call.packed_by_y + (k * y_panels + j) * size;
  int64_t rows = x_columns, width = y_columns, stride = call.outputs, place = i * kPanel * stride + j * kPanel;
  if (call.is_transposed) {
    left = right, right = call.packed_x + i * size;
    rows = y_columns, width = x_columns, stride = call.inputs, place = j * kPanel * stride + i * kPanel;
  }
  by_depth(right, all_units, [&](const Panel& part, bool add) {
    multiply_panels<T>({left, all_units, part.unit, part.depth}, rows, part, width, results, kPanel, add);
  });
  for (int64_t r = 0; r < rows; ++r)
    std::memcpy(call.by_kernel[k] + place + r * stride, results + r * kPanel, width * 4);
}

template <class T>
void linear_gradient_of(const LinearGradient& call, const Workers& workers) {
  const int64_t x_panels = parts(call.inputs, kPanel), y_panels = parts(call.outputs, kPanel);
  const int64_t size = units<T>(call.rows) * kPanel, kernel_size = units<T>(call.outputs) * kPanel;
  parallel(workers, x_panels + call.count * (y_panels + x_panels), 2 * size, [&](int64_t item) {
    if (item < x_panels)
      return pack_rows<T>(static_cast<const T*>(call.x), call.rows, call.inputs, call.inputs, item,
                          call.packed_x + item * size);
    item -= x_panels;
    if (item < call.count * y_panels)
      return pack_rows<T>(static_cast<const T*>(call.by_y[item / y_panels]), call.rows, call.outputs, call.outputs,
                          item % y_panels, call.packed_by_y + item * size, call.by_bias[item / y_panels]);
    item -= call.count * y_panels;
    const float* kernel = call.kernel[item / x_panels];
    uint32_t* packed = call.packed_kernels + item * kernel_size;
    if (call.is_transposed) return pack_rows<T>(kernel, call.outputs, call.inputs, call.inputs, item % x_panels, packed);
    pack_columns<T>(kernel, call.outputs, call.inputs, call.outputs, item % x_panels, packed);
  });
  const Products<T> by_inputs = {call.by_y, call.count, call.rows, call.outputs, call.packed_kernels, call.inputs};
  const T *factors = static_cast<const T*>(call.factors), *added = static_cast<const T*>(call.added);
  T* by_x = static_cast<T*>(call.by_x);
  parallel(workers, by_inputs.blocks() + call.count * x_panels * y_panels, by_inputs.cost(), [&](int64_t item) {
    if (item >= by_inputs.blocks()) {
      item -= by_inputs.blocks();
      return by_kernel_square<T>(call, item / (x_panels * y_panels), item / y_panels % x_panels, item % y_panels);
    }
    by_inputs.work(item, [&](int64_t row, int64_t rows, int64_t column, int64_t width, const float* results,
                             int64_t stride) {
      for (int64_t r = 0; r < rows; ++r)
        for (int64_t at = 0; at < width; at += kLanes) {
          const int64_t place = (row + r) * call.inputs + column + at, count = width - at;
          Floats value = load(results + r * stride + at);
          if (factors) value *= load(factors + place, count);
          if (added) value += load(added + place, count);
          store(by_x + place, value, count);
        }
    });
  });
}

}  // namespace
}  // namespace electra

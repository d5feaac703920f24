// Dense layers: y = activation(x kernel + bias) and its gradient.
#pragma once
#include "matmul.h"

namespace electra {
namespace {

constexpr int64_t kRows = 48;  // rows of x that one thread multiplies with a panel at a time
constexpr int64_t kPanelsTogether = 16;

template <class T>
inline void pack_kernel(const float* kernel, int64_t depth, int64_t columns, bool is_transposed, uint32_t* packed,
                        const Workers& workers) {
  const int64_t size = units<T>(depth) * kPanel;
  parallel(workers, parts(columns, kPanel), 2 * size, [&](int64_t panel) {
    if (is_transposed)
      pack_columns<T>(kernel, depth, columns, depth, panel, packed + panel * size);
    else
      pack_rows<T>(kernel, depth, columns, columns, panel, packed + panel * size);
  });
}

// Calls finish(row, rows, column, columns, results with stride kPanel) for blocks of the sum of x[i] b[i].
template <class T, class Finish>
inline void multiply(const void* const* x, int64_t count, int64_t rows, int64_t depth, const uint32_t* packed,
                     int64_t columns, const Workers& workers, const Finish& finish) {
  const int64_t all_units = units<T>(depth), panels = parts(columns, kPanel), groups = parts(panels, kPanelsTogether);
  parallel(workers, parts(rows, kRows) * groups, kRows * depth * kPanel, [&](int64_t item) {
    const int64_t row = item / groups * kRows, some_rows = rows - row < kRows ? rows - row : kRows;
    uint32_t* copies = depth % 2 ? static_cast<uint32_t*>(malloc(count * some_rows * all_units * 4)) : nullptr;
    Left left[kMostKernels];
    for (int64_t i = 0; i < count; ++i)
      left[i] = rows_as_left(static_cast<const T*>(x[i]) + row * depth, some_rows, depth, depth,
                             copies ? copies + i * some_rows * all_units : nullptr);
    const int64_t first = item % groups * kPanelsTogether;
    for (int64_t panel = first; panel < panels && panel < first + kPanelsTogether; ++panel) {
      alignas(64) float results[kRows * kPanel];
      const int64_t column = panel * kPanel, width = columns - column < kPanel ? columns - column : kPanel;
      for (int64_t i = 0; i < count; ++i)
        for (int64_t unit = 0; unit < all_units; unit += kDepth)
          multiply_panel<T>({left[i].data + unit, left[i].row, 1}, some_rows,
                            packed + ((i * panels + panel) * all_units + unit) * kPanel,
                            all_units - unit < kDepth ? all_units - unit : kDepth, width, results, kPanel,
                            i > 0 || unit > 0);
      finish(row, some_rows, column, width, results);
    }
    free(copies);
  });
}

template <class T>
void linear_of(const Linear& call, const Workers& workers) {
  T* before = static_cast<T*>(call.before);
  for (int64_t i = 0; i < call.count; ++i) {
    pack_kernel<T>(call.kernel[i], call.inputs, call.outputs, false, call.packed, workers);
    T* y = static_cast<T*>(call.y[i]);
    multiply<T>(&call.x, 1, call.rows, call.inputs, call.packed, call.outputs, workers,
                [&](int64_t row, int64_t rows, int64_t column, int64_t width, const float* results) {
                  for (int64_t at = 0; at < width; at += kLanes) {
                    const int64_t count = width - at;
                    const Floats bias = load(call.bias[i] + column + at, count);
                    for (int64_t r = 0; r < rows; ++r) {
                      const int64_t place = (row + r) * call.outputs + column + at;
                      Floats value = load(results + r * kPanel + at) + bias;
                      if (before) {
                        store(before + place, value, count);
                        value = gelu(value);
                      }
                      store(y + place, value, count);
                    }
                  }
                });
  }
}

// by_kernel [inputs, outputs] = x' by_y, for each kernel.
template <class T>
void by_kernels_of(const LinearGradient& call, const Workers& workers) {
  const int64_t all_units = units<T>(call.rows), size = all_units * kPanel;
  const int64_t x_panels = parts(call.inputs, kPanel), y_panels = parts(call.outputs, kPanel);
  parallel(workers, x_panels, 2 * size, [&](int64_t panel) {
    pack_rows<T>(static_cast<const T*>(call.x), call.rows, call.inputs, call.inputs, panel, call.packed_x + panel * size);
  });
  for (int64_t k = 0; k < call.count; ++k) {
    parallel(workers, y_panels, 2 * size, [&](int64_t panel) {
      pack_rows<T>(static_cast<const T*>(call.by_y[k]), call.rows, call.outputs, call.outputs, panel,
                   call.packed_by_y + panel * size, call.by_bias[k]);
    });
    parallel(workers, x_panels * y_panels, kPanel * kPanel * call.rows, [&](int64_t item) {
      const int64_t i = item / y_panels, j = item % y_panels;
      alignas(64) float results[kPanel * kPanel];
      const int64_t count = call.inputs - i * kPanel < kPanel ? call.inputs - i * kPanel : kPanel;
      const int64_t width = call.outputs - j * kPanel < kPanel ? call.outputs - j * kPanel : kPanel;
      for (int64_t unit = 0; unit < all_units; unit += kDepth)
        multiply_panel<T>({call.packed_x + i * size + unit * kPanel, 1, kPanel}, count,
                          call.packed_by_y + j * size + unit * kPanel,
                          all_units - unit < kDepth ? all_units - unit : kDepth, width, results, kPanel, unit > 0);
      for (int64_t r = 0; r < count; ++r)
        std::memcpy(call.by_kernel[k] + (i * kPanel + r) * call.outputs + j * kPanel, results + r * kPanel, width * 4);
    });
  }
}

template <class T>
void linear_gradient_of(const LinearGradient& call, const Workers& workers) {
  by_kernels_of<T>(call, workers);
  for (int64_t i = 0; i < call.count; ++i)
    pack_kernel<T>(call.kernel[i], call.outputs, call.inputs, true,
                   call.packed_kernels + i * units<T>(call.outputs) * parts(call.inputs, kPanel) * kPanel, workers);
  T* by_x = static_cast<T*>(call.by_x);
  multiply<T>(call.by_y, call.count, call.rows, call.outputs, call.packed_kernels, call.inputs, workers,
              [&](int64_t row, int64_t rows, int64_t column, int64_t width, const float* results) {
                for (int64_t r = 0; r < rows; ++r)
                  for (int64_t at = 0; at < width; at += kLanes)
                    store(by_x + (row + r) * call.inputs + column + at, load(results + r * kPanel + at), width - at);
              });
}

template <class T>
void gelu_gradient_of(const T* before, const T* by_y, T* by_x, int64_t size, const Workers& workers) {
  constexpr int64_t part = 4096;
  parallel(workers, parts(size, part), 10 * part, [&](int64_t item) {
    const int64_t end = (item + 1) * part < size ? (item + 1) * part : size;
    for (int64_t i = item * part; i < end; i += kLanes)
      store(by_x + i, load(by_y + i, end - i) * gelu_slope(load(before + i, end - i)), end - i);
  });
}

}  // namespace
}  // namespace electra

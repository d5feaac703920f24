// Matrix products of float32 or bfloat16 values, summed in float32.
//
// Both are products of 32-bit units: one float32, or two bfloat16 values that lie side by side in the direction of the
// sum. The right side is packed first: panels of kPanel columns, in each strips of kStrip columns, in each the units of
// one depth side by side. A strip is as wide as the tile that is multiplied at once, which so reads memory in order.
#pragma once
#include <utility>

#include "vectors.h"

namespace electra {
namespace {

constexpr int kTile = 6;                          // rows of the left side that are multiplied at once
constexpr int kTileVectors = kLanes == 16 ? 4 : 2;  // and vectors of columns
constexpr int64_t kStrip = kTileVectors * kLanes;  // columns of a tile
constexpr int64_t kAhead = 8;                     // units that are fetched ahead
constexpr int64_t kDepth = 256;                   // units that are summed before a result goes to memory

template <class T>
struct Unit;
template <>
struct Unit<float> {
  static constexpr int kValues = 1;
  static Floats add_product(Floats total, uint32_t a, Words b) {
    float left;
    std::memcpy(&left, &a, 4);
    return total + left * reinterpret_cast<Floats>(b);
  }
};
template <>
struct Unit<bfloat16> {
  static constexpr int kValues = 2;
  static Floats add_product(Floats total, uint32_t a, Words b) {
#if defined(__AVX512BF16__)
    return (Floats)_mm512_dpbf16_ps((__m512)total, (__m512bh)_mm512_set1_epi32(a), (__m512bh)b);
#else
    return total;
#endif
  }
};

template <class T>
inline int64_t units(int64_t depth) { return parts(depth, Unit<T>::kValues); }

// Where the unit of a column of a panel lies, of whose strips each has `all_units` units of depth.
inline int64_t place(int64_t column, int64_t unit, int64_t all_units) {
  return column / kStrip * kStrip * all_units + unit * kStrip + column % kStrip;
}

// Units of two rows that follow each other in the direction of the sum (of one row for float32).
template <class T, class S>
inline Words units_of_rows(const S* row, const S* next, int64_t count) {
  if constexpr (Unit<T>::kValues == 2 && sizeof(S) == 2)
    if (count >= kLanes) {  // bfloat16 already: nothing to round
      Words first = __builtin_convertvector(*reinterpret_cast<const UnalignedHalves*>(row), Words);
      return next ? first | __builtin_convertvector(*reinterpret_cast<const UnalignedHalves*>(next), Words) << 16 : first;
    }
  Floats low = load(row, count);
  if (Unit<T>::kValues == 1) return reinterpret_cast<Words>(low);
  Words first = __builtin_convertvector(rounded(low), Words);
  if (!next) return first;
  return first | __builtin_convertvector(rounded(load(next, count)), Words) << 16;
}

// kLanes units of one row, along the row, which has `count` values left.
template <class T, class S>
inline Words units_along_row(const S* row, int64_t count) {
  constexpr int values = Unit<T>::kValues;
  if (count >= values * kLanes) {
    if constexpr (sizeof(T) == sizeof(S)) return load_words(row);
#if defined(__AVX512BF16__)
    if constexpr (values == 2) return (Words)_mm512_cvtne2ps_pbh((__m512)load(row + kLanes), (__m512)load(row));
#endif
  }
  T some[values * kLanes];
  store(some, load(row, count < kLanes ? count : kLanes));
  if (values == 2) store(some + kLanes * (values - 1), count > kLanes ? load(row + kLanes, count - kLanes) : Floats{});
  return load_words(some);
}

// Blocks of `step` lanes change places: the upper ones of `a` with the lower ones of `b`.
template <int step, size_t... lane>
inline void exchange(Words* a, Words* b, std::index_sequence<lane...>) {
  const Words low = __builtin_shuffle(*a, *b, Words{(lane & step ? kLanes + lane - step : lane)...});
  *b = __builtin_shuffle(*a, *b, Words{(lane & step ? kLanes + lane : lane + step)...});
  *a = low;
}
// lines[i] lane j <-> lines[j] lane i.
template <int step = 1>
inline void transpose(Words* lines) {
#pragma GCC unroll 16
  for (int i = 0; i < kLanes; ++i)
    if (!(i & step)) exchange<step>(lines + i, lines + (i | step), std::make_index_sequence<kLanes>());
  if constexpr (2 * step < kLanes) transpose<2 * step>(lines);
}

// Packs columns panel * kPanel .. of a matrix [depth, columns]; adds up the columns where `sums` is given.
template <class T, class S>
inline void pack_rows(const S* source, int64_t depth, int64_t columns, int64_t stride, int64_t panel, uint32_t* packed,
                      float* sums = nullptr) {
  const int64_t begin = panel * kPanel, width = columns - begin < kPanel ? columns - begin : kPanel;
  constexpr int values = Unit<T>::kValues, vectors = kPanel / kLanes;
  const int64_t all_units = units<T>(depth);
  Floats total[vectors] = {};
  for (int64_t unit = 0; unit < all_units; ++unit) {
    const S* row = source + values * unit * stride + begin;
    const S* next = values == 2 && 2 * unit + 1 < depth ? row + stride : nullptr;
    if (values * (unit + kAhead) + 1 < depth)  // rows that lie far apart are not fetched ahead by the processor itself
      for (int value = 0; value < values; ++value)
        for (int64_t at = 0; at < width; at += 64 / sizeof(S))
          __builtin_prefetch(row + (values * kAhead + value) * stride + at);
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) {
      const int64_t at = v * kLanes, count = width - at;
      Words line = Words{};
      if (count > 0) {
        line = units_of_rows<T>(row + at, next ? next + at : nullptr, count);
        if (sums) total[v] += load(row + at, count) + (next ? load(next + at, count) : Floats{});
      }
      store_words(packed + place(at, unit, all_units), line);
    }
  }
  if (sums)
    for (int v = 0; v < vectors && v * kLanes < width; ++v)
      store(sums + begin + v * kLanes, total[v], width - v * kLanes);
}

// The same of a matrix [columns, depth].
template <class T, class S>
inline void pack_columns(const S* source, int64_t depth, int64_t columns, int64_t stride, int64_t panel,
                         uint32_t* packed) {
  const int64_t begin = panel * kPanel, all_units = units<T>(depth);
  constexpr int values = Unit<T>::kValues;
  for (int64_t at = 0; at < kPanel; at += kLanes)
    for (int64_t unit = 0; unit < all_units; unit += kLanes) {
      Words lines[kLanes];
      for (int lane = 0; lane < kLanes; ++lane) {
        const int64_t column = begin + at + lane;
        if (column + kLanes < columns) __builtin_prefetch(source + (column + kLanes) * stride + values * unit);
        lines[lane] = column < columns ? units_along_row<T>(source + column * stride + values * unit, depth - values * unit)
                                       : Words{};
      }
      transpose(lines);
      for (int64_t i = 0; i < kLanes && unit + i < all_units; ++i)
        store_words(packed + place(at, unit + i, all_units), lines[i]);
    }
}

// Units of the left side: row r, depth k at data[r * row + k * depth].
struct Left {
  const uint32_t* data;
  int64_t row, depth;
};

template <class T, int rows, int vectors>
inline void multiply_tile(Left a, const uint32_t* b, int64_t depth, float* c, int64_t stride, bool add) {
  Floats total[rows][vectors];
#pragma GCC unroll 8
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) total[r][v] = add ? load(c + r * stride + v * kLanes) : Floats{};
  for (int64_t k = 0; k < depth; ++k) {
    Words right[vectors];
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) right[v] = load_words(b + k * kStrip + v * kLanes);
#pragma GCC unroll 8
    for (int r = 0; r < rows; ++r) {
      const uint32_t left = a.data[r * a.row + k * a.depth];
#pragma GCC unroll 8
      for (int v = 0; v < vectors; ++v) total[r][v] = Unit<T>::add_product(total[r][v], left, right[v]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) store(c + r * stride + v * kLanes, total[r][v]);
}

template <class T, int vectors>
inline void multiply_rows(Left a, int64_t rows, const uint32_t* b, int64_t depth, float* c, int64_t stride, bool add) {
  for (; rows >= kTile; rows -= kTile, a.data += kTile * a.row, c += kTile * stride)
    multiply_tile<T, kTile, vectors>(a, b, depth, c, stride, add);
  switch (rows) {
    case 5: return multiply_tile<T, 5, vectors>(a, b, depth, c, stride, add);
    case 4: return multiply_tile<T, 4, vectors>(a, b, depth, c, stride, add);
    case 3: return multiply_tile<T, 3, vectors>(a, b, depth, c, stride, add);
    case 2: return multiply_tile<T, 2, vectors>(a, b, depth, c, stride, add);
    case 1: return multiply_tile<T, 1, vectors>(a, b, depth, c, stride, add);
  }
}

// A packed panel, of which `depth` units count from `unit` on.
struct Panel {
  const uint32_t* data;
  int64_t all_units, unit, depth;
  const uint32_t* strip(int64_t column) const { return data + place(column, unit, all_units); }
};

inline Panel whole(const uint32_t* data, int64_t all_units) { return {data, all_units, 0, all_units}; }

// Calls multiply(part of a panel, whether it adds) for all its units, kDepth at a time.
template <class Multiply>
inline void by_depth(const uint32_t* data, int64_t all_units, const Multiply& multiply) {
  for (int64_t unit = 0; unit < all_units; unit += kDepth)
    multiply(Panel{data, all_units, unit, all_units - unit < kDepth ? all_units - unit : kDepth}, unit > 0);
}

// c[rows, columns of one panel] (+)= a b; c is written in whole vectors of columns.
template <class T>
inline void multiply_panel(Left a, int64_t rows, const Panel& b, int64_t columns, float* c, int64_t stride, bool add) {
  int64_t at = 0, vectors = parts(columns < kPanel ? columns : kPanel, kLanes);
  for (; vectors >= kTileVectors; vectors -= kTileVectors, at += kStrip)
    multiply_rows<T, kTileVectors>(a, rows, b.strip(at), b.depth, c + at, stride, add);
  for (; vectors > 0; --vectors, at += kLanes) multiply_rows<T, 1>(a, rows, b.strip(at), b.depth, c + at, stride, add);
}

// The same where the rows are the columns of a packed panel.
template <class T>
inline void multiply_panels(const Panel& a, int64_t rows, const Panel& b, int64_t columns, float* c, int64_t stride,
                            bool add) {
  for (int64_t row = 0; row < rows; row += kStrip)
    multiply_panel<T>({a.strip(row), 1, kStrip}, rows - row < kStrip ? rows - row : kStrip, b, columns,
                      c + row * stride, stride, add);
}

// Rows of x as the left side. With an odd depth in pairs, or an odd stride, they are copied to `copy` first.
template <class T>
inline Left rows_as_left(const T* x, int64_t rows, int64_t depth, int64_t stride, uint32_t* copy) {
  constexpr int values = Unit<T>::kValues;
  if (values == 1 || (depth % 2 == 0 && stride % 2 == 0))
    return {reinterpret_cast<const uint32_t*>(x), stride / values, 1};
  const int64_t width = units<T>(depth);
  std::memset(copy, 0, rows * width * 4);
  for (int64_t row = 0; row < rows; ++row) std::memcpy(copy + row * width, x + row * stride, depth * sizeof(T));
  return {copy, width, 1};
}

}  // namespace
}  // namespace electra

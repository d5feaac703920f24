// Vectors of float32 and the functions of them that the kernels need.
#pragma once
#include <immintrin.h>

#include <cstdint>
#include <cstring>

namespace electra {
namespace {

#if defined(__AVX512F__)
constexpr int kLanes = 16;
#else
constexpr int kLanes = 8;
#endif
typedef float Floats __attribute__((vector_size(kLanes * 4)));
typedef int32_t Ints __attribute__((vector_size(kLanes * 4)));
typedef uint32_t Words __attribute__((vector_size(kLanes * 4)));
typedef uint16_t Halves __attribute__((vector_size(kLanes * 2)));
typedef Floats UnalignedFloats __attribute__((aligned(4)));
typedef Words UnalignedWords __attribute__((aligned(4)));
typedef Halves UnalignedHalves __attribute__((aligned(2)));

struct bfloat16 {
  uint16_t bits;
};

inline Floats all(float value) { return value - Floats{}; }
inline Floats load(const float* p) { return *reinterpret_cast<const UnalignedFloats*>(p); }
inline void store(float* p, Floats v) { *reinterpret_cast<UnalignedFloats*>(p) = v; }
inline Words load_words(const void* p) { return *reinterpret_cast<const UnalignedWords*>(p); }
inline void store_words(void* p, Words v) { *reinterpret_cast<UnalignedWords*>(p) = v; }

inline Floats load(const bfloat16* p) {
  Words wide = __builtin_convertvector(*reinterpret_cast<const UnalignedHalves*>(p), Words);
  return reinterpret_cast<Floats>(wide << 16);
}

#if defined(__AVX512BF16__)
inline Halves rounded(Floats v) { return (Halves)_mm512_cvtneps_pbh((__m512)v); }
#else
inline Halves rounded(Floats v) {  // never called: without the instructions there are no kernels for bfloat16
  return __builtin_convertvector(reinterpret_cast<Words>(v) >> 16, Halves);
}
#endif
inline void store(bfloat16* p, Floats v) { *reinterpret_cast<UnalignedHalves*>(p) = rounded(v); }

// The same for the last few elements of a row.
template <class T>
inline Floats load(const T* p, int64_t count) {
  if (count >= kLanes) return load(p);
  T some[kLanes];
  std::memset(some, 0, sizeof some);
  std::memcpy(some, p, count * sizeof(T));
  return load(some);
}
template <class T>
inline void store(T* p, Floats v, int64_t count) {
  if (count >= kLanes) return store(p, v);
  T some[kLanes];
  store(some, v);
  std::memcpy(p, some, count * sizeof(T));
}

// Pairwise, so always in the same order.
inline float sum(Floats v) {
  float lanes[kLanes];
  store(lanes, v);
  for (int width = kLanes / 2; width > 0; width /= 2)
    for (int i = 0; i < width; ++i) lanes[i] += lanes[i + width];
  return lanes[0];
}
inline float largest(Floats v) {
  float lanes[kLanes];
  store(lanes, v);
  for (int i = 1; i < kLanes; ++i) lanes[0] = lanes[i] > lanes[0] ? lanes[i] : lanes[0];
  return lanes[0];
}
inline Floats larger(Floats a, Floats b) { return a > b ? a : b; }

// e^x to 1e-7 of its value; 0 below -87.
inline Floats exponential(Floats x) {
  const Floats shift = all(12582912.0f);  // adding it rounds to a whole number
  Floats bounded = larger(x < 88.0f ? x : all(88.0f), all(-87.3f));
  Floats power = bounded * 1.44269504f + shift;
  Ints exponent = reinterpret_cast<Ints>(power) << 23;
  power -= shift;
  Floats r = bounded - power * 0.693359375f + power * 2.12194440e-4f;
  Floats series = all(1.38146288e-3f);  // of (e^r - 1 - r) / r^2, fitted for |r| < ln(2) / 2
  series = series * r + 8.36871475e-3f;
  series = series * r + 4.16683875e-2f;
  series = series * r + 0.166665206f;
  series = series * r + 0.499999934f;
  Floats mantissa = series * (r * r) + r + 1.0f;
  Floats result = reinterpret_cast<Floats>(reinterpret_cast<Ints>(mantissa) + exponent);
  result = x < -87.3f ? Floats{} : result;
  return x != x ? x : result;
}

// The normal distribution's density factor e^(-x^2/2) and its cumulative distribution.
inline void normal(Floats x, Floats* density_factor, Floats* cumulative) {
  Floats size = x < 0 ? -x : x;
  Floats factor = exponential(x * x * -0.5f);
  Floats t = 1.0f / (1.0f + size * 0.35f);
  Floats series = all(-0.0291144344f);  // of the upper tail / (factor * t), fitted for 0 < |x| < 13
  series = series * t + 0.143815816f;
  series = series * t - 0.255386092f;
  series = series * t + 0.15879144f;
  series = series * t - 0.0228402223f;
  series = series * t + 0.105390919f;
  series = series * t + 0.11986337f;
  series = series * t + 0.139857527f;
  series = series * t + 0.139621662f;
  Floats tail = factor * t * series;
  *density_factor = factor;
  *cumulative = x < 0 ? tail : 1.0f - tail;
}

// The same to 1e-4 of its value, for what is rounded to bfloat16 afterwards (1 in 256): shorter series, no division.
inline void normal_roughly(Floats x, Floats* density_factor, Floats* cumulative) {
#if defined(__AVX512F__)
  const Floats shift = all(12582912.0f);
  const Floats exponent_of_e = larger(x * x * -0.5f, all(-87.3f));
  Floats power = exponent_of_e * 1.44269504f + shift;
  Ints exponent = reinterpret_cast<Ints>(power) << 23;
  power -= shift;
  const Floats r = exponent_of_e - power * 0.693147181f;
  const Floats mantissa = ((r * 0.04127766f + 0.1675353f) * r + 0.5000512f) * (r * r) + r + 1.0f;
  const Floats factor = reinterpret_cast<Floats>(reinterpret_cast<Ints>(mantissa) + exponent);
  const Floats size = x < 0 ? -x : x;
  const Floats t = (Floats)_mm512_rcp14_ps((__m512)(1.0f + size * 0.25f));
  const Floats series = (((t * 0.2458602f - 0.1142523f) * t + 0.1894037f) * t + 0.07722625f) * t + 0.1017739f;
  const Floats tail = factor * t * series;
  *density_factor = factor;
  *cumulative = x < 0 ? tail : 1.0f - tail;
#else
  normal(x, density_factor, cumulative);
#endif
}

template <class T>
inline void normal_for(Floats x, Floats* density_factor, Floats* cumulative) {
  if (sizeof(T) == 2) return normal_roughly(x, density_factor, cumulative);
  normal(x, density_factor, cumulative);
}

// GELU and its slope.
template <class T>
inline Floats gelu(Floats x, Floats* slope) {
  Floats factor, cumulative;
  normal_for<T>(x, &factor, &cumulative);
  *slope = cumulative + x * factor * 0.398942280f;
  return x * cumulative;
}

// Where bit i of `bits` is 1, lane i of v; elsewhere 0.
inline Floats kept(Floats v, uint32_t bits) {
#if defined(__AVX512F__)
  return (Floats)_mm512_maskz_mov_ps((__mmask16)bits, (__m512)v);
#else
  const Words lane = {1, 2, 4, 8, 16, 32, 64, 128};
  return ((lane & bits) != 0) ? v : Floats{};
#endif
}

// Memory of a thread that is kept from call to call.
inline char* scratch(int64_t bytes) {
  static thread_local char* memory = nullptr;
  static thread_local int64_t size = 0;
  if (bytes > size) {
    free(memory);
    memory = static_cast<char*>(aligned_alloc(64, parts(bytes, 64) * 64));
    size = bytes;
  }
  return memory;
}

// Calls function(begin, end) on parts of [0, items), each part on one thread.
template <class Function>
inline void parallel(const Workers& workers, int64_t items, int64_t cost, const Function& function) {
  workers.parallel_for(workers.context, items, cost, [](void* data, int64_t begin, int64_t end) {
    const Function& call = *static_cast<const Function*>(data);
    for (int64_t item = begin; item < end; ++item) call(item);
  }, const_cast<Function*>(&function));
}

}  // namespace
}  // namespace electra

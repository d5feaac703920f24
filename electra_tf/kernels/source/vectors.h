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

// The upper half of the lanes is taken to the lower, and so on: always in the same order.
template <class Merge>
inline float reduced(Floats v, const Merge& merge) {
#if defined(__AVX512F__)
  const __m256 eight = merge(_mm512_castps512_ps256((__m512)v), _mm512_extractf32x8_ps((__m512)v, 1));
#else
  const __m256 eight = (__m256)v;
#endif
  const __m256 four = merge(eight, _mm256_permute2f128_ps(eight, eight, 0x01));
  const __m256 two = merge(four, _mm256_permute_ps(four, 0x4E));
  return _mm256_cvtss_f32(merge(two, _mm256_permute_ps(two, 0xB1)));
}
inline float sum(Floats v) {
  return reduced(v, [](__m256 a, __m256 b) { return _mm256_add_ps(a, b); });
}
inline float largest(Floats v) {
  return reduced(v, [](__m256 a, __m256 b) { return _mm256_max_ps(a, b); });
}
inline Floats larger(Floats a, Floats b) { return a > b ? a : b; }

#if defined(__AVX512F__)
// 2^x as 2^(whole number) * 2^r, |r| <= 1/2; x = high + low, where the rounded sum decides the whole number.
inline Floats power_of_two(Floats high, Floats low, bool is_rough) {
  const Floats whole = (Floats)_mm512_roundscale_ps((__m512)high, 0);
  const Floats r = high - whole + low;
  Floats series;
  if (is_rough) {  // fitted to 8e-5
    series = ((r * 0.055171668f + 0.242611122f) * r + 0.693260986f) * r + 0.999928074f;
  } else {  // to 2e-9
    series = r * 1.53458119e-4f + 1.33999312e-3f;
    series = series * r + 9.61848896e-3f;
    series = series * r + 5.55032878e-2f;
    series = series * r + 0.240226469f;
    series = series * r + 0.693147206f;
    series = series * r + 1.0f;
  }
  return (Floats)_mm512_scalef_ps((__m512)series, (__m512)whole);
}

// e^x to 1e-7 of its value for x up to 88; 0 below -104.
inline Floats exponential(Floats x) {
  const Floats bounded = (Floats)_mm512_max_ps((__m512)all(-104.0f), (__m512)x);  // in this order a NaN stays
  const Floats power = bounded * 1.44269502f;
  // What rounding took from the product, and from the constant.
  const Floats rest = (Floats)_mm512_fmsub_ps((__m512)bounded, (__m512)all(1.44269502f), (__m512)power);
  return power_of_two(power, rest + bounded * 1.92596299e-8f, false);
}
#else
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
#endif

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
  const Floats factor = power_of_two(x * x * -0.72134752f, Floats{}, true);
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

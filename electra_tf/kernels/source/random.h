// Philox4x32-10 as in objective/random_bits.py: the same bits for the same (seed, stream, example, element).
#pragma once
#include "vectors.h"

namespace electra {
namespace {

inline void multiply(Words x, uint32_t multiplier, Words* high, Words* low) {
#if defined(__AVX512F__)
  const __m512i m = _mm512_set1_epi32(multiplier), v = (__m512i)x;
  __m512i even = _mm512_mul_epu32(v, m), odd = _mm512_mul_epu32(_mm512_srli_epi64(v, 32), m);
  *low = (Words)_mm512_mask_blend_epi32(0xAAAA, even, _mm512_slli_epi64(odd, 32));
  *high = (Words)_mm512_mask_blend_epi32(0xAAAA, _mm512_srli_epi64(even, 32), odd);
#else
  const __m256i m = _mm256_set1_epi32(multiplier), v = (__m256i)x;
  __m256i even = _mm256_mul_epu32(v, m), odd = _mm256_mul_epu32(_mm256_srli_epi64(v, 32), m);
  *low = (Words)_mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xAA);
  *high = (Words)_mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xAA);
#endif
}

// Words of kLanes blocks from `first_block` on: out[4 * block + word].
inline void philox(const Dice& dice, int64_t example, uint32_t first_block, uint32_t* out) {
  Words counter0 = Words{} + first_block, counter1 = Words{} + dice.stream;
  for (int lane = 0; lane < kLanes; ++lane) counter0[lane] += lane;
  Words counter2 = Words{} + static_cast<uint32_t>(example), counter3 = Words{} + static_cast<uint32_t>(example >> 32);
  uint32_t key0 = dice.seed, key1 = 0;
  for (int round = 0; round < 10; ++round) {
    Words high0, low0, high1, low1;
    multiply(counter0, 0xD2511F53u, &high0, &low0);
    multiply(counter2, 0xCD9E8D57u, &high1, &low1);
    counter0 = high1 ^ counter1 ^ key0;
    counter2 = high0 ^ counter3 ^ key1;
    counter1 = low1;
    counter3 = low0;
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  uint32_t words[4][kLanes];
  store_words(words[0], counter0);
  store_words(words[1], counter1);
  store_words(words[2], counter2);
  store_words(words[3], counter3);
  for (int block = 0; block < kLanes; ++block)
    for (int word = 0; word < 4; ++word) out[4 * block + word] = words[word][block];
}

// Bits of the elements first..first + count of an example, from element first & ~7 on; 1: dropout keeps it.
inline void fill_keep(uint8_t* bits, const Dice& dice, int64_t example, int64_t first, int64_t count) {
  const int64_t blocks = parts(first + count, 8) - first / 8;
  for (int64_t done = 0; done < blocks; done += kLanes) {
    uint16_t halves[8 * kLanes];
    philox(dice, example, static_cast<uint32_t>(first / 8 + done), reinterpret_cast<uint32_t*>(halves));
#if defined(__AVX512BW__)
    const __m512i threshold = _mm512_set1_epi16(static_cast<int16_t>(dice.threshold));
    for (int part = 0; part < 4; ++part) {
      __mmask32 keep = _mm512_cmpge_epu16_mask(_mm512_loadu_si512(halves + 32 * part), threshold);
      std::memcpy(bits + done + 4 * part, &keep, 4);
    }
#else
    for (int byte = 0; byte < kLanes; ++byte) {
      uint8_t keep = 0;
      for (int bit = 0; bit < 8; ++bit) keep |= (halves[8 * byte + bit] >= dice.threshold) << bit;
      bits[done + byte] = keep;
    }
#endif
  }
}

// The bits of kLanes elements from `element` on, of bits that were filled from `first` on.
inline uint32_t keep_bits(const uint8_t* bits, int64_t first, int64_t element) {
  const int64_t place = element - (first & ~int64_t{7});
  uint32_t word;
  std::memcpy(&word, bits + place / 8, 4);
  return word >> (place % 8);
}

}  // namespace
}  // namespace electra

// Philox4x32-10 as in objective/random_bits.py: the same bits for the same (seed, stream, example, element).
#pragma once
#include "vectors.h"

namespace electra {
namespace {

// A word in the lower half of each lane; what stands in the upper half means nothing.
typedef uint64_t Wides __attribute__((vector_size(kLanes * 4)));
constexpr int kBlocks = kLanes / 2;

inline Wides product(Wides x, uint32_t multiplier) {
#if defined(__AVX512F__)
  return (Wides)_mm512_mul_epu32((__m512i)x, _mm512_set1_epi64(multiplier));
#else
  return (Wides)_mm256_mul_epu32((__m256i)x, _mm256_set1_epi64x(multiplier));
#endif
}

// The four words of kBlocks blocks from `first_block` on.
inline void philox(const Dice& dice, int64_t example, uint32_t first_block, Wides* words) {
  Wides counter0 = Wides{} + first_block, counter1 = Wides{} + dice.stream;
  for (int lane = 0; lane < kBlocks; ++lane) counter0[lane] += lane;
  Wides counter2 = Wides{} + static_cast<uint64_t>(example), counter3 = counter2 >> 32;
  uint32_t key0 = dice.seed, key1 = 0;
  for (int round = 0; round < 10; ++round) {
    const Wides product0 = product(counter0, 0xD2511F53u), product1 = product(counter2, 0xCD9E8D57u);
    counter0 = product1 >> 32 ^ counter1 ^ key0;
    counter2 = product0 >> 32 ^ counter3 ^ key1;
    counter1 = product1;
    counter3 = product0;
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  words[0] = counter0, words[1] = counter1, words[2] = counter2, words[3] = counter3;
}

// One byte for each block: bit i says whether its i-th half word is at least `threshold`.
inline void keep_blocks(const Wides* words, uint32_t threshold, uint8_t* bytes) {
#if defined(__AVX512BW__) && defined(__BMI2__)
  const __m512i least = _mm512_set1_epi16(static_cast<int16_t>(threshold));
  uint64_t all_bits = 0;
  for (int word = 0; word < 4; ++word) {
    const uint64_t halves = _mm512_cmpge_epu16_mask((__m512i)words[word], least) & 0x33333333u;
    all_bits |= _pdep_u64(_pext_u64(halves, 0x33333333u), 0x0303030303030303u << 2 * word);
  }
  std::memcpy(bytes, &all_bits, kBlocks);
#else
  for (int block = 0; block < kBlocks; ++block) {
    bytes[block] = 0;
    for (int word = 0; word < 4; ++word) {
      const uint32_t halves = static_cast<uint32_t>(words[word][block]);
      bytes[block] |= ((halves & 0xFFFF) >= threshold) << 2 * word | (halves >> 16 >= threshold) << (2 * word + 1);
    }
  }
#endif
}

// Bits of the elements first..first + count of an example, from element first & ~7 on; 1: dropout keeps it.
inline void fill_keep(uint8_t* bits, const Dice& dice, int64_t example, int64_t first, int64_t count) {
  const int64_t blocks = parts(first + count, 8) - first / 8;
  for (int64_t done = 0; done < blocks; done += 2 * kBlocks) {  // two at a time, as each waits for its own products
    Wides words[2][4];
    for (int i = 0; i < 2; ++i) philox(dice, example, static_cast<uint32_t>(first / 8 + done + i * kBlocks), words[i]);
    for (int i = 0; i < 2; ++i) keep_blocks(words[i], dice.threshold, bits + done + i * kBlocks);
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

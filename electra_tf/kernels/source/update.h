// The optimizer's passes over all variables; see training/optimizer.py for the formula.
#pragma once
#include "vectors.h"

namespace electra {
namespace {

constexpr int64_t kUpdatePart = 1 << 15;

void square_sums_of(const float* const* gradients, const int64_t* sizes, int64_t count, float* sums, const Workers& workers) {
  int64_t all_parts = 0;
  for (int64_t i = 0; i < count; ++i) all_parts += parts(sizes[i], kUpdatePart);
  float* partial = static_cast<float*>(malloc(4 * (all_parts + 1)));
  int64_t* owner = static_cast<int64_t*>(malloc(16 * (all_parts + 1)));
  for (int64_t i = 0, at = 0; i < count; ++i)
    for (int64_t part = 0; part < parts(sizes[i], kUpdatePart); ++part, ++at) owner[2 * at] = i, owner[2 * at + 1] = part;
  parallel(workers, all_parts, kUpdatePart, [&](int64_t item) {
    const int64_t i = owner[2 * item], begin = owner[2 * item + 1] * kUpdatePart;
    const int64_t end = begin + kUpdatePart < sizes[i] ? begin + kUpdatePart : sizes[i];
    Floats total = Floats{};
    for (int64_t j = begin; j < end; j += kLanes) {
      const Floats value = load(gradients[i] + j, end - j);
      total += value * value;
    }
    partial[item] = sum(total);
  });
  for (int64_t i = 0; i < count; ++i) sums[i] = 0;
  for (int64_t item = 0; item < all_parts; ++item) sums[owner[2 * item]] += partial[item];
  free(partial);
  free(owner);
}

void update_of(const Update* updates, int64_t count, const Workers& workers) {
  int64_t all_parts = 0;
  for (int64_t i = 0; i < count; ++i) all_parts += parts(updates[i].size, kUpdatePart);
  int64_t* owner = static_cast<int64_t*>(malloc(16 * (all_parts + 1)));
  for (int64_t i = 0, at = 0; i < count; ++i)
    for (int64_t part = 0; part < parts(updates[i].size, kUpdatePart); ++part, ++at)
      owner[2 * at] = i, owner[2 * at + 1] = part;
  parallel(workers, all_parts, 8 * kUpdatePart, [&](int64_t item) {
    const Update& update = updates[owner[2 * item]];
    if (update.scale == 0) return;  // an update that is left out
    const int64_t begin = owner[2 * item + 1] * kUpdatePart;
    const int64_t end = begin + kUpdatePart < update.size ? begin + kUpdatePart : update.size;
    for (int64_t i = begin; i < end; i += kLanes) {
      const int64_t some = end - i;
      const Floats gradient = load(update.gradient + i, some) * update.scale;
      Floats weights = load(update.weights + i, some);
      Floats momentum = load(update.momentum + i, some), velocity = load(update.velocity + i, some);
      weights -= update.decay_rate * weights;
      momentum += (gradient - momentum) * update.share_1;
      velocity += (gradient * gradient - velocity) * update.share_2;
      float roots[kLanes];
      store(roots, velocity);
      for (int lane = 0; lane < kLanes; ++lane) roots[lane] = __builtin_sqrtf(roots[lane]);
      weights -= momentum * update.rate / (load(roots) + update.epsilon);
      store(update.weights + i, weights, some);
      store(update.momentum + i, momentum, some);
      store(update.velocity + i, velocity, some);
    }
  });
  free(owner);
}

}  // namespace
}  // namespace electra

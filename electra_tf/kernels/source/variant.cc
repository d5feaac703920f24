// The compute code for one set of instructions: compiled several times, with ELECTRA_TABLE naming the result.
#include <cstdlib>

#include "kernels.h"
#include "linear.h"
#include "attention.h"
#include "rows.h"
#include "guess.h"
#include "update.h"

namespace electra {
namespace {

#if defined(__AVX512BF16__)
#define ELECTRA_BY_TYPE(type, call) ((type) == kBfloat16 ? call(bfloat16) : call(float))
constexpr bool kHasBfloat16 = true;
#else
#define ELECTRA_BY_TYPE(type, call) call(float)
constexpr bool kHasBfloat16 = false;
#endif

#define ELECTRA_FUNCTION(name, Call)                     \
  void name(const Call& call, const Workers& workers) {  \
    ELECTRA_BY_TYPE(call.type, ELECTRA_OF_##name);       \
  }
#define ELECTRA_OF_linear(T) linear_of<T>(call, workers)
#define ELECTRA_OF_linear_gradient(T) linear_gradient_of<T>(call, workers)
#define ELECTRA_OF_attention(T) attention_of<T>(call, workers)
#define ELECTRA_OF_attention_gradient(T) attention_gradient_of<T>(call, workers)
#define ELECTRA_OF_add_norm(T) add_norm_of<T>(call, workers)
#define ELECTRA_OF_add_norm_gradient(T) add_norm_gradient_of<T>(call, workers)
#define ELECTRA_OF_drop(T) drop_of<T>(call, workers)
#define ELECTRA_OF_guess(T) guess_of<T>(call, workers)
#define ELECTRA_OF_guess_gradient(T) guess_gradient_of<T>(call, workers)
ELECTRA_FUNCTION(linear, Linear)
ELECTRA_FUNCTION(linear_gradient, LinearGradient)
ELECTRA_FUNCTION(attention, Attention)
ELECTRA_FUNCTION(attention_gradient, Attention)
ELECTRA_FUNCTION(add_norm, AddNorm)
ELECTRA_FUNCTION(add_norm_gradient, AddNorm)
ELECTRA_FUNCTION(drop, Drop)
ELECTRA_FUNCTION(guess, Guess)
ELECTRA_FUNCTION(guess_gradient, GuessGradient)

}  // namespace

extern const Table ELECTRA_TABLE;
const Table ELECTRA_TABLE = {kHasBfloat16, linear, linear_gradient, attention, attention_gradient, add_norm,
                             add_norm_gradient, drop, guess, guess_gradient, square_sums_of, update_of};

}  // namespace electra

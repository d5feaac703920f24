// Calls every function of the tables for AVX2 and for AVX-512 with the same float32 numbers and prints the largest
// difference between them, relative to the largest number of each output. test_variants.py compiles and runs it.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "kernels.h"

namespace electra {
extern const Table kAvx2, kAvx512;
}

namespace {

using namespace electra;
using Numbers = std::vector<float>;

Numbers random_numbers(size_t count, int seed) {
  srand(seed);
  Numbers numbers(count);
  for (float& number : numbers) number = 2.0f * rand() / RAND_MAX - 1;
  return numbers;
}

const Workers workers = {nullptr, [](void*, int64_t items, int64_t, void (*body)(void*, int64_t, int64_t), void* data) {
                           for (int64_t item = 0; item < items; ++item) body(data, item, item + 1);
                         }};
const int64_t examples[2] = {3, (int64_t{1} << 40) + 5};

void dense_layers(const Table& table, std::vector<Numbers>* out) {
  const int64_t rows = 37, inputs = 65, outputs = 70;
  const Numbers x = random_numbers(rows * inputs, 1), kernel = random_numbers(inputs * outputs, 2);
  const Numbers bias = random_numbers(outputs, 3), by_y = random_numbers(rows * outputs, 4);
  Numbers y(rows * outputs), slope(y), by_x(x), by_kernel(kernel), by_bias(bias);
  const Numbers factors = random_numbers(rows * inputs, 5), added = random_numbers(rows * inputs, 6);
  std::vector<uint32_t> packed(3 * 200000);
  Linear call{};
  call.x = x.data(), call.kernel[0] = kernel.data(), call.bias[0] = bias.data(), call.y[0] = y.data();
  call.slope = slope.data(), call.packed = packed.data();
  call.count = 1, call.rows = rows, call.inputs = inputs, call.outputs = outputs;
  table.linear(call, workers);
  LinearGradient gradient{};
  gradient.x = x.data(), gradient.by_y[0] = by_y.data(), gradient.kernel[0] = kernel.data();
  gradient.by_x = by_x.data(), gradient.by_kernel[0] = by_kernel.data(), gradient.by_bias[0] = by_bias.data();
  gradient.factors = factors.data(), gradient.added = added.data();
  gradient.count = 1, gradient.rows = rows, gradient.inputs = inputs, gradient.outputs = outputs;
  gradient.packed_kernels = packed.data(), gradient.packed_x = packed.data() + 200000;
  gradient.packed_by_y = packed.data() + 400000;
  table.linear_gradient(gradient, workers);
  out->insert(out->end(), {y, slope, by_x, by_kernel, by_bias});
}

void attention(const Table& table, std::vector<Numbers>* out) {
  const int64_t batch = 2, length = 53, heads = 2, size = 20, all = batch * length * heads * size;
  const Numbers query = random_numbers(all, 5), key = random_numbers(all, 6), value = random_numbers(all, 7);
  const Numbers by_context = random_numbers(all, 8);
  Numbers context(all), by_query(all), by_key(all), by_value(all), log_sums(batch * heads * length);
  std::vector<int32_t> mask(batch * length, 1);
  for (int64_t place = 30; place < length; ++place) mask[length + place] = 0;
  std::vector<uint8_t> keep(batch * heads * keep_bytes(length * length));
  Attention call{};
  call.query = query.data(), call.key = key.data(), call.value = value.data(), call.mask = mask.data();
  call.batch = batch, call.length = length, call.heads = heads, call.head_size = size, call.mask_rows = 1;
  call.dice = {11, 40, 8192, examples};
  call.context = context.data(), call.log_sums = log_sums.data(), call.keep = keep.data();
  table.attention(call, workers);
  call.by_context = by_context.data(), call.by_query = by_query.data();
  call.by_key = by_key.data(), call.by_value = by_value.data();
  table.attention_gradient(call, workers);
  out->insert(out->end(), {context, log_sums, by_query, by_key, by_value});
}

void sums_with_layer_norm(const Table& table, std::vector<Numbers>* out) {
  const int64_t batch = 2, length = 41, width = 50, all = batch * length * width;
  const Numbers x = random_numbers(all, 1), residual = random_numbers(all, 2), by_y = random_numbers(all, 5);
  const Numbers gamma = random_numbers(width, 3), beta = random_numbers(width, 4);
  Numbers y(all), statistics(batch * length * 2), by_x(all), by_residual(all), by_gamma(width), by_beta(width);
  Numbers partial_sums(batch * keep_chunks(length) * 2 * width), dropped(all);
  std::vector<uint8_t> keep(batch * keep_chunks(length) * keep_bytes(kChunk * width));
  AddNorm call{};
  call.x = x.data(), call.residual = residual.data(), call.gamma = gamma.data(), call.beta = beta.data();
  call.epsilon = 1e-6f, call.batch = batch, call.length = length, call.width = width;
  call.dice = {11, 5, 8192, examples};
  call.y = y.data(), call.statistics = statistics.data(), call.keep = keep.data();
  table.add_norm(call, workers);
  call.by_y = by_y.data(), call.by_x = by_x.data(), call.by_residual = by_residual.data();
  call.by_gamma = by_gamma.data(), call.by_beta = by_beta.data(), call.partial_sums = partial_sums.data();
  table.add_norm_gradient(call, workers);
  table.drop({kFloat, x.data(), dropped.data(), batch, length, width, call.dice, keep.data(), false}, workers);
  out->insert(out->end(), {y, statistics, by_x, by_residual, by_gamma, by_beta, dropped});
}

void guesses_and_updates(const Table& table, std::vector<Numbers>* out) {
  const int64_t rows = 5, vocabulary = 1003;
  Numbers products = random_numbers(rows * vocabulary, 1), losses(rows), log_sums(rows), by_products(products);
  for (float& product : products) product *= 4;
  const Numbers bias = random_numbers(vocabulary, 4);
  Numbers by_bias(bias);
  const std::vector<int32_t> original = {1, 2, 3, 1002, 5};
  const Numbers uniforms = {.1f, .5f, .9f, .3f, .7f};
  std::vector<int32_t> sampled(rows), best(rows);
  table.guess({kFloat, products.data(), bias.data(), original.data(), uniforms.data(), rows, vocabulary, losses.data(),
               log_sums.data(), sampled.data(), best.data()}, workers);
  table.guess_gradient({kFloat, products.data(), bias.data(), log_sums.data(), uniforms.data(), original.data(), rows,
                        vocabulary, by_products.data(), by_bias.data()}, workers);
  const Numbers gradient = random_numbers(vocabulary, 1);
  Numbers weights = random_numbers(vocabulary, 2), momentum = random_numbers(vocabulary, 3), velocity(vocabulary, 0.5f);
  const Update update = {gradient.data(), weights.data(), momentum.data(), velocity.data(), vocabulary,
                         1e-2f, 1e-4f, 0.5f, 0.1f, 0.001f, 1e-6f};
  table.update(&update, 1, workers);
  const float* gradients = gradient.data();
  Numbers sums(1);
  table.square_sums(&gradients, &vocabulary, 1, sums.data(), workers);
  out->insert(out->end(), {losses, by_products, by_bias, Numbers(sampled.begin(), sampled.end()),
                           Numbers(best.begin(), best.end()), weights, momentum, velocity, sums});
}

std::vector<Numbers> all_outputs(const Table& table) {
  std::vector<Numbers> out;
  for (auto* part : {dense_layers, attention, sums_with_layer_norm, guesses_and_updates}) part(table, &out);
  return out;
}

}  // namespace

int main() {
  const std::vector<Numbers> narrow = all_outputs(electra::kAvx2), wide = all_outputs(electra::kAvx512);
  double worst = 0;
  for (size_t i = 0; i < wide.size(); ++i) {
    double difference = 0, largest = 0;
    for (size_t j = 0; j < wide[i].size(); ++j) {
      if (narrow[i][j] != narrow[i][j] || wide[i][j] != wide[i][j]) return 1;
      difference = fmax(difference, fabs(narrow[i][j] - wide[i][j]));
      largest = fmax(largest, fabs(wide[i][j]));
    }
    worst = fmax(worst, difference / largest);
  }
  printf("%zu %g\n", wide.size(), worst);
}

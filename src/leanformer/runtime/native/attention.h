// Attention of one text in fp32; the scale of the scores is in the queries already.
#pragma once

#include <algorithm>
#include <type_traits>

#include "vectors.h"

namespace {

// sums[r][v] of R rows: rows[r * row_stride + k] times vectors[k * stride + v * LANES], for k below `count`.
template <int R, int V>
inline void products(const float* rows, size_t row_stride, const float* vectors, size_t stride, int count,
                     Floats (&sums)[R][V]) {
#pragma GCC unroll 8
    for (int r = 0; r < R; r++)
#pragma GCC unroll 4
        for (int v = 0; v < V; v++) sums[r][v] = Floats{};
    for (int k = 0; k < count; k++) {
        Floats column[V];
#pragma GCC unroll 4
        for (int v = 0; v < V; v++) column[v] = load(vectors + k * stride + v * LANES);
#pragma GCC unroll 8
        for (int r = 0; r < R; r++) {
            const Floats x = all(rows[r * row_stride + k]);
#pragma GCC unroll 4
            for (int v = 0; v < V; v++) sums[r][v] += x * column[v];
        }
    }
}

template <int R, int V>
inline void write_products(const float* rows, size_t row_stride, const float* vectors, size_t stride, int count,
                           const float* factors, float* out, size_t out_stride) {
    Floats sums[R][V];
    products<R, V>(rows, row_stride, vectors, stride, count, sums);
#pragma GCC unroll 8
    for (int r = 0; r < R; r++)
#pragma GCC unroll 4
        for (int v = 0; v < V; v++)
            store(out + r * out_stride + v * LANES, factors ? sums[r][v] * factors[r] : sums[r][v]);
}

// out = factors * (rows x vectors), `width` columns wide; as many vectors at once as there are registers for.
template <int R>
inline void write_all(const float* rows, size_t row_stride, const float* vectors, size_t stride, int count, int width,
                      const float* factors, float* out, size_t out_stride) {
    constexpr int V = LANES == 16 ? 2 : 1;
    int at = 0;
    for (; at + V * LANES <= width; at += V * LANES)
        write_products<R, V>(rows, row_stride, vectors + at, stride, count, factors, out + at, out_stride);
    for (; at < width; at += LANES)
        write_products<R, 1>(rows, row_stride, vectors + at, stride, count, factors, out + at, out_stride);
}

// Scores of R queries with the transposed keys, softmax, and the mean of the values.
template <int R>
void attend(const float* query, size_t query_stride, const float* keys, const float* values, size_t stride, int tokens,
            int padded, int head, float* scores, float* out, size_t out_stride) {
    write_all<R>(query, query_stride, keys, padded, head, padded, nullptr, scores, padded);
    float inverse[R];
    for (int r = 0; r < R; r++) {
        float* row = scores + size_t(r) * padded;
        for (int j = tokens; j < padded; j++) row[j] = -1e30f;
        Floats most = load(row);
        Total total;
        for (int j = LANES; j < padded; j += LANES) most = larger(most, load(row + j));
        const float top = largest(most);
        // What fills up gets e^-87, which is nothing beside the 1 of the largest; its values are not read below.
        for (int j = 0; j < padded; j += LANES) {
            const Floats e = exponential(load(row + j) - top);
            store(row + j, e);
            total.add(j, e);
        }
        inverse[r] = 1.0f / total.value();
    }
    write_all<R>(scores, padded, values, stride, tokens, head, inverse, out, out_stride);
}

// Rows of a text's queries, keys and values, and where the result goes; strides count from row to row.
struct Attention {
    const float* query;
    size_t query_stride;
    int queries;
    const float *key, *value;
    size_t stride;
    int tokens;
    float* out;
    size_t out_stride;
};

// The head whose columns begin at `at`. Scratch: `padded` times `head` floats for keys, 8 times `padded` for scores.
void attend_head(const Attention& a, int at, int head, float* transposed, float* scores) {
    constexpr int AT_ONCE = 8;
    const int padded = (a.tokens + 15) / 16 * 16, blocks = (a.queries + AT_ONCE - 1) / AT_ONCE;
    for (int j = 0; j < padded; j += LANES)
        for (int d = 0; d < head; d += LANES)
            transpose(a.key + j * a.stride + at + d, a.stride, std::max(0, std::min(LANES, a.tokens - j)),
                      transposed + size_t(d) * padded + j, padded);
    for (int b = 0, r = 0; b < blocks; b++) {
        const int rows = a.queries / blocks + (b < a.queries % blocks);
        const auto call = [&](auto count) {
            attend<decltype(count)::value>(a.query + r * a.query_stride + at, a.query_stride, transposed, a.value + at,
                                           a.stride, a.tokens, padded, head, scores, a.out + r * a.out_stride + at,
                                           a.out_stride);
        };
        switch (rows) {
            case 1: call(std::integral_constant<int, 1>{}); break;
            case 2: call(std::integral_constant<int, 2>{}); break;
            case 3: call(std::integral_constant<int, 3>{}); break;
            case 4: call(std::integral_constant<int, 4>{}); break;
            case 5: call(std::integral_constant<int, 5>{}); break;
            case 6: call(std::integral_constant<int, 6>{}); break;
            case 7: call(std::integral_constant<int, 7>{}); break;
            default: call(std::integral_constant<int, 8>{});
        }
        r += rows;
    }
}

}  // namespace

// Attention of one text in fp32, with the positions that are part of it; the scale of the scores is in the queries already.
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
            for (int v = 0; v < V; v++) sums[r][v] = fused(x, column[v], sums[r][v]);
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
    constexpr int V = LANES >= 8 ? 2 : 1;
    int at = 0;
    for (; at + V * LANES <= width; at += V * LANES)
        write_products<R, V>(rows, row_stride, vectors + at, stride, count, factors, out + at, out_stride);
    for (; at < width; at += LANES)
        write_products<R, 1>(rows, row_stride, vectors + at, stride, count, factors, out + at, out_stride);
}

// What the scores of a few queries and keys get for their positions. Query r is `lead + r` before key 0.
struct Places {
    const float* bias = nullptr;  // of query 0 and key 0; the bias of query r and key j is bias[j - r]
    int window = -1, lead = 0;
};

// Scores of R queries with the transposed keys, softmax, and the mean of the values. `keys` are `stride_keys` apart, and
// `padded` of them are read.
template <int R>
void attend(const float* query, size_t query_stride, const float* keys, size_t stride_keys, const float* values,
            size_t stride, int tokens, int padded, int head, const Places& places, float* scores, float* out,
            size_t out_stride) {
    write_all<R>(query, query_stride, keys, stride_keys, head, padded, nullptr, scores, padded);
    float inverse[R];
    for (int r = 0; r < R; r++) {
        float* row = scores + size_t(r) * padded;
        int end = tokens;
        if (places.bias)
            for (int j = 0; j < padded; j += LANES) store(row + j, load(row + j) + load(places.bias - r + j));
        if (places.window >= 0) {
            end = std::min(end, places.lead + r + places.window + 1);
            for (int j = 0; j < places.lead + r - places.window; j++) row[j] = -1e30f;
        }
        for (int j = end; j < padded; j++) row[j] = -1e30f;
        Floats most = load(row);
        Total total;
        for (int j = LANES; j < padded; j += LANES) most = larger(most, load(row + j));
        const float top = largest(most);
        // What is masked or fills up gets e^-87, which is nothing beside the 1 of the largest.
        for (int j = 0; j < padded; j += LANES) {
            const Floats e = exponential(load(row + j) - top);
            store(row + j, e);
            total.add(j, e);
        }
        inverse[r] = 1.0f / total.value();
    }
    write_all<R>(scores, padded, values, stride, tokens, head, inverse, out, out_stride);
}

// Rows of a text's queries, keys and values, and where the result goes; strides count from row to row. The queries are
// those of the first tokens.
struct Attention {
    float* query;
    size_t query_stride;
    int queries;
    float* key;
    const float* value;
    size_t stride;
    int tokens;
    float* out;
    size_t out_stride;
};

// Rotates the entries d and `half` + d of every row by the angle of its position (Su et al. 2021). Tables of cosines and
// sines have rows of `width` floats, a multiple of 16.
inline void rotate(float* x, size_t stride, int rows, int half, const float* cosines, const float* sines, int width) {
    for (int r = 0; r < rows; r++, x += stride, cosines += width, sines += width)
        for (int d = 0; d < half; d += LANES) {
            const int count = std::min(LANES, half - d);
            Floats left{}, right{};
            std::memcpy(&left, x + d, count * sizeof(float));
            std::memcpy(&right, x + half + d, count * sizeof(float));
            const Floats cosine = load(cosines + d), sine = load(sines + d);
            const Floats first = left * cosine - right * sine, second = right * cosine + left * sine;
            std::memcpy(x + d, &first, count * sizeof(float));
            std::memcpy(x + half + d, &second, count * sizeof(float));
        }
}

// The head whose columns begin at `at`. Scratch: `padded` times `head` floats for keys, 8 times `padded` for scores.
// `bias` is that of a query and a key of the same position, or null; `window` see LayerShape.
void attend_head(const Attention& a, int at, int head, const float* bias, int window, float* transposed,
                 float* scores) {
    constexpr int AT_ONCE = LANES == 8 ? 6 : 8;  // with two vectors of columns, as many sums as there are registers for
    const int padded = (a.tokens + 15) / 16 * 16, blocks = (a.queries + AT_ONCE - 1) / AT_ONCE;
    for (int j = 0; j < padded; j += LANES)
        for (int d = 0; d < head; d += LANES)
            transpose(a.key + j * a.stride + at + d, a.stride, std::max(0, std::min(LANES, a.tokens - j)),
                      transposed + size_t(d) * padded + j, padded);
    for (int b = 0, r = 0; b < blocks; b++) {
        const int rows = a.queries / blocks + (b < a.queries % blocks);
        int from = 0, to = a.tokens;  // the keys that any of these queries reaches
        if (window >= 0) {
            from = std::max(0, r - window) / 16 * 16;
            to = std::min(to, r + rows + window);
        }
        const Places places{bias ? bias - r + from : nullptr, window, r - from};
        const auto call = [&](auto count) {
            attend<decltype(count)::value>(a.query + r * a.query_stride + at, a.query_stride, transposed + from, padded,
                                           a.value + size_t(from) * a.stride + at, a.stride, to - from,
                                           (to - from + 15) / 16 * 16, head, places, scores,
                                           a.out + r * a.out_stride + at, a.out_stride);
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

// Products of a few rows of 8-bit activations with one panel of 8-bit weights, exact in 32 bits, for one instruction
// set.
//
// A panel holds 16, 32, 48 or 64 columns, four weights (a quad) of one column next to each other: [in / 4][columns][4],
// unless it is ORDERED. Weights are in -127..127. Activations are LOWEST..LOWEST + 255; what stands for zero differs from
// token to token. Where LOWEST lies is the instruction set's affair: sums of (value - zero) times weight are the same
// integers everywhere.
#pragma once

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "vectors.h"

namespace {

constexpr int COLUMNS = 64, GROUP = 16;

// The weights `values[in][stride]` of `width` columns as a panel.
template <bool ORDERED>
void lay(const int8_t* values, int in, size_t stride, int width, int8_t* panel, int32_t*) {
    for (int k = 0; k < in; k++)
        for (int c = 0; c < width; c++)
            panel[size_t(k / 4) * width * 4 + 4 * c + k % 4] = values[size_t(k) * stride + c];
}

inline int32_t four(const uint8_t* from) {
    int32_t value;
    std::memcpy(&value, from, sizeof value);
    return value;
}

#if defined(__AVX512VNNI__)

constexpr int LOWEST = 0, ROWS = 6;
constexpr bool ORDERED = false;

// sums += four products each. The compiler's intrinsic means the same, but GCC 12 then moves sums out to memory.
inline void add_products(__m512i& sums, __m512i activations, __m512i weights) {
    asm("vpdpbusd %2, %1, %0" : "+v"(sums) : "v"(activations), "v"(weights));
}

// out[row][column] of `R` rows and 16 V columns; `ahead` is read into the cache meanwhile, as much as there is of `w`.
template <int R, int V>
void tile(const uint8_t* a, size_t stride, const int8_t* w, const int32_t*, int quads, int32_t* out,
          const int8_t* ahead) {
    __m512i sums[R][V];
#pragma GCC unroll 8
    for (int r = 0; r < R; r++)
#pragma GCC unroll 4
        for (int v = 0; v < V; v++) sums[r][v] = _mm512_setzero_si512();
    for (int k = 0; k < quads; k++, w += 64 * V) {
        __m512i column[V];
#pragma GCC unroll 4
        for (int v = 0; v < V; v++) column[v] = _mm512_load_si512(w + 64 * v);
        if (ahead) {
#pragma GCC unroll 4
            for (int v = 0; v < V; v++) _mm_prefetch(reinterpret_cast<const char*>(ahead) + 64 * v, _MM_HINT_T1);
            ahead += 64 * V;
        }
#pragma GCC unroll 8
        for (int r = 0; r < R; r++) {
            const __m512i x = _mm512_set1_epi32(four(a + r * stride + 4 * k));
#pragma GCC unroll 4
            for (int v = 0; v < V; v++) add_products(sums[r][v], x, column[v]);
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < R; r++)
#pragma GCC unroll 4
        for (int v = 0; v < V; v++) _mm512_store_si512(out + COLUMNS * r + 16 * v, sums[r][v]);
}

#elif defined(__AVX2__)

constexpr int LOWEST = 0, ROWS = 4;
constexpr bool ORDERED = true;

// The fastest instruction adds products of two in 16 bits, and two large weights of one sign can leave these. So every
// GROUP of columns has its own order of quads: how many are safe whatever the activations are, and then which one stands
// where, those first. The others are multiplied in 16 bits, first their even weights and then their odd ones.

// Whether no sum of w0 and w1 times 0..255 leaves 16 bits.
inline bool safe(int w0, int w1) {
    const int above = std::max(w0, 0) + std::max(w1, 0), below = std::min(w0, 0) + std::min(w1, 0);
    return 255 * above <= 32767 && 255 * below >= -32768;
}

template <>
void lay<true>(const int8_t* values, int in, size_t stride, int width, int8_t* panel, int32_t* order) {
    const int quads = in / 4;
    for (int column = 0; column < width; column += GROUP, order += quads + 1) {
        const auto weight = [&](int k, int c) { return values[size_t(k) * stride + column + c]; };
        order[0] = 0;
        for (const bool wanted : {true, false})
            for (int quad = 0, at = wanted ? 0 : order[0]; quad < quads; quad++) {
                bool fits = true;
                for (int c = 0; c < GROUP; c++)
                    for (int k : {4 * quad, 4 * quad + 2}) fits &= safe(weight(k, c), weight(k + 1, c));
                if (fits != wanted) continue;
                order[0] += fits;
                order[1 + at++] = quad;
                for (int c = 0; c < GROUP; c++)
                    for (int i = 0; i < 4; i++)
                        panel[fits ? 4 * c + i : i % 2 * 2 * GROUP + 2 * c + i / 2] = weight(4 * quad + i, c);
                panel += 4 * GROUP;
            }
    }
}

// Written out for the same reason as above.
inline void add_bytes(__m256i& sums, __m256i activations, __m256i weights, __m256i ones) {
    __m256i products;
    asm("vpmaddubsw %3, %2, %1\n\tvpmaddwd %4, %1, %1\n\tvpaddd %1, %0, %0"
        : "+x"(sums), "=&x"(products)
        : "x"(activations), "x"(weights), "x"(ones));
}

inline void add_words(__m256i& sums, __m256i activations, __m256i weights) {
    __m256i products;
    asm("vpmaddwd %3, %2, %1\n\tvpaddd %1, %0, %0" : "+x"(sums), "=&x"(products) : "x"(activations), "x"(weights));
}

template <int R, int V>
void tile(const uint8_t* a, size_t stride, const int8_t* w, const int32_t* order, int quads, int32_t* out,
          const int8_t*) {
    const __m256i ones = _mm256_set1_epi16(1), low = _mm256_set1_epi16(255);
    for (int v = 0; v < V; v++, out += GROUP) {
        __m256i sums[R][2];
#pragma GCC unroll 4
        for (int r = 0; r < R; r++) sums[r][0] = sums[r][1] = _mm256_setzero_si256();
        const int fit = *order++;
        for (int k = 0; k < fit; k++, w += 4 * GROUP) {
            const uint8_t* x = a + 4 * size_t(*order++);
            const __m256i w0 = _mm256_load_si256(reinterpret_cast<const __m256i*>(w));
            const __m256i w1 = _mm256_load_si256(reinterpret_cast<const __m256i*>(w + 32));
#pragma GCC unroll 4
            for (int r = 0; r < R; r++) {
                const __m256i quad = _mm256_set1_epi32(four(x + r * stride));
                add_bytes(sums[r][0], quad, w0, ones);
                add_bytes(sums[r][1], quad, w1, ones);
            }
        }
        for (int k = fit; k < quads; k++, w += 4 * GROUP) {
            const uint8_t* x = a + 4 * size_t(*order++);
            const auto* half = reinterpret_cast<const __m128i*>(w);
            __m256i w0 = _mm256_cvtepi8_epi16(_mm_load_si128(half)), w1 = _mm256_cvtepi8_epi16(_mm_load_si128(half + 1));
#pragma GCC unroll 4
            for (int r = 0; r < R; r++) {
                const __m256i even = _mm256_and_si256(_mm256_set1_epi32(four(x + r * stride)), low);
                add_words(sums[r][0], even, w0);
                add_words(sums[r][1], even, w1);
            }
            w0 = _mm256_cvtepi8_epi16(_mm_load_si128(half + 2));
            w1 = _mm256_cvtepi8_epi16(_mm_load_si128(half + 3));
#pragma GCC unroll 4
            for (int r = 0; r < R; r++) {
                const __m256i odd = _mm256_srli_epi16(_mm256_set1_epi32(four(x + r * stride)), 8);
                add_words(sums[r][0], odd, w0);
                add_words(sums[r][1], odd, w1);
            }
        }
#pragma GCC unroll 4
        for (int r = 0; r < R; r++)
            for (int half = 0; half < 2; half++)
                _mm256_store_si256(reinterpret_cast<__m256i*>(out + COLUMNS * r + 8 * half), sums[r][half]);
    }
}

#else

constexpr int LOWEST = 0, ROWS = 4;
constexpr bool ORDERED = false;

template <int R, int V>
void tile(const uint8_t* a, size_t stride, const int8_t* w, const int32_t*, int quads, int32_t* out, const int8_t*) {
    for (int r = 0; r < R; r++)
        for (int c = 0; c < 16 * V; c++) out[COLUMNS * r + c] = 0;
    for (int k = 0; k < quads; k++, w += 64 * V)
        for (int r = 0; r < R; r++) {
            const uint8_t* x = a + r * stride + 4 * k;
            for (int c = 0; c < 16 * V; c++)
                for (int i = 0; i < 4; i++) out[COLUMNS * r + c] += int32_t(x[i]) * w[4 * c + i];
        }
}

#endif

}  // namespace

// Products of a few rows of 8-bit activations with one panel of 8-bit weights, exact in 32 bits, for one instruction
// set.
//
// A panel holds 16, 32, 48 or 64 columns, four weights of one column next to each other: [in / 4][columns][4]. Weights
// are in -127..127. Activations are LOWEST..LOWEST + 255; what stands for zero differs from token to token. Where LOWEST
// lies is the instruction set's affair: sums of (value - zero) times weight are the same integers everywhere.
#pragma once

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "vectors.h"

namespace {

constexpr int COLUMNS = 64;

inline int32_t four(const uint8_t* from) {
    int32_t value;
    std::memcpy(&value, from, sizeof value);
    return value;
}

#if defined(__AVX512VNNI__)

constexpr int LOWEST = 0, ROWS = 6;

// sums += four products each. The compiler's intrinsic means the same, but GCC 12 then moves sums out to memory.
inline void add_products(__m512i& sums, __m512i activations, __m512i weights) {
    asm("vpdpbusd %2, %1, %0" : "+v"(sums) : "v"(activations), "v"(weights));
}

// out[row][column] of `R` rows and 16 V columns; `ahead` is read into the cache meanwhile, as much as there is of `w`.
template <int R, int V>
void tile(const uint8_t* a, size_t stride, const int8_t* w, int quads, int32_t* out, const int8_t* ahead) {
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

// Products of two come as sums in 16 bits, which 2 * 255 * 127 would leave: so bytes with a sign.
constexpr int LOWEST = -128, ROWS = 4;

// |x| times w with the sign of x: no sum of two products leaves 16 bits, because 2 * 128 * 127 < 2^15. The size of -128
// is read without a sign and is 128.
template <int R, int V>
void tile(const uint8_t* a, size_t stride, const int8_t* w, int quads, int32_t* out, const int8_t*) {
    const __m256i ones = _mm256_set1_epi16(1);
    for (int v = 0; v < V; v++) {
        __m256i sums[R][2];
        for (int r = 0; r < R; r++) sums[r][0] = sums[r][1] = _mm256_setzero_si256();
        const int8_t* column = w + 64 * v;
        for (int k = 0; k < quads; k++, column += 64 * V) {
            const __m256i w0 = _mm256_load_si256(reinterpret_cast<const __m256i*>(column));
            const __m256i w1 = _mm256_load_si256(reinterpret_cast<const __m256i*>(column + 32));
#pragma GCC unroll 4
            for (int r = 0; r < R; r++) {
                const __m256i x = _mm256_set1_epi32(four(a + r * stride + 4 * k)), size = _mm256_abs_epi8(x);
                const __m256i p0 = _mm256_maddubs_epi16(size, _mm256_sign_epi8(w0, x));
                const __m256i p1 = _mm256_maddubs_epi16(size, _mm256_sign_epi8(w1, x));
                sums[r][0] = _mm256_add_epi32(sums[r][0], _mm256_madd_epi16(p0, ones));
                sums[r][1] = _mm256_add_epi32(sums[r][1], _mm256_madd_epi16(p1, ones));
            }
        }
        for (int r = 0; r < R; r++)
            for (int half = 0; half < 2; half++)
                _mm256_store_si256(reinterpret_cast<__m256i*>(out + COLUMNS * r + 16 * v + 8 * half), sums[r][half]);
    }
}

#else

constexpr int LOWEST = 0, ROWS = 4;

template <int R, int V>
void tile(const uint8_t* a, size_t stride, const int8_t* w, int quads, int32_t* out, const int8_t*) {
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

// Vectors of floats as wide as the instruction set of this translation unit, in the compilers' own vector types.
#pragma once

#include <cstdint>
#include <cstring>
#include <utility>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#if defined(__AVX512F__)
#define LEANFORMER_LANES 16
#elif defined(__AVX__)
#define LEANFORMER_LANES 8
#else
#define LEANFORMER_LANES 4
#endif

namespace {

constexpr int LANES = LEANFORMER_LANES;
typedef float Floats __attribute__((vector_size(4 * LANES)));
typedef int32_t Ints __attribute__((vector_size(4 * LANES)));
typedef uint8_t Bytes __attribute__((vector_size(LANES)));

inline Floats load(const float* from) {
    Floats value;
    std::memcpy(&value, from, sizeof value);
    return value;
}

inline void store(float* to, Floats value) { std::memcpy(to, &value, sizeof value); }

inline Floats all(float value) { return Floats{} + value; }

// a * b + c, rounded once where the instruction set can. It is written out, and compilers fuse nothing on their own
// (-ffp-contract=off): they differ in what they fuse, and so in the last bits.
inline Floats fused(Floats a, Floats b, Floats c) {
#if defined(__AVX512F__)
    return Floats(_mm512_fmadd_ps(__m512(a), __m512(b), __m512(c)));
#elif defined(__FMA__)
    return Floats(_mm256_fmadd_ps(__m256(a), __m256(b), __m256(c)));
#elif defined(__aarch64__)
    return Floats(vfmaq_f32(float32x4_t(c), float32x4_t(a), float32x4_t(b)));
#else
    return a * b + c;
#endif
}

inline Floats larger(Floats a, Floats b) { return a > b ? a : b; }

inline Floats smaller(Floats a, Floats b) { return a < b ? a : b; }

inline Ints bits(Floats value) {
    Ints result;
    std::memcpy(&result, &value, sizeof result);
    return result;
}

inline Floats from_bits(Ints value) {
    Floats result;
    std::memcpy(&result, &value, sizeof result);
    return result;
}

inline Floats absolute(Floats value) { return from_bits(bits(value) & 0x7fffffff); }

// The lanes with each half exchanged with its neighbour, for blocks of STEP lanes.
template <int STEP, size_t... I>
inline Floats swapped(Floats value, std::index_sequence<I...>) {
    return __builtin_shufflevector(value, value, (int(I) ^ STEP)...);
}

inline float sum(Floats value) {
    constexpr auto lanes = std::make_index_sequence<LANES>{};
    if constexpr (LANES > 8) value += swapped<8>(value, lanes);
    if constexpr (LANES > 4) value += swapped<4>(value, lanes);
    value += swapped<2>(value, lanes);
    value += swapped<1>(value, lanes);
    return value[0];
}

inline float largest(Floats value) {
    constexpr auto lanes = std::make_index_sequence<LANES>{};
    if constexpr (LANES > 8) value = larger(value, swapped<8>(value, lanes));
    if constexpr (LANES > 4) value = larger(value, swapped<4>(value, lanes));
    value = larger(value, swapped<2>(value, lanes));
    value = larger(value, swapped<1>(value, lanes));
    return value[0];
}

// A sum over many vectors. Whatever the number of lanes, it is added up as if there were 16, so that it is the same bit
// for bit; the vectors added are a multiple of 16 floats.
struct Total {
    static constexpr int PARTS = 16 / LANES;
    Floats parts[PARTS] = {};

    // `i`: where among all floats the vector begins.
    void add(int i, Floats value) { parts[i / LANES % PARTS] += value; }

    float value() const {
        Floats folded[PARTS];
        for (int i = 0; i < PARTS; i++) folded[i] = parts[i];
        for (int half = PARTS / 2; half; half /= 2)
            for (int i = 0; i < half; i++) folded[i] += folded[i + half];
        return sum(folded[0]);
    }
};

// Added to a float of magnitude below 2^22 it leaves the nearest integer in the low bits of the mantissa.
constexpr float ROUND = 12582912.0f;
constexpr int32_t ROUND_BITS = 0x4b400000;

// e^x for x <= 0 or little above, relative error below 3e-7; below -87 it is nearly zero.
inline Floats exponential(Floats x) {
    x = larger(x, all(-87.0f));
    const Floats shifted = fused(x, all(1.44269504f), all(ROUND));
    const Floats f = fused(x, all(1.44269504f), ROUND - shifted);  // -0.5 to 0.5
    // Taylor series of 2^f.
    Floats p = all(1.5403530e-4f);
    p = fused(p, f, all(1.3333558e-3f));
    p = fused(p, f, all(9.6181291e-3f));
    p = fused(p, f, all(5.5504109e-2f));
    p = fused(p, f, all(2.4022651e-1f));
    p = fused(p, f, all(6.9314718e-1f));
    p = fused(p, f, all(1.0f));
    return from_bits(bits(p) + (bits(shifted) << 23));
}

inline Floats tanh_of(Floats x) {
    const Floats e = exponential(absolute(x) * -2.0f);
    const Floats t = (1.0f - e) / (1.0f + e);
    return from_bits(bits(t) | (bits(x) & static_cast<int32_t>(0x80000000)));
}

// x Phi(x): Phi - 1/2 is x times a polynomial in x^2, fitted for the least largest error of the product on |x| <= 4.2,
// where Phi has come within 1.4e-5 of its limits. Largest error 7e-5 for |x| <= 8.
inline Floats gelu(Floats x) {
    const Floats c = larger(smaller(x, all(4.2f)), all(-4.2f)), z = c * c;
    Floats p = all(4.923684377e-11f);
    p = fused(p, z, all(-4.795563502e-09f));
    p = fused(p, z, all(2.072446676e-07f));
    p = fused(p, z, all(-5.289516594e-06f));
    p = fused(p, z, all(8.983549924e-05f));
    p = fused(p, z, all(-1.086456585e-03f));
    p = fused(p, z, all(9.740932845e-03f));
    p = fused(p, z, all(-6.622206420e-02f));
    p = fused(p, z, all(3.988345861e-01f));
    return x * fused(c, p, all(0.5f));
}

inline Floats gelu_tanh(Floats x) {
    return 0.5f * x * (1.0f + tanh_of(0.79788456f * x * (1.0f + 0.044715f * x * x)));
}

// Exchange, for STEP = half, ..., 2, 1, blocks of STEP lanes between rows STEP apart: a transposed square of vectors.
template <int STEP, size_t... I>
inline void exchange(Floats& a, Floats& b, std::index_sequence<I...>) {
    const Floats low = __builtin_shufflevector(a, b, (int(I) & STEP ? LANES + int(I) - STEP : int(I))...);
    const Floats high = __builtin_shufflevector(a, b, (int(I) & STEP ? LANES + int(I) : int(I) + STEP)...);
    a = low;
    b = high;
}

template <int STEP>
inline void exchange_rows(Floats* rows) {
    for (int i = 0; i < LANES; i++)
        if (!(i & STEP)) exchange<STEP>(rows[i], rows[i + STEP], std::make_index_sequence<LANES>{});
    if constexpr (STEP > 1) exchange_rows<STEP / 2>(rows);
}

// `to[lane * to_stride + row] = from[row * from_stride + lane]`, for LANES rows, those from `present` on as zeros.
inline void transpose(const float* from, int from_stride, int present, float* to, int to_stride) {
    Floats rows[LANES];
    for (int i = 0; i < LANES; i++) rows[i] = i < present ? load(from + size_t(i) * from_stride) : Floats{};
    exchange_rows<LANES / 2>(rows);
    for (int i = 0; i < LANES; i++) store(to + size_t(i) * to_stride, rows[i]);
}

}  // namespace

// Linear maps in 8 bits, one scale per output column and one per token, and the norms between them.
#pragma once

#include <cmath>

#include "crew.h"
#include "encoder.h"
#include "memory.h"
#include "tiles.h"

namespace {

struct Linear {
    int in = 0, out = 0;
    int8_t* weights = nullptr;  // panels, see tiles.h; they live in the model's one block
    Block<int32_t> order;       // of each GROUP of columns, a number and in / 4 quads, if panels are ORDERED
    Block<int32_t> total;       // of each column
    Block<float> scale, bias;
};

// 8-bit rows: a value of row r stands for scale[r] * (value - zero[r]).
struct Rows {
    Block<uint8_t> values;
    Block<float> scale;
    Block<int32_t> zero;
};

struct Norm {
    Block<float> weight, bias;
};

// Row `r` of `to` from floats, in 256 steps from the least to the largest value, and over zero, so that zero and what is
// filled up with it stay exact.
void quantise(const float* x, int width, Rows& to, size_t r) {
    Floats high{}, low{};
    for (int i = 0; i < width; i += LANES) {
        const Floats v = load(x + i);
        high = larger(high, v);
        low = smaller(low, v);
    }
    constexpr int HIGHEST = LOWEST + 255;
    const float bottom = -largest(-low), span = largest(high) - bottom, inverse = span > 0 ? 255 / span : 0.0f;
    // What is no number spoils the scale, and by it the answer; as a whole number it would be undefined.
    const float place = std::nearbyint(-bottom * inverse);
    const int zero = LOWEST + (place >= 0 && place <= 255 ? int(place) : 0);
    uint8_t* values = to.values.get() + r * width;
    for (int i = 0; i < width; i += LANES) {
        // Rounded apart from `zero`, the ends could lie half a step outside.
        Ints rounded = bits(load(x + i) * inverse + ROUND) - ROUND_BITS + zero;
        rounded = rounded > HIGHEST ? Ints{} + HIGHEST : rounded;
        rounded = rounded < LOWEST ? Ints{} + LOWEST : rounded;
        const Bytes bytes = __builtin_convertvector(rounded, Bytes);
        std::memcpy(values + i, &bytes, sizeof bytes);
    }
    to.scale[r] = span / 255;
    to.zero[r] = zero;
}

template <int FUNCTION>
inline Floats activated(Floats x) {
    if constexpr (FUNCTION == GELU) return gelu(x);
    if constexpr (FUNCTION == GELU_TANH) return gelu_tanh(x);
    if constexpr (FUNCTION == RELU) return larger(x, Floats{});
    if constexpr (FUNCTION == TANH) return tanh_of(x);
    return x;
}

// The sums of a tile of `rows` rows and `vectors` times 16 columns.
template <int V>
void sums_of(const uint8_t* a, size_t stride, const int8_t* w, const int32_t* order, int quads, int32_t* sums,
             const int8_t* ahead, int rows) {
    switch (rows) {
        case 1: return tile<1, V>(a, stride, w, order, quads, sums, ahead);
        case 2: return tile<2, V>(a, stride, w, order, quads, sums, ahead);
        case 3: return tile<3, V>(a, stride, w, order, quads, sums, ahead);
        case 4: return tile<4, V>(a, stride, w, order, quads, sums, ahead);
        case 5: return tile<std::min(5, ROWS), V>(a, stride, w, order, quads, sums, ahead);
        default: return tile<std::min(6, ROWS), V>(a, stride, w, order, quads, sums, ahead);
    }
}

// out[row, column] = function(sums scaled, plus bias), for one tile.
template <int FUNCTION>
void finish(const Linear& map, int column, int width, const int32_t* sums, const float* row_scale, const int32_t* zero,
            int rows, float* out) {
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < width; c += LANES) {
            Ints exact, total;
            std::memcpy(&exact, sums + COLUMNS * r + c, sizeof exact);
            std::memcpy(&total, map.total.get() + column + c, sizeof total);
            const Floats product = __builtin_convertvector(exact - total * zero[r], Floats);
            const Floats scale = load(map.scale.get() + column + c) * row_scale[r];
            const Floats y = fused(product, scale, load(map.bias.get() + column + c));
            store(out + size_t(r) * map.out + column + c, activated<FUNCTION>(y));
        }
}

// x = function(x) * by, `width` values.
template <int FUNCTION>
void gate(float* x, const float* by, int width) {
    for (int i = 0; i < width; i += LANES) store(x + i, activated<FUNCTION>(load(x + i)) * load(by + i));
}

using Gate = void (*)(float*, const float*, int);
constexpr Gate GATES[] = {gate<NONE>, gate<GELU>, gate<GELU_TANH>, gate<RELU>, gate<TANH>};

using Finish = void (*)(const Linear&, int, int, const int32_t*, const float*, const int32_t*, int, float*);

// out = function(a map), fp32 `[rows, map.out]`.
void multiply(const Linear& map, const Rows& a, int rows, float* out, int function = NONE, Crew* crew = nullptr) {
    static constexpr Finish FINISH[] = {finish<NONE>, finish<GELU>, finish<GELU_TANH>, finish<RELU>, finish<TANH>};
    const int tiles = (rows + ROWS - 1) / ROWS, panels = (map.out + COLUMNS - 1) / COLUMNS;
    each(crew, panels, [&](int p) {
        alignas(64) int32_t sums[ROWS * COLUMNS];
        const int column = p * COLUMNS, width = std::min(COLUMNS, map.out - column);
        const int8_t* panel = map.weights + size_t(column) * map.in;
        const int quads = map.in / 4;
        const int32_t* order = ORDERED ? map.order.get() + size_t(column / GROUP) * (quads + 1) : nullptr;
        // The panel after this one, or whatever map comes next: they stand in the order in which they are used.
        const int8_t* ahead = panel + size_t(width) * map.in;
        for (int t = 0, row = 0; t < tiles; t++, ahead = nullptr) {
            // Tiles of nearly equal height, because a low one is not much faster than a high one.
            const int height = rows / tiles + (t < rows % tiles);
            const uint8_t* from = a.values.get() + size_t(row) * map.in;
            switch (width / 16) {
                case 1: sums_of<1>(from, map.in, panel, order, quads, sums, ahead, height); break;
                case 2: sums_of<2>(from, map.in, panel, order, quads, sums, ahead, height); break;
                case 3: sums_of<3>(from, map.in, panel, order, quads, sums, ahead, height); break;
                default: sums_of<4>(from, map.in, panel, order, quads, sums, ahead, height);
            }
            FINISH[function](map, column, width, sums, a.scale.get() + row, a.zero.get() + row, height,
                             out + size_t(row) * map.out);
            row += height;
        }
    });
}

// x += added, which may be null, and to = norm(x); `to` may be x. `width` values count, the others up to `padded` are zero
// and stay so.
inline void normalise(float* x, const float* added, const Norm& norm, int width, int padded, float epsilon, float* to) {
    Total total, squares;
    for (int i = 0; i < padded; i += LANES) {
        Floats v = load(x + i);
        if (added) {
            v += load(added + i);
            store(x + i, v);
        }
        total.add(i, v);
    }
    const float mean = total.value() / width;
    for (int i = 0; i < padded; i += LANES) {
        const Floats d = load(x + i) - mean;
        squares.add(i, d * d);
    }
    const float variance = (squares.value() - (padded - width) * mean * mean) / width;
    const float inverse = 1.0f / std::sqrt(std::max(variance, 0.0f) + epsilon);
    for (int i = 0; i < padded; i += LANES)
        store(to + i, (load(x + i) - mean) * inverse * load(norm.weight.get() + i) + load(norm.bias.get() + i));
}

}  // namespace

// The caller's arrays as they are wanted here.
#pragma once

#include "linear.h"

namespace {

// The last panel of weights is followed by what is read ahead of time.
constexpr size_t READ_AHEAD = 2 * COLUMNS * size_t(4096);

// Takes the caller's arrays one by one, in the order in which they are used.
struct Arrays {
    const void* const* next;
    Block<int8_t>& weights;
    size_t filled = 0;

    template <class T>
    const T* take() {
        return static_cast<const T*>(*next++);
    }

    // Null if the arrays are.
    Norm norm(int width) {
        const float* weight = take<float>();
        const float* bias = take<float>();
        if (!weight) return {};
        return {copied(weight, width), copied(bias, width)};
    }

    Linear linear(int in, int out) {
        Linear map;
        map.in = in;
        map.out = out;
        const auto* values = take<int8_t>();
        map.scale = copied(take<float>(), out);
        map.bias = copied(take<float>(), out);
        map.total = block<int32_t>(out);
        map.weights = weights.get() + filled;
        filled += size_t(in) * out;
        const int groups = (out + GROUP - 1) / GROUP;
        if constexpr (ORDERED) map.order = block<int32_t>(size_t(groups) * (in / 4 + 1));
        for (int column = 0; column < out; column += COLUMNS)
            lay<ORDERED>(values + column, in, out, std::min(COLUMNS, out - column),
                         map.weights + size_t(column) * in,
                         map.order.get() + (ORDERED ? size_t(column / GROUP) * (in / 4 + 1) : 0));
        for (int column = 0; column < out; column++) {
            int32_t total = 0;
            for (int k = 0; k < in; k++) total += values[size_t(k) * out + column];
            map.total[column] = total;
        }
        return map;
    }
};

}  // namespace

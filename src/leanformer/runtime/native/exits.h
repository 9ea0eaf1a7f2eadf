// What an early exit needs between two layers: whether an answer is sure, and the pack without the texts that left.
#pragma once

#include "layers.h"

namespace {

bool is_sure(const float* logits, int labels, const Rule& rule) {
    const double most = *std::max_element(logits, logits + labels) / rule.temperature;
    double total = 0;
    for (int c = 0; c < labels; c++) total += std::exp(logits[c] / rule.temperature - most);
    return 1 / total >= rule.threshold;  // false for what is no number, which goes on, and is found at the end
}

// Moves `count` tokens between layers to a place before theirs.
void move(Workspace& work, size_t width, size_t from, size_t to, size_t count) {
    std::memmove(work.x.get() + to * width, work.x.get() + from * width, count * width * sizeof(float));
    std::memmove(work.rows.values.get() + to * width, work.rows.values.get() + from * width, count * width);
    std::memmove(work.rows.scale.get() + to, work.rows.scale.get() + from, count * sizeof(float));
    std::memmove(work.rows.zero.get() + to, work.rows.zero.get() + from, count * sizeof(int32_t));
}

}  // namespace

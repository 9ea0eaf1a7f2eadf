// The layers of an encoder, and what they are computed in.
#pragma once

#include <vector>

#include "arrays.h"
#include "attention.h"
#include "calls.h"

namespace {

// `ffn` is the width of the activations. A pre-norm layer's norms are those of what comes next: the block, and the layer
// after this one, or the head. `exit_dense` and `exit_classifier` are the head of an exit behind it, if it has one.
struct Layer {
    int heads, ffn, window;
    const float *bias, *cosines, *sines;
    Linear query, key_value, query_key_value, output, up, down;
    Norm attention_norm, ffn_norm;
    Linear exit_dense, exit_classifier;

    bool exits() const { return exit_dense.in != 0; }
};

struct Workspace {
    int tokens = 0;
    Block<float> x, first_x, normed, wide, query, context, inner, most, keys, scores, sequence;
    Rows rows, first_rows;
};

struct Model {
    Shape shape;
    std::vector<Layer> layers;
    Block<int8_t> weights;
    const int8_t* word_bytes;
    const float *words, *word_scales, *positions, *types;
    Norm embeddings, entry, head_norm;  // `entry` is of the first layer, if it is pre-norm and has one
    Linear projection, pooler, classifier;
    int widest = 0;  // of all that is quantised
    int heads_width = 0, inner_width = 0;
    Calls<Workspace> calls;
};

// In blocks of rows, for those who share the work.
template <class F>
void each_row(Crew* crew, int rows, const F& f) {
    constexpr int BLOCK = 8;
    each(crew, (rows + BLOCK - 1) / BLOCK, [&](int b) {
        for (int r = b * BLOCK; r < std::min(rows, (b + 1) * BLOCK); r++) f(size_t(r));
    });
}

void quantise(const float* x, int rows, int width, Rows& to, Crew* crew) {
    each_row(crew, rows, [&](size_t r) { quantise(x + r * width, width, to, r); });
}

// Where what a norm gives stands: the residual stream itself, unless the norm is only of what a map reads.
float* behind_norm(const Shape& s, Workspace& work, float* x) { return s.norm_first ? work.normed.get() : x; }

// x += added, which may be null, and the norm of it, quantised.
void norm_and_quantise(float* x, const float* added, const Norm& norm, const Shape& s, int rows, Workspace& work,
                       Rows& to, Crew* crew) {
    const size_t width = s.hidden_padded;
    float* normed = behind_norm(s, work, x);
    each_row(crew, rows, [&](size_t r) {
        normalise(x + r * width, added ? added + r * width : nullptr, norm, s.hidden, s.hidden_padded, s.epsilon,
                  normed + r * width);
        quantise(normed + r * width, s.hidden_padded, to, r);
    });
}

void attention(const Attention& a, const Layer& layer, const Shape& s, Workspace& work, Crew* crew) {
    const size_t padded = (a.tokens + 15) / 16 * 16;
    each(crew, layer.heads, [&](int h) {
        const size_t place = crew ? h : 0;  // one's own scratch for everybody, and the same for one alone
        const int at = h * s.head_padded, half = s.head_size / 2;
        if (layer.cosines) {
            const int width = (half + 15) / 16 * 16;
            rotate(a.query + at, a.query_stride, a.queries, half, layer.cosines, layer.sines, width);
            rotate(a.key + at, a.stride, a.tokens, half, layer.cosines, layer.sines, width);
        }
        const float* bias = layer.bias ? layer.bias + size_t(h) * s.bias_width + s.positions - 1 : nullptr;
        attend_head(a, at, s.head_padded, bias, layer.window, work.keys.get() + place * padded * s.head_padded,
                    work.scores.get() + place * padded * 8);
    });
}

// What follows attention: its output map, and the feed-forward block, over `rows` rows of the residual stream `x`.
void finish_layer(const Layer& layer, const Shape& s, Workspace& work, int rows, float* x, Rows& to, Crew* crew) {
    quantise(work.context.get(), rows, layer.heads * s.head_padded, to, crew);
    multiply(layer.output, to, rows, work.wide.get(), NONE, crew);
    norm_and_quantise(x, work.wide.get(), layer.attention_norm, s, rows, work, to, crew);
    if (s.gated) {
        multiply(layer.up, to, rows, work.inner.get(), NONE, crew);
        each_row(crew, rows, [&](size_t r) {
            float* gated = work.inner.get() + r * 2 * layer.ffn;
            GATES[s.activation](gated, gated + layer.ffn, layer.ffn);
            quantise(gated, layer.ffn, to, r);
        });
    } else {
        multiply(layer.up, to, rows, work.inner.get(), s.activation, crew);
        quantise(work.inner.get(), rows, layer.ffn, to, crew);
    }
    multiply(layer.down, to, rows, work.wide.get(), NONE, crew);
    norm_and_quantise(x, work.wide.get(), layer.ffn_norm, s, rows, work, to, crew);
}

void whole_layer(const Layer& layer, const Shape& s, Workspace& work, const int32_t* starts, int texts, Crew* crew) {
    const int tokens = starts[texts] - starts[0];
    const size_t inner = size_t(layer.heads) * s.head_padded;
    multiply(layer.query_key_value, work.rows, tokens, work.wide.get(), NONE, crew);
    for (int t = 0; t < texts; t++) {
        const size_t at = starts[t] - starts[0];
        float* q = work.wide.get() + at * 3 * inner;
        const int length = starts[t + 1] - starts[t];
        attention({q, 3 * inner, length, q + inner, q + 2 * inner, 3 * inner, length, work.context.get() + at * inner,
                   inner},
                  layer, s, work, crew);
    }
    finish_layer(layer, s, work, tokens, work.x.get(), work.rows, crew);
}

// Where the head reads the first token of each text, only those ask in the last layer; all are asked.
void last_layer(const Layer& layer, const Shape& s, Workspace& work, const int32_t* starts, int texts, Crew* crew) {
    const int width = s.hidden_padded;
    const size_t inner = size_t(layer.heads) * s.head_padded;
    for (int t = 0; t < texts; t++) {
        const size_t at = starts[t] - starts[0];
        std::memcpy(work.first_x.get() + size_t(t) * width, work.x.get() + at * width, width * sizeof(float));
        std::memcpy(work.first_rows.values.get() + size_t(t) * width, work.rows.values.get() + at * width, width);
        work.first_rows.scale[t] = work.rows.scale[at];
        work.first_rows.zero[t] = work.rows.zero[at];
    }
    multiply(layer.query, work.first_rows, texts, work.query.get(), NONE, crew);
    multiply(layer.key_value, work.rows, starts[texts] - starts[0], work.wide.get(), NONE, crew);
    for (int t = 0; t < texts; t++) {
        float* k = work.wide.get() + size_t(starts[t] - starts[0]) * 2 * inner;
        attention({work.query.get() + t * inner, inner, 1, k, k + inner, 2 * inner, starts[t + 1] - starts[t],
                   work.context.get() + t * inner, inner},
                  layer, s, work, crew);
    }
    finish_layer(layer, s, work, texts, work.first_x.get(), work.first_rows, crew);
}

std::unique_ptr<Workspace> workspace(const Model& m, int tokens) {
    const Shape& s = m.shape;
    auto work = std::make_unique<Workspace>();
    const size_t n = tokens, padded = (n + 15) / 16 * 16;
    work->tokens = tokens;
    work->x = block<float>(n * s.hidden_padded);
    work->first_x = block<float>(n * s.hidden_padded);
    if (s.norm_first) work->normed = block<float>(n * s.hidden_padded);
    work->wide = block<float>(n * std::max({3 * m.heads_width, s.hidden_padded, s.embedding_padded}));
    work->query = block<float>(n * m.heads_width);
    work->context = block<float>(n * m.heads_width);
    work->inner = block<float>(n * m.inner_width);
    work->keys = block<float>(padded * m.heads_width);
    work->scores = block<float>(padded * 8 * m.heads_width / s.head_padded);
    for (Rows* rows : {&work->rows, &work->first_rows}) {
        rows->values = block<uint8_t>(n * m.widest);
        rows->scale = block<float>(n);
        rows->zero = block<int32_t>(n);
    }
    return work;
}

}  // namespace

// A Transformer encoder with 8-bit linear maps, on texts that stand end to end, for one instruction set.
//
// Every token has its own scale, computed from its own values, and nothing is summed across texts. So the bits of an
// answer do not depend on what else is in the call. fp32 are attention, norms, activation functions and the residual
// stream; post-norm layers as in BERT (Devlin et al. 2019).
//
// Widths are padded with zero weights by the caller: inputs and outputs of linear maps and heads to 16.
#include <exception>
#include <vector>

#include "arrays.h"
#include "attention.h"
#include "calls.h"
#include "crew.h"
#include "encoder.h"
#include "linear.h"

namespace {

struct Layer {
    int heads, ffn;
    Linear query, key_value, query_key_value, output, up, down;
    Norm attention_norm, ffn_norm;
};

struct Workspace {
    int tokens = 0;
    Block<float> x, first_x, wide, query, context, inner, most, keys, scores, sequence;
    Rows rows, first_rows;
};

struct Model {
    Shape shape;
    std::vector<Layer> layers;
    Block<int8_t> weights;
    const int8_t* word_bytes;
    const float *words, *word_scales, *positions, *types;
    Norm embeddings, head_norm;
    Linear projection, pooler, classifier;
    int widest = 0;  // of all that is quantised
    int heads_width = 0, inner_width = 0;
    Calls<Workspace> calls;
};

void embed(const Model& m, const int32_t* ids, const int32_t* types, const int32_t* starts, int texts, float* x) {
    const Shape& s = m.shape;
    const int width = s.embedding, padded = s.embedding_padded;
    for (int t = 0; t < texts; t++)
        for (int i = starts[t]; i < starts[t + 1]; i++) {
            float* row = x + size_t(i - starts[0]) * padded;
            const size_t word = size_t(ids[i]) * width;
            if (m.word_bytes)
                for (int c = 0; c < width; c++) row[c] = m.word_bytes[word + c] * m.word_scales[ids[i]];
            else
                for (int c = 0; c < width; c++) row[c] = m.words[word + c];
            const float* place = m.positions + size_t(i - starts[t]) * width;
            for (int c = 0; c < width; c++) row[c] += place[c];
            if (m.types) {
                const float* type = m.types + size_t(types ? types[i] : 0) * width;
                for (int c = 0; c < width; c++) row[c] += type[c];
            }
            for (int c = width; c < padded; c++) row[c] = 0;
            normalise(row, nullptr, m.embeddings, width, padded, s.epsilon);
        }
}

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

void norm_and_quantise(float* x, const float* added, const Norm& norm, const Shape& s, int rows, Rows& to, Crew* crew) {
    const size_t width = s.hidden_padded;
    each_row(crew, rows, [&](size_t r) {
        normalise(x + r * width, added + r * width, norm, s.hidden, s.hidden_padded, s.epsilon);
        quantise(x + r * width, s.hidden_padded, to, r);
    });
}

void attention(const Attention& a, const Layer& layer, const Shape& s, Workspace& work, Crew* crew) {
    const size_t padded = (a.tokens + 15) / 16 * 16;
    each(crew, layer.heads, [&](int h) {
        const size_t place = crew ? h : 0;  // one's own scratch for everybody, and the same for one alone
        attend_head(a, h * s.head_padded, s.head_padded, work.keys.get() + place * padded * s.head_padded,
                    work.scores.get() + place * padded * 8);
    });
}

// What follows attention: its output map, and the feed-forward block, over `rows` rows of the residual stream `x`.
void finish_layer(const Layer& layer, const Shape& s, Workspace& work, int rows, float* x, Rows& to, Crew* crew) {
    quantise(work.context.get(), rows, layer.heads * s.head_padded, to, crew);
    multiply(layer.output, to, rows, work.wide.get(), NONE, crew);
    norm_and_quantise(x, work.wide.get(), layer.attention_norm, s, rows, to, crew);
    multiply(layer.up, to, rows, work.inner.get(), s.activation, crew);
    quantise(work.inner.get(), rows, layer.ffn, to, crew);
    multiply(layer.down, to, rows, work.wide.get(), NONE, crew);
    norm_and_quantise(x, work.wide.get(), layer.ffn_norm, s, rows, to, crew);
}

void whole_layer(const Layer& layer, const Shape& s, Workspace& work, const int32_t* starts, int texts, Crew* crew) {
    const int tokens = starts[texts] - starts[0];
    const size_t inner = size_t(layer.heads) * s.head_padded;
    multiply(layer.query_key_value, work.rows, tokens, work.wide.get(), NONE, crew);
    for (int t = 0; t < texts; t++) {
        const size_t at = starts[t] - starts[0];
        const float* q = work.wide.get() + at * 3 * inner;
        const int length = starts[t + 1] - starts[t];
        attention({q, 3 * inner, length, q + inner, q + 2 * inner, 3 * inner, length, work.context.get() + at * inner,
                   inner},
                  layer, s, work, crew);
    }
    finish_layer(layer, s, work, tokens, work.x.get(), work.rows, crew);
}

// Of the last layer the head reads the first token of each text, so only those ask; all are asked.
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
        const float* k = work.wide.get() + size_t(starts[t] - starts[0]) * 2 * inner;
        attention({work.query.get() + t * inner, inner, 1, k, k + inner, 2 * inner, starts[t + 1] - starts[t],
                   work.context.get() + t * inner, inner},
                  layer, s, work, crew);
    }
    finish_layer(layer, s, work, texts, work.first_x.get(), work.first_rows, crew);
}

void classify(const Model& m, Workspace& work, const Rows& rows, int count, float* logits) {
    multiply(m.classifier, rows, count, work.inner.get());
    for (int r = 0; r < count; r++)
        std::memcpy(logits + size_t(r) * m.shape.labels, work.inner.get() + size_t(r) * m.classifier.out,
                    m.shape.labels * sizeof(float));
}

void head(const Model& m, Workspace& work, Rows& rows, int texts, float* logits, Crew* crew) {
    const Shape& s = m.shape;
    multiply(m.pooler, rows, texts, work.wide.get(), s.head_activation, crew);
    if (m.head_norm.weight)
        for (int r = 0; r < texts; r++)
            normalise(work.wide.get() + size_t(r) * s.hidden_padded, nullptr, m.head_norm, s.hidden, s.hidden_padded,
                      s.epsilon);
    quantise(work.wide.get(), texts, s.hidden_padded, rows, crew);
    classify(m, work, rows, texts, logits);
}

void run(const Model& m, Workspace& work, const int32_t* ids, const int32_t* types, const int32_t* starts, int texts,
         float* logits, Crew* crew) {
    const Shape& s = m.shape;
    const int tokens = starts[texts] - starts[0];
    if (m.projection.in) {
        embed(m, ids, types, starts, texts, work.wide.get());
        quantise(work.wide.get(), tokens, s.embedding_padded, work.rows, crew);
        multiply(m.projection, work.rows, tokens, work.x.get(), NONE, crew);
    } else
        embed(m, ids, types, starts, texts, work.x.get());
    quantise(work.x.get(), tokens, s.hidden_padded, work.rows, crew);
    for (size_t i = 0; i + 1 < m.layers.size(); i++) whole_layer(m.layers[i], s, work, starts, texts, crew);
    if (s.per_token) {
        whole_layer(m.layers.back(), s, work, starts, texts, crew);
        return classify(m, work, work.rows, tokens, logits);
    }
    last_layer(m.layers.back(), s, work, starts, texts, crew);
    head(m, work, work.first_rows, texts, logits, crew);
}

std::unique_ptr<Workspace> workspace(const Model& m, int tokens) {
    const Shape& s = m.shape;
    auto work = std::make_unique<Workspace>();
    const size_t n = tokens, padded = (n + 15) / 16 * 16;
    work->tokens = tokens;
    work->x = block<float>(n * s.hidden_padded);
    work->first_x = block<float>(n * s.hidden_padded);
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

// ---- making it -----------------------------------------------------------------------------------------------------

void* make(const void* shape, const LayerShape* layers, const void* const* arrays) try {
    auto m = std::make_unique<Model>();
    const Shape& s = m->shape = *static_cast<const Shape*>(shape);
    size_t weights = READ_AHEAD;
    const auto count = [&](int in, int out) { weights += size_t(in) * out; };
    for (int i = 0; i < s.layers; i++) {
        const int inner = layers[i].heads * s.head_padded;
        count(s.hidden_padded, 4 * inner);
        count(s.hidden_padded, 2 * layers[i].ffn_padded);
        m->heads_width = std::max(m->heads_width, inner);
        m->inner_width = std::max(m->inner_width, layers[i].ffn_padded);
    }
    count(s.embedding_padded, s.projects ? s.hidden_padded : 0);
    count(s.hidden_padded, s.hidden_padded + s.labels_padded);
    m->inner_width = std::max(m->inner_width, s.labels_padded);
    m->widest = std::max({m->heads_width, m->inner_width, s.hidden_padded, s.embedding_padded});
    m->weights = block<int8_t>(weights);
    Arrays from{arrays, m->weights};
    m->word_bytes = from.take<int8_t>();
    m->words = from.take<float>();
    m->word_scales = from.take<float>();
    m->positions = from.take<float>();
    m->types = from.take<float>();
    m->embeddings = from.norm(s.embedding_padded);
    if (s.projects) m->projection = from.linear(s.embedding_padded, s.hidden_padded);
    for (int i = 0; i < s.layers; i++) {
        Layer layer{layers[i].heads, layers[i].ffn_padded, {}, {}, {}, {}, {}, {}, {}, {}};
        const int inner = layer.heads * s.head_padded;
        if (i + 1 < s.layers || s.per_token)
            layer.query_key_value = from.linear(s.hidden_padded, 3 * inner);
        else {
            layer.query = from.linear(s.hidden_padded, inner);
            layer.key_value = from.linear(s.hidden_padded, 2 * inner);
        }
        layer.output = from.linear(inner, s.hidden_padded);
        layer.attention_norm = from.norm(s.hidden_padded);
        layer.up = from.linear(s.hidden_padded, layer.ffn);
        layer.down = from.linear(layer.ffn, s.hidden_padded);
        layer.ffn_norm = from.norm(s.hidden_padded);
        m->layers.push_back(std::move(layer));
    }
    if (!s.per_token) m->pooler = from.linear(s.hidden_padded, s.hidden_padded);
    if (s.normalises_head) m->head_norm = from.norm(s.hidden_padded);
    m->classifier = from.linear(s.hidden_padded, s.labels_padded);
    return m.release();
} catch (const std::bad_alloc&) {
    return nullptr;
}

// Whether every row is as long as it may be, and every index inside its table.
bool in_range(const Shape& s, const int32_t* ids, const int32_t* types, const int32_t* starts, int texts) {
    for (int t = 0; t < texts; t++)
        if (starts[t + 1] <= starts[t] || starts[t + 1] - starts[t] > s.positions) return false;
    bool good = true;
    for (int i = starts[0]; i < starts[texts]; i++) good &= uint32_t(ids[i]) < uint32_t(s.vocabulary);
    if (types)
        for (int i = starts[0]; i < starts[texts]; i++) good &= uint32_t(types[i]) < uint32_t(s.types);
    return good;
}

int infer(void* model, const int32_t* ids, const int32_t* types, const int32_t* starts, int texts, int threads,
          float* logits) try {
    Model& m = *static_cast<Model*>(model);
    if (!in_range(m.shape, ids, types, starts, texts)) return OUT_OF_RANGE;
    const int tokens = starts[texts] - starts[0];
    m.calls.serve(
        threads, [&](const Workspace& work) { return work.tokens >= tokens; },
        [&](const Workspace*) { return workspace(m, tokens); },
        [&](Workspace& work, Crew* crew) { run(m, work, ids, types, starts, texts, logits, crew); });
    return DONE;
} catch (const std::exception&) {  // no memory, or no thread
    return NO_MEMORY;
}

}  // namespace

#define JOINED(a, b) a##b
#define NAMED(level) JOINED(leanformer_encoder_, level)
extern "C" {
extern const Level NAMED(LEVEL);
const Level NAMED(LEVEL) = {make, discard<Model>, infer, rouse<Model>};
}

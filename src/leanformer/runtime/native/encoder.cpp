// A Transformer encoder with 8-bit linear maps, on texts that stand end to end, for one instruction set.
//
// Every token has its own scale, computed from its own values, and nothing is summed across texts. So the bits of an
// answer do not depend on what else is in the call. fp32 are attention, norms, activation functions and the residual
// stream. Layers are post-norm as in BERT (Devlin et al. 2019), or pre-norm; positions are learnt, relative, or rotary.
//
// Widths are padded with zero weights by the caller: inputs and outputs of linear maps and heads to 16.
#include <exception>

#include "exits.h"

namespace {

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
            if (m.positions) {
                const float* place = m.positions + size_t(i - starts[t]) * width;
                for (int c = 0; c < width; c++) row[c] += place[c];
            }
            if (m.types) {
                const float* type = m.types + size_t(types ? types[i] : 0) * width;
                for (int c = 0; c < width; c++) row[c] += type[c];
            }
            for (int c = width; c < padded; c++) row[c] = 0;
            normalise(row, nullptr, m.embeddings, width, padded, s.epsilon, row);
        }
}

void classify(const Linear& classifier, const Shape& s, Workspace& work, const Rows& rows, int count, float* logits) {
    multiply(classifier, rows, count, work.inner.get());
    for (int r = 0; r < count; r++)
        std::memcpy(logits + size_t(r) * s.labels, work.inner.get() + size_t(r) * classifier.out,
                    s.labels * sizeof(float));
}

// The mean of each text's tokens `x`, into the rows of first tokens.
void mean(const Model& m, Workspace& work, const float* x, const int32_t* starts, int texts) {
    const int width = m.shape.hidden_padded;
    for (int t = 0; t < texts; t++) {
        const float* from = x + size_t(starts[t] - starts[0]) * width;
        const int count = starts[t + 1] - starts[t];
        float* row = work.first_x.get() + size_t(t) * width;
        for (int c = 0; c < width; c += LANES) {
            Floats total{};
            for (int i = 0; i < count; i++) total += load(from + size_t(i) * width + c);
            store(row + c, total / float(count));
        }
    }
}

// From what was pooled, in floats and in 8 bits, to the answer.
void head(const Model& m, Workspace& work, const float* pooled, Rows& rows, int texts, float* logits, Crew* crew) {
    const Shape& s = m.shape;
    if (s.vectors) {
        for (int r = 0; r < texts; r++)
            std::memcpy(logits + size_t(r) * s.hidden, pooled + size_t(r) * s.hidden_padded, s.hidden * sizeof(float));
        return;
    }
    multiply(m.pooler, rows, texts, work.wide.get(), s.head_activation, crew);
    if (m.head_norm.weight)
        for (int r = 0; r < texts; r++) {
            float* row = work.wide.get() + size_t(r) * s.hidden_padded;
            normalise(row, nullptr, m.head_norm, s.hidden, s.hidden_padded, s.epsilon, row);
        }
    quantise(work.wide.get(), texts, s.hidden_padded, rows, crew);
    classify(m.classifier, s, work, rows, texts, logits);
}

// From ids to the rows that the first layer reads.
void enter(const Model& m, Workspace& work, const int32_t* ids, const int32_t* types, const int32_t* starts, int texts,
           Crew* crew) {
    const Shape& s = m.shape;
    const int tokens = starts[texts] - starts[0];
    if (m.projection.in) {
        embed(m, ids, types, starts, texts, work.wide.get());
        quantise(work.wide.get(), tokens, s.embedding_padded, work.rows, crew);
        multiply(m.projection, work.rows, tokens, work.x.get(), NONE, crew);
    } else
        embed(m, ids, types, starts, texts, work.x.get());
    if (m.entry.weight)
        norm_and_quantise(work.x.get(), nullptr, m.entry, s, tokens, work, work.rows, crew);
    else
        quantise(work.x.get(), tokens, s.hidden_padded, work.rows, crew);
}

// The last layer, and the head.
void finish(const Model& m, Workspace& work, const int32_t* starts, int texts, float* logits, Crew* crew) {
    const Shape& s = m.shape;
    if (s.pooling == FIRST) {
        last_layer(m.layers.back(), s, work, starts, texts, crew);
        return head(m, work, behind_norm(s, work, work.first_x.get()), work.first_rows, texts, logits, crew);
    }
    whole_layer(m.layers.back(), s, work, starts, texts, crew);
    if (s.pooling == EVERY) return classify(m.classifier, s, work, work.rows, starts[texts] - starts[0], logits);
    mean(m, work, behind_norm(s, work, work.x.get()), starts, texts);
    quantise(work.first_x.get(), texts, s.hidden_padded, work.first_rows, crew);
    head(m, work, work.first_x.get(), work.first_rows, texts, logits, crew);
}

void run(const Model& m, Workspace& work, const int32_t* ids, const int32_t* types, const int32_t* starts, int texts,
         float* logits, Crew* crew) {
    enter(m, work, ids, types, starts, texts, crew);
    for (size_t i = 0; i + 1 < m.layers.size(); i++) whole_layer(m.layers[i], m.shape, work, starts, texts, crew);
    finish(m, work, starts, texts, logits, crew);
}

// ---- early exits (Teerapittayanon et al. 2016; for encoders Xin et al. 2020, Liu et al. 2020) ---------------------------

// The logits of the exit behind `layer`, from the mean of each text's tokens.
void answer_at_exit(const Model& m, const Layer& layer, Workspace& work, const int32_t* starts, int texts,
                    float* logits, Crew* crew) {
    const Shape& s = m.shape;
    mean(m, work, work.x.get(), starts, texts);
    quantise(work.first_x.get(), texts, s.hidden_padded, work.first_rows, crew);
    multiply(layer.exit_dense, work.first_rows, texts, work.wide.get(), TANH, crew);
    quantise(work.wide.get(), texts, s.hidden_padded, work.first_rows, crew);
    classify(layer.exit_classifier, s, work, work.first_rows, texts, logits);
}

// Texts whose answer at an exit is sure leave the pack, and the others close up, so that the layers after it have less to
// compute. No row is changed, so the others' answers are those that they would get anyway.
void run_leaving(const Model& m, Workspace& work, const int32_t* ids, const int32_t* types, const int32_t* starts,
                 int texts, const Rule* rules, float* logits, int32_t* left_at, Crew* crew) {
    const Shape& s = m.shape;
    const size_t labels = s.labels;
    std::vector<int32_t> begins(starts, starts + texts + 1), places(texts);  // of those that are still in the pack
    for (int t = 0; t < texts; t++) places[t] = t;
    for (int32_t& begin : begins) begin -= starts[0];
    std::vector<float> answers(texts * labels);
    const auto answered = [&](int t, int exit) {
        std::memcpy(logits + places[t] * labels, answers.data() + t * labels, labels * sizeof(float));
        left_at[places[t]] = exit;
    };
    enter(m, work, ids, types, starts, texts, crew);
    int exits = 0;
    for (size_t i = 0; i + 1 < m.layers.size(); i++) {
        const Layer& layer = m.layers[i];
        const int count = int(places.size());
        whole_layer(layer, s, work, begins.data(), count, crew);
        if (!layer.exits()) continue;
        const int exit = exits++;
        if (rules[exit].threshold > 1) continue;
        answer_at_exit(m, layer, work, begins.data(), count, answers.data(), crew);
        int stay = 0, begin = 0, filled = 0;
        for (int t = 0; t < count; t++) {
            const int end = begins[t + 1], tokens = end - begin;  // not written yet: `stay` is at most `t`
            if (is_sure(answers.data() + t * labels, s.labels, rules[exit]))
                answered(t, exit);
            else {
                if (filled != begin) move(work, s.hidden_padded, begin, filled, tokens);
                places[stay++] = places[t];
                begins[stay] = filled += tokens;
            }
            begin = end;
        }
        places.resize(stay);
        if (!stay) return;
    }
    const int count = int(places.size());
    finish(m, work, begins.data(), count, answers.data(), crew);
    for (int t = 0; t < count; t++) answered(t, exits);
}

// ---- making it -----------------------------------------------------------------------------------------------------

void* make(const void* shape, const LayerShape* layers, const void* const* arrays) try {
    auto m = std::make_unique<Model>();
    const Shape& s = m->shape = *static_cast<const Shape*>(shape);
    size_t weights = READ_AHEAD;
    const auto count = [&](int in, int out) { weights += size_t(in) * out; };
    const int ups = s.gated ? 2 : 1;
    for (int i = 0; i < s.layers; i++) {
        const int inner = layers[i].heads * s.head_padded;
        count(s.hidden_padded, 4 * inner);
        count(s.hidden_padded, (ups + 1) * layers[i].ffn_padded);
        m->heads_width = std::max(m->heads_width, inner);
        m->inner_width = std::max(m->inner_width, ups * layers[i].ffn_padded);
    }
    for (int i = 0; i < s.layers; i++)
        if (layers[i].exits) count(s.hidden_padded, s.hidden_padded + s.labels_padded);
    count(s.embedding_padded, s.projects ? s.hidden_padded : 0);
    if (!s.vectors) count(s.hidden_padded, s.hidden_padded + s.labels_padded);
    m->inner_width = std::max(m->inner_width, s.labels_padded);
    m->widest = std::max({m->heads_width, m->inner_width, s.hidden_padded, s.embedding_padded});
    m->weights = block<int8_t>(weights);
    Arrays from{arrays, m->weights};
    m->word_bytes = from.take<int8_t>();
    m->words = from.take<float>();
    m->word_scales = from.take<float>();
    m->positions = from.take<float>();
    m->types = from.take<float>();
    const void* const* tables = from.next;
    from.next += s.tables;
    const auto table = [&](int number) { return number < 0 ? nullptr : static_cast<const float*>(tables[number]); };
    m->embeddings = from.norm(s.embedding_padded);
    if (s.projects) m->projection = from.linear(s.embedding_padded, s.hidden_padded);
    m->entry = from.norm(s.hidden_padded);
    for (int i = 0; i < s.layers; i++) {
        const LayerShape& told = layers[i];
        Layer layer{told.heads, told.ffn_padded, told.window, table(told.bias), table(told.cosines), table(told.sines),
                    {}, {}, {}, {}, {}, {}, {}, {}, {}, {}};
        const int inner = layer.heads * s.head_padded;
        if (i + 1 < s.layers || s.pooling != FIRST)
            layer.query_key_value = from.linear(s.hidden_padded, 3 * inner);
        else {
            layer.query = from.linear(s.hidden_padded, inner);
            layer.key_value = from.linear(s.hidden_padded, 2 * inner);
        }
        layer.output = from.linear(inner, s.hidden_padded);
        layer.attention_norm = from.norm(s.hidden_padded);
        layer.up = from.linear(s.hidden_padded, ups * layer.ffn);
        layer.down = from.linear(layer.ffn, s.hidden_padded);
        layer.ffn_norm = from.norm(s.hidden_padded);
        m->layers.push_back(std::move(layer));
    }
    if (s.pooling != EVERY && !s.vectors) m->pooler = from.linear(s.hidden_padded, s.hidden_padded);
    if (s.normalises_head) m->head_norm = from.norm(s.hidden_padded);
    if (!s.vectors) m->classifier = from.linear(s.hidden_padded, s.labels_padded);
    for (int i = 0; i < s.layers; i++)
        if (layers[i].exits) {
            m->layers[i].exit_dense = from.linear(s.hidden_padded, s.hidden_padded);
            m->layers[i].exit_classifier = from.linear(s.hidden_padded, s.labels_padded);
        }
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

// call(model, workspace, crew), if the texts are in range.
template <class F>
int served(void* model, const int32_t* ids, const int32_t* types, const int32_t* starts, int texts, int threads,
           const F& call) try {
    Model& m = *static_cast<Model*>(model);
    if (!in_range(m.shape, ids, types, starts, texts)) return OUT_OF_RANGE;
    const int tokens = starts[texts] - starts[0];
    m.calls.serve(
        threads, [&](const Workspace& work) { return work.tokens >= tokens; },
        [&](const Workspace*) { return workspace(m, tokens); },
        [&](Workspace& work, Crew* crew) { call(m, work, crew); });
    return DONE;
} catch (const std::exception&) {  // no memory, or no thread
    return NO_MEMORY;
}

int infer(void* model, const int32_t* ids, const int32_t* types, const int32_t* starts, int texts, int threads,
          float* logits) {
    return served(model, ids, types, starts, texts, threads, [&](const Model& m, Workspace& work, Crew* crew) {
        run(m, work, ids, types, starts, texts, logits, crew);
    });
}

int infer_leaving(void* model, const int32_t* ids, const int32_t* types, const int32_t* starts, int texts, int threads,
                  const Rule* rules, float* logits, int32_t* left_at) {
    return served(model, ids, types, starts, texts, threads, [&](const Model& m, Workspace& work, Crew* crew) {
        run_leaving(m, work, ids, types, starts, texts, rules, logits, left_at, crew);
    });
}

}  // namespace

#define JOINED(a, b) a##b
#define NAMED(level) JOINED(leanformer_encoder_, level)
extern "C" {
extern const Level NAMED(LEVEL);
const Level NAMED(LEVEL) = {make, discard<Model>, infer, rouse<Model>, infer_leaving};
}

// A bidirectional LSTM of one layer with 8-bit linear maps, a projection and logits, for one instruction set.
//
// All texts of a call go forward together, the longest first, so that those that are not over yet are the first rows of
// every step: nothing is padded. Every row of every product has its own scale, computed from its own values. So the bits
// of an answer do not depend on what else is in the call. fp32 are the gates, the cells and the activation functions.
//
// Widths are padded with zero weights by the caller to 16; a unit that is filled up has nothing in its cell and says
// nothing.
#include <array>
#include <exception>
#include <numeric>

#include "arrays.h"
#include "calls.h"
#include "encoder.h"
#include "linear.h"

namespace {

struct Direction {
    Linear input, state;  // to the gates i, o, f, c, each as wide as the units
};

// What one direction needs beside its weights.
struct Way {
    Rows inputs, states;
    Block<float> given, gates, cells, hidden;
};

struct Workspace {
    int tokens = 0, texts = 0;
    Way ways[2];
    Block<float> read, state, logits;
    Rows rows;
    Block<int> order;
};

struct Model {
    RecurrentShape shape;
    Block<int8_t> weights;
    const int8_t* words;
    const float* word_scales;
    Direction ways[2];
    Linear projection, head;
    Calls<Workspace> calls;
};

// Rows whose products with the input weights are made at once: enough that weights are not read for every few of them,
// and little enough that the products stay in a core's own cache.
constexpr int AT_ONCE = 64;

inline Floats sigmoid(Floats x) { return 0.5f * tanh_of(0.5f * x) + 0.5f; }

// The table's rows have a scale each and zero in the middle.
inline void look_up(const Model& m, int32_t id, Rows& to, size_t r) {
    const int width = m.shape.embedding, padded = m.shape.embedding_padded;
    constexpr int ZERO = 128 + LOWEST;
    const int8_t* from = m.words + size_t(id) * width;
    uint8_t* values = to.values.get() + r * padded;
    for (int c = 0; c < width; c++) values[c] = uint8_t(from[c] + ZERO);
    std::memset(values + width, uint8_t(ZERO), padded - width);
    to.scale[r] = m.word_scales[id];
    to.zero[r] = ZERO;
}

// One row: what its gates were given, plus what its last state gives them, to its next cell and state.
void step(const float* given, const float* added, float* cell, float* hidden, int units) {
    for (int u = 0; u < units; u += LANES) {
        Floats gate[4];
        for (int g = 0; g < 4; g++) gate[g] = load(given + g * units + u);
        if (added)
            for (int g = 0; g < 4; g++) gate[g] += load(added + g * units + u);
        const Floats kept = sigmoid(gate[2]) * load(cell + u), fresh = sigmoid(gate[0]) * tanh_of(gate[3]);
        const Floats now = kept + fresh;
        store(cell + u, now);
        store(hidden + u, sigmoid(gate[1]) * tanh_of(now));
    }
}

// One direction over all texts. Of `read`, `[tokens or texts][2][units]`, it fills its own half.
void go(const Model& m, int side, const int32_t* ids, const int32_t* starts, const int* order, int texts, Way& way,
        float* read) {
    const Direction& direction = m.ways[side];
    const int units = m.shape.units_padded, gates = 4 * units;
    const auto length = [&](int r) { return starts[order[r] + 1] - starts[order[r]]; };
    // Where in the call's tokens text `r` of the order is read at step `t`.
    const auto place = [&](int r, int t) {
        return starts[order[r]] + (side ? length(r) - 1 - t : t);
    };
    const int longest = length(0);
    int active = texts;
    std::memset(way.cells.get(), 0, size_t(active) * units * sizeof(float));
    // Texts at each of the steps whose products are made at once; after the first of these every step adds one or more.
    std::array<int, AT_ONCE> counts;
    for (int t = 0; t < longest;) {
        int steps = 0, filled = 0;
        for (int ahead = t; ahead < longest; ahead++) {
            while (length(active - 1) <= ahead) active--;
            if (filled && filled + active > AT_ONCE) break;
            for (int r = 0; r < active; r++) look_up(m, ids[place(r, ahead)], way.inputs, size_t(filled) + r);
            filled += active;
            counts[steps++] = active;
        }
        multiply(direction.input, way.inputs, filled, way.given.get());
        const float* given = way.given.get();
        for (int n = 0; n < steps; n++) {
            const int count = counts[n];
            if (t) {
                for (int r = 0; r < count; r++) quantise(way.hidden.get() + size_t(r) * units, units, way.states, r);
                multiply(direction.state, way.states, count, way.gates.get());
            }
            for (int r = 0; r < count; r++, given += gates) {
                float* hidden = way.hidden.get() + size_t(r) * units;
                step(given, t ? way.gates.get() + size_t(r) * gates : nullptr, way.cells.get() + size_t(r) * units,
                     hidden, units);
                const size_t to = m.shape.ends ? order[r] : place(r, t) - starts[0];
                std::memcpy(read + (2 * to + side) * units, hidden, units * sizeof(float));
            }
            t++;
        }
    }
}

void run(const Model& m, Workspace& work, const int32_t* ids, const int32_t* starts, int texts, float* logits,
         Crew* crew) {
    const RecurrentShape& s = m.shape;
    int* order = work.order.get();
    std::iota(order, order + texts, 0);
    const auto length = [&](int i) { return starts[i + 1] - starts[i]; };
    std::sort(order, order + texts, [&](int a, int b) { return length(a) != length(b) ? length(a) > length(b) : a < b; });
    each(crew, 2, [&](int side) { go(m, side, ids, starts, order, texts, work.ways[side], work.read.get()); });
    const int rows = s.ends ? texts : starts[texts] - starts[0];
    for (int r = 0; r < rows; r++)
        quantise(work.read.get() + size_t(r) * 2 * s.units_padded, 2 * s.units_padded, work.rows, r);
    multiply(m.projection, work.rows, rows, work.state.get(), GELU, crew);
    for (int r = 0; r < rows; r++)
        quantise(work.state.get() + size_t(r) * s.projection_padded, s.projection_padded, work.rows, r);
    multiply(m.head, work.rows, rows, work.logits.get());
    for (int r = 0; r < rows; r++)
        std::memcpy(logits + size_t(r) * s.labels, work.logits.get() + size_t(r) * s.labels_padded,
                    s.labels * sizeof(float));
}

Rows rows_of(size_t count, int width) {
    return {block<uint8_t>(count * width), block<float>(count), block<int32_t>(count)};
}

std::unique_ptr<Workspace> workspace(const Model& m, int tokens, int texts) {
    const RecurrentShape& s = m.shape;
    auto work = std::make_unique<Workspace>();
    work->tokens = tokens;
    work->texts = texts;
    const size_t read = s.ends ? texts : tokens, once = std::max(AT_ONCE, texts), units = s.units_padded;
    for (Way& way : work->ways) {
        way.inputs = rows_of(once, s.embedding_padded);
        way.states = rows_of(texts, s.units_padded);
        way.given = block<float>(once * 4 * units);
        way.gates = block<float>(texts * 4 * units);
        way.cells = block<float>(texts * units);
        way.hidden = block<float>(texts * units);
    }
    work->order = block<int>(texts);
    work->read = block<float>(read * 2 * units);
    work->state = block<float>(read * s.projection_padded);
    work->logits = block<float>(read * s.labels_padded);
    work->rows = rows_of(read, std::max(2 * s.units_padded, s.projection_padded));
    return work;
}

void* make(const void* shape, const LayerShape*, const void* const* arrays) try {
    auto m = std::make_unique<Model>();
    const RecurrentShape& s = m->shape = *static_cast<const RecurrentShape*>(shape);
    const int gates = 4 * s.units_padded;
    m->weights = block<int8_t>(2 * size_t(gates) * (s.embedding_padded + s.units_padded) +
                               size_t(2 * s.units_padded + s.labels_padded) * s.projection_padded + READ_AHEAD);
    Arrays from{arrays, m->weights};
    m->words = from.take<int8_t>();
    m->word_scales = from.take<float>();
    for (Direction& way : m->ways) {
        way.input = from.linear(s.embedding_padded, gates);
        way.state = from.linear(s.units_padded, gates);
    }
    m->projection = from.linear(2 * s.units_padded, s.projection_padded);
    m->head = from.linear(s.projection_padded, s.labels_padded);
    return m.release();
} catch (const std::bad_alloc&) {
    return nullptr;
}

bool in_range(const RecurrentShape& s, const int32_t* ids, const int32_t* starts, int texts) {
    for (int t = 0; t < texts; t++)
        if (starts[t + 1] <= starts[t]) return false;
    bool good = true;
    for (int i = starts[0]; i < starts[texts]; i++) good &= uint32_t(ids[i]) < uint32_t(s.vocabulary);
    return good;
}

// Token types are not read.
int infer(void* model, const int32_t* ids, const int32_t*, const int32_t* starts, int texts, int threads,
          float* logits) try {
    Model& m = *static_cast<Model*>(model);
    if (!in_range(m.shape, ids, starts, texts)) return OUT_OF_RANGE;
    const int tokens = starts[texts] - starts[0];
    m.calls.serve(
        threads, [&](const Workspace& work) { return work.tokens >= tokens && work.texts >= texts; },
        [&](const Workspace* small) {
            return workspace(m, std::max(tokens, small ? small->tokens : 0), std::max(texts, small ? small->texts : 0));
        },
        [&](Workspace& work, Crew* crew) { run(m, work, ids, starts, texts, logits, crew); });
    return DONE;
} catch (const std::exception&) {  // no memory, or no thread
    return NO_MEMORY;
}

}  // namespace

#define JOINED(a, b) a##b
#define NAMED(level) JOINED(leanformer_recurrent_, level)
extern "C" {
extern const Level NAMED(LEVEL);
const Level NAMED(LEVEL) = {make, discard<Model>, infer, rouse<Model>};
}

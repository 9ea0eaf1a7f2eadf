// Sums of table rows over the n-grams of texts. All arithmetic is in whole numbers, so the result is that of
// `tiny/model.py` to the last bit, in any order and with any instruction set.
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <thread>
#include <vector>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

extern "C" {
// As in leanformer/tiny/native.py. Without `hashes`, a row is the hash modulo `rows`.
struct NgramGroup {
    const void* table;
    const uint32_t* hashes;
    const uint16_t* idf;
    int64_t rows;
    int32_t words, least, most, wide;  // `wide`: the table is int16
};
}

namespace {

constexpr uint64_t BASE = 0x9E3779B97F4A7C15u;
constexpr int STEP = 8, SHIFT = 8, TEXTS_AT_ONCE = 16;
typedef int32_t Eight __attribute__((vector_size(4 * STEP)));

// Punctuation marks and white space as in linear/ngrams.py; what is both is a mark.
inline bool is_mark(int32_t c) {
    if (c < 0x80) return (c >= 0x21 && c <= 0x2f) || (c >= 0x3a && c <= 0x40) || (c >= 0x5b && c <= 0x60) ||
                         (c >= 0x7b && c <= 0x7e);
    return (c >= 0x2010 && c <= 0x2027) || (c >= 0x2030 && c <= 0x205e) || (c >= 0x3000 && c <= 0x303f);
}

inline bool is_space(int32_t c) {
    if (c < 0x80) return (c >= 9 && c <= 13) || (c >= 0x1c && c <= 0x20);
    return c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 ||
           c == 0x202f || c == 0x205f;
}

inline uint32_t mixed(uint64_t value) {
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9u;
    value = (value ^ (value >> 27)) * 0x94D049BB133111EBu;
    return uint32_t((value ^ (value >> 31)) >> 32);
}

struct Slot {
    uint32_t hash, row;  // `row` is one more than the row; 0 is an empty slot
};

struct Table {
    NgramGroup group;
    std::vector<uint8_t> values;  // rows padded to a multiple of STEP columns
    std::vector<Slot> slots;
    uint32_t mask = 0;

    Table(const NgramGroup& given, int width, int padded) : group(given) {
        const size_t size = given.wide ? 2 : 1;
        values.assign(size_t(given.rows) * padded * size, 0);
        for (int64_t row = 0; row < given.rows; row++)
            std::memcpy(values.data() + size_t(row) * padded * size,
                        static_cast<const uint8_t*>(given.table) + size_t(row) * width * size, width * size);
        if (!given.hashes) return;
        size_t capacity = 16;
        while (capacity < size_t(given.rows) * 2) capacity *= 2;
        slots.assign(capacity, Slot{0, 0});
        mask = uint32_t(capacity - 1);
        for (int64_t row = 0; row < given.rows; row++) {
            uint32_t place = given.hashes[row] & mask;
            while (slots[place].row) place = (place + 1) & mask;
            slots[place] = Slot{given.hashes[row], uint32_t(row + 1)};
        }
    }

    int64_t find(uint32_t hash) const {
        if (slots.empty()) return int64_t(hash % uint32_t(group.rows));
        for (uint32_t place = hash & mask; slots[place].row; place = (place + 1) & mask)
            if (slots[place].hash == hash) return int64_t(slots[place].row) - 1;
        return -1;
    }
};

// part[j] += value * row[j]; a part is added to the sums before it could overflow.
template <class T, class Narrow, int MOST>
__attribute__((always_inline)) inline void add_rows(const T* table, int padded, const uint32_t* rows,
                                                    const int32_t* values, int count, int32_t* part, int64_t* sums) {
    for (int first = 0; first < count; first += MOST) {
        std::memset(part, 0, sizeof(int32_t) * padded);
        const int last = std::min(count, first + MOST);
        for (int i = first; i < last; i++) {
            const T* row = table + size_t(rows[i]) * padded;
            const int32_t value = values[i];
            for (int j = 0; j < padded; j += STEP) {
                Narrow narrow;
                Eight total;
                std::memcpy(&narrow, row + j, sizeof narrow);
                std::memcpy(&total, part + j, sizeof total);
                total += __builtin_convertvector(narrow, Eight) * value;
                std::memcpy(part + j, &total, sizeof total);
            }
        }
        for (int j = 0; j < padded; j++) sums[j] += part[j];
    }
}

typedef int8_t Eight8 __attribute__((vector_size(STEP)));
typedef int16_t Eight16 __attribute__((vector_size(2 * STEP)));

// A value is below 2^13 and an entry below 2^7 or 2^15.
__attribute__((always_inline)) inline void add_any(const Table& table, int padded, const uint32_t* rows,
                                                   const int32_t* values, int count, int32_t* part, int64_t* sums) {
    if (table.group.wide)
        add_rows<int16_t, Eight16, 8>(reinterpret_cast<const int16_t*>(table.values.data()), padded, rows, values,
                                      count, part, sums);
    else
        add_rows<int8_t, Eight8, 2048>(reinterpret_cast<const int8_t*>(table.values.data()), padded, rows, values,
                                       count, part, sums);
}

void add_generic(const Table& table, int padded, const uint32_t* rows, const int32_t* values, int count, int32_t* part,
                 int64_t* sums) {
    add_any(table, padded, rows, values, count, part, sums);
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) void add_avx2(const Table& table, int padded, const uint32_t* rows,
                                              const int32_t* values, int count, int32_t* part, int64_t* sums) {
    add_any(table, padded, rows, values, count, part, sums);
}

// Whether the CPU has AVX2 and the operating system saves its registers (Intel's manual, volume 1, 14.3).
bool has_avx2() {
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & 1u << 27)) return false;
    unsigned saved, high;
    asm("xgetbv" : "=a"(saved), "=d"(high) : "c"(0));
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (saved & 0x06) == 0x06 && b & 1u << 5;
}
#else
bool has_avx2() { return false; }
#endif

struct Model {
    int width, padded;
    std::vector<Table> tables;
    std::vector<int32_t> factors;  // of counts 1, 2, ...
};

// Of one thread.
struct Workspace {
    std::vector<int32_t> line, part, values;
    std::vector<int> starts, stops;  // of the words in the line
    std::vector<uint32_t> rows, counts, slots;
    std::vector<int64_t> sums;
};

// " word word ", as in linear/ngrams.py.
void split(const int32_t* codes, int64_t length, Workspace& w) {
    w.line.assign(1, ' ');
    w.starts.clear();
    w.stops.clear();
    for (int64_t i = 0; i < length;) {
        const int32_t c = codes[i];
        const bool mark = is_mark(c);
        if (!mark && is_space(c)) {
            i++;
            continue;
        }
        w.starts.push_back(int(w.line.size()));
        do w.line.push_back(codes[i++]);
        while (!mark && i < length && !is_mark(codes[i]) && !is_space(codes[i]));
        w.stops.push_back(int(w.line.size()));
        w.line.push_back(' ');
    }
}

template <class Emit>
void each_gram(const NgramGroup& group, const Workspace& w, const Emit& emit) {
    const int words = int(w.starts.size());
    for (int word = 0; word < words; word++) {
        if (group.words) {
            uint64_t value = 0, power = 1;
            int at = w.starts[word];
            for (int n = 1; n <= group.most && word + n <= words; n++) {
                for (const int stop = w.stops[word + n - 1]; at < stop; at++, power *= BASE)
                    value += (uint64_t(uint32_t(w.line[at])) + 1) * power;
                if (n >= group.least) emit(mixed(value));
            }
            continue;
        }
        const int first = w.starts[word] - 1, last = w.stops[word];  // with the blanks around it
        for (int start = first; start < last; start++) {
            uint64_t value = 0, power = 1;
            for (int n = 1; n <= group.most && start + n - 1 <= last; n++, power *= BASE) {
                value += (uint64_t(uint32_t(w.line[start + n - 1])) + 1) * power;
                if (n >= group.least && (n > 1 || start > first)) emit(mixed(value));
            }
        }
    }
}

// The distinct rows with their counts, in the order of their first occurrence.
void count_rows(Workspace& w) {
    size_t capacity = 16;
    int shift = 28;
    while (capacity < w.rows.size() * 2) capacity *= 2, shift--;
    w.slots.assign(capacity, 0);
    w.counts.clear();
    size_t kept = 0;
    for (const uint32_t row : w.rows) {
        uint32_t place = (row * 0x9E3779B1u) >> shift;
        while (w.slots[place] && w.rows[w.slots[place] - 1] != row) place = (place + 1) & (capacity - 1);
        if (w.slots[place]) {
            w.counts[w.slots[place] - 1]++;
            continue;
        }
        w.rows[kept++] = row;  // never ahead of what is read
        w.slots[place] = uint32_t(kept);
        w.counts.push_back(1);
    }
    w.rows.resize(kept);
}

void sum_text(const Model& model, const int32_t* codes, int64_t length, bool avx2, Workspace& w, int64_t* sums,
              int64_t* norms) {
    split(codes, length, w);
    w.part.resize(model.padded);
    for (size_t g = 0; g < model.tables.size(); g++) {
        const Table& table = model.tables[g];
        const size_t bytes = size_t(model.padded) * (table.group.wide ? 2 : 1);
        w.rows.clear();
        each_gram(table.group, w, [&](uint32_t hash) {
            const int64_t row = table.find(hash);
            if (row < 0) return;
            __builtin_prefetch(table.values.data() + size_t(row) * bytes);
            w.rows.push_back(uint32_t(row));
        });
        if (table.group.hashes) {
            count_rows(w);
            w.values.resize(w.rows.size());
            int64_t norm = 0;
            for (size_t i = 0; i < w.rows.size(); i++) {
                const size_t count = std::min(size_t(w.counts[i]), model.factors.size());
                const int32_t value = (int32_t(table.group.idf[w.rows[i]]) * model.factors[count - 1]) >> SHIFT;
                w.values[i] = value;
                norm += int64_t(value) * value;
            }
            norms[g] = norm;
        } else {
            w.values.assign(w.rows.size(), 1);
            norms[g] = int64_t(w.rows.size());
        }
        w.sums.assign(model.padded, 0);
        const int count = int(w.rows.size());
#if defined(__x86_64__)
        (avx2 ? add_avx2 : add_generic)(table, model.padded, w.rows.data(), w.values.data(), count, w.part.data(),
                                        w.sums.data());
#else
        add_generic(table, model.padded, w.rows.data(), w.values.data(), count, w.part.data(), w.sums.data());
#endif
        std::memcpy(sums + g * model.width, w.sums.data(), sizeof(int64_t) * model.width);
    }
}

}  // namespace

extern "C" {

int leanformer_ngrams_avx2() { return has_avx2(); }

// Null if there is not enough memory. Tables are copied; the arrays `hashes` and `idf` must live as long as the model.
void* leanformer_ngrams_make(const NgramGroup* groups, int count, int width, const int32_t* factors, int factor_count)
try {
    auto model = std::make_unique<Model>();
    model->width = width;
    model->padded = (width + STEP - 1) / STEP * STEP;
    model->factors.assign(factors, factors + factor_count);
    model->tables.reserve(count);
    for (int g = 0; g < count; g++) model->tables.emplace_back(groups[g], width, model->padded);
    return model.release();
} catch (const std::bad_alloc&) {
    return nullptr;
}

void leanformer_ngrams_discard(void* model) { delete static_cast<Model*>(model); }

// Text i has the code points from starts[i] to starts[i + 1]. Returns 0, or 1 if there is not enough memory.
int leanformer_ngrams_sums(const void* given, const int32_t* codes, const int64_t* starts, int texts, int threads,
                           int avx2, int64_t* sums, int64_t* norms) {
    const Model& model = *static_cast<const Model*>(given);
    const size_t groups = model.tables.size();
    std::atomic<int> next{0};
    std::atomic<bool> failed{false};
    const auto work = [&] {
        try {
            Workspace w;
            for (int first; (first = next.fetch_add(TEXTS_AT_ONCE)) < texts;)
                for (int i = first; i < std::min(texts, first + TEXTS_AT_ONCE); i++)
                    sum_text(model, codes + starts[i], starts[i + 1] - starts[i], avx2, w,
                             sums + i * groups * model.width, norms + i * groups);
        } catch (const std::bad_alloc&) {
            failed = true;
        }
    };
    // A thread is worth starting for a hundred texts or more.
    std::vector<std::thread> helpers;
    try {
        for (int t = 1; t < std::min(threads, texts / 100); t++) helpers.emplace_back(work);
    } catch (const std::exception&) {  // fewer threads do the work as well
    }
    work();
    for (auto& helper : helpers) helper.join();
    return failed;
}

}  // extern "C"

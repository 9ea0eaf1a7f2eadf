// What the library's parts know of each other. Everything is plain C, for Python's ctypes.
#pragma once

#include <cstddef>
#include <cstdint>

enum Function : int32_t { NONE, GELU, GELU_TANH, RELU, TANH };

// The Python side fills the same fields in the same order (weights.py, recurrent.py).
struct Shape {
    int32_t hidden, hidden_padded, embedding, embedding_padded, head_padded, layers, labels, labels_padded;
    int32_t activation, head_activation, projects, normalises_head;
    int32_t vocabulary, positions, types;  // rows of the tables
    int32_t per_token;                     // whether there are logits for every token, from a head of one map
    float epsilon;
};

struct LayerShape {
    int32_t heads, ffn_padded;
};

// Of a recurrent model.
struct RecurrentShape {
    int32_t embedding, embedding_padded, units, units_padded, projection, projection_padded, labels, labels_padded;
    int32_t vocabulary;
    int32_t ends;  // whether one answer is read from where both directions end, rather than one from every token
};

// What `infer` returns.
enum Outcome : int32_t { DONE, NO_MEMORY, OUT_OF_RANGE };

// One instruction set's functions, for encoders, or for recurrent models, which do not look at `layers`. `make` returns
// null when there is not enough memory. The tables of embeddings, which come first among the arrays, are read where they
// lie: they must be aligned as their type, and stay as long as the model.
struct Level {
    void* (*make)(const void* shape, const LayerShape*, const void* const* arrays);
    void (*discard)(void* model);
    int (*infer)(void* model, const int32_t* ids, const int32_t* types, const int32_t* starts, int texts, int threads,
                 float* logits);
    void (*rouse)(void* model, int threads);
};

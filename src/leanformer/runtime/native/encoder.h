// What the library's parts know of each other. Everything is plain C, for Python's ctypes.
#pragma once

#include <cstddef>
#include <cstdint>

enum Function : int32_t { NONE, GELU, GELU_TANH, RELU, TANH };

// The Python side fills the same fields in the same order (shape.py).
struct Shape {
    int32_t hidden, hidden_padded, embedding, embedding_padded, head_padded, layers, labels, labels_padded;
    int32_t activation, head_activation, projects, normalises_head;
    int32_t vocabulary, positions, types;  // rows of the tables
    float epsilon;
};

struct LayerShape {
    int32_t heads, ffn_padded;
};

// What `infer` returns.
enum Outcome : int32_t { DONE, NO_MEMORY, OUT_OF_RANGE };

// One instruction set's functions. `make` returns null when there is not enough memory.
struct Level {
    void* (*make)(const Shape*, const LayerShape*, const void* const* arrays);
    void (*discard)(void* model);
    int (*infer)(void* model, const int32_t* ids, const int32_t* types, const int32_t* starts, int texts, int threads,
                 float* logits);
    void (*rouse)(void* model, int threads);
};

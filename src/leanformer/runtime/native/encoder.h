// What the library's parts know of each other. Everything is plain C, for Python's ctypes.
#pragma once

#include <cstddef>
#include <cstdint>

enum Function : int32_t { NONE, GELU, GELU_TANH, RELU, TANH };

// What the head reads: the first token of each text, the mean of its tokens, or every token, which it maps once.
enum Pooling : int32_t { FIRST, MEAN, EVERY };

// The Python side fills the same fields in the same order (weights.py, recurrent.py).
struct Shape {
    int32_t hidden, hidden_padded, embedding, embedding_padded, head_size, head_padded, layers, labels, labels_padded;
    int32_t activation, head_activation, projects, normalises_head;
    int32_t vocabulary, positions, types;  // rows of the tables
    int32_t pooling, vectors;              // `vectors`: what is pooled is the answer
    int32_t norm_first, gated;             // norms before attention and feed-forward block; the block has a gate
    int32_t tables, bias_width;            // of biases and angles, see LayerShape; floats in a row of biases
    float epsilon;
};

// `bias`, `cosines` and `sines` are numbers of tables, or -1. A table of biases has a row for each head, with a bias for
// each distance from -(positions - 1) on; tables of angles have a row for each position. `window` is the largest distance
// that attention reaches, or -1. `exits`: a head behind this layer can answer; never behind the last one.
struct LayerShape {
    int32_t heads, ffn_padded, bias, cosines, sines, window, exits;
};

// When a text leaves at an exit: its largest probability, in softmax(logits / temperature), is at least `threshold`. With
// a threshold above 1 the exit is not asked.
struct Rule {
    double temperature, threshold;
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
// null when there is not enough memory. The tables, which come first among the arrays, are read where they lie: they must be
// aligned as their type, and stay as long as the model.
struct Level {
    void* (*make)(const void* shape, const LayerShape*, const void* const* arrays);
    void (*discard)(void* model);
    int (*infer)(void* model, const int32_t* ids, const int32_t* types, const int32_t* starts, int texts, int threads,
                 float* logits);
    void (*rouse)(void* model, int threads);
    // The same as `infer` with a rule for each exit, and in `left_at` the exit at which each text left, from 0, or the number
    // of exits. Null for recurrent models.
    int (*infer_leaving)(void* model, const int32_t* ids, const int32_t* types, const int32_t* starts, int texts,
                         int threads, const Rule* rules, float* logits, int32_t* left_at);
};

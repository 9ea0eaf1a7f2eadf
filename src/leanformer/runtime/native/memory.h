// Blocks of memory, aligned for vectors.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace {

struct Free {
    void operator()(void* memory) const { std::free(memory); }
};
template <class T>
using Block = std::unique_ptr<T[], Free>;

// Aligned to a cache line; large blocks to a huge page, and asked to be in such.
template <class T>
Block<T> block(size_t count) {
    constexpr size_t LARGE = size_t(1) << 21;
    const size_t align = count * sizeof(T) >= LARGE / 2 ? LARGE : 64;
    const size_t bytes = (std::max<size_t>(count, 1) * sizeof(T) + align - 1) / align * align;
    void* memory = std::aligned_alloc(align, bytes);
    if (!memory) throw std::bad_alloc();
#if defined(__linux__)
    if (align == LARGE) madvise(memory, bytes, MADV_HUGEPAGE);
#endif
    std::memset(memory, 0, bytes);
    return Block<T>(static_cast<T*>(memory));
}

Block<float> copied(const float* from, size_t count) {
    auto result = block<float>(count);
    std::memcpy(result.get(), from, count * sizeof(float));
    return result;
}

}  // namespace

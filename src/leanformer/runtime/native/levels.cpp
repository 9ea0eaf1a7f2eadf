// The one library for every CPU of an architecture: chooses among what was compiled in.
#include "encoder.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

extern "C" {
extern const Level leanformer_encoder_generic, leanformer_recurrent_generic;
#if defined(__x86_64__)
extern const Level leanformer_encoder_avx512vnni, leanformer_encoder_avx2;
extern const Level leanformer_recurrent_avx512vnni, leanformer_recurrent_avx2;
#endif
}

namespace {

#if defined(__x86_64__)
// Which of the two the CPU has and the operating system saves (Intel's manual, volume 1, 13.3 and 14.3). Asked of the
// CPU itself, because the compilers' own helper for it cannot be linked into a library by all of them.
void supported(bool& avx2, bool& avx512vnni) {
    unsigned a, b, c, d;
    avx2 = avx512vnni = false;
    if (!__get_cpuid(1, &a, &b, &c, &d)) return;
    constexpr unsigned FMA = 1u << 12, OSXSAVE = 1u << 27;
    if ((c & (FMA | OSXSAVE)) != (FMA | OSXSAVE)) return;
    unsigned saved, high;
    asm("xgetbv" : "=a"(saved), "=d"(high) : "c"(0));
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return;
    avx2 = (saved & 0x06) == 0x06 && b & 1u << 5;
    constexpr unsigned F = 1u << 16, DQ = 1u << 17, BW = 1u << 30, VL = 1u << 31, VNNI = 1u << 11;
    avx512vnni = (saved & 0xe6) == 0xe6 && (b & (F | DQ | BW | VL)) == (F | DQ | BW | VL) && c & VNNI;
}
#endif

bool same(const char* a, const char* b) {
    while (*a && *a == *b) a++, b++;
    return *a == *b;
}

}  // namespace

// The functions of an instruction set by name, for recurrent models or for encoders; null where the CPU has it not, or
// the library.
extern "C" const Level* leanformer_level(const char* name, int recurrent) {
#if defined(__x86_64__)
    bool avx2, avx512vnni;
    supported(avx2, avx512vnni);
    if (avx512vnni && same(name, "avx512vnni"))
        return recurrent ? &leanformer_recurrent_avx512vnni : &leanformer_encoder_avx512vnni;
    if (avx2 && same(name, "avx2")) return recurrent ? &leanformer_recurrent_avx2 : &leanformer_encoder_avx2;
#endif
    if (!same(name, "generic")) return nullptr;
    return recurrent ? &leanformer_recurrent_generic : &leanformer_encoder_generic;
}

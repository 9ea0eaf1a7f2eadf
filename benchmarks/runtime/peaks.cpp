// What one core multiplies at best: products a second of each kind of instruction that kernels are made of.
//
// Every loop keeps its operands in registers and has enough sums that no addition waits for the one before it, so the
// arithmetic alone limits it. The loops are written in the machine's own instructions: a compiler would drop what nobody
// reads, or move sums out to memory. Registers begin with zeros, since numbers that are not normal can be slow.
#include <chrono>
#include <cstdint>

#define CLEARED(i) "vpxor %%ymm" #i ", %%ymm" #i ", %%ymm" #i "\n\t"
#define TWELVE(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11)
#define SIXTEEN(X) TWELVE(X) X(12) X(13) X(14) X(15)

#define LOOP(BODY)                                                                                               \
    asm volatile(SIXTEEN(CLEARED) "1:\n\t" BODY "dec %0\n\tjnz 1b\n\tvzeroupper\n\t"                             \
                 : "+r"(turns)                                                                                   \
                 :                                                                                               \
                 : "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", \
                   "xmm11", "xmm12", "xmm13", "xmm14", "xmm15")

#define FLOATS(i) "vfmadd231ps %%ymm12, %%ymm13, %%ymm" #i "\n\t"
#define WIDE_FLOATS(i) "vfmadd231ps %%zmm12, %%zmm13, %%zmm" #i "\n\t"
#define WORDS(i) "vpmaddwd %%ymm12, %%ymm13, %%ymm15\n\tvpaddd %%ymm15, %%ymm" #i ", %%ymm" #i "\n\t"
#define SUMMED(i) "vpmaddwd %%ymm15, %%ymm14, %%ymm15\n\tvpaddd %%ymm15, %%ymm" #i ", %%ymm" #i "\n\t"
#define BYTES(i) "vpmaddubsw %%ymm12, %%ymm13, %%ymm15\n\t" SUMMED(i)
#define SIGNED_BYTES(i) "vpsignb %%ymm13, %%ymm12, %%ymm15\n\tvpmaddubsw %%ymm15, %%ymm13, %%ymm15\n\t" SUMMED(i)
#define DOTS(i) "%{vex%} vpdpbusd %%ymm12, %%ymm13, %%ymm" #i "\n\t"
#define WIDE_DOTS(i) "vpdpbusd %%zmm12, %%zmm13, %%zmm" #i "\n\t"

namespace {

constexpr uint64_t TURNS = 100'000;

template <class Loop>
double best(int products, int rounds, Loop loop) {
    double most = 0;
    for (int round = 0; round < rounds; round++) {
        const auto start = std::chrono::steady_clock::now();
        loop(TURNS);
        const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
        const double rate = double(TURNS) * products / taken.count();
        if (rate > most) most = rate;
    }
    return most;
}

}  // namespace

// Products a second, the best of so many rounds. The caller knows which instructions the CPU has.
extern "C" {
double fp32(int rounds) { return best(12 * 8, rounds, [](uint64_t turns) { LOOP(TWELVE(FLOATS)); }); }
double fp32_512(int rounds) { return best(12 * 16, rounds, [](uint64_t turns) { LOOP(TWELVE(WIDE_FLOATS)); }); }
double int16(int rounds) { return best(12 * 16, rounds, [](uint64_t turns) { LOOP(TWELVE(WORDS)); }); }
double int8(int rounds) { return best(12 * 32, rounds, [](uint64_t turns) { LOOP(TWELVE(BYTES)); }); }
double int8_signed(int rounds) { return best(12 * 32, rounds, [](uint64_t turns) { LOOP(TWELVE(SIGNED_BYTES)); }); }
double vnni(int rounds) { return best(12 * 32, rounds, [](uint64_t turns) { LOOP(TWELVE(DOTS)); }); }
double vnni_512(int rounds) { return best(12 * 64, rounds, [](uint64_t turns) { LOOP(TWELVE(WIDE_DOTS)); }); }
}

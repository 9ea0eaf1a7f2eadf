// A few threads that share the items of one small task, and are never waited for while they do nothing.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

namespace {

inline void rest() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

// Helpers take items one by one, as the caller does. One that is late, or has lost its core to another process, finds
// nothing left to take; the caller waits only for items that were taken. A helper spins between two tasks, some fifty
// microseconds at most, and then sleeps; one that was roused spins four times as long for its first task.
class Crew {
  public:
    explicit Crew(int helpers) {
        for (int i = 0; i < helpers; i++) threads_.emplace_back([this] { help(); });
    }

    ~Crew() {
        {
            const std::lock_guard<std::mutex> guard(lock_);
            over_ = true;
        }
        wake_.notify_all();
        for (auto& one : threads_) one.join();
    }

    int helpers() const { return int(threads_.size()); }

    // There will be a task in a moment: whoever sleeps may wake up meanwhile.
    void rouse() {
        roused_.store(true, std::memory_order_seq_cst);
        if (asleep_.load(std::memory_order_seq_cst)) {
            const std::lock_guard<std::mutex> guard(lock_);
            wake_.notify_all();
        }
    }

    // call(context, i) for i below `count`, which is below 2^16; one task at a time. It must not throw: there would be
    // nobody to catch it in a helper, and the others would still be at work.
    void run(int count, void (*call)(const void*, int), const void* context) {
        call_ = call;
        context_ = context;
        done_.store(0, std::memory_order_relaxed);
        turn_++;
        ticket_.store(uint64_t(turn_) << 32 | uint64_t(count) << 16, std::memory_order_seq_cst);
        if (asleep_.load(std::memory_order_seq_cst)) {
            const std::lock_guard<std::mutex> guard(lock_);
            wake_.notify_all();
        }
        while (take()) {
        }
        for (int spins = 0; done_.load(std::memory_order_acquire) != count; spins++)
            spins < SPINS ? rest() : std::this_thread::yield();
    }

  private:
    static constexpr int SPINS = 1000, ROUSED_SPINS = 3000;

    static bool left(uint64_t ticket) { return (ticket & 0xffff) < (ticket >> 16 & 0xffff); }

    // Do one item, if one is left. The ticket holds the turn, the number of items and the next one, so that nobody
    // takes an item of a task that has ended; while an item is in work its task cannot end.
    bool take() {
        uint64_t ticket = ticket_.load(std::memory_order_acquire);
        while (left(ticket)) {
            if (!ticket_.compare_exchange_weak(ticket, ticket + 1, std::memory_order_acq_rel)) continue;
            call_(context_, int(ticket & 0xffff));
            done_.fetch_add(1, std::memory_order_release);
            return true;
        }
        return false;
    }

    void help() {
        for (int idle = 0;;) {
            if (take())
                idle = 0;
            else if (++idle < SPINS)
                rest();
            else {
                std::unique_lock<std::mutex> guard(lock_);
                asleep_.fetch_add(1, std::memory_order_seq_cst);
                wake_.wait(guard, [this] {
                    return over_ || roused_.load(std::memory_order_seq_cst) ||
                           left(ticket_.load(std::memory_order_seq_cst));
                });
                asleep_.fetch_sub(1, std::memory_order_seq_cst);
                if (over_) return;
                idle = roused_.exchange(false, std::memory_order_seq_cst) ? -ROUSED_SPINS : 0;
            }
        }
    }

    alignas(64) std::atomic<uint64_t> ticket_{0};
    alignas(64) std::atomic<int> done_{0};
    alignas(64) std::atomic<int> asleep_{0};
    std::atomic<bool> roused_{false};
    uint32_t turn_ = 0;
    void (*call_)(const void*, int) = nullptr;
    const void* context_ = nullptr;
    bool over_ = false;
    std::mutex lock_;
    std::condition_variable wake_;
    std::vector<std::thread> threads_;
};

// f(i) for i below `count`, shared with the crew if there is one.
template <class F>
void each(Crew* crew, int count, const F& f) {
    if (!crew || count < 2) {
        for (int i = 0; i < count; i++) f(i);
        return;
    }
    crew->run(count, [](const void* context, int i) { (*static_cast<const F*>(context))(i); }, &f);
}

}  // namespace

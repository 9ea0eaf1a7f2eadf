// Calls of one model that may come at the same time: each has a workspace, and one of them the crew.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "crew.h"

namespace {

template <class Workspace>
class Calls {
  public:
    // run(workspace, crew or null), in a workspace that `fits`, or one that is made from one that does not, or from null.
    template <class Fits, class Make, class Run>
    void serve(int threads, const Fits& fits, const Make& make, const Run& run) {
        std::unique_ptr<Workspace> work;
        {
            const std::lock_guard<std::mutex> guard(lock_);
            if (!idle_.empty()) {
                work = std::move(idle_.back());
                idle_.pop_back();
            }
        }
        if (!work || !fits(*work)) work = make(work.get());
        // A second call at the same time does its work alone.
        std::unique_lock<std::mutex> together(together_, std::defer_lock);
        const bool shared = threads > 1 && together.try_lock();
        if (shared) gather(threads);
        run(*work, shared ? crew_.get() : nullptr);
        const std::lock_guard<std::mutex> guard(lock_);
        idle_.push_back(std::move(work));
    }

    // A call with so many threads is about to come.
    void rouse(int threads) try {
        const std::unique_lock<std::mutex> together(together_, std::try_to_lock);
        if (threads < 2 || !together.owns_lock()) return;
        gather(threads);
        crew_->rouse();
    } catch (const std::exception&) {  // the call itself will say so
    }

  private:
    void gather(int threads) {
        if (!crew_ || crew_->helpers() != threads - 1) crew_ = std::make_unique<Crew>(threads - 1);
    }

    std::mutex lock_;
    std::vector<std::unique_ptr<Workspace>> idle_;
    std::mutex together_;  // held by the call that the crew works for
    std::unique_ptr<Crew> crew_;
};

// What a table of functions has for every kind of model.
template <class Model>
void discard(void* model) {
    delete static_cast<Model*>(model);
}

template <class Model>
void rouse(void* model, int threads) {
    static_cast<Model*>(model)->calls.rouse(threads);
}

}  // namespace

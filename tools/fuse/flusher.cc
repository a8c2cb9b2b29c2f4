#include "fuse/flusher.h"

#include <array>

#include <fmt/format.h>

namespace xip::fuse {

result<> flusher::start() {
  thread_.push_back(XIP_TRY(kthread::run("flusher", kernel_.memory(), [this] { run(); })));
  return {};
}

void flusher::stop() noexcept {
  {
    const mutex_guard guard{lock_};
    stopping_ = true;
  }
  changed_.wake_all();
  thread_.clear();
}

bool flusher::wait() noexcept {
  const mutex_guard guard{lock_};
  return !changed_.wait_until(lock_, monotonic_now() + interval_, [&]() XIP_NO_THREAD_SAFETY_ANALYSIS { return stopping_; });
}

void flusher::run() noexcept {
  bool failed = false;
  while (wait()) {
    const auto done = kernel_.sync();
    if (!done.has_value() && !failed) {
      std::array<char, 128> text;  // memory may be what is missing
      const auto written = fmt::format_to_n(text.data(), text.size(), "cannot be written back: {}", done.error().message());
      messages_.fail({text.data(), static_cast<std::size_t>(written.out - text.data())});
    }
    failed = !done.has_value();
  }
}

}  // namespace xip::fuse

#include "crash/medium_model.h"

#include <algorithm>
#include <array>
#include <utility>

#include "explore/random.h"

namespace xip::crash {

std::string_view arrival_name(arrival a) noexcept {
  static constexpr std::array<std::string_view, 3> names{"nothing", "everything", "metadata"};
  return names.at(static_cast<std::size_t>(a));
}

void medium_model::report_to(explore::scheduler& s) {
  settle([](const pending&) { return true; });
  scheduler_ = &s;
}

bool medium_model::arrives(const pending& p, arrival a) const {
  return a == arrival::everything || (a == arrival::metadata && !(is_data_ && is_data_(p.offset)));
}

bool medium_model::metadata_pending() const {
  for (const pending& p : pending_)
    if (arrives(p, arrival::metadata)) return true;
  return false;
}

std::vector<std::byte> medium_model::image(arrival a) const {
  std::vector<std::byte> bytes(durable_.size());
  static_cast<void>(durable_.read(0, bytes));
  for (const pending& p : pending_)
    if (arrives(p, a)) std::ranges::copy(p.bytes, bytes.begin() + static_cast<std::ptrdiff_t>(p.offset));
  return bytes;
}

std::uint64_t medium_model::identity(arrival a) const {
  std::uint64_t sum = durable_.changes();
  for (const pending& p : pending_) {
    if (!arrives(p, a)) continue;
    sum = explore::mix(sum ^ explore::mix(p.offset + 1) ^ explore::hash_bytes(p.bytes.data(), p.bytes.size()));
  }
  return sum;
}

void medium_model::add(std::uint64_t offset, std::span<const std::byte> bytes, waits_for what) {
  if (scheduler_ == nullptr) return static_cast<void>(durable_.write(offset, bytes));
  pending_.push_back({offset, {bytes.begin(), bytes.end()}, what, scheduler_->running_task()});
}

// NEWER has arrived. What OLDER has on its way to the same bytes comes too late to bring them back.
void medium_model::overtake(pending& older, const pending& newer) noexcept {
  const std::uint64_t from = std::max(older.offset, newer.offset);
  const std::uint64_t end = std::min(older.offset + older.bytes.size(), newer.offset + newer.bytes.size());
  for (std::uint64_t at = from; at < end; ++at) older.bytes[at - older.offset] = newer.bytes[at - newer.offset];
}

template <class Settles>
void medium_model::settle(Settles&& settles) {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < pending_.size(); ++i) {
    if (settles(pending_[i])) {
      for (std::size_t older = 0; older < kept; ++older) overtake(pending_[older], pending_[i]);
      static_cast<void>(durable_.write(pending_[i].offset, pending_[i].bytes));
    } else if (kept++ != i) {
      pending_[kept - 1] = std::move(pending_[i]);
    }
  }
  pending_.resize(kept);
}

void medium_model::on_store(std::uint64_t offset, std::span<const std::byte> bytes, bool cached) noexcept {
  add(offset, bytes, cached ? waits_for::flush : waits_for::fence);
}

void medium_model::on_write(std::uint64_t offset, std::span<const std::byte> bytes) noexcept { add(offset, bytes, waits_for::flush_cache); }

// A store that is flushed in part is not counted as flushed. From then on it waits for the fence of the task that has flushed it.
void medium_model::on_flush(std::uint64_t offset, std::size_t bytes) noexcept {
  for (pending& p : pending_) {
    if (p.what != waits_for::flush || p.offset < offset || p.offset + p.bytes.size() > offset + bytes) continue;
    p.what = waits_for::fence;
    p.task = scheduler_->running_task();
  }
}

void medium_model::on_fence() noexcept {
  if (scheduler_ == nullptr) return;
  if (callback_) callback_(false);
  const std::uint32_t me = scheduler_->running_task();
  settle([me](const pending& p) { return p.what == waits_for::fence && p.task == me; });
}

void medium_model::on_flush_cache() noexcept {
  if (scheduler_ == nullptr) return;
  if (callback_) callback_(true);
  settle([](const pending& p) { return p.what == waits_for::flush_cache; });
}

result<> medium_model::save() {
  XIP_TRY(durable_.save());
  saved_pending_ = pending_;
  return {};
}

void medium_model::restore() noexcept {
  durable_.restore();
  pending_ = saved_pending_;
}

}  // namespace xip::crash

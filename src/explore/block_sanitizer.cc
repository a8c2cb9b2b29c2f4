#include <xip/explore/block_sanitizer.h>

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include <xip/base/assert.h>
#include <xip/locks/thread_context.h>

namespace xip::explore {
namespace {

constexpr unsigned smallest_block_bits = 9;
constexpr std::size_t first_entries = 1024;

[[nodiscard]] bool has_owner(block_state s) noexcept { return s == block_state::metadata || s == block_state::file; }

[[nodiscard]] bool same_owner(const block_owner_state& a, const block_owner_state& b) noexcept {
  return a.state == b.state && (a.state == block_state::metadata || (a.ino == b.ino && a.generation == b.generation));
}

[[nodiscard]] std::string owner_text(bool file, const block_owner_state& o) {
  if (file) return fmt::format("data of inode {} (generation {})", o.ino.value(), o.generation);
  return o.ino.value() != 0 ? fmt::format("metadata of inode {}", o.ino.value()) : "metadata";
}

[[nodiscard]] std::string found_text(const block_owner_state& o) {
  switch (o.state) {
    case block_state::unknown:
      return "of an unknown owner";
    case block_state::free:
      return fmt::format("free, and was {}", owner_text(o.was_file, o));
    case block_state::pending:
      return fmt::format("freed, not yet durable, and was {}", owner_text(o.was_file, o));
    case block_state::metadata:
    case block_state::file:
      break;
  }
  return owner_text(o.state == block_state::file, o);
}

}  // namespace

std::string_view misuse_name(block_misuse what) noexcept {
  static constexpr std::array<std::string_view, 6> names{"used after free",  "used while its free is pending",      "foreign use",
                                                         "allocated in use", "allocated while its free is pending", "freed twice"};
  return names.at(static_cast<std::size_t>(what));
}

block_sanitizer::block_sanitizer(dev::device& d) : device_{d}, limit_{d.size() >> smallest_block_bits} {
  XIP_ASSERT(device_.observer() == nullptr);
  device_.set_observer(this);
}

block_sanitizer::~block_sanitizer() { device_.set_observer(nullptr); }

void block_sanitizer::report_to(scheduler& s) {
  forget();
  scheduler_ = &s;
  s.set_listener(this);
}

void block_sanitizer::report_to(std::function<void(const block_report&)> callback) { callback_ = std::move(callback); }

void block_sanitizer::forget() noexcept {
  const raw_spin_guard guard{lock_};
  shadow_.clear();
  pending_.clear();
  undo_.clear();
  keeping_ = false;
  points_ = 0;
}

block_owner_state block_sanitizer::owner_of(pblk_t block) const {
  const raw_spin_guard guard{lock_};
  return get(block);
}

std::uint64_t block_sanitizer::reports() const noexcept {
  const raw_spin_guard guard{lock_};
  return reports_;
}

// ---- what the file system and the core tell ---------------------------------------------------------------------------------------------

void block_sanitizer::on_alloc(pblk_t first, std::uint32_t count, dev::block_owner owner, ino_t ino, std::uint32_t generation) noexcept {
  const bool file = owner == dev::block_owner::file;
  if (scheduler_ != nullptr) scheduler_->trace(event_kind::alloc, file, first.value(), count, ino.value());
  apply(deed::allocated, first, count, {file ? block_state::file : block_state::metadata, file, ino, generation});
}

void block_sanitizer::on_free(pblk_t first, std::uint32_t count) noexcept {
  if (scheduler_ != nullptr) scheduler_->trace(event_kind::free, false, first.value(), count, 0);
  apply(deed::freed, first, count, {});
}

void block_sanitizer::on_commit() noexcept {
  if (scheduler_ != nullptr) scheduler_->trace(event_kind::commit, false, 0, 0, 0);
  const raw_spin_guard guard{lock_};
  for (const run& r : pending_) {
    for (std::uint32_t i = 0; i < r.count; ++i) {
      block_owner_state now = get(r.first + i);
      if (now.state != block_state::pending) continue;
      now.state = block_state::free;
      set(r.first + i, now);
    }
  }
  pending_.clear();
}

void block_sanitizer::on_unused(pblk_t first, std::uint32_t count) noexcept {
  if (scheduler_ != nullptr) scheduler_->trace(event_kind::free, false, first.value(), count, 0);
  apply(deed::given_back, first, count, {});
}

void block_sanitizer::on_access(pblk_t first, std::uint32_t count, ino_t ino, std::uint32_t generation, bool write) noexcept {
  if (scheduler_ != nullptr) scheduler_->trace(event_kind::access, write, first.value(), count, ino.value());
  apply(write ? deed::written : deed::read, first, count, {block_state::file, true, ino, generation});
}

void block_sanitizer::on_metadata(pblk_t block, bool write) noexcept {
  if (scheduler_ != nullptr) scheduler_->trace(event_kind::access, write, block.value(), 1, 0);
  apply(write ? deed::written : deed::read, block, 1, {block_state::metadata});
}

// ---- the shadow -------------------------------------------------------------------------------------------------------------------------

// Blocks behind the end of the device are the device's to refuse.
void block_sanitizer::apply(deed what, pblk_t first, std::uint32_t count, const block_owner_state& who) noexcept {
  if (first.value() >= limit_) return;
  count = static_cast<std::uint32_t>(std::min<std::uint64_t>(count, limit_ - first.value()));
  std::optional<block_report> bad;
  {
    const raw_spin_guard guard{lock_};
    for (std::uint32_t i = 0; i < count; ++i) {
      const pblk_t block = first + i;
      const block_owner_state before = get(block);
      if (const auto misuse = apply_to(what, block, who); misuse && !bad) bad = block_report{*misuse, block, who, before, {}};
    }
    if (what == deed::freed) pending_.push_back({first, count});
    reports_ += bad ? 1 : 0;
  }
  if (bad) report(what, *bad);
}

// What was done counts from here on, also where it was wrong: one mistake gives one report.
std::optional<block_misuse> block_sanitizer::apply_to(deed what, pblk_t block, const block_owner_state& who) {
  const block_owner_state found = get(block);
  const bool is_free = found.state == block_state::free;
  const bool is_pending = found.state == block_state::pending;
  switch (what) {
    case deed::read:
    case deed::written:
      if (is_free) return block_misuse::used_after_free;
      if (is_pending) return block_misuse::used_while_pending;
      if (found.state == block_state::unknown)
        set(block, who);
      else if (!same_owner(found, who))
        return block_misuse::foreign_use;
      return std::nullopt;
    case deed::allocated:
      set(block, who);
      if (is_pending) return block_misuse::allocated_pending;
      if (has_owner(found.state)) return block_misuse::allocated_in_use;
      return std::nullopt;
    case deed::freed:
      if (is_free || is_pending) return block_misuse::freed_twice;
      set(block, {block_state::pending, found.state == block_state::file, found.ino, found.generation});
      return std::nullopt;
    case deed::given_back:
      if (is_free || is_pending) return block_misuse::freed_twice;
      set(block, {block_state::free, found.state == block_state::file, found.ino, found.generation});
      return std::nullopt;
  }
  return std::nullopt;
}

block_owner_state block_sanitizer::get(pblk_t block) const {
  return block.value() < shadow_.size() ? shadow_[block.value()] : block_owner_state{};
}

void block_sanitizer::set(pblk_t block, const block_owner_state& now) {
  if (block.value() >= shadow_.size()) shadow_.resize(std::max<std::size_t>(std::bit_ceil(block.value() + 1), first_entries));
  block_owner_state& place = shadow_[block.value()];
  if (keeping_) undo_.push_back({block, place});
  place = now;
}

result<> block_sanitizer::save() {
  const raw_spin_guard guard{lock_};
  keeping_ = true;
  undo_.clear();
  saved_pending_ = pending_;
  return {};
}

void block_sanitizer::restore() noexcept {
  const raw_spin_guard guard{lock_};
  for (std::size_t i = undo_.size(); i-- != 0;) shadow_[undo_[i].block.value()] = undo_[i].before;
  undo_.clear();
  pending_ = saved_pending_;
  points_ = 0;
}

// ---- what led there ---------------------------------------------------------------------------------------------------------------------

void block_sanitizer::on_point(point p, std::uint64_t a, std::uint64_t b, std::uint64_t c) noexcept {
  {
    const raw_spin_guard guard{lock_};
    passed_point& next = trail_[points_++ % trail_length];
    next = {p, 0, 0, {a, b, c}, {}};
    if (scheduler_ != nullptr) {
      next.task = scheduler_->running_task();
      next.step = scheduler_->step();
    } else {
      std::strncpy(next.name.data(), current().name, next.name.size() - 1);
    }
  }
  if (next_ != nullptr) next_->on_point(p, a, b, c);
}

int block_sanitizer::inject(point p, std::uint64_t a, std::uint64_t b) noexcept { return next_ != nullptr ? next_->inject(p, a, b) : 0; }

std::string block_sanitizer::trail_text() const {
  std::array<passed_point, trail_length> last;
  std::uint64_t end = 0;
  {
    const raw_spin_guard guard{lock_};
    last = trail_;
    end = points_;
  }
  std::string text;
  for (std::uint64_t i = end - std::min<std::uint64_t>(end, trail_length); i < end; ++i) {
    const passed_point& p = last[i % trail_length];
    text += scheduler_ != nullptr ? fmt::format("\n  {:5} {:<10}", p.step, scheduler_->task_name(p.task))
                                  : fmt::format("\n  {:<16}", p.name.data());
    text += fmt::format(" {} {} {} {}", point_name(p.p), p.arguments[0], p.arguments[1], p.arguments[2]);
  }
  return text.empty() ? text : "\nthe points passed before, by task:" + text;
}

std::string block_sanitizer::describe(deed what, const block_report& found) const {
  static constexpr std::array<std::string_view, 5> done{"read", "written", "allocated", "freed", "given back"};
  const std::string as =
      what == deed::freed || what == deed::given_back ? "" : " as " + owner_text(found.expected.state == block_state::file, found.expected);
  const std::string_view by = scheduler_ != nullptr ? scheduler_->task_name(scheduler_->running_task()) : current().name;
  return fmt::format("block sanitizer: block {}, {}: {}{} by '{}', but it is {}{}", found.block.value(), misuse_name(found.what),
                     done[static_cast<std::size_t>(what)], as, by, found_text(found.found), trail_text());
}

void block_sanitizer::report(deed what, block_report& found) {
  if (scheduler_ != nullptr) {
    failed_text_ = describe(what, found);
    scheduler_->fail(failed_text_);
  }
  found.text = describe(what, found);
  if (callback_) return callback_(found);
  std::fprintf(stderr, "%s\n", found.text.c_str());
  std::abort();
}

}  // namespace xip::explore

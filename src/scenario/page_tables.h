// After each step of a race: no page table maps a block that is not its file's, nor one behind the end of the file, nor one that no entry knows, nor lets
// anybody store where no DIRTY entry says so, which an fsync would not find; nor zeros in place of a written block with other bytes. An access through such an
// entry may be caught by others; this finds the entry, whether somebody uses it or not.
#pragma once

#include <string>
#include <vector>

#include <xip/base/points.h>
#include <xip/explore/block_sanitizer.h>
#include <xip/explore/resettable.h>
#include <xip/explore/scheduler.h>
#include <xip/mm/mm.h>
#include <xip/vfs/task.h>

namespace xip::scenario {

class page_table_checker final : public point_sink, public explore::resettable {
 public:
  // Of MAIN, made by each setup anew, and TASKS.
  page_table_checker(vfs::task* const& main, const std::vector<vfs::task*>& tasks, const explore::block_sanitizer& owners) noexcept
      : main_{main}, tasks_{tasks}, owners_{owners} {}

  // From now on, until the schedule's tasks have ended.
  void watch(explore::scheduler& sched) noexcept { scheduler_ = &sched, watching_ = true; }
  void stop() noexcept { watching_ = false; }
  // Who else hears the points. Null: nobody.
  void pass_points_to(point_sink* next) noexcept { next_ = next; }

  void on_point(point p, std::uint64_t a, std::uint64_t b, std::uint64_t c) noexcept override {
    if (next_ != nullptr) next_->on_point(p, a, b, c);
    if (watching_) check();
  }
  int inject(point p, std::uint64_t a, std::uint64_t b) noexcept override { return next_ != nullptr ? next_->inject(p, a, b) : 0; }

  [[nodiscard]] result<> save() override { return {}; }
  void restore() noexcept override { watching_ = scheduler_ != nullptr; }

 private:
  void check() noexcept;
  void check(const mm::pte& e, mm::user_address address, mm::fault_order order) noexcept;
  void check_block(const mm::pte& e, mm::user_address address, std::uint32_t pages) noexcept;
  void check_zeros(const mm::pte& e, mm::user_address address, std::uint32_t pages) noexcept;
  void fail(std::string text) noexcept;
  // Empty: the page of the device is the file's.
  [[nodiscard]] std::string wrong_owner(const mm::pte& e, std::uint64_t pfn) const;
  // PAGES pages from PFN on are those of one entry.
  [[nodiscard]] static std::string wrong_entry(const mm::pte& e, std::uint64_t pfn, std::uint32_t pages);

  vfs::task* const& main_;
  const std::vector<vfs::task*>& tasks_;
  const explore::block_sanitizer& owners_;
  explore::scheduler* scheduler_ = nullptr;
  point_sink* next_ = nullptr;
  bool watching_ = false;
  std::string text_;  // not on the stack of a task that fails: that is given up with all it owns
};

}  // namespace xip::scenario

// block_sanitizer: knows the owner of every block of a device, and catches each use of a block by somebody else, whatever its bytes are.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <xip/base/annotations.h>
#include <xip/base/points.h>
#include <xip/base/units.h>
#include <xip/dev/block_observer.h>
#include <xip/dev/device.h>
#include <xip/explore/resettable.h>
#include <xip/explore/scheduler.h>
#include <xip/locks/raw_spin.h>

namespace xip::explore {

enum class block_state : std::uint8_t {
  unknown,   // was there before the sanitizer; the first use tells
  free,      // may be allocated
  pending,   // freed, but a crash may bring its owner back until the next commit
  metadata,  // the file system's own
  file,      // an inode's data
};

// Whose a block is, or was before it was freed.
struct block_owner_state {
  block_state state = block_state::unknown;
  bool was_file = false;         // of a free or pending one: its last owner was a file
  ino_t ino{};                   // 0: not known
  std::uint32_t generation = 0;  // of the inode
};

enum class block_misuse : std::uint8_t {
  used_after_free,     // read or written though it is free
  used_while_pending,  // likewise, freed and not yet durable
  foreign_use,         // read or written as somebody's whose it is not
  allocated_in_use,    // handed out though it has an owner
  allocated_pending,   // handed out before the commit that carries its free
  freed_twice,         // freed though it is free or pending
};

// "used after free"
[[nodiscard]] std::string_view misuse_name(block_misuse what) noexcept;

struct block_report {
  block_misuse what;
  pblk_t block;
  block_owner_state expected;  // who came
  block_owner_state found;     // whose it was
  std::string text;            // all of it for a person: block, both owners, task, and the points passed last, oldest first
};

// A shadow of one device. Made and attached before the mount, or between two calls: then what is on the device is unknown at first, and its
// owner is learned from the first use. On an image that e2fsck accepts that gives no false report.
//
// It hears allocations, frees, commits and accesses as the device's observer. The points that a report tells it hears as a point_sink: give it
// to the kernel instance, or under an explorer use report_to(scheduler). Any threads may call; resettable's functions are called alone.
class block_sanitizer final : public dev::block_observer, public point_sink, public resettable {
 public:
  static constexpr std::size_t trail_length = 16;  // points that a report tells

  // Until it is told where to report, a misuse is printed and aborts the process. D must outlive it.
  explicit block_sanitizer(dev::device& d);
  ~block_sanitizer();
  block_sanitizer(const block_sanitizer&) = delete;
  block_sanitizer& operator=(const block_sanitizer&) = delete;

  // In a program's setup: a misuse fails the schedule where it happens, what is heard goes into the trace, and S tells its points.
  // Forgets what it knew: a setup begins anew.
  void report_to(scheduler& s);
  // Without an explorer: called by the thread that misused a block, under the product's locks. What it did counts from then on.
  void report_to(std::function<void(const block_report&)> callback);

  // Who else hears the points, and is asked what to inject. Null: nobody.
  void pass_points_to(point_sink* next) noexcept { next_ = next; }

  // The device has other contents now: nothing is known of them.
  void forget() noexcept;

  // What is known of a block now.
  [[nodiscard]] block_owner_state owner_of(pblk_t block) const;
  [[nodiscard]] std::uint64_t reports() const noexcept;  // since it was made

  void on_alloc(pblk_t first, std::uint32_t count, dev::block_owner owner, ino_t ino, std::uint32_t generation) noexcept override;
  void on_free(pblk_t first, std::uint32_t count) noexcept override;
  void on_commit() noexcept override;
  void on_unused(pblk_t first, std::uint32_t count) noexcept override;
  void on_access(pblk_t first, std::uint32_t count, ino_t ino, std::uint32_t generation, bool write) noexcept override;
  void on_metadata(pblk_t block, bool write) noexcept override;

  void on_point(point p, std::uint64_t a, std::uint64_t b, std::uint64_t c) noexcept override;
  int inject(point p, std::uint64_t a, std::uint64_t b) noexcept override;

  // Keeps what changes from now on; restore() takes it back, at the cost of the changes.
  [[nodiscard]] result<> save() override;
  void restore() noexcept override;

 private:
  struct run {
    pblk_t first;
    std::uint32_t count;
  };
  struct change {
    pblk_t block;
    block_owner_state before;
  };
  struct passed_point {
    point p;
    std::uint32_t task;  // under an explorer
    std::uint64_t step;
    std::array<std::uint64_t, 3> arguments;
    std::array<char, 16> name;  // of the thread, otherwise
  };
  enum class deed : std::uint8_t { read, written, allocated, freed, given_back };

  void apply(deed what, pblk_t first, std::uint32_t count, const block_owner_state& who) noexcept;
  [[nodiscard]] std::optional<block_misuse> apply_to(deed what, pblk_t block, const block_owner_state& who) XIP_REQUIRES(lock_);
  [[nodiscard]] block_owner_state get(pblk_t block) const XIP_REQUIRES(lock_);
  void set(pblk_t block, const block_owner_state& now) XIP_REQUIRES(lock_);
  [[nodiscard]] std::string trail_text() const;
  [[nodiscard]] std::string describe(deed what, const block_report& found) const;
  void report(deed what, block_report& found);

  dev::device& device_;
  const std::uint64_t limit_;  // no block lies there or behind
  scheduler* scheduler_ = nullptr;
  point_sink* next_ = nullptr;
  std::function<void(const block_report&)> callback_;
  std::string failed_text_;  // not on the stack of a task that fails: that is given up with all it owns

  // Held for a few instructions, and unseen by schedulers and lockdep: what is observed stays as it would be unobserved.
  mutable raw_spin lock_;
  std::vector<block_owner_state> shadow_ XIP_GUARDED_BY(lock_);  // block N is entry N; those behind its end are unknown
  std::vector<run> pending_ XIP_GUARDED_BY(lock_);
  std::array<passed_point, trail_length> trail_ XIP_GUARDED_BY(lock_);
  std::uint64_t points_ XIP_GUARDED_BY(lock_) = 0;  // passed so far; the last of them are in trail_
  std::uint64_t reports_ XIP_GUARDED_BY(lock_) = 0;
  bool keeping_ XIP_GUARDED_BY(lock_) = false;  // save() was called
  std::vector<change> undo_ XIP_GUARDED_BY(lock_);
  std::vector<run> saved_pending_ XIP_GUARDED_BY(lock_);
};

}  // namespace xip::explore

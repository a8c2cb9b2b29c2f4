// snapshot_arena: a memory resource that can go back to how it was. Made to hold a whole kernel instance.
#pragma once

#include <cstddef>
#include <memory_resource>
#include <vector>

#include <xip/explore/resettable.h>

namespace xip::explore {

// One reserve of address space that never moves; memory comes from the host as it is first touched. The allocator's own state lies inside
// it, so whoever copies the used bytes back has put back everything.
//
// Restoring is one copy of the bytes that were used at save(): measured, 5 us for 256 KiB, 25 us for 1 MiB. Comparing pages first costs as
// much (both copies are read), and copy-on-write pages cost 3 us for each one touched.
//
// One thread at a time: under a scheduler that is all there is. A build with AddressSanitizer finds uses of freed and never allocated
// memory here too, also after a restore.
class snapshot_arena final : public std::pmr::memory_resource, public resettable {
 public:
  static constexpr std::size_t default_reserve = std::size_t{256} << 20;
  static constexpr std::size_t max_alignment = 4096;

  // RESERVE: bytes of address space, the most it can ever hold. Throws std::bad_alloc where the host has no such space.
  explicit snapshot_arena(std::size_t reserve = default_reserve);
  ~snapshot_arena();
  snapshot_arena(const snapshot_arena&) = delete;
  snapshot_arena& operator=(const snapshot_arena&) = delete;

  [[nodiscard]] result<> save() override;
  // What was allocated since save() is gone, what was freed is back, at the same addresses with the same bytes.
  void restore() noexcept override;

  // Bytes from the start of the reserve that were ever handed out.
  [[nodiscard]] std::size_t used() const noexcept;

 private:
  struct header;

  void* do_allocate(std::size_t bytes, std::size_t alignment) override;
  void do_deallocate(void* block, std::size_t bytes, std::size_t alignment) override;
  [[nodiscard]] bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override { return this == &other; }
  [[nodiscard]] header& head() const noexcept { return *reinterpret_cast<header*>(base_); }

  const std::size_t reserve_;
  std::byte* base_;
  std::byte* saved_;  // a second reserve, for the copy
  std::size_t saved_bytes_ = 0;
  std::size_t top_ = 0;                     // the most that was used since save()
  std::vector<unsigned char> saved_marks_;  // AddressSanitizer's view of the saved bytes
};

}  // namespace xip::explore

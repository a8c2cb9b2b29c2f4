// Plays the steps of a workload in a mounted file system.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <xip/crash/workload.h>
#include <xip/mm/mm.h>
#include <xip/vfs/task.h>

namespace xip::crash {

// The byte that step NUMBER writes at OFFSET of a file: never zero, and never that of the step before or behind it at the same place.
[[nodiscard]] constexpr std::byte written_byte(std::size_t number, std::int64_t offset) noexcept {
  return static_cast<std::byte>((number % 14 + 1) << 4 | static_cast<unsigned>((offset ^ offset >> 4 ^ offset >> 8 ^ offset >> 12) & 15));
}

class player {
 public:
  // Behind those that a workload can name.
  static constexpr int own_descriptor = 100;

  player() { descriptors_.fill(closed); }

  // 0, or the errno. What mounts and unmounts is the caller's.
  [[nodiscard]] int play(vfs::task& t, const step& s, std::size_t number);
  // Before an umount.
  void close_all(vfs::task& t);
  // Of the task; -1: closed.
  [[nodiscard]] std::span<const int> descriptors() const noexcept { return descriptors_; }
  [[nodiscard]] int descriptor(int number) const noexcept { return descriptors_[static_cast<std::size_t>(number)]; }

 private:
  static constexpr int closed = -1;
  static constexpr std::size_t numbers = own_descriptor + 1;

  // Of the pages that stores have gone to.
  struct mapping {
    int number;          // of the descriptor
    std::int64_t first;  // byte of the file
    std::size_t bytes;
    bool sync;
    mm::user_address at;
  };

  [[nodiscard]] result<> call(vfs::task& t, const step& s, std::size_t number);
  template <class Call>
  [[nodiscard]] result<> on_file(vfs::task& t, const step& s, int flags, Call&& call);
  [[nodiscard]] result<> open(vfs::task& t, const step& s);
  [[nodiscard]] result<> link_descriptor(vfs::task& t, const step& s);
  [[nodiscard]] result<> set_xattr(vfs::task& t, const step& s, std::size_t number);
  [[nodiscard]] result<> store(vfs::task& t, const step& s, std::size_t number);
  [[nodiscard]] const mapping* mapping_for(const step& s, std::size_t bytes) const noexcept;
  [[nodiscard]] result<> close(vfs::task& t, int number);

  std::array<int, numbers> descriptors_;
  std::vector<mapping> mappings_ = {};
};

}  // namespace xip::crash

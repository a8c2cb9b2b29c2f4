// Opening the file behind a device, and saying why it could not be opened as a person needs to read it.
#pragma once

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <sys/stat.h>

#include <xip/base/result.h>
#include <xip/dev/devices.h>

namespace xip::dev {

// Owns a file descriptor.
class unique_fd {
 public:
  unique_fd() noexcept = default;
  explicit unique_fd(int fd) noexcept : fd_{fd} {}
  unique_fd(unique_fd&& other) noexcept : fd_{std::exchange(other.fd_, -1)} {}
  unique_fd& operator=(unique_fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~unique_fd();
  [[nodiscard]] int get() const noexcept { return fd_; }

 private:
  int fd_ = -1;
};

// DEVICE is the device as messages name it ("pmem:/a/b").
[[nodiscard]] std::unexpected<open_failure> refuse(int number, std::string_view device, std::string_view why);

struct opened_file {
  unique_fd fd;
  struct stat status;
};
// Opens PATH, which must exist. EXTRA_FLAGS are added to O_RDONLY or O_RDWR. A read-only open leaves even the access time alone where the
// host lets us. Refuses directories, sockets and pipes, and an empty regular file; for writing also what the host has mounted (EBUSY), a write-protected
// block device (EROFS), and a file longer than the process may write (RLIMIT_FSIZE: EFBIG). The descriptor is none of the three standard ones.
[[nodiscard]] std::expected<opened_file, open_failure> open_file(std::string_view device, const std::string& path, bool read_only,
                                                                 int extra_flags);

// The bytes of a regular file or a block device.
[[nodiscard]] std::expected<std::uint64_t, open_failure> size_of_medium(std::string_view device, const opened_file& file);

// An errno that says that the host is full, or that this user may have no more of it.
[[nodiscard]] inline bool is_no_room(int number) noexcept { return number == ENOSPC || number == EDQUOT; }

// What lies behind a file's bytes on the host's file system: room, taken beforehand and given back. Remembers, in pieces, where there is some.
class backing {
 public:
  explicit backing(const opened_file& file) noexcept;

  // ENOSPC: the host has no room there, or grants this user no more. EIO. A host that cannot reserve anything is no obstacle.
  [[nodiscard]] result<> reserve(std::uint64_t offset, std::uint64_t bytes) noexcept;
  void give_back(std::uint64_t offset, std::uint64_t bytes) noexcept;

  struct stretch {
    std::uint64_t begin, end;
  };
  // The first bytes from FROM on that are no hole, which have room behind them; empty: there are none, or the host does not say. May be called while
  // others use this.
  [[nodiscard]] stretch find_data(std::uint64_t from) noexcept;

 private:
  static constexpr std::uint64_t piece_bytes = std::uint64_t{256} << 10;

  [[nodiscard]] std::atomic<std::uint64_t>* word_of(std::uint64_t piece) const noexcept { return pieces_ ? &pieces_[piece / 64] : nullptr; }
  [[nodiscard]] bool is_backed(std::uint64_t piece) const noexcept;
  void set_backed(std::uint64_t piece, bool backed) noexcept;
  [[nodiscard]] result<> reserve_in(std::uint64_t piece, std::uint64_t begin, std::uint64_t end) noexcept;

  const int fd_;
  std::uint64_t size_ = 0;                                // 0: a device, which has no holes
  std::unique_ptr<std::atomic<std::uint64_t>[]> pieces_;  // a bit each: there is room behind all of it. Null: not known of any
  std::atomic<std::uint64_t> given_back_{0};              // how often
};

// Gives the bytes' backing back to the host's file system (FALLOC_FL_PUNCH_HOLE), where it can.
void punch_hole(int fd, std::uint64_t offset, std::uint64_t bytes) noexcept;

}  // namespace xip::dev

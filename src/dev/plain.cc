// A file or block device by pread and pwrite: nothing to set up, nothing that a host denies, and a full host is an error and no signal.
#include <algorithm>
#include <cerrno>

#include <unistd.h>

#include <xip/dev/devices.h>

#include "dev/open_file.h"
#include "dev/request_counters.h"

namespace xip::dev {
namespace {

class plain_device final : public device {
 public:
  plain_device(std::string name, std::uint64_t size, bool read_only, opened_file file)
      : device{size, mover_kind::none, nullptr, read_only}, name_{std::move(name)}, backing_{file}, fd_{std::move(file.fd)} {}

  [[nodiscard]] std::string_view name() const noexcept override { return name_; }

  [[nodiscard]] result<> read_batch(std::span<const io_piece> pieces) noexcept override {
    XIP_TRY(check_request(pieces, false));
    return all_of(pieces, [fd = fd_.get()](const io_piece& p) { return ::pread(fd, p.memory, p.bytes, static_cast<off_t>(p.offset)); });
  }
  [[nodiscard]] result<> write_batch(std::span<const io_piece> pieces) noexcept override {
    XIP_TRY(check_request(pieces, true));
    return all_of(pieces, [fd = fd_.get()](const io_piece& p) { return ::pwrite(fd, p.memory, p.bytes, static_cast<off_t>(p.offset)); });
  }
  [[nodiscard]] result<> flush_cache() noexcept override {
    if (killed()) return fail(EIO);
    XIP_POINT(dev_flush);
    counters_.count_flush();
    if (!read_only_ && ::fdatasync(fd_.get()) != 0) return fail(EIO);
    return {};
  }
  [[nodiscard]] result<> reserve(std::uint64_t offset, std::uint64_t bytes) noexcept override { return backing_.reserve(offset, bytes); }
  void discard(std::uint64_t offset, std::uint64_t bytes) noexcept override {
    if (!killed() && !read_only_ && offset < size_) backing_.give_back(offset, std::min(bytes, size_ - offset));
  }
  [[nodiscard]] device_stats stats() const noexcept override { return counters_.read(); }

 private:
  // MOVE(piece) until every piece has moved as a whole.
  template <class Move>
  result<> all_of(std::span<const io_piece> pieces, const Move& move) noexcept {
    counters_.count_batch(pieces.size());
    for (io_piece rest : pieces) {
      while (rest.bytes != 0) {
        const ssize_t moved = move(rest);
        if (moved < 0 && errno == EINTR) continue;
        if (moved < 0 && is_no_room(errno)) return fail(ENOSPC);
        if (moved <= 0) return fail(EIO);  // zero: the file ends before the device does
        rest = {rest.offset + static_cast<std::uint64_t>(moved), rest.memory + moved, rest.bytes - static_cast<std::size_t>(moved)};
      }
    }
    return {};
  }

  std::string name_;
  backing backing_;
  unique_fd fd_;
  request_counters counters_;
};

}  // namespace

opened open_plain(const std::string& path, bool read_only) {
  const std::string name = "plain:" + path;
  auto file = open_file(name, path, read_only, 0);
  if (!file) return std::unexpected{std::move(file.error())};
  const auto size = size_of_medium(name, *file);
  if (!size) return std::unexpected{size.error()};
  if (*size == 0) return refuse(EINVAL, name, "the device has no medium");
  return std::make_unique<plain_device>(name, *size, read_only, std::move(*file));
}

}  // namespace xip::dev

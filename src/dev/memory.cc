// The device that is plain memory: a memfd, mapped shared, so that it can be mapped a second time.
#include <algorithm>
#include <cerrno>

#include <sys/mman.h>
#include <unistd.h>

#include <xip/dev/devices.h>
#include <xip/dev/host_mapping.h>

#include "dev/open_file.h"
#include "dev/request_counters.h"

namespace xip::dev {
namespace {

class memory_device final : public device, public host_mappable {
 public:
  memory_device(std::uint64_t size, std::byte* base, unique_fd fd) noexcept
      : device{size, mover_kind::cached_memory, base, false}, fd_{std::move(fd)} {}
  ~memory_device() override { ::munmap(base_, size_); }

  [[nodiscard]] std::string_view name() const noexcept override { return "memory"; }
  [[nodiscard]] int fd() const noexcept { return fd_.get(); }

  [[nodiscard]] result<> read_batch(std::span<const io_piece> pieces) noexcept override {
    XIP_TRY(check_request(pieces, false));
    for (const io_piece& piece : pieces)
      if (piece.bytes != 0) std::memcpy(piece.memory, base_ + piece.offset, piece.bytes);
    counters_.count_batch(pieces.size());
    return {};
  }
  [[nodiscard]] result<> write_batch(std::span<const io_piece> pieces) noexcept override {
    XIP_TRY(check_request(pieces, true));
    for (const io_piece& piece : pieces)
      if (piece.bytes != 0) std::memcpy(base_ + piece.offset, piece.memory, piece.bytes);
    counters_.count_batch(pieces.size());
    return {};
  }
  [[nodiscard]] result<> flush_cache() noexcept override {
    if (killed()) return fail(EIO);
    XIP_POINT(dev_flush);
    counters_.count_flush();
    return {};
  }
  [[nodiscard]] host_file file_at(std::uint64_t offset) const noexcept override { return {fd_.get(), offset, false}; }
  void discard(std::uint64_t offset, std::uint64_t bytes) noexcept override {
    if (!killed() && offset < size_) punch_hole(fd_.get(), offset, std::min(bytes, size_ - offset));
  }
  [[nodiscard]] device_stats stats() const noexcept override { return counters_.read(); }

 private:
  unique_fd fd_;
  request_counters counters_;
};

}  // namespace

opened open_memory(std::uint64_t size) {
  constexpr std::string_view device_name = "memory";
  if (size == 0) return refuse(EINVAL, device_name, "a size is missing, for example memory:512M");
  if (size > static_cast<std::uint64_t>(PTRDIFF_MAX)) return refuse(EFBIG, device_name, "more than an address space holds");
  unique_fd fd{::memfd_create("xip-memory", MFD_CLOEXEC)};
  if (fd.get() < 0 || ::ftruncate(fd.get(), static_cast<off_t>(size)) != 0) {
    const int number = errno;
    return refuse(number, device_name, "the host gives no memory file of that size");
  }
  void* base = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  if (base == MAP_FAILED) {
    const int number = errno;
    return refuse(number, device_name, "the memory cannot be mapped");
  }
  return std::make_unique<memory_device>(size, static_cast<std::byte*>(base), std::move(fd));
}

int memory_fd(const device& d) noexcept {
  const auto* memory = dynamic_cast<const memory_device*>(&d);
  return memory != nullptr ? memory->fd() : -1;
}

}  // namespace xip::dev

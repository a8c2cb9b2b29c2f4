// A file or block device through io_uring. Several rings, so that tasks that work in parallel do not wait for each other: a task tries
// the ring of its own number first, then the others. The first ring is made at open, the others when they are first needed.
//
// A ring's lock is tried first and waited for only when all are busy.
//
// Lock chains:
//   dev_unaligned -> dev_ring
//   buffer_write -> dev_ring (a buffer goes home)
#include "dev/block.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <fmt/format.h>

#include <xip/locks/mutex.h>
#include <xip/locks/pseudo_lock.h>
#include <xip/locks/thread_context.h>

#include "dev/open_file.h"
#include "dev/request_counters.h"

namespace xip::dev {

inline constexpr lock_class dev_ring_class{"dev_ring"};
inline constexpr lock_class dev_unaligned_class{"dev_unaligned"};

namespace {

constexpr std::size_t ring_count = 8;
constexpr unsigned deepest_queue = 4096;

struct block_geometry {
  std::uint64_t size = 0;
  unsigned alignment = 1;  // 1 without O_DIRECT
};

class block_device final : public device {
 public:
  block_device(std::string name, const block_geometry& geometry, const block_options& options, const ring_environment& environment,
               opened_file file)
      : device{geometry.size, mover_kind::none, nullptr, options.read_only},
        name_{std::move(name)},
        backing_{file},
        fd_{std::move(file.fd)},
        target_{fd_.get(), geometry.alignment, counters_},
        queue_depth_{std::clamp(options.queue_depth, 1u, deepest_queue)},
        environment_{environment} {}

  // Makes the first ring; without it there is no device.
  [[nodiscard]] result<> start() noexcept {
    mutex_guard guard{slots_[0].lock};
    slots_[0].ring = XIP_TRY(block_ring::make(target_, queue_depth_, environment_));
    return {};
  }

  [[nodiscard]] std::string_view name() const noexcept override { return name_; }

  [[nodiscard]] result<> read_batch(std::span<const io_piece> pieces) noexcept override {
    XIP_TRY(check_request(pieces, false));
    return with_ring([=](block_ring& ring) { return ring.read(pieces); });
  }
  [[nodiscard]] result<> write_batch(std::span<const io_piece> pieces) noexcept override {
    XIP_TRY(check_request(pieces, true));
    const auto write = [=](block_ring& ring) { return ring.write(pieces); };
    if (std::ranges::none_of(pieces, [this](const io_piece& piece) { return unaligned(piece); })) return with_ring(write);
    mutex_guard guard{unaligned_lock_};
    return with_ring(write);
  }
  [[nodiscard]] result<> flush_cache() noexcept override {
    if (killed()) return fail(EIO);
    XIP_POINT(dev_flush);
    counters_.count_flush();
    if (read_only_) return {};
    return with_ring([](block_ring& ring) { return ring.fsync(); });
  }
  void discard(std::uint64_t offset, std::uint64_t bytes) noexcept override {
    if (!killed() && !read_only_ && offset < size_) backing_.give_back(offset, std::min(bytes, size_ - offset));
  }
  [[nodiscard]] result<> reserve(std::uint64_t offset, std::uint64_t bytes) noexcept override { return backing_.reserve(offset, bytes); }
  [[nodiscard]] device_stats stats() const noexcept override { return counters_.read(); }

 private:
  struct alignas(64) slot {
    mutex<dev_ring_class> lock;
    std::unique_ptr<block_ring> ring XIP_GUARDED_BY(lock);
    bool refused XIP_GUARDED_BY(lock) = false;  // the host gave no second ring (memory, RLIMIT_MEMLOCK)
  };

  // A write of this piece reads first; two of them in one unit must not overlap in time.
  [[nodiscard]] bool unaligned(const io_piece& piece) const noexcept {
    return ((piece.offset | piece.bytes) & (target_.alignment - 1)) != 0;
  }

  // USE(ring) with a ring that nobody else uses at the moment, or with the first one when it is free.
  template <class Use>
  result<> with_ring(const Use& use) noexcept {
    might_wait_for(dev_ring_class);
    const std::size_t own = current().id % ring_count;
    for (std::size_t i = 0; i < ring_count; ++i) {
      slot& s = slots_[(own + i) % ring_count];
      if (!s.lock.try_lock()) continue;
      mutex_guard guard{s.lock, already_locked};
      if (block_ring* ring = ring_of(s); ring != nullptr) return use(*ring);
    }
    mutex_guard guard{slots_[0].lock};
    return use(*slots_[0].ring);
  }

  block_ring* ring_of(slot& s) noexcept XIP_REQUIRES(s.lock) {
    if (!s.ring && !s.refused) {
      auto made = block_ring::make(target_, queue_depth_, environment_);
      if (made) s.ring = std::move(*made);
      s.refused = !s.ring;
    }
    return s.ring.get();
  }

  std::string name_;
  backing backing_;
  unique_fd fd_;
  request_counters counters_;
  ring_target target_;
  unsigned queue_depth_;
  ring_environment environment_;
  std::array<slot, ring_count> slots_;
  mutex<dev_unaligned_class> unaligned_lock_;
};

// What O_DIRECT asks of offsets, lengths and memory of this file.
unsigned direct_alignment(const opened_file& file) noexcept {
  unsigned alignment = page_size;
  if (S_ISBLK(file.status.st_mode)) {
    int sector = 0;
    if (::ioctl(file.fd.get(), BLKSSZGET, &sector) == 0 && sector > 0) alignment = static_cast<unsigned>(sector);
  } else {
#ifdef STATX_DIOALIGN
    struct statx answer{};
    const bool told = ::statx(file.fd.get(), "", AT_EMPTY_PATH, STATX_DIOALIGN, &answer) == 0 && (answer.stx_mask & STATX_DIOALIGN) != 0;
    if (told && answer.stx_dio_offset_align != 0) alignment = std::max(answer.stx_dio_offset_align, answer.stx_dio_mem_align);
#endif
  }
  return std::has_single_bit(alignment) && alignment <= page_size ? alignment : page_size;
}

std::expected<block_geometry, open_failure> measure(std::string_view name, const opened_file& file, bool direct) {
  const auto size = size_of_medium(name, file);
  if (!size) return std::unexpected{size.error()};
  block_geometry geometry{*size, direct ? direct_alignment(file) : 1};
  geometry.size &= ~(std::uint64_t{geometry.alignment} - 1);  // O_DIRECT reaches whole units only
  if (geometry.size == 0) return refuse(EINVAL, name, "the device has no medium, or is smaller than one sector");
  return geometry;
}

std::unexpected<open_failure> refuse_ring(std::string_view name, const std::string& path, error code) {
  switch (code.number()) {
    case EPERM:
    case EACCES:
      return refuse(
          code.number(), name,
          fmt::format("io_uring is denied here: allow it (sysctl kernel.io_uring_disabled=0; in a container, a seccomp profile that "
                      "lets io_uring_setup through), or open the image as pmem:{}",
                      path));
    case ENOSYS:
      return refuse(ENOSYS, name,
                    fmt::format("this kernel has no io_uring (Linux 5.6 or newer is needed); open the image as pmem:{}", path));
    case ENOMEM:
      return refuse(ENOMEM, name, "no memory for an io_uring: raise the limit of locked memory (ulimit -l), or ask for a smaller queue");
    default:
      return refuse(code.number(), name, fmt::format("io_uring cannot be set up: {}", code.message()));
  }
}

}  // namespace

opened open_block_in(const std::string& path, const block_options& options, const ring_environment& environment) {
  const std::string name = "block:" + path;
  auto file = open_file(name, path, options.read_only, options.direct ? O_DIRECT : 0);
  if (!file) return std::unexpected{std::move(file.error())};
  const auto geometry = measure(name, *file, options.direct);
  if (!geometry) return std::unexpected{geometry.error()};
  auto made = std::make_unique<block_device>(name, *geometry, options, environment, std::move(*file));
  if (const result<> started = made->start(); !started) return refuse_ring(name, path, started.error());
  return made;
}

opened open_block(const std::string& path, const block_options& options) { return open_block_in(path, options, {}); }

}  // namespace xip::dev

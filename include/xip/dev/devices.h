// The devices one can open. Callers hold them by unique_ptr; a mount borrows its device.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <xip/dev/device.h>

namespace xip::dev {

// Why a device could not be opened, as a person needs to read it: names the file and what to do.
struct open_failure {
  error code;
  std::string message;
};
using opened = std::expected<std::unique_ptr<device>, open_failure>;

// SIZE bytes of zeroed memory in a memfd, so that it can be mapped a second time.
[[nodiscard]] opened open_memory(std::uint64_t size);
// The memory device's file descriptor for mapping it again; -1 on any other device.
[[nodiscard]] int memory_fd(const device& d) noexcept;

// A file that libpmem maps (pmem_map_file); it need not lie on persistent memory, and PMEM_IS_PMEM_FORCE says to take it for such. Stores
// bypass the cache and are drained; where libpmem says the mapping is not persistent memory, flush_cache is pmem_msync of what was stored.
[[nodiscard]] opened open_pmem(const std::string& path, bool read_only);

struct block_options {
  bool read_only = false;
  bool direct = false;        // O_DIRECT
  unsigned queue_depth = 64;  // entries of the ring
};
// A file or block device through io_uring: one submission a batch, IORING_OP_FSYNC for flush_cache, registered buffers for what
// passes through the device's own memory. A denied io_uring (EPERM, ENOSYS) is named as such in the message.
[[nodiscard]] opened open_block(const std::string& path, const block_options& options = {});

// The same with one plain system call a piece, for a host that denies io_uring.
[[nodiscard]] opened open_plain(const std::string& path, bool read_only);

// SPEC is "memory:SIZE", "pmem:FILE", "block:FILE"; anything else is a usage error (EINVAL) that lists the forms.
[[nodiscard]] opened open_device(std::string_view spec, bool read_only);

// Sees every store, flush and fence of the device below, in order; called by whichever task makes them, with no lock held. A store is told
// after it was made and a fence before; a request and a flush_cache are told when they succeeded. Discards are kept from the device below.
class recorder {
 public:
  virtual void on_store(std::uint64_t offset, std::span<const std::byte> bytes, bool cached) noexcept = 0;  // cached: needs a flush too
  virtual void on_flush(std::uint64_t offset, std::size_t bytes) noexcept = 0;
  virtual void on_fence() noexcept = 0;                                                        // drain
  virtual void on_write(std::uint64_t offset, std::span<const std::byte> bytes) noexcept = 0;  // request
  virtual void on_flush_cache() noexcept = 0;

 protected:
  ~recorder() = default;
};
[[nodiscard]] std::unique_ptr<device> make_recording(device& below, recorder& to);

// What faulty does, at byte ranges of the device. Rules may be added and removed while the device is in use.
struct fault_rule {
  enum class what : std::uint8_t {
    eio_read,      // a read request, or a window asked for with that intent, that touches the range
    eio_write,     // likewise
    eio_flush,     // flush_cache; the range does not matter
    poison,        // a media error: EIO for what touches it, windows end before it. Cleared by whole pages: a write request of them, or a
                   // recovery_write window of them followed by a drain (until then readers stay out)
    short_window,  // a window that would cross OFFSET ends there
    short_read,    // a read request of more than MOVED bytes that touches the range moves those, its first, and fails with EIO
    short_write,   // likewise
    slow,          // a request that touches the range, or flush_cache, first waits for DELAY. Windows are memory: they never wait
  };
  what kind;
  std::uint64_t offset = 0;
  std::uint64_t bytes = ~std::uint64_t{0};
  std::uint32_t skip = 0;                   // let this many matching accesses pass first
  std::uint32_t times = ~std::uint32_t{0};  // then fail this many
  std::uint64_t moved = 0;                  // of short_read and short_write
  std::chrono::nanoseconds delay{};         // of slow, on the clock of the caller's scheduler if it has one; several add up
};
class faulty_device : public device {
 public:
  virtual std::uint32_t add(const fault_rule& rule) = 0;  // a number for remove
  virtual void remove(std::uint32_t number) = 0;
  using device::device;
};
[[nodiscard]] std::unique_ptr<faulty_device> make_faulty(device& below);

}  // namespace xip::dev

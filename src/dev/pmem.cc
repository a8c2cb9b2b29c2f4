// A file mapped through libpmem, an open descriptor held beside the mapping. Stores bypass the cache and are drained; on a file that is
// not persistent memory they reach the page cache, and flush_cache writes out what was stored.
//
// A read-only open does not go through pmem_map_file, which always opens for writing: it maps PROT_READ and never touches the file.
#include <algorithm>
#include <cerrno>

#include <libpmem.h>
#include <sys/mman.h>

#include <fmt/format.h>

#include <xip/dev/devices.h>
#include <xip/dev/host_mapping.h>

#include "dev/dirty_map.h"
#include "dev/open_file.h"
#include "dev/populate.h"
#include "dev/request_counters.h"

namespace xip::dev {
namespace {

constexpr unsigned past_the_cache = PMEM_F_MEM_NODRAIN | PMEM_F_MEM_NONTEMPORAL;

struct mapping {
  std::byte* base = nullptr;
  std::size_t bytes = 0;
  bool is_pmem = false;
  bool of_libpmem = false;
};

class pmem_device final : public device, public host_mappable {
 public:
  pmem_device(std::string name, const mapping& m, bool read_only, opened_file file)
      : device{m.bytes, mover_kind::persistent_memory, m.base, read_only},
        name_{std::move(name)},
        mapping_{m},
        backing_{file},
        fd_{std::move(file.fd)},
        dirty_{m.is_pmem || read_only ? 0 : m.bytes} {
    if (!read_only) set_windows_over_holes();
  }
  ~pmem_device() override {
    if (mapping_.of_libpmem)
      pmem_unmap(mapping_.base, mapping_.bytes);
    else
      ::munmap(mapping_.base, mapping_.bytes);
  }

  [[nodiscard]] std::string_view name() const noexcept override { return name_; }

  [[nodiscard]] result<> read_batch(std::span<const io_piece> pieces) noexcept override {
    XIP_TRY(check_request(pieces, false));
    for (const io_piece& piece : pieces)
      if (piece.bytes != 0) std::memcpy(piece.memory, base_ + piece.offset, piece.bytes);
    counters_.count_batch(pieces.size());
    return {};
  }
  // Drains, because a later flush_cache may run on another CPU, and a fence orders only its own CPU's stores.
  [[nodiscard]] result<> write_batch(std::span<const io_piece> pieces) noexcept override {
    XIP_TRY(check_request(pieces, true));
    for (const io_piece& piece : pieces)
      if (piece.bytes != 0) store_past_cache(base_ + piece.offset, piece.memory, piece.bytes);
    pmem_drain();
    counters_.count_batch(pieces.size());
    return {};
  }
  [[nodiscard]] result<> flush_cache() noexcept override;
  [[nodiscard]] bool synchronous() const noexcept override { return mapping_.is_pmem; }
  [[nodiscard]] host_file file_at(std::uint64_t offset) const noexcept override { return {fd_.get(), offset, mapping_.is_pmem}; }
  void discard(std::uint64_t offset, std::uint64_t bytes) noexcept override {
    if (!killed() && !read_only_ && offset < size_) backing_.give_back(offset, std::min(bytes, size_ - offset));
  }
  [[nodiscard]] result<> reserve(std::uint64_t offset, std::uint64_t bytes) noexcept override { return backing_.reserve(offset, bytes); }
  void warm(const std::atomic<bool>& enough) noexcept override;
  [[nodiscard]] device_stats stats() const noexcept override { return counters_.read(); }

 protected:
  void window_copy_in(std::byte* to, const void* from, std::size_t bytes) noexcept override { store_past_cache(to, from, bytes); }
  void window_zero(std::byte* to, std::size_t bytes) noexcept override {
    pmem_memset(to, 0, bytes, past_the_cache);
    mark(to, bytes);
  }
  void window_flush(const std::byte* from, std::size_t bytes) noexcept override {
    if (mapping_.is_pmem)
      pmem_flush(from, bytes);
    else
      mark(from, bytes);  // the page cache is coherent: only flush_cache has something to do
  }
  void window_drain() noexcept override {
    XIP_POINT(dev_fence);
    pmem_drain();
  }

 private:
  void store_past_cache(std::byte* to, const void* from, std::size_t bytes) noexcept {
    pmem_memcpy(to, from, bytes, past_the_cache);
    mark(to, bytes);
  }
  void mark(const std::byte* at, std::size_t bytes) noexcept {
    if (!mapping_.is_pmem) dirty_.mark(static_cast<std::uint64_t>(at - base_), bytes);
  }

  std::string name_;
  mapping mapping_;
  backing backing_;
  unique_fd fd_;
  dirty_map dirty_;  // what flush_cache must write out; unused on persistent memory
  request_counters counters_;
};

result<> pmem_device::flush_cache() noexcept {
  if (killed()) return fail(EIO);
  XIP_POINT(dev_flush);
  counters_.count_flush();
  if (read_only_) return {};
  pmem_drain();
  if (mapping_.is_pmem) return {};
  bool failed = false;
  dirty_.take([&](std::uint64_t offset, std::uint64_t bytes) {
    if (pmem_msync(base_ + offset, bytes) == 0) return;
    dirty_.mark(offset, bytes);
    failed = true;
  });
  if (failed) return fail(EIO);
  return {};
}

void pmem_device::warm(const std::atomic<bool>& enough) noexcept {
  page_populator pages{enough};
  for (auto data = backing_.find_data(0); data.begin < data.end; data = backing_.find_data(data.end)) {
    const std::uint64_t begin = data.begin / page_size * page_size;  // the host's blocks may be smaller
    if (!pages.populate(base_ + begin, data.end - begin)) return;
  }
}

std::expected<mapping, open_failure> map_for_reading(std::string_view name, const opened_file& file) {
  if (!S_ISREG(file.status.st_mode)) return refuse(ENODEV, name, "only a regular file can be mapped read-only");
  const auto bytes = static_cast<std::size_t>(file.status.st_size);
  void* base = ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, file.fd.get(), 0);
  if (base == MAP_FAILED) {
    const int number = errno;
    return refuse(number, name, "the file cannot be mapped");
  }
  return mapping{static_cast<std::byte*>(base), bytes, false, false};
}

std::expected<mapping, open_failure> map_with_libpmem(std::string_view name, const std::string& path) {
  std::size_t bytes = 0;
  int is_pmem = 0;
  void* base = pmem_map_file(path.c_str(), 0, 0, 0, &bytes, &is_pmem);
  if (base == nullptr) {
    const int number = errno;
    return refuse(number != 0 ? number : EINVAL, name, fmt::format("libpmem cannot map it: {}", pmem_errormsg()));
  }
  return mapping{static_cast<std::byte*>(base), bytes, is_pmem != 0, true};
}

}  // namespace

opened open_pmem(const std::string& path, bool read_only) {
  const std::string name = "pmem:" + path;
  auto file = open_file(name, path, read_only, 0);
  if (!file) return std::unexpected{std::move(file.error())};
  if (S_ISBLK(file->status.st_mode))
    return refuse(ENODEV, name, fmt::format("a block device cannot be mapped as memory; open it as block:{}", path));
  auto m = read_only ? map_for_reading(name, *file) : map_with_libpmem(name, path);
  if (!m) return std::unexpected{std::move(m.error())};
  return std::make_unique<pmem_device>(name, *m, read_only, std::move(*file));
}

}  // namespace xip::dev

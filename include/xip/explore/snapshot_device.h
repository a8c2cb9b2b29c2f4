// snapshot_device: a memory device that can undo what was written to it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <xip/dev/device.h>
#include <xip/explore/resettable.h>

namespace xip::explore {

// Keeps each page of 4 KiB as it was before the first store into it since save(); restore() copies those pages back, so both it and
// save() cost what was touched, not what there is. It sees every store made through the device (window functions and requests), none made
// behind its back through a window's pointer. kill() is not undone.
class snapshot_device final : public dev::device, public resettable {
 public:
  // SIZE bytes, zeroed. Throws std::bad_alloc where the host has no such memory.
  explicit snapshot_device(std::uint64_t size);
  ~snapshot_device() override;

  [[nodiscard]] std::string_view name() const noexcept override { return "snapshot"; }
  [[nodiscard]] result<> read_batch(std::span<const dev::io_piece> pieces) noexcept override;
  [[nodiscard]] result<> write_batch(std::span<const dev::io_piece> pieces) noexcept override;
  [[nodiscard]] result<> flush_cache() noexcept override;
  [[nodiscard]] dev::device_stats stats() const noexcept override { return stats_; }

  [[nodiscard]] result<> save() override;
  void restore() noexcept override;
  [[nodiscard]] std::size_t pages_touched() const noexcept { return undo_.size(); }  // since save() or restore()
  // A hash of which bytes are others than at save(), and what they are now. The same for the same bytes, in whatever order they came.
  [[nodiscard]] std::uint64_t changes() const noexcept;

 protected:
  [[nodiscard]] result<dev::window> direct_access_slow(std::uint64_t offset, std::size_t bytes,
                                                       dev::access_intent intent) noexcept override;
  void window_copy_in(std::byte* to, const void* from, std::size_t bytes) noexcept override;
  void window_zero(std::byte* to, std::size_t bytes) noexcept override;
  void window_store(std::byte* to, const void* from, std::size_t bytes) noexcept override;

 private:
  static constexpr unsigned page_shift = 12;
  static constexpr std::size_t page_bytes = std::size_t{1} << page_shift;
  struct kept_page {
    std::uint64_t number;
    std::byte* bytes;  // as they were
  };

  void keep(const std::byte* at, std::size_t bytes) noexcept;
  void keep_page(std::uint64_t number) noexcept;

  bool keeping_ = false;                             // save() was called
  std::vector<std::uint64_t> touched_;               // a bit for each page
  std::vector<kept_page> undo_;                      // in the order of first stores
  std::vector<std::unique_ptr<std::byte[]>> pages_;  // room for kept pages, used again after each restore
  dev::device_stats stats_;
  dev::device_stats saved_stats_;
};

}  // namespace xip::explore

// A device over another one: passes everything on. Its windows are those of the device below, so decorators stack, and a byte's place on
// the device is its distance from base_.
#pragma once

#include <string>

#include <xip/dev/device.h>

namespace xip::dev {

// BASE is device, or a class made from it with device's constructor.
template <class Base>
class decorator : public Base {
 public:
  decorator(device& below, std::string_view prefix)
      : Base{below.size(), below.has_direct_access() ? mover_kind::decorated : mover_kind::none, device::base_of(below), below.read_only()},
        below_{below},
        name_{std::string{prefix} + std::string{below.name()}} {}

  [[nodiscard]] std::string_view name() const noexcept override { return name_; }
  [[nodiscard]] bool synchronous() const noexcept override { return below_.synchronous(); }
  [[nodiscard]] result<> read_batch(std::span<const io_piece> pieces) noexcept override {
    XIP_TRY(this->check_request(pieces, false));
    return below_.read_batch(pieces);
  }
  [[nodiscard]] result<> write_batch(std::span<const io_piece> pieces) noexcept override {
    XIP_TRY(this->check_request(pieces, true));
    return below_.write_batch(pieces);
  }
  [[nodiscard]] result<> flush_cache() noexcept override {
    if (this->killed()) return fail(EIO);
    return below_.flush_cache();
  }
  [[nodiscard]] result<> reserve(std::uint64_t offset, std::uint64_t bytes) noexcept override { return below_.reserve(offset, bytes); }
  void discard(std::uint64_t offset, std::uint64_t bytes) noexcept override {
    if (!this->killed()) below_.discard(offset, bytes);
  }
  void warm(const std::atomic<bool>& enough) noexcept override { below_.warm(enough); }
  [[nodiscard]] device_stats stats() const noexcept override { return below_.stats(); }

 protected:
  [[nodiscard]] result<window> direct_access_slow(std::uint64_t offset, std::size_t bytes, access_intent intent) noexcept override {
    if (this->killed()) return fail(EIO);
    return below_.direct_access(offset, bytes, intent);
  }
  void window_copy_out(void* to, const std::byte* from, std::size_t bytes) noexcept override { below_.copy_out(to, from, bytes); }
  void window_copy_in(std::byte* to, const void* from, std::size_t bytes) noexcept override { below_.copy_in(to, from, bytes); }
  void window_zero(std::byte* to, std::size_t bytes) noexcept override { below_.zero(to, bytes); }
  void window_store(std::byte* to, const void* from, std::size_t bytes) noexcept override { below_.store(to, from, bytes); }
  void window_flush(const std::byte* from, std::size_t bytes) noexcept override { below_.flush(from, bytes); }
  void window_drain() noexcept override { below_.drain(); }

  [[nodiscard]] std::uint64_t offset_of(const std::byte* in_window) const noexcept {
    return static_cast<std::uint64_t>(in_window - this->base_);
  }

  device& below_;

 private:
  std::string name_;
};

}  // namespace xip::dev

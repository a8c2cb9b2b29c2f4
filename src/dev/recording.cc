// The decorator that tells a recorder every store, flush and fence of the device below.
#include <xip/dev/decorator.h>
#include <xip/dev/devices.h>

namespace xip::dev {
namespace {

class recording_device final : public decorator<device> {
 public:
  recording_device(device& below, recorder& to) : decorator{below, "recording:"}, to_{to} {}

  [[nodiscard]] result<> write_batch(std::span<const io_piece> pieces) noexcept override {
    XIP_TRY(decorator::write_batch(pieces));
    for (const io_piece& piece : pieces)
      if (piece.bytes != 0) to_.on_write(piece.offset, {piece.memory, piece.bytes});
    return {};
  }
  [[nodiscard]] result<> flush_cache() noexcept override {
    XIP_TRY(decorator::flush_cache());
    to_.on_flush_cache();
    return {};
  }
  // A hint the record cannot express: not passed on, so that the record and the medium stay the same.
  void discard(std::uint64_t, std::uint64_t) noexcept override {}

 protected:
  // A store is told after it was made, with the bytes that lie on the device now: the source may be somebody's changing memory.
  void window_copy_in(std::byte* to, const void* from, std::size_t bytes) noexcept override {
    decorator::window_copy_in(to, from, bytes);
    to_.on_store(offset_of(to), {to, bytes}, false);
  }
  void window_zero(std::byte* to, std::size_t bytes) noexcept override {
    decorator::window_zero(to, bytes);
    to_.on_store(offset_of(to), {to, bytes}, false);
  }
  void window_store(std::byte* to, const void* from, std::size_t bytes) noexcept override {
    decorator::window_store(to, from, bytes);
    to_.on_store(offset_of(to), {to, bytes}, true);
  }
  void window_flush(const std::byte* from, std::size_t bytes) noexcept override {
    decorator::window_flush(from, bytes);
    to_.on_flush(offset_of(from), bytes);
  }
  // A fence is told before it is made: what another task stores while it runs is not covered.
  void window_drain() noexcept override {
    to_.on_fence();
    decorator::window_drain();
  }

 private:
  recorder& to_;
};

}  // namespace

std::unique_ptr<device> make_recording(device& below, recorder& to) { return std::make_unique<recording_device>(below, to); }

}  // namespace xip::dev

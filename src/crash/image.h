// image: the bytes of a device, which can take back what was written to it, and a device on them that notices what is read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <xip/dev/device.h>

namespace xip::crash {

// Keeps each piece of 512 bytes as it was before the first change; undo() costs what was changed.
class image {
 public:
  // BYTES bytes, zeroed. Throws std::bad_alloc where the host has no such memory.
  explicit image(std::uint64_t bytes);
  ~image();
  image(const image&) = delete;
  image& operator=(const image&) = delete;

  [[nodiscard]] std::byte* data() noexcept { return data_; }
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return {data_, size_}; }
  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }

  // These bytes change next, and undo() is to bring them back.
  void keep(std::uint64_t offset, std::uint64_t bytes) noexcept;
  void undo() noexcept;

 private:
  static constexpr unsigned piece_shift = 9;
  static constexpr std::size_t piece_bytes = std::size_t{1} << piece_shift;

  std::uint64_t size_;
  std::uint64_t mapped_;
  std::byte* data_;
  std::vector<std::uint64_t> changed_;  // a bit for each piece
  std::vector<std::uint64_t> pieces_;   // their numbers
  std::vector<std::byte> kept_;         // as they were
};

// Hears what is read and written through an image_device.
class access_listener {
 public:
  virtual void on_read(std::uint64_t offset, std::uint64_t bytes) noexcept = 0;
  virtual void on_change(std::uint64_t offset, std::uint64_t bytes) noexcept = 0;

 protected:
  ~access_listener() = default;
};

// A device on an image: every change through it is kept. Only what goes by requests and copy_out is heard to be read, not what somebody reads
// through a window's pointer. One thread of the host at a time.
class image_device final : public dev::device {
 public:
  // WINDOWS: with direct access. LISTENER may be null.
  image_device(image& on, bool windows, access_listener* listener)
      : device{on.size(), windows ? dev::mover_kind::decorated : dev::mover_kind::none, on.data(), false},
        image_{on},
        listener_{listener} {}

  [[nodiscard]] std::string_view name() const noexcept override { return "image"; }
  [[nodiscard]] result<> read_batch(std::span<const dev::io_piece> pieces) noexcept override;
  [[nodiscard]] result<> write_batch(std::span<const dev::io_piece> pieces) noexcept override;
  [[nodiscard]] result<> flush_cache() noexcept override;

 protected:
  [[nodiscard]] result<dev::window> direct_access_slow(std::uint64_t offset, std::size_t bytes,
                                                       dev::access_intent intent) noexcept override;
  void window_copy_out(void* to, const std::byte* from, std::size_t bytes) noexcept override;
  void window_copy_in(std::byte* to, const void* from, std::size_t bytes) noexcept override;
  void window_zero(std::byte* to, std::size_t bytes) noexcept override;
  void window_store(std::byte* to, const void* from, std::size_t bytes) noexcept override;

 private:
  void change(const std::byte* at, std::size_t bytes) noexcept;

  image& image_;
  access_listener* listener_;
};

}  // namespace xip::crash

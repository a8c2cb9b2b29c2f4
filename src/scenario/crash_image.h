// The file system that workloads are crashed on, and e2fsck as a judge of what a crash has left of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <xip/dev/device.h>

#include "scenario/image.h"

namespace xip::scenario {

inline constexpr std::uint64_t crash_image_bytes = 16 * mib;
// In every block that mke2fs leaves free: a file that shows it shows what was never written to it.
inline constexpr std::byte foreign_byte{0xf5};

// Of crash_image_bytes, with OPTIONS of mke2fs in place of the usual ones: blocks of 4 KiB, a journal, 64 inodes. Identity, hash seed and times are fixed. The
// error: what failed.
[[nodiscard]] std::expected<std::vector<std::byte>, std::string> make_crash_image(const tools& use,
                                                                                  const std::vector<std::string>* options);

// e2fsck -fn, of images that differ little from one to the next.
class crash_judge {
 public:
  // The error: the host has no memory for it.
  [[nodiscard]] static std::expected<crash_judge, std::string> make(const tools& use);

  // Empty: it is content with IMAGE.
  [[nodiscard]] std::string judge(std::span<const std::byte> image);
  // e2fsck -p recovers IMAGE. Empty: it is done. An image without a journal stays as it is, and one whose super block is torn, which e2fsck refuses, has to.
  [[nodiscard]] std::string recover(std::span<std::byte> image);
  [[nodiscard]] std::uint64_t images() const noexcept { return images_; }
  [[nodiscard]] double seconds() const noexcept { return seconds_; }

 private:
  crash_judge(const tools& use, std::unique_ptr<dev::device> copy);

  // Where e2fsck finds IMAGE now; empty: nowhere.
  [[nodiscard]] std::span<std::byte> put(std::span<const std::byte> image);

  const tools& use_;
  std::unique_ptr<dev::device> copy_;
  std::string path_;  // where e2fsck finds it
  std::uint64_t images_ = 0;
  double seconds_ = 0;
};

}  // namespace xip::scenario

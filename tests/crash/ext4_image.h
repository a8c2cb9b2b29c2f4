// Images of ext4 to be crashed: made by mke2fs, judged by e2fsck.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <xip/fs_ext4lite/layout.h>

namespace xip::crash::test {

// By mke2fs OPTIONS, on a fresh file. Fails the running test if there is none.
[[nodiscard]] std::vector<std::byte> make_image(std::string_view options, std::size_t mebibytes);
[[nodiscard]] std::shared_ptr<const ext4_layout> layout_of(std::span<const std::byte> image);
// What e2fsck -fn says against IMAGE; empty: it ends with 0.
[[nodiscard]] std::string e2fsck_against(std::span<const std::byte> image);

}  // namespace xip::crash::test

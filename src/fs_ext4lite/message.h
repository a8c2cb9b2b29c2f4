// What the file system says to the instance's log.
#pragma once

#include <array>
#include <utility>

#include <fmt/format.h>

#include <xip/vfs/kernel.h>

#include "fs_ext4lite/ext4.h"

namespace xip::ext4lite {

// "ext4 (device): " and the text; the name of the device ends after 255 bytes, the line after 767. It takes no memory: some of what is said is about having none.
// Linux: ext4_msg.
template <class... Args>
void ext4_msg(const ext4_sb_info& sb, vfs::log_level level, fmt::format_string<Args...> text, Args&&... args) noexcept {
  std::array<char, 767> line;
  char* const end = line.data() + line.size();
  char* at = fmt::format_to_n(line.data(), line.size(), "ext4 ({}): ", sb.s_id.substr(0, 255)).out;
  at = fmt::format_to_n(at, static_cast<std::size_t>(end - at), text, std::forward<Args>(args)...).out;
  sb.s_kernel.printk(level, {line.data(), static_cast<std::size_t>(at - line.data())});
}

}  // namespace xip::ext4lite

// The generic options of a mount. Linux: fs/fs_context.c (common_set_sb_flag), util-linux's libmount for the rest.
#include <algorithm>
#include <array>

#include "vfs/mount.h"

namespace xip::vfs {

namespace {

struct generic_option {
  std::string_view name;
  std::uint32_t set;
  std::uint32_t clear;
};

constexpr std::array generic_options{
    generic_option{"defaults", 0, 0},
    generic_option{"ro", sb_rdonly, 0},
    generic_option{"rw", 0, sb_rdonly},
    generic_option{"noatime", sb_noatime, sb_relatime},
    generic_option{"atime", sb_relatime, sb_noatime},
    generic_option{"relatime", sb_relatime, sb_noatime},
    generic_option{"norelatime", 0, sb_relatime},
    generic_option{"strictatime", 0, sb_relatime | sb_noatime},
    generic_option{"nostrictatime", sb_relatime, 0},
    generic_option{"nodiratime", sb_nodiratime, 0},
    generic_option{"diratime", 0, sb_nodiratime},
    generic_option{"sync", sb_synchronous, 0},
    generic_option{"async", 0, sb_synchronous},
    generic_option{"dirsync", sb_dirsync, 0},
    generic_option{"nosuid", sb_nosuid, 0},
    generic_option{"suid", 0, sb_nosuid},
    generic_option{"nodev", sb_nodev, 0},
    generic_option{"dev", 0, sb_nodev},
    generic_option{"noexec", sb_noexec, 0},
    generic_option{"exec", 0, sb_noexec},
};

constexpr std::array shown_options{
    generic_option{"sync", sb_synchronous, 0},      generic_option{"dirsync", sb_dirsync, 0},   generic_option{"nosuid", sb_nosuid, 0},
    generic_option{"nodev", sb_nodev, 0},           generic_option{"noexec", sb_noexec, 0},     generic_option{"noatime", sb_noatime, 0},
    generic_option{"nodiratime", sb_nodiratime, 0}, generic_option{"relatime", sb_relatime, 0},
};

}  // namespace

parsed_options parse_mount_options(std::string_view options, std::uint32_t flags) {
  parsed_options parsed{flags, {}};
  while (!options.empty()) {
    const std::size_t comma = std::min(options.find(','), options.size());
    const std::string_view word = options.substr(0, comma);
    options.remove_prefix(std::min(comma + 1, options.size()));
    if (word.empty()) continue;
    const auto* known = std::ranges::find(generic_options, word, &generic_option::name);
    if (known != generic_options.end()) {
      parsed.sb_flags = (parsed.sb_flags & ~known->clear) | known->set;
      continue;
    }
    if (!parsed.rest.empty()) parsed.rest += ',';
    parsed.rest += word;
  }
  return parsed;
}

std::string show_generic_options(std::uint32_t sb_flags) {
  std::string text{(sb_flags & sb_rdonly) != 0 ? "ro" : "rw"};
  for (const generic_option& option : shown_options)
    if ((sb_flags & option.set) != 0) (text += ',') += option.name;
  return text;
}

}  // namespace xip::vfs

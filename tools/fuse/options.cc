#include "fuse/options.h"

#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/format.h>

#include <xip/fs_ext4lite/ext4lite.h>

namespace xip::fuse {
namespace {

// Whom a generic option is for.
struct generic_option {
  std::string_view name;
  bool kernel;
  bool library;
};

// The host's kernel keeps to suid, dev and exec before it asks; times are libxip's affair, and the kernel is told for /proc/mounts.
constexpr std::array generic_options{
    generic_option{"ro", true, true},
    generic_option{"rw", true, true},
    generic_option{"suid", true, false},
    generic_option{"nosuid", true, false},
    generic_option{"dev", true, false},
    generic_option{"nodev", true, false},
    generic_option{"exec", true, false},
    generic_option{"noexec", true, false},
    generic_option{"sync", true, true},
    generic_option{"async", true, true},
    generic_option{"dirsync", true, true},
    generic_option{"noatime", true, true},
    generic_option{"atime", true, true},
    generic_option{"relatime", false, true},
    generic_option{"norelatime", false, true},
    generic_option{"strictatime", false, true},
    generic_option{"nodiratime", false, true},
    generic_option{"diratime", false, true},
    generic_option{"auto_unmount", true, false},
    generic_option{"nostrictatime", false, true},
};

// For mount(8), systemd and their kin, and wishes of Linux that mean nothing here.
constexpr std::array<std::string_view, 26> ignored_options{"defaults",   "auto",
                                                           "noauto",     "user",
                                                           "nouser",     "users",
                                                           "nousers",    "owner",
                                                           "noowner",    "group",
                                                           "nogroup",    "_netdev",
                                                           "nofail",     "silent",
                                                           "loud",       "mand",
                                                           "nomand",     "iversion",
                                                           "noiversion", "lazytime",
                                                           "nolazytime", "default_permissions",
                                                           "quiet",      "_rnetdev",
                                                           "bootwait",   "nobootwait"};
constexpr std::array<std::string_view, 6> ignored_prefixes{"x-", "X-", "comment=", "user=", "helper=", "uhelper="};

constexpr std::array<std::string_view, 6> shown_prefixes{"user_id=", "group_id=", "rootmode=", "max_read=", "blksize=", "fd="};

// Labels of SELinux.
constexpr std::array<std::string_view, 4> label_prefixes{"context=", "fscontext=", "defcontext=", "rootcontext="};

constexpr std::array<std::string_view, 14> file_system_options{"dax",   "dax=",    "errors=",   "noload",     "norecovery",
                                                               "zero=", "acl",     "noacl",     "user_xattr", "nouser_xattr",
                                                               "grpid", "nogrpid", "bsdgroups", "sysvgroups"};

void append(std::string& list, std::string_view word) {
  if (!list.empty()) list += ',';
  list += word;
}

template <std::size_t N>
[[nodiscard]] bool starts_with_any(std::string_view word, const std::array<std::string_view, N>& prefixes) noexcept {
  return std::ranges::any_of(prefixes, [&](std::string_view prefix) { return word.starts_with(prefix); });
}

[[nodiscard]] bool is_ignored(std::string_view word) noexcept {
  return std::ranges::find(ignored_options, word) != ignored_options.end() || starts_with_any(word, ignored_prefixes);
}

[[nodiscard]] bool of_file_system(std::string_view word) noexcept {
  return std::ranges::any_of(file_system_options,
                             [&](std::string_view known) { return known.ends_with('=') ? word.starts_with(known) : word == known; });
}

[[nodiscard]] std::expected<void, std::string> parse_number(std::string_view word, unsigned least, unsigned most, unsigned& number) {
  const std::string_view value = word.substr(word.find('=') + 1);
  const auto [end, why] = std::from_chars(value.begin(), value.end(), number);
  if (why != std::errc{} || end != value.end() || number < least || number > most)
    return std::unexpected{fmt::format("option \"{}\": not a number from {} to {}", word, least, most)};
  return {};
}

[[nodiscard]] std::expected<void, std::string> parse_device(std::string_view value, mount_request& request) {
  if (value == "pmem")
    request.device = device_kind::mapped;
  else if (value == "block")
    request.device = device_kind::requests;
  else
    return std::unexpected{fmt::format("device={} is not known; it may be pmem or block", value)};
  return {};
}

void add_generic(const generic_option& option, mount_request& request) {
  if (option.kernel) append(request.kernel, option.name);
  if (option.name == "relatime" || option.name == "strictatime") append(request.kernel, "atime");  // no noatime, that is
  if (option.library) append(request.generic, option.name);
  if (option.name == "ro") request.read_only = true;
  if (option.name == "rw") request.read_only = false;
}

[[nodiscard]] std::expected<void, std::string> add_word(std::string_view word, mount_request& request) {
  if (const auto* known = std::ranges::find(generic_options, word, &generic_option::name); known != generic_options.end()) {
    add_generic(*known, request);
    return {};
  }
  if (word == "allow_other") {
    request.allow_other = true;
  } else if (word == "debug") {
    request.debug = request.foreground = true;
  } else if (word == "remount") {
    request.remount = true;
  } else if (word == "direct_io") {
    request.direct_io = true;
  } else if (word == "symfollow" || word == "nosymfollow") {
    request.nosymfollow = word == "nosymfollow";
  } else if (starts_with_any(word, label_prefixes)) {
    append(request.kernel, escaped(word));
  } else if (starts_with_any(word, shown_prefixes)) {
    append(request.shown, word);
  } else if (word.starts_with("threads=")) {
    return parse_number(word, 1, 64, request.threads);
  } else if (word.starts_with("commit=")) {
    if (auto number = parse_number(word, 0, 3600, request.commit_seconds); !number) return number;
    if (request.commit_seconds == 0) request.commit_seconds = default_commit_seconds;
    append(request.file_system, word);  // a journal has a timer of its own
  } else if (word.starts_with("device=")) {
    return parse_device(word.substr(7), request);
  } else if (!is_ignored(word) && (!request.sloppy || of_file_system(word))) {
    request.has_dax = request.has_dax || word == "dax" || word.starts_with("dax=");
    append(request.file_system, word);
  }
  return {};
}

[[nodiscard]] std::size_t end_of_word(std::string_view words) noexcept {
  bool quoted = false;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] == '"') quoted = !quoted;
    if (words[i] == ',' && !quoted) return i;
  }
  return words.size();
}

}  // namespace

std::string mount_request::library() const {
  std::string words = generic;
  if (!file_system.empty()) append(words, file_system);
  return words;
}

std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == ',' || c == '\\') result += '\\';
    result += c;
  }
  return result;
}

std::expected<void, std::string> check_options(const mount_request& request) {
  if (!request.remount && !request.shown.empty())
    return std::unexpected{fmt::format("option \"{}\" is for a remount only", request.shown.substr(0, request.shown.find(',')))};
  return check_ext4lite_options(request.file_system);
}

std::expected<void, std::string> add_options(std::string_view words, mount_request& request) {
  while (!words.empty()) {
    const std::size_t comma = end_of_word(words);
    const std::string_view word = words.substr(0, comma);
    words.remove_prefix(std::min(comma + 1, words.size()));
    if (word.empty()) continue;
    if (auto added = add_word(word, request); !added.has_value()) return added;
  }
  return {};
}

}  // namespace xip::fuse

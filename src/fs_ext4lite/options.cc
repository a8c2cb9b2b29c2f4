// The mount options of this file system. Linux: ext4_param_specs (fs/ext4/super.c).
#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/format.h>

#include <xip/fs_ext4lite/ext4lite.h>

#include "fs_ext4lite/super.h"

namespace xip::ext4lite {
namespace {

struct named_dax {
  std::string_view name;
  dax_mode mode;
};
constexpr std::array dax_names{named_dax{"always", dax_mode::always}, named_dax{"never", dax_mode::never},
                               named_dax{"inode", dax_mode::inode}};

struct named_errors {
  std::string_view name;
  errors_mode mode;
};
constexpr std::array errors_names{named_errors{"continue", errors_mode::continue_}, named_errors{"remount-ro", errors_mode::remount_ro},
                                  named_errors{"panic", errors_mode::panic}};

struct named_zero {
  std::string_view name;
  zero_mode mode;
};
constexpr std::array zero_names{named_zero{"convert", zero_mode::convert}, named_zero{"alloc", zero_mode::alloc}};

constexpr std::uint32_t most_commit_seconds = 24 * 60 * 60;

struct named_switch {
  std::string_view on, off;
  bool mount_options::* option;
};
constexpr std::array switches{named_switch{"user_xattr", "nouser_xattr", &mount_options::user_xattr},
                              named_switch{"acl", "noacl", &mount_options::acl}};

constexpr std::array<std::string_view, 2> grpid_names{"grpid", "bsdgroups"}, nogrpid_names{"nogrpid", "sysvgroups"};

[[nodiscard]] result<> parse_one(std::string_view word, mount_options& options, std::string& message) {
  const std::size_t equals = std::min(word.find('='), word.size());
  const std::string_view key = word.substr(0, equals);
  const bool has_value = equals < word.size();
  const std::string_view value = word.substr(std::min(equals + 1, word.size()));
  if (key == "dax") {
    const auto* known = std::ranges::find(dax_names, has_value ? value : "always", &named_dax::name);
    if (known == dax_names.end()) {
      message = fmt::format("dax={} is not known; it may be always, never or inode", value);
      return fail(EINVAL);
    }
    options.dax = known->mode;
    return {};
  }
  if (key == "errors") {
    const auto* known = std::ranges::find(errors_names, value, &named_errors::name);
    if (known == errors_names.end()) {
      message = fmt::format("errors={} is not known; it may be continue, remount-ro or panic", value);
      return fail(EINVAL);
    }
    options.errors = known->mode;
    return {};
  }
  if (key == "zero") {
    const auto* known = std::ranges::find(zero_names, value, &named_zero::name);
    if (known == zero_names.end()) {
      message = fmt::format("zero={} is not known; it may be convert or alloc", value);
      return fail(EINVAL);
    }
    options.zero = known->mode;
    return {};
  }
  if (word == "noload" || word == "norecovery") {
    options.noload = true;
    return {};
  }
  if (key == "commit") {
    const auto [end, bad] = std::from_chars(value.data(), value.data() + value.size(), options.commit);
    if (value.empty() || bad != std::errc{} || end != value.data() + value.size() || options.commit > most_commit_seconds) {
      message = fmt::format("commit={} is no number of seconds from 0 (the default, {}) to {}", value, default_commit_seconds,
                            most_commit_seconds);
      return fail(EINVAL);
    }
    return {};
  }
  for (const bool on : {true, false}) {
    const auto& names = on ? grpid_names : nogrpid_names;
    if (std::ranges::find(names, word) == names.end()) continue;
    options.grpid = on;
    return {};
  }
  for (const named_switch& s : switches) {
    if (word != s.on && word != s.off) continue;
    options.*s.option = word == s.on;
    return {};
  }
  message = fmt::format("option \"{}\" is not known; ext4 has dax=, errors=, commit=, zero=, noload, [no]grpid, [no]user_xattr and [no]acl",
                        word);
  return fail(EINVAL);
}

}  // namespace

result<> parse_options(std::string_view text, mount_options& options, std::string& message) {
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    const std::string_view word = text.substr(0, comma);
    text.remove_prefix(std::min(comma + 1, text.size()));
    if (!word.empty()) XIP_TRY(parse_one(word, options, message));
  }
  return {};
}

}  // namespace xip::ext4lite

namespace xip {

std::expected<void, std::string> check_ext4lite_options(std::string_view words) {
  ext4lite::mount_options options;
  std::string message;
  if (!ext4lite::parse_options(words, options, message)) return std::unexpected{std::move(message)};
  return {};
}

}  // namespace xip

namespace xip::ext4lite {

void show_options(const vfs::super_block& sb, std::string& out) {
  const auto& info = static_cast<const ext4_sb_info&>(sb);
  if (info.s_options.dax != dax_mode::inode)
    out += fmt::format(",dax={}", std::ranges::find(dax_names, info.s_options.dax, &named_dax::mode)->name);
  if (info.s_options.errors)
    out += fmt::format(",errors={}", std::ranges::find(errors_names, *info.s_options.errors, &named_errors::mode)->name);
  if (info.s_options.commit != 0) out += fmt::format(",commit={}", info.s_options.commit);
  if (info.s_options.zero != zero_mode::convert) out += ",zero=alloc";
  if (info.s_options.noload) out += ",norecovery";
  if (info.s_options.grpid) out += *info.s_options.grpid ? ",grpid" : ",nogrpid";
  for (const named_switch& s : switches)
    if (!(info.s_options.*s.option)) (out += ',') += s.off;
}

}  // namespace xip::ext4lite

// Images as files of the host.
#include "scenario/image.h"

#include <algorithm>
#include <array>
#include <cstring>

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <fmt/format.h>

#include "scenario/descriptor.h"
#include "scenario/subprocess.h"

namespace xip::scenario {
namespace {

// A fixed identity: the same scenario with the same seed meets the same image.
constexpr const char* image_uuid = "584950c4-0000-4000-8000-636865636b00";
constexpr std::uint64_t super_block_offset = 1024;
constexpr std::uint64_t blank_prefix = 1 << 20;

std::string because(std::string_view doing, const std::string& path) {
  return fmt::format("{}: {}: {}", path, doing, error{errno}.message());
}

std::vector<std::string> mke2fs_arguments(const std::vector<std::string>* options, const std::vector<std::string>& extra) {
  std::vector<std::string> all{"-q", "-F"};
  std::vector<std::string> given;
  if (options != nullptr) given = *options;
  given.insert(given.end(), extra.begin(), extra.end());
  const auto says = [&](std::string_view letter) {
    return std::ranges::any_of(given, [&](const std::string& word) { return word.starts_with(letter); });
  };
  const auto add = [&](std::string_view letter, std::string_view value) {
    if (says(letter)) return;
    all.emplace_back(letter);
    all.emplace_back(value);
  };
  add("-t", "ext4");
  if (options == nullptr) add("-b", "4096");
  add("-L", image_label);
  add("-U", image_uuid);
  add("-E", fmt::format("hash_seed={}", image_uuid));
  all.insert(all.end(), given.begin(), given.end());
  return all;
}

bool copy_range(int from, int to, off_t offset, off_t end) {
  std::array<char, 65536> buffer;
  while (offset < end) {
    const ssize_t got = ::pread(from, buffer.data(), static_cast<std::size_t>(std::min<off_t>(end - offset, buffer.size())), offset);
    if (got <= 0) return got == 0;
    if (::pwrite(to, buffer.data(), static_cast<std::size_t>(got), offset) != got) return false;
    offset += got;
  }
  return true;
}

bool copy_data(int from, int to, off_t size) {
  off_t at = 0;
  while (at < size) {
    off_t data = ::lseek(from, at, SEEK_DATA);
    if (data < 0 && errno == ENXIO) return true;
    if (data < 0) data = at;  // a host without SEEK_DATA
    off_t hole = ::lseek(from, data, SEEK_HOLE);
    if (hole < 0) hole = size;
    if (!copy_range(from, to, data, hole)) return false;
    at = hole;
  }
  return true;
}

}  // namespace

outcome_or_message make_image(const tools& use, const std::string& path, const std::vector<std::string>* options,
                              const std::vector<std::string>& extra) {
  std::vector<std::string> arguments = mke2fs_arguments(options, extra);
  arguments.push_back(path);
  const auto ran = run_tool(use.mke2fs, arguments);
  if (!ran) return std::unexpected{fmt::format("{}: {}", use.mke2fs, ran.error().message())};
  if (ran->status != 0) return std::unexpected{fmt::format("mke2fs failed with exit code {}: {}", ran->status, ran->output)};
  return {};
}

outcome_or_message check_image(const tools& use, const std::string& path) {
  const auto ran = run_tool(use.e2fsck, {"-fn", path});
  if (!ran) return std::unexpected{fmt::format("{}: {}", use.e2fsck, ran.error().message())};
  if (ran->status != 0) return std::unexpected{fmt::format("e2fsck -fn ended with exit code {}:\n{}", ran->status, ran->output)};
  return {};
}

outcome_or_message make_blank(const std::string& path, std::uint64_t bytes) {
  const descriptor file{::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)};
  if (file.get() < 0) return std::unexpected{because("cannot be opened", path)};
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) return std::unexpected{because("cannot be asked", path)};
  if (S_ISBLK(status.st_mode)) return {};  // mke2fs writes what matters
  if (::ftruncate(file.get(), 0) != 0 || ::ftruncate(file.get(), static_cast<off_t>(bytes)) != 0)
    return std::unexpected{because("cannot be given its size", path)};
  return {};
}

outcome_or_message copy_image(const std::string& from, const std::string& to) {
  const descriptor source{::open(from.c_str(), O_RDONLY | O_CLOEXEC)};
  if (source.get() < 0) return std::unexpected{because("cannot be read", from)};
  const auto size = size_of_image(from);
  if (!size) return std::unexpected{because("has no size", from)};
  if (auto blank = make_blank(to, *size); !blank) return blank;
  const descriptor target{::open(to.c_str(), O_RDWR | O_CLOEXEC)};
  if (target.get() < 0) return std::unexpected{because("cannot be written", to)};
  if (!copy_data(source.get(), target.get(), static_cast<off_t>(*size))) return std::unexpected{because("cannot be copied", from)};
  return {};
}

result<std::uint64_t> size_of_image(const std::string& path) {
  const descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  struct stat status{};
  if (file.get() < 0 || ::fstat(file.get(), &status) != 0) return fail(errno);
  if (!S_ISBLK(status.st_mode)) return static_cast<std::uint64_t>(status.st_size);
  std::uint64_t bytes = 0;
  if (::ioctl(file.get(), BLKGETSIZE64, &bytes) != 0) return fail(errno);
  return bytes;
}

result<content> content_of(const std::string& path) {
  const descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.get() < 0) return fail(errno);
  std::vector<char> start(blank_prefix);
  const ssize_t got = ::pread(file.get(), start.data(), start.size(), 0);
  if (got < 0) return fail(errno);
  start.resize(static_cast<std::size_t>(got));
  if (std::ranges::all_of(start, [](char c) { return c == 0; })) return content::blank;
  constexpr std::size_t label = super_block_offset + 120;  // s_volume_name, 16 bytes
  if (start.size() >= label + 16 && std::string_view{start.data() + label, image_label.size() + 1} == std::string{image_label} + '\0')
    return content::ours;
  return content::foreign;
}

}  // namespace xip::scenario

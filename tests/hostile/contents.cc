#include "hostile/contents.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include <fcntl.h>
#include <linux/limits.h>
#include <sys/stat.h>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace xip::hostile {
namespace {

[[nodiscard]] std::string whole_file(vfs::task& task, const std::string& path) {
  std::string all;
  const auto fd = task.open(path, O_RDONLY);
  EXPECT_TRUE(fd) << path;
  if (!fd) return all;
  std::array<char, 16384> buffer;
  for (;;) {
    const auto got = task.read(*fd, buffer.data(), buffer.size());
    EXPECT_TRUE(got) << path << ": " << got.error().name();
    if (!got || *got == 0) break;
    all.append(buffer.data(), *got);
  }
  EXPECT_TRUE(task.close(*fd));
  return all;
}

[[nodiscard]] std::string directory_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == 0 ? "/" : path.substr(0, slash);
}

[[nodiscard]] unsigned byte_at(std::string_view bytes, std::size_t at) noexcept { return static_cast<unsigned char>(bytes[at]); }

}  // namespace

// ---- the undamaged image

std::vector<std::string> attribute_names(std::string_view list) {
  std::vector<std::string> names{access_list, default_list};
  for (std::size_t at = 0; at < list.size(); at += names.back().size() + 1) names.emplace_back(list.substr(at, list.find('\0', at) - at));
  return names;
}

known_file take_stock(vfs::task& task, const std::string& path) {
  known_file file;
  const auto stat = task.lstat(path);
  EXPECT_TRUE(stat) << path;
  if (!stat) return file;
  file.type = stat->mode & S_IFMT;
  file.rdev = stat->rdev;
  if (S_ISREG(stat->mode)) file.bytes = whole_file(task, path);
  if (S_ISLNK(stat->mode)) file.bytes = task.readlink(path).value_or("");
  std::vector<char> room(XATTR_SIZE_MAX);
  const auto listed = task.llistxattr(path, room.data(), room.size());
  EXPECT_TRUE(listed) << path;
  for (const std::string& name : attribute_names({room.data(), listed.value_or(0)}))
    if (const auto size = task.lgetxattr(path, name, room.data(), room.size())) file.attributes[name].assign(room.data(), *size);
  return file;
}

// ---- the damaged one

const known_file* contents_judge::find(const std::string& path) const noexcept {
  if (undamaged_ == nullptr) return nullptr;
  const auto found = undamaged_->files.find(path);
  return found == undamaged_->files.end() ? nullptr : &found->second;
}

void contents_judge::add(const std::string& path, std::string what, bool may_be_told) {
  differences_.push_back({path, std::move(what), may_be_told});
}

loff_t contents_judge::size_of(const std::string& path) const noexcept {
  const known_file* known = find(path);
  return known == nullptr ? 0 : static_cast<loff_t>(known->bytes.size());
}

std::vector<std::string> contents_judge::attributes_of(const std::string& path) const {
  std::vector<std::string> names;
  if (const known_file* known = find(path); known != nullptr)
    for (const auto& [name, value] : known->attributes) names.push_back(name);
  return names;
}

void contents_judge::names(const paths& listed, const paths& to_the_end) {
  if (undamaged_ == nullptr) return;
  for (const std::string& path : listed)
    if (!undamaged_->names.contains(path)) add(path, "is listed, and was not there", true);
  for (const std::string& path : undamaged_->names)
    if (!listed.contains(path) && to_the_end.contains(directory_of(path))) add(path, "is not listed any more", true);
}

void contents_judge::node(const std::string& path, const result<vfs::kstat>& stat) {
  const known_file* known = find(path);
  if (known == nullptr) return;
  if (!stat) {
    if (stat.error() == ENOENT) add(path, "is not there any more", true);
    return;
  }
  if ((stat->mode & S_IFMT) != known->type) add(path, fmt::format("has mode {:#o}, and was of type {:#o}", stat->mode, known->type));
  if (stat->rdev != known->rdev) add(path, fmt::format("is device {:#x}, and was {:#x}", stat->rdev, known->rdev));
}

void contents_judge::target(const std::string& path, const result<std::string>& target) {
  const known_file* known = find(path);
  if (known != nullptr && target && *target != known->bytes)
    add(path, fmt::format("leads to '{}', and led to '{}'", *target, known->bytes));
}

void contents_judge::bytes(const std::string& path, loff_t pos, std::string_view got, std::string_view how) {
  const known_file* known = find(path);
  if (known == nullptr) return;
  const std::string_view all = known->bytes;
  const std::size_t begin = std::min(static_cast<std::size_t>(pos), all.size());
  const std::string_view expected = all.substr(begin, got.size());
  if (got.empty() && begin != all.size()) return add(path, fmt::format("{}: it ends at {}, not at {}", how, pos, all.size()));
  const auto common = static_cast<std::size_t>(std::ranges::mismatch(got, expected).in1 - got.begin());
  if (common < expected.size())
    return add(
        path, fmt::format("{}: byte {} is {:#04x}, and was {:#04x}", how, begin + common, byte_at(got, common), byte_at(expected, common)));
  if (common < got.size())
    add(path, fmt::format("{}: it goes on at {}, and ended at {}", how, static_cast<std::size_t>(pos) + common, all.size()));
}

void contents_judge::hole(const std::string& path, loff_t from, loff_t to) {
  const known_file* known = find(path);
  if (known == nullptr || from >= to) return;
  const std::string_view all = known->bytes;
  const std::size_t begin = std::min(static_cast<std::size_t>(from), all.size());
  const std::string_view inside = all.substr(begin, static_cast<std::size_t>(to) - static_cast<std::size_t>(from));
  if (const std::size_t data = inside.find_first_not_of('\0'); data != inside.npos)
    add(path, fmt::format("a hole from {} to {}, where byte {} was {:#04x}", from, to, begin + data, byte_at(inside, data)));
}

void contents_judge::attribute(const std::string& path, const std::string& name, const result<std::size_t>& size, const char* value) {
  const known_file* known = find(path);
  if (known == nullptr) return;
  const auto was = known->attributes.find(name);
  if (!size) {
    if (size.error() == ENODATA && was != known->attributes.end()) add(path, fmt::format("has no {} any more", name), true);
    return;
  }
  if (was == known->attributes.end()) return add(path, fmt::format("has {}, and had not", name), true);
  if (was->second != std::string_view{value, *size}) add(path, fmt::format("{} has another value", name));
}

}  // namespace xip::hostile

#include "copy.h"

#include <algorithm>

#include <fmt/format.h>
#include <unistd.h>

#include "image_path.h"

namespace xip::tool {
namespace {

constexpr std::size_t buffer_bytes = std::size_t{1} << 20;

}  // namespace

copier::copier(tree& from, tree& to, copy_options options) : from_{from}, to_{to}, options_{std::move(options)}, buffer_(buffer_bytes) {}

bool copier::failed(const std::string& shown, error why) {
  options_.report(fmt::format("{}: {}", shown, why.message()));
  return false;
}

bool copier::copy(const std::string& source, const std::string& target) {
  const auto info = from_.info(source, options_.recursive ? follow::no : follow::yes);
  if (!info.has_value()) return failed(from_.shown(source), info.error());
  if (info->is_dir() && !options_.recursive) {
    options_.report(fmt::format("{}: is a directory; copy it with -r", from_.shown(source)));
    return false;
  }
  return copy_entry(source, target, *info, true);
}

bool copier::copy_entry(const std::string& source, const std::string& target, const file_info& info, bool at_top) {
  if (options_.asked_to_stop()) stopped_ = true;
  if (stopped_) return false;
  if (info.is_dir()) return copy_directory(source, target, info, at_top);

  const bool shared = info.nlink > 1 && options_.recursive;
  if (shared) {
    if (const auto first = linked_.find({info.dev, info.ino}); first != linked_.end()) {
      const auto made = to_.link(first->second, target);
      return made.has_value() || failed(to_.shown(target), made.error());
    }
  }
  if (S_ISREG(info.mode)) {
    if (!copy_regular(source, target, info, at_top)) return false;
  } else if (const auto made = copy_special(source, target, info); !made.has_value()) {
    return failed(to_.shown(target), made.error());
  }
  if (shared) linked_.emplace(std::pair{info.dev, info.ino}, target);
  return finish(target, info);
}

bool copier::copy_directory(const std::string& source, const std::string& target, const file_info& info, bool at_top) {
  if (made_.contains({info.dev, info.ino}) && &from_ == &to_) {
    options_.report(fmt::format("{}: cannot be copied into itself", from_.shown(source)));
    return false;
  }
  if (const auto made = to_.mkdir(target); !made.has_value()) {
    if (made.error() != EEXIST) return failed(to_.shown(target), made.error());
    const auto there = to_.info(target, at_top ? follow::yes : follow::no);
    if (!there.has_value()) return failed(to_.shown(target), there.error());
    if (!there->is_dir()) return failed(to_.shown(target), error{ENOTDIR});
  } else if (const auto there = to_.info(target, follow::no); there.has_value()) {
    made_.emplace(std::pair{there->dev, there->ino}, true);
  }
  const auto names = from_.list(source);
  if (!names.has_value()) return failed(from_.shown(source), names.error());
  bool all = true;
  for (const std::string& name : *names) {
    const std::string entry = joined(source, name);
    const auto entry_info = from_.info(entry, follow::no);
    if (!entry_info.has_value()) {
      all = failed(from_.shown(entry), entry_info.error());
    } else if (!copy_entry(entry, joined(target, name), *entry_info, false)) {
      all = false;
    }
    if (stopped_) break;
  }
  return finish(target, info) && all;
}

bool copier::copy_regular(const std::string& source, const std::string& target, const file_info& info, bool at_top) {
  const auto there = to_.info(target, follow::yes);
  if (&from_ == &to_ && there.has_value() && there->dev == info.dev && there->ino == info.ino) {
    options_.report(fmt::format("{}: is the same file as {}", from_.shown(source), to_.shown(target)));
    return false;
  }
  const auto in = from_.open(source);
  if (!in.has_value()) return failed(from_.shown(source), in.error());
  const auto out = to_.create(target, at_top ? follow::yes : follow::no);
  if (!out.has_value()) return failed(to_.shown(target), out.error());
  return copy_bytes(**in, **out, source, target, info.size);
}

bool copier::copy_bytes(tree_file& in, tree_file& out, const std::string& source, const std::string& target, loff_t size) {
  for (loff_t pos = 0; pos < size;) {
    const auto data = in.seek(pos, SEEK_DATA);
    if (!data.has_value() && data.error() == ENXIO) break;
    if (!data.has_value() && data.error() != EINVAL) return failed(from_.shown(source), data.error());
    const loff_t begin = data.value_or(pos);
    const auto hole = data.has_value() ? in.seek(begin, SEEK_HOLE) : result<loff_t>{size};
    const loff_t end = std::min(size, hole.value_or(size));
    if (!copy_stretch(in, out, source, target, begin, end)) return false;
    pos = end;
  }
  if (const auto cut = out.truncate(size); !cut.has_value()) return failed(to_.shown(target), cut.error());
  return true;
}

bool copier::copy_stretch(tree_file& in, tree_file& out, const std::string& source, const std::string& target, loff_t from, loff_t to) {
  while (from < to) {
    if (options_.asked_to_stop()) {
      stopped_ = true;
      return false;
    }
    const auto want = static_cast<std::size_t>(std::min<loff_t>(to - from, static_cast<loff_t>(buffer_.size())));
    const auto got = in.read(buffer_.data(), want, from);
    if (!got.has_value()) return failed(from_.shown(source), got.error());
    if (*got == 0) return true;  // it became shorter meanwhile
    for (std::size_t done = 0; done < *got;) {
      const auto put = out.write(buffer_.data() + done, *got - done, from + static_cast<loff_t>(done));
      if (!put.has_value()) return failed(to_.shown(target), put.error());
      done += *put;
    }
    from += static_cast<loff_t>(*got);
    bytes_ += *got;
    options_.progress(from_.shown(source), bytes_);
  }
  return true;
}

result<> copier::copy_special(const std::string& source, const std::string& target, const file_info& info) {
  if (S_ISLNK(info.mode)) return to_.symlink(XIP_TRY(from_.readlink(source)), target);
  return to_.mknod(target, info.mode, info.rdev);
}

bool copier::finish(const std::string& target, const file_info& info) {
  const auto set = to_.set_info(target, info);
  return set.has_value() || failed(to_.shown(target), set.error());
}

std::string target_of(tree& to, const std::string& source, const std::string& target) {
  const auto there = to.info(target, follow::yes);
  if (!there.has_value() || !there->is_dir()) return target;
  const std::string name = base_name(source);
  return name.empty() ? target : joined(target, name);
}

}  // namespace xip::tool

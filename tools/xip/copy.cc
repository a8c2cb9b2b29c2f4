#include "copy.h"

#include <algorithm>
#include <limits>

#include <fmt/format.h>
#include <unistd.h>

#include "image_path.h"

namespace xip::tool {
namespace {

constexpr std::size_t buffer_bytes = std::size_t{1} << 20;

}  // namespace

copier::copier(tree& from, tree& to, copy_options options) : from_{from}, to_{to}, options_{std::move(options)}, buffer_(buffer_bytes) {}

bool copier::failed(const std::string& shown, error why) {
  if (why == EINTR && options_.asked_to_stop()) {
    stopped_ = true;
    return false;
  }
  options_.report(fmt::format("{}: {}", shown, why.message()));
  return false;
}

bool copier::refused(const std::string& message) {
  options_.report(message);
  return false;
}

bool copier::refused_image(const std::string& source) {
  return refused(fmt::format("{}: is the image itself and is not copied", from_.shown(source)));
}

bool copier::copy(const std::string& source, const std::string& target) {
  auto info = from_.info(source, options_.recursive ? follow::no : follow::yes);
  if (!info.has_value()) return failed(from_.shown(source), info.error());
  if (info->is_dir() && !options_.recursive) return refused(fmt::format("{}: is a directory; copy it with -r", from_.shown(source)));
  if (info->is_dir() && lies_in(target, *info))
    return refused(fmt::format("{}: cannot be copied into itself, {}", from_.shown(source), to_.shown(target)));
  // As cp: without -r a pipe or a device is what can be read from it.
  if (!options_.recursive && from_.is_open_image(*info)) return refused_image(source);
  if (!options_.recursive && !S_ISREG(info->mode)) info->mode = S_IFREG | (info->mode & 07777);
  return copy_entry(source, target, *info);
}

bool copier::lies_in(std::string path, const file_info& directory) {
  if (&from_ != &to_) return false;
  while (!path.empty()) {
    const auto there = to_.info(path, follow::yes);
    if (there.has_value() && there->dev == directory.dev && there->ino == directory.ino) return true;
    const std::size_t slash = path.find_last_not_of('/') == std::string::npos ? 0 : path.rfind('/', path.find_last_not_of('/'));
    path.resize(slash == 0 && path.size() > 1 ? 1 : slash);  // its parent; the root's is nothing
  }
  return false;
}

bool copier::copy_entry(const std::string& source, const std::string& target, file_info info) {
  if (options_.asked_to_stop()) stopped_ = true;
  if (stopped_) return false;
  const bool read = read_xattrs(source, info);
  return copy_by_kind(source, target, info) && read;
}

bool copier::copy_by_kind(const std::string& source, const std::string& target, const file_info& info) {
  if (info.is_dir()) return copy_directory(source, target, info);
  if (S_ISREG(info.mode) && from_.is_open_image(info)) return refused_image(source);

  std::optional<file_info> over;
  if (!make_room(source, target, info, over)) return false;
  if (options_.several) taken_.insert(target);
  const bool shared = info.nlink > 1 && options_.recursive;
  if (shared) {
    if (const auto first = linked_.find({info.dev, info.ino}); first != linked_.end()) return link_to(first->second, target);
  }
  if (!(S_ISREG(info.mode) ? copy_regular(source, target, info, over) : copy_special(source, target, info))) return false;
  if (shared) linked_.emplace(std::pair{info.dev, info.ino}, target);
  return true;
}

bool copier::read_xattrs(const std::string& source, file_info& info) {
  auto found = from_.xattrs(source, options_.recursive ? follow::no : follow::yes);
  if (!found.has_value()) return refused(fmt::format("{}: extended attributes: {}", from_.shown(source), found.error().message()));
  info.xattrs = std::move(*found);
  return true;
}

attribute_lost copier::warning_for(const std::string& target) {
  return [this, shown = to_.shown(target)](const std::string& name, error why) {
    options_.report(fmt::format("warning: {}: {} is not kept: {}", shown, name, why.message()));
  };
}

bool copier::copy_directory(const std::string& source, const std::string& target, const file_info& info) {
  if (made_.contains({info.dev, info.ino}) && &from_ == &to_)
    return refused(fmt::format("{}: cannot be copied into itself", from_.shown(source)));
  const auto made = to_.mkdir(target);
  if (!made.has_value() && made.error() != EEXIST) return failed(to_.shown(target), made.error());
  const auto there = to_.info(target, follow::no);
  if (!there.has_value()) return failed(to_.shown(target), there.error());
  if (!there->is_dir())
    return refused(fmt::format("cannot overwrite non-directory '{}' with directory '{}'", to_.shown(target), from_.shown(source)));
  if (made.has_value()) made_.emplace(std::pair{there->dev, there->ino}, true);
  const bool all = copy_names(source, target);
  const auto set = to_.set_info(target, info, warning_for(target));
  return (set.has_value() || failed(to_.shown(target), set.error())) && all;
}

// The same name twice can only be damage; the second file would go through a symlink that the first one left.
bool copier::copy_names(const std::string& source, const std::string& target) {
  const auto names = from_.list(source);
  if (!names.has_value()) return failed(from_.shown(source), names.error());
  if (std::ranges::adjacent_find(*names) != names->end()) return failed(from_.shown(source), error{EUCLEAN});
  bool all = true;
  for (const std::string& name : *names) {
    const std::string entry = joined(source, name);
    const auto info = from_.info(entry, follow::no);
    if (!info.has_value()) {
      all = failed(from_.shown(entry), info.error());
    } else if (!copy_entry(entry, joined(target, name), *info)) {
      all = false;
    }
    if (stopped_) break;
  }
  return all;
}

bool copier::make_room(const std::string& source, const std::string& target, const file_info& info, std::optional<file_info>& over) {
  const bool regular = S_ISREG(info.mode);
  const auto there = to_.info(target, regular ? follow::yes : follow::no);
  if (!there.has_value()) {
    if (there.error() != ENOENT) return failed(to_.shown(target), there.error());
    if (regular && to_.info(target, follow::no).has_value())
      return refused(fmt::format("not writing through dangling symlink '{}'", to_.shown(target)));
    return true;
  }
  if (there->is_dir())
    return refused(fmt::format("cannot overwrite directory '{}' with non-directory '{}'", to_.shown(target), from_.shown(source)));
  if (to_.is_open_image(*there)) return refused(fmt::format("{}: is the image itself and is not written over", to_.shown(target)));
  if (&from_ == &to_ && there->dev == info.dev && there->ino == info.ino)
    return refused(fmt::format("{}: is the same file as {}", from_.shown(source), to_.shown(target)));
  if (taken_.contains(target))
    return refused(fmt::format("will not overwrite just-created '{}' with '{}'", to_.shown(target), from_.shown(source)));
  if (regular && (there->nlink == 1 || !options_.recursive)) {
    over = *there;
    return true;
  }
  const auto gone = to_.unlink(target);
  return gone.has_value() || failed(to_.shown(target), gone.error());
}

// A name in the way of the link goes, and with it the file it alone led to.
bool copier::link_to(const std::string& first, const std::string& target) {
  auto made = to_.link(first, target);
  if (!made.has_value() && made.error() == EEXIST) {
    made = to_.unlink(target);
    if (made.has_value()) made = to_.link(first, target);
  }
  return made.has_value() || failed(to_.shown(target), made.error());
}

bool copier::copy_regular(const std::string& source, const std::string& target, const file_info& info,
                          const std::optional<file_info>& over) {
  if (over && !S_ISREG(over->mode))
    return refused(fmt::format("{}: there is a fifo, socket or device; remove it first", to_.shown(target)));
  const auto in = from_.open(source);
  if (!in.has_value()) return failed(from_.shown(source), in.error());
  const auto out = over ? to_.open_over(target) : to_.create(target);
  if (!out.has_value()) return failed(to_.shown(target), out.error());
  if (!copy_bytes(**in, **out, source, target, info.size)) return false;
  const auto set = (*out)->set_info(info, warning_for(target));
  return set.has_value() || failed(to_.shown(target), set.error());
}

bool copier::copy_bytes(tree_file& in, tree_file& out, const std::string& source, const std::string& target, loff_t size) {
  for (loff_t pos = 0; pos < size;) {
    const auto data = in.seek(pos, SEEK_DATA);
    if (!data.has_value() && data.error() == ENXIO) break;
    if (!data.has_value() && data.error() != EINVAL) return failed(from_.shown(source), data.error());
    const loff_t begin = data.value_or(pos);
    const auto hole = data.has_value() ? in.seek(begin, SEEK_HOLE) : result<loff_t>{size};
    // Blocks that are not to be believed.
    if (!hole.has_value() && hole.error() == EUCLEAN) return failed(from_.shown(source), hole.error());
    const loff_t end = std::min(size, hole.value_or(size));
    const auto reached = copy_stretch(in, out, source, target, begin, end);
    if (!reached) return false;
    if (*reached < end) size = *reached;  // it became shorter
    pos = end;
  }
  // Some have no size and contents all the same (/proc), and some grow.
  const auto length = copy_stretch(in, out, source, target, size, std::numeric_limits<loff_t>::max());
  if (!length) return false;
  if (const auto cut = out.truncate(*length); !cut.has_value()) return failed(to_.shown(target), cut.error());
  return true;
}

std::optional<loff_t> copier::copy_stretch(tree_file& in, tree_file& out, const std::string& source, const std::string& target, loff_t from,
                                           loff_t to) {
  const auto gave_up = [&](const std::string& shown, error why) {
    failed(shown, why);
    return std::nullopt;
  };
  while (from < to) {
    if (options_.asked_to_stop()) {
      stopped_ = true;
      return std::nullopt;
    }
    const auto want = static_cast<std::size_t>(std::min<loff_t>(to - from, static_cast<loff_t>(buffer_.size())));
    const auto got = in.read(buffer_.data(), want, from);
    if (!got.has_value()) return gave_up(from_.shown(source), got.error());
    if (*got == 0) break;
    for (std::size_t done = 0; done < *got;) {
      const auto put = out.write(buffer_.data() + done, *got - done, from + static_cast<loff_t>(done));
      if (!put.has_value()) return gave_up(to_.shown(target), put.error());
      done += *put;
    }
    from += static_cast<loff_t>(*got);
    bytes_ += *got;
    options_.progress(from_.shown(source), bytes_);
  }
  return from;
}

bool copier::copy_special(const std::string& source, const std::string& target, const file_info& info) {
  auto made = result<>{};
  if (S_ISLNK(info.mode)) {
    const auto leads = from_.readlink(source);
    if (!leads.has_value()) return failed(from_.shown(source), leads.error());
    made = to_.symlink(*leads, target);
  } else {
    made = to_.mknod(target, info.mode, info.rdev);
  }
  if (made.has_value()) made = to_.set_info(target, info, warning_for(target));
  return made.has_value() || failed(to_.shown(target), made.error());
}

std::string target_of(tree& to, const std::string& source, const std::string& target) {
  const auto there = to.info(target, follow::yes);
  if (!there.has_value() || !there->is_dir()) return target;
  const std::string name = base_name(source);
  return joined(target, name.empty() ? "." : name);
}

}  // namespace xip::tool

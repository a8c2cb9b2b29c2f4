// getdents: the names of a directory, each once, while others come and go. Linux: fs/ext4/dir.c (ext4_readdir, ext4_dx_readdir).
//
// Where dir_index is on, names come in the order of their hashes, and a position is a hash: a name keeps its place whatever happens to the
// blocks. That is so for a directory of one block too, which may get an index at any time. Other directories are read by blocks; a position
// there is a byte.
//
// Names are read in batches: those of a leaf, or, where the index is broken, those with the smallest hashes of the whole directory. An open
// file keeps its batch for the next call, until something changes in the directory.
//
// Lock chains:
//   f_pos_lock -> i_rwsem -> i_data_sem
#include <algorithm>
#include <memory_resource>
#include <string>
#include <vector>

#include <unistd.h>

#include <fmt/format.h>

#include "fs_ext4lite/dir.h"
#include "fs_ext4lite/file_hooks.h"

namespace xip::ext4lite {
namespace {

constexpr loff_t end_position = INT64_MAX;
constexpr std::size_t scan_limit = 65536;  // names that a batch from a scan holds
constexpr dir_hash dot_hash{0, 0};
constexpr dir_hash dotdot_hash{2, 0};

// 31 bits of the first hash, whose lowest is 0, and 32 of the second. Linux: hash2pos.
[[nodiscard]] constexpr loff_t position_of(const dir_hash& h) noexcept {
  return static_cast<loff_t>(std::uint64_t{h.major >> 1} << 32 | h.minor);
}
[[nodiscard]] constexpr dir_hash hash_at(loff_t position) noexcept {
  return {static_cast<std::uint32_t>(position >> 32) << 1, static_cast<std::uint32_t>(position)};
}

struct listed_name {
  dir_hash hash;
  ino_t inode;
  std::uint8_t type;
  std::uint8_t length;
  std::uint32_t at;  // in the batch's text
};

class name_batch {
 public:
  explicit name_batch(std::pmr::memory_resource& m) : names_{&m}, text_{&m} {}

  void clear() noexcept {
    names_.clear();
    text_.clear();
    next = end_position;
  }
  void add(const dir_hash& hash, const dir_entry_view& e) {
    names_.push_back({hash, e.inode, e.file_type, static_cast<std::uint8_t>(e.name.size()), static_cast<std::uint32_t>(text_.size())});
    text_.insert(text_.end(), e.name.begin(), e.name.end());
  }
  // Names of one hash go by their letters, so that their order is the same in each batch.
  void sort() {
    std::ranges::sort(
        names_, [this](const listed_name& a, const listed_name& b) { return a.hash != b.hash ? a.hash < b.hash : name(a) < name(b); });
  }
  // Keeps the COUNT first of a sorted batch, and what shares its hash with the last of them.
  void keep(std::size_t count) {
    while (count < names_.size() && count > 0 && names_[count].hash == names_[count - 1].hash) ++count;
    if (count >= names_.size()) return;
    next = position_of(names_[count].hash);
    std::pmr::vector<char> text{text_.get_allocator()};
    names_.resize(count);
    for (listed_name& n : names_) {
      const std::string_view letters = name(n);
      n.at = static_cast<std::uint32_t>(text.size());
      text.insert(text.end(), letters.begin(), letters.end());
    }
    text_ = std::move(text);
  }

  [[nodiscard]] std::size_t size() const noexcept { return names_.size(); }
  [[nodiscard]] const listed_name& operator[](std::size_t i) const noexcept { return names_[i]; }
  [[nodiscard]] std::string_view name(const listed_name& n) const noexcept { return {text_.data() + n.at, n.length}; }

  loff_t next = end_position;  // where the batch after this one begins

 private:
  std::pmr::vector<listed_name> names_;
  std::pmr::vector<char> text_;
};

[[nodiscard]] bool is_dots(std::string_view name) noexcept { return name == "." || name == ".."; }

// A name that no program could use, or that would lead one astray.
[[nodiscard]] const char* fault_of_name(std::string_view name, bool may_be_dots) noexcept {
  if (name.find('/') != std::string_view::npos) return "its name has a slash";
  if (name.find('\0') != std::string_view::npos) return "its name has a zero byte";
  if (!may_be_dots && is_dots(name)) return "its name is . or ..";
  return nullptr;
}

// ---- filling a batch ---------------------------------------------------------------------------------------------------------------

class batch_reader {
 public:
  batch_reader(ext4_inode_info& dir, std::uint8_t version, const dir_hash& start, name_batch& batch)
      : dir_{dir}, rules_{dir_rules_of(sbi_of(dir))}, version_{version}, start_{start}, batch_{batch} {}

  [[nodiscard]] result<> run() {
    batch_.clear();
    auto done = is_dx(dir_) ? from_index() : scan();
    if (!done && done.error() == EUCLEAN && is_dx(dir_)) {
      batch_.clear();
      done = scan();
    }
    XIP_TRY(done);
    add_dots();
    batch_.sort();
    return {};
  }

 private:
  struct hash_range {
    std::uint32_t low = ~0u;
    std::uint32_t high = 0;
  };

  // The names of a block from the start on; the range of all its hashes.
  [[nodiscard]] result<hash_range> add_block(lblk_t lblk, const dev::buffer& b) {
    hash_range range;
    dir_entry_walk walk{b.data(), rules_};
    dir_entry_view e;
    for (std::uint32_t i = 0; walk.next(e); ++i) {
      if (!e.in_use()) continue;
      const bool may_be_dots = lblk.value() == 0 && i < 2;
      if (const char* fault = fault_of_name(e.name, may_be_dots)) return bad_dir_block(dir_, lblk_t{lblk}, b, {fault, e.offset});
      if (is_dots(e.name)) continue;
      const dir_hash hash = *hash_name(sbi_of(dir_), version_, e.name);
      range.low = std::min(range.low, hash.major);
      range.high = std::max(range.high, hash.major);
      if (hash >= start_) batch_.add(hash, e);
    }
    if (walk.fault() != nullptr) return bad_dir_block(dir_, lblk, b, {walk.fault(), walk.offset()});
    return range;
  }

  // The first hash that the index sends to PATH's leaf.
  [[nodiscard]] static std::uint32_t first_hash_of(const dx_path& path) noexcept {
    for (std::uint32_t level = path.bottom + 1; level-- > 0;)
      if (path.frame[level].at != 0) return path.frame[level].view().hash(path.frame[level].at);
    return 0;
  }

  [[nodiscard]] std::unexpected<error> misplaced(lblk_t lblk) const {
    return corrupted(dir_, fmt::format("directory block {} holds names that the index looks for elsewhere; run e2fsck -D", lblk.value()));
  }

  // Leaves from the start on until there are names, and all names of the last hash among them.
  [[nodiscard]] result<> from_index() {
    dx_path path = XIP_TRY(dx_probe(dir_, start_.major));
    std::uint32_t first = first_hash_of(path);
    const auto names_possible = static_cast<std::uint64_t>(vfs::i_size_read(dir_)) / smallest_dir_entry;
    while (batch_.size() <= names_possible) {
      const lblk_t lblk = path.leaf();
      const dev::buffer_ref b = XIP_TRY(dx_leaf(dir_, lblk));
      const hash_range range = XIP_TRY(add_block(lblk, *b));
      if (range.low < (first & ~1u)) return misplaced(lblk);
      if (!XIP_TRY(dx_next_leaf(dir_, path, first))) return {};
      // The next leaf may share its first hash with this one if the index says so.
      if (range.high >= first) return misplaced(lblk);
      if (batch_.size() != 0 && (first & 1) == 0) {
        batch_.next = position_of({first, 0});
        return {};
      }
    }
    return corrupted(dir_, "the index names the same leaf many times");
  }

  // All blocks, whatever the index says.
  [[nodiscard]] result<> scan() {
    const std::uint32_t count = XIP_TRY(dir_block_count(dir_));
    for (lblk_t lblk; lblk.value() < count; ++lblk) {
      const dev::buffer_ref b = XIP_TRY(dir_names(dir_, lblk));
      if (!b) continue;
      XIP_TRY(add_block(lblk, *b));
      if (batch_.size() >= 2 * scan_limit) keep_first();
    }
    if (batch_.size() > scan_limit) keep_first();
    return {};
  }
  void keep_first() {
    const loff_t cut = batch_.next;
    batch_.sort();
    batch_.keep(scan_limit);
    batch_.next = std::min(cut, batch_.next);
  }

  void add_dots() {
    dir_entry_view e;
    e.file_type = ft_dir;
    const auto add = [&](const dir_hash& hash, std::string_view name, ino_t inode) {
      if (hash < start_ || position_of(hash) >= batch_.next) return;
      e.name = name;
      e.inode = inode;
      batch_.add(hash, e);
    };
    if (dotdot_hash < start_) return;
    add(dot_hash, ".", dir_.i_ino);
    add(dotdot_hash, "..", dir_parent(dir_).value_or(dir_.i_ino));
  }

  ext4_inode_info& dir_;
  dir_rules rules_;
  std::uint8_t version_;
  dir_hash start_;
  name_batch& batch_;
};

// ---- an open directory -------------------------------------------------------------------------------------------------------------

// file.private_data, under f_pos_lock.
struct open_directory {
  explicit open_directory(std::pmr::memory_resource& m) : batch{m} {}
  name_batch batch;
  std::size_t at = 0;         // the next name
  loff_t position = -1;       // of the file, when AT was set
  std::uint32_t version = 0;  // of the directory, when the batch was filled
};

[[nodiscard]] open_directory& open_directory_of(vfs::file& f, std::pmr::memory_resource& m) {
  if (f.private_data == nullptr) f.private_data = std::pmr::polymorphic_allocator<>{&m}.new_object<open_directory>(m);
  return *static_cast<open_directory*>(f.private_data);
}

[[nodiscard]] std::uint8_t hash_version_of(ext4_inode_info& dir) {
  const std::uint8_t fallback = sbi_of(dir).s_def_hash_version;
  if (!is_dx(dir)) return fallback;
  const auto root = dir_read_block(dir, lblk_t{0});
  if (!root || !*root) return fallback;
  const std::uint8_t version = dx_info_of((*root)->data()).hash_version;
  return hash_version_supported(version) ? version : fallback;
}

class hash_order {
 public:
  hash_order(ext4_inode_info& dir, open_directory& open, vfs::dir_context& ctx)
      : dir_{dir}, rules_{dir_rules_of(sbi_of(dir))}, open_{open}, ctx_{ctx} {}

  [[nodiscard]] result<> run() {
    if (ctx_.pos == end_position) return {};
    XIP_TRY(resume());
    for (;;) {
      if (!emit_batch()) return {};
      ctx_.pos = open_.batch.next;
      open_.position = -1;
      if (ctx_.pos == end_position) return {};
      XIP_TRY(fill());
    }
  }

 private:
  [[nodiscard]] result<> fill() {
    open_.position = -1;  // until it is filled
    open_.version = dir_.i_dir_version.load(std::memory_order_relaxed);
    open_.at = 0;
    XIP_TRY(batch_reader(dir_, hash_version_of(dir_), hash_at(ctx_.pos), open_.batch).run());
    open_.position = ctx_.pos;
    return {};
  }

  // What was emitted last may share its position with what comes next.
  [[nodiscard]] result<> resume() {
    const name_batch& batch = open_.batch;
    const bool goes_on = open_.position == ctx_.pos;
    if (goes_on && open_.version == dir_.i_dir_version.load(std::memory_order_relaxed)) return {};
    std::string last;
    if (goes_on && open_.at > 0 && position_of(batch[open_.at - 1].hash) == ctx_.pos) last = batch.name(batch[open_.at - 1]);
    XIP_TRY(fill());
    if (last.empty()) return {};
    while (open_.at < batch.size() && position_of(batch[open_.at].hash) == ctx_.pos && batch.name(batch[open_.at]) <= last) ++open_.at;
    return {};
  }

  // False: no room for more.
  [[nodiscard]] bool emit_batch() {
    for (; open_.at < open_.batch.size(); ++open_.at) {
      const listed_name& n = open_.batch[open_.at];
      ctx_.pos = open_.position = position_of(n.hash);
      if (!ctx_.actor(ctx_, open_.batch.name(n), ctx_.pos, n.inode, dt_type_of(n.type, rules_))) return false;
    }
    return true;
  }

  ext4_inode_info& dir_;
  dir_rules rules_;
  open_directory& open_;
  vfs::dir_context& ctx_;
};

// ---- by blocks ---------------------------------------------------------------------------------------------------------------------

// The names of block LBLK from ctx.pos on; an entry that begins before it has been read. False: no room for more.
[[nodiscard]] result<bool> emit_block(ext4_inode_info& dir, vfs::dir_context& ctx, lblk_t lblk) {
  const dir_rules rules = dir_rules_of(sbi_of(dir));
  const loff_t begin = pos_of(lblk, dir.i_sb.s_blocksize_bits);
  const dev::buffer_ref b = XIP_TRY(dir_block(dir, lblk));
  dir_entry_walk walk{b->data(), rules, shape_of(dir, lblk, b->data())};
  dir_entry_view e;
  for (std::uint32_t i = 0; walk.next(e); ++i) {
    if (!e.in_use() || begin + e.offset < ctx.pos) continue;
    if (const char* fault = fault_of_name(e.name, lblk.value() == 0 && i < 2)) return bad_dir_block(dir, lblk, *b, {fault, e.offset});
    ctx.pos = begin + e.offset;
    if (!ctx.actor(ctx, e.name, ctx.pos, e.inode, dt_type_of(e.file_type, rules))) return false;
    ctx.pos = begin + e.offset + e.rec_len;
  }
  if (walk.fault() != nullptr) return bad_dir_block(dir, lblk, *b, {walk.fault(), walk.offset()});
  ctx.pos = begin + dir.i_sb.s_blocksize;
  return true;
}

[[nodiscard]] result<> block_order(ext4_inode_info& dir, vfs::dir_context& ctx) {
  const loff_t size = pos_of(lblk_t{XIP_TRY(dir_block_count(dir))}, dir.i_sb.s_blocksize_bits);
  while (ctx.pos >= 0 && ctx.pos < size)
    if (!XIP_TRY(emit_block(dir, ctx, lblk_of(ctx.pos, dir.i_sb.s_blocksize_bits)))) return {};
  return {};
}

// Linux: is_dx_dir.
[[nodiscard]] result<bool> has_hash_order(const ext4_inode_info& dir) {
  const ext4_sb_info& sb = sbi_of(dir);
  if (!sb.has_compat(compat_dir_index) || !hash_version_supported(sb.s_def_hash_version)) return false;
  return is_dx(dir) || XIP_TRY(dir_block_count(dir)) == 1;
}

}  // namespace

result<> dir_iterate(vfs::file& f, vfs::dir_context& ctx) {
  return without_exceptions([&]() -> result<> {
    ext4_inode_info& dir = info_of(*f.f_inode);
    if (XIP_TRY(dir_block_count(dir)) == 0) return corrupted(dir, "a directory has no block");
    if (!XIP_TRY(has_hash_order(dir))) return block_order(dir, ctx);
    return hash_order(dir, open_directory_of(f, dir.i_sb.memory()), ctx).run();
  });
}

result<loff_t> dir_llseek(vfs::file& f, loff_t offset, int whence) {
  return without_exceptions([&]() -> result<loff_t> {
    ext4_inode_info& dir = info_of(*f.f_inode);
    shared_guard guard{dir.i_rwsem};
    const loff_t end = XIP_TRY(has_hash_order(dir)) ? end_position : vfs::i_size_read(dir);
    if (whence == SEEK_END) return end;
    if (offset < 0 || offset >= end) return fail(ENXIO);
    return whence == SEEK_DATA ? offset : end;
  });
}

void dir_release(vfs::inode& dir, vfs::file& f) noexcept {
  if (f.private_data == nullptr) return;
  std::pmr::polymorphic_allocator<>{&dir.i_sb.memory()}.delete_object(static_cast<open_directory*>(f.private_data));
  f.private_data = nullptr;
}

}  // namespace xip::ext4lite

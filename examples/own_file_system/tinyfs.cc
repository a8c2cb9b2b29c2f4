// Lock chains, outermost first; the VFS holds the directory's i_rwsem around lookup and create:
//   i_rwsem -> tinyfs_names
//   tinyfs_stripe N -> tinyfs_stripe N+1
#include "tinyfs.h"

#include <array>
#include <cstring>
#include <new>
#include <span>
#include <string>

#include <xip/locks/mutex.h>
#include <xip/vfs/kernel.h>
#include <xip/vfs/ops.h>

namespace tinyfs {
namespace {

using namespace xip;
using namespace xip::vfs;
using xip::ino_t, xip::loff_t;  // the C library has types of these names

constexpr std::size_t stripe_bytes = 1024;
constexpr std::size_t stripes_of_file = file_bytes / stripe_bytes;
constexpr std::size_t most_files = 8;
constexpr std::uint32_t root_number = 1;

// A class that nests: several locks of it may be held at once, if they are taken in the order of their subclasses. The subclass of a stripe
// is its number, so lockdep sees a wrong order the first time that one task takes it.
constexpr lock_class stripe_class{.name = "tinyfs_stripe", .nests = true};
constexpr lock_class names_class{.name = "tinyfs_names"};

struct stripe {
  mutex<stripe_class> lock;
  std::array<std::byte, stripe_bytes> bytes{};
};

// What a file is while nobody has it open. File I has inode number root_number + 1 + I.
struct node {
  std::array<char, 32> name{};  // "": there is no such file
  std::array<stripe, stripes_of_file> stripes;
};

enum class mistake : std::uint8_t { none, hand_over_hand, any_order };

// All of it lies in the memory of the kernel instance, as everything has to that an explorer puts back.
struct tiny_super_block final : super_block {
  using super_block::super_block;
  mistake planted = mistake::none;
  mutex<names_class> names_lock;
  std::array<node, most_files> nodes;  // names and number of files are guarded by names_lock
};

tiny_super_block& super_of(const inode& i) noexcept { return static_cast<tiny_super_block&>(i.i_sb); }
node& node_of(const inode& i) noexcept { return super_of(i).nodes[i.i_ino.value() - root_number - 1]; }
std::pmr::polymorphic_allocator<> allocator_of(const super_block& sb) noexcept { return &sb.memory(); }

// ---- contents ---------------------------------------------------------------------------------------------------------------------------

// The stripes that [POS, POS + BYTES) touches; BYTES is not 0.
struct stripe_range {
  std::size_t first, last;
};
stripe_range stripes_at(loff_t pos, std::size_t bytes) noexcept {
  const auto at = static_cast<std::size_t>(pos);
  return {at / stripe_bytes, (at + bytes - 1) / stripe_bytes};
}

// Holds the stripes of a call.
class stripe_guard {
 public:
  stripe_guard(node& n, stripe_range range, bool downwards) noexcept : node_{n}, range_{range} {
    const std::size_t count = range.last - range.first + 1;
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t number = downwards ? range.last - i : range.first + i;
      node_.stripes[number].lock.lock(static_cast<lock_subclass>(number));
    }
  }
  ~stripe_guard() {
    for (std::size_t number = range_.first; number <= range_.last; ++number) node_.stripes[number].lock.unlock();
  }
  stripe_guard(const stripe_guard&) = delete;
  stripe_guard& operator=(const stripe_guard&) = delete;

 private:
  node& node_;
  stripe_range range_;
};

// MOVE(bytes of the file) for each stripe of [POS, POS + BYTES), until one is not moved whole; the bytes moved. The stripes are locked.
template <class Move>
std::size_t move_stripes(node& n, loff_t pos, std::size_t bytes, Move&& move) {
  std::size_t done = 0;
  while (done < bytes) {
    const std::size_t at = static_cast<std::size_t>(pos) + done;
    const auto piece = std::span{n.stripes[at / stripe_bytes].bytes}.subspan(at % stripe_bytes);
    const std::size_t wanted = std::min(piece.size(), bytes - done);
    const std::size_t moved = move(piece.first(wanted));
    done += moved;
    if (moved != wanted) break;
  }
  return done;
}

// One call. It is here that the mistakes are.
template <class Move>
std::size_t transfer(const inode& i, loff_t pos, std::size_t bytes, bool writes, Move&& move) {
  node& n = node_of(i);
  const stripe_range range = stripes_at(pos, bytes);
  const mistake planted = super_of(i).planted;
  if (planted != mistake::hand_over_hand) {
    const stripe_guard guard{n, range, writes && planted == mistake::any_order};
    return move_stripes(n, pos, bytes, move);
  }
  std::size_t done = 0;
  for (std::size_t number = range.first; number <= range.last; ++number) {
    const std::size_t at = static_cast<std::size_t>(pos) + done;
    const stripe_guard guard{n, {number, number}, false};
    done += move_stripes(n, static_cast<loff_t>(at), std::min(bytes - done, stripe_bytes - at % stripe_bytes), move);
  }
  return done;
}

result<std::size_t> read_iter(kiocb& iocb, iov_iter& to) {
  const inode& i = *iocb.ki_filp.f_inode;
  if (iocb.ki_pos >= file_bytes || to.count() == 0) return 0;
  const std::size_t wanted = std::min(to.count(), static_cast<std::size_t>(file_bytes - iocb.ki_pos));
  const std::size_t done =
      transfer(i, iocb.ki_pos, wanted, false, [&](std::span<std::byte> bytes) { return to.copy_to_iter(bytes.data(), bytes.size()); });
  if (done == 0) return fail(EFAULT);
  iocb.ki_pos += static_cast<loff_t>(done);
  return done;
}

result<std::size_t> write_iter(kiocb& iocb, iov_iter& from) {
  const inode& i = *iocb.ki_filp.f_inode;
  const std::size_t wanted = XIP_TRY(generic_write_checks(iocb, from));
  if (wanted == 0) return 0;
  const std::size_t done =
      transfer(i, iocb.ki_pos, wanted, true, [&](std::span<std::byte> bytes) { return from.copy_from_iter(bytes.data(), bytes.size()); });
  if (done == 0) return fail(EFAULT);
  iocb.ki_pos += static_cast<loff_t>(done);
  return done;
}

// ---- names ------------------------------------------------------------------------------------------------------------------------------

extern const inode_operations directory_inode_operations;
constexpr inode_operations file_inode_operations{};
constexpr file_operations file_file_operations{.read_iter = read_iter, .write_iter = write_iter};
constexpr file_operations directory_file_operations{};

// The inode NUMBER, counted.
result<inode*> get_inode(super_block& sb, std::uint32_t number) {
  iget_answer found = XIP_TRY(iget_locked(sb, ino_t{number}));
  if (!found.is_new) return found.ref.release();
  inode& i = *found.ref;
  const bool is_root = number == root_number;
  i.i_mode = is_root ? S_IFDIR | 0755 : S_IFREG | 0644;
  i.i_nlink = is_root ? 2 : 1;
  i.i_size = is_root ? 0 : file_bytes;
  i.i_op = is_root ? &directory_inode_operations : &file_inode_operations;
  i.i_fop = is_root ? &directory_file_operations : &file_file_operations;
  unlock_new_inode(i);
  return found.ref.release();
}

// The number of file NAME; 0: there is none.
std::uint32_t find(const tiny_super_block& sb, std::string_view name) noexcept {
  for (std::size_t i = 0; i < most_files; ++i)
    if (name == sb.nodes[i].name.data()) return root_number + 1 + static_cast<std::uint32_t>(i);
  return 0;
}

result<inode*> lookup(inode& dir, std::string_view name) {
  tiny_super_block& sb = super_of(dir);
  std::uint32_t number;
  {
    const mutex_guard guard{sb.names_lock};
    number = find(sb, name);
  }
  if (number == 0) return nullptr;
  return get_inode(sb, number);
}

result<inode*> create(inode& dir, std::string_view name, std::uint32_t) {
  tiny_super_block& sb = super_of(dir);
  if (name.size() >= sb.nodes[0].name.size()) return fail(ENAMETOOLONG);
  std::uint32_t number;
  {
    const mutex_guard guard{sb.names_lock};
    number = find(sb, "");
    if (number == 0) return fail(ENOSPC);
    name.copy(sb.nodes[number - root_number - 1].name.data(), name.size());
  }
  return get_inode(sb, number);
}

constexpr inode_operations directory_inode_operations{.lookup = lookup, .create = create};

// ---- the file system --------------------------------------------------------------------------------------------------------------------

result<inode*> alloc_inode(super_block& sb, ino_t number) {
  try {
    return allocator_of(sb).new_object<inode>(sb, number);
  } catch (const std::bad_alloc&) {
    return fail(ENOMEM);
  }
}
void free_inode(inode* i) noexcept { allocator_of(i->i_sb).delete_object(i); }
void evict_inode(inode&) noexcept {}  // what a file has lies in its node

constexpr super_operations super_operations_table{.alloc_inode = alloc_inode, .free_inode = free_inode, .evict_inode = evict_inode};

result<> kill_sb(super_block* sb) {
  allocator_of(*sb).delete_object(static_cast<tiny_super_block*>(sb));
  return {};
}

result<super_block*> mount(fs_context& fc) {
  mistake planted = mistake::none;
  if (fc.options == "mistake=hand_over_hand")
    planted = mistake::hand_over_hand;
  else if (fc.options == "mistake=any_order")
    planted = mistake::any_order;
  else if (!fc.options.empty())
    return fc.errorf(EINVAL, "tinyfs: unknown mount option '" + std::string{fc.options} + "'");
  tiny_super_block* const sb = std::pmr::polymorphic_allocator<>{&fc.owner.memory()}.new_object<tiny_super_block>(fc.owner, fc.source);
  sb->s_op = &super_operations_table;
  sb->s_flags = fc.sb_flags;
  sb->s_maxbytes = file_bytes;
  sb->planted = planted;
  const result<inode*> root = get_inode(*sb, root_number);
  if (!root) {
    static_cast<void>(kill_sb(sb));
    return fail(root.error());
  }
  sb->s_root = *root;
  return sb;
}

constexpr file_system_type this_type{.name = "tinyfs", .mount = mount, .kill_sb = kill_sb};

}  // namespace

const file_system_type& type() noexcept { return this_type; }

}  // namespace tinyfs

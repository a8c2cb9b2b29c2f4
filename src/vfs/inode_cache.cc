// Inodes by number: one object for each, made once, gone before the number can come back. Linux: fs/inode.c.
//
// The cache is cut into shards, each with a mutex of its own. An inode is in its shard's table from the moment it is being filled in (i_new) until its
// eviction is over (i_freeing); who wants it in either state waits for the shard's queue.
//
// Lock chains:
//   namespace_sem -> s_umount -> s_inodes
//   i_rwsem -> s_inodes
//   i_rwsem/1 -> s_inodes
//   namespace_sem -> s_inodes
#include <algorithm>
#include <array>
#include <new>

#include <xip/locks/wait_queue.h>
#include <xip/vfs/ops.h>

#include "vfs/hook.h"
#include "vfs/kernel_impl.h"
#include "vfs/locks.h"
#include "vfs/mount.h"

namespace xip::vfs {

namespace {

constexpr std::size_t shard_count = 64;  // a power of two
constexpr std::uint32_t first_bucket_count = 16;

}  // namespace

struct super_block::inode_cache {
  struct alignas(64) shard {
    mutex<s_inodes_class> lock;
    wait_queue changed;  // an inode of this shard left i_new, or is gone
    inode** buckets XIP_GUARDED_BY(lock) = nullptr;
    std::uint32_t bucket_count XIP_GUARDED_BY(lock) = 0;
    std::uint32_t count XIP_GUARDED_BY(lock) = 0;
  };
  std::array<shard, shard_count> shards;
};

namespace {

using shard = super_block::inode_cache::shard;

[[nodiscard]] shard& shard_of(super_block& sb, ino_t number) noexcept { return sb.s_inodes->shards[number.value() % shard_count]; }
[[nodiscard]] shard& shard_of(inode& i) noexcept { return shard_of(i.i_sb, i.i_ino); }

// A mount has one thread until its root can be looked up.
[[nodiscard]] result<> make_cache(super_block& sb) noexcept {
  if (sb.s_inodes != nullptr) [[likely]]
    return {};
  try {
    sb.s_inodes = make_object<super_block::inode_cache>(sb.memory());
    return {};
  } catch (const std::bad_alloc&) {
    return fail(ENOMEM);
  }
}

[[nodiscard]] inode*& bucket_of(shard& s, ino_t number) noexcept XIP_REQUIRES(s.lock) {
  return s.buckets[(number.value() / shard_count) & (s.bucket_count - 1)];
}

[[nodiscard]] inode* find(shard& s, ino_t number) noexcept XIP_REQUIRES(s.lock) {
  if (s.bucket_count == 0) return nullptr;
  inode* i = bucket_of(s, number);
  while (i != nullptr && i->i_ino != number) i = i->i_hash_next;
  return i;
}

void link(shard& s, inode& i) noexcept XIP_REQUIRES(s.lock) {
  inode*& head = bucket_of(s, i.i_ino);
  i.i_hash_next = head;
  head = &i;
}

[[nodiscard]] result<> grow(shard& s, std::pmr::memory_resource& memory) noexcept XIP_REQUIRES(s.lock) {
  inode** const old = s.buckets;
  const std::uint32_t old_count = s.bucket_count;
  const std::uint32_t count = old_count == 0 ? first_bucket_count : old_count * 2;
  try {
    s.buckets = std::pmr::polymorphic_allocator<>{&memory}.allocate_object<inode*>(count);
  } catch (const std::bad_alloc&) {
    return fail(ENOMEM);
  }
  std::fill_n(s.buckets, count, nullptr);
  s.bucket_count = count;
  for (std::uint32_t b = 0; b < old_count; ++b) {
    while (inode* i = old[b]) {
      old[b] = i->i_hash_next;
      link(s, *i);
    }
  }
  if (old_count != 0) std::pmr::polymorphic_allocator<>{&memory}.deallocate_object(old, old_count);
  return {};
}

[[nodiscard]] result<> insert(shard& s, inode& i) noexcept XIP_REQUIRES(s.lock) {
  if (s.count >= s.bucket_count)
    if (auto grown = grow(s, i.i_sb.memory()); !grown && s.bucket_count == 0) return grown;
  link(s, i);
  ++s.count;
  i.i_state |= i_hashed | i_new;
  return {};
}

void remove(shard& s, inode& i) noexcept XIP_REQUIRES(s.lock) {
  if ((i.i_state & i_hashed) == 0) return;
  inode** place = &bucket_of(s, i.i_ino);
  while (*place != &i) place = &(*place)->i_hash_next;
  *place = i.i_hash_next;
  i.i_hash_next = nullptr;
  i.i_state &= ~i_hashed;
  --s.count;
}

// The inode NUMBER once it is neither being filled in nor evicted, counted; null if there is none. EIO, EUCLEAN, ESTALE: filling in failed.
[[nodiscard]] result<inode*> find_settled(super_block& sb, shard& s, ino_t number) XIP_REQUIRES(s.lock) {
  inode* i = find(s, number);
  while (i != nullptr && (i->i_state & i_freeing) != 0) {
    s.changed.wait(s.lock, [&]() XIP_NO_THREAD_SAFETY_ANALYSIS {
      const inode* now = find(shard_of(sb, number), number);
      return now == nullptr || (now->i_state & i_freeing) == 0;
    });
    i = find(s, number);
  }
  if (i == nullptr) return nullptr;
  i->i_count.fetch_add(1, std::memory_order_relaxed);
  if ((i->i_state & i_new) != 0) s.changed.wait(s.lock, [i] { return (i->i_state & i_new) == 0; });
  return i;
}

// FOUND may turn out to be one that could not be filled in.
[[nodiscard]] result<iget_answer> usable(inode* found) noexcept {
  inode_ref ref{found};
  int why;
  {
    shard& s = shard_of(*found);
    mutex_guard guard{s.lock};
    why = (found->i_state & i_bad) == 0 ? 0 : found->i_error != 0 ? found->i_error : ESTALE;
  }
  if (why != 0) return fail(why);
  return iget_answer{std::move(ref), false};
}

}  // namespace

super_block::~super_block() {
  if (s_inodes == nullptr) return;
  for (auto& s : s_inodes->shards) {
    mutex_guard guard{s.lock};
    if (s.bucket_count != 0) std::pmr::polymorphic_allocator<>{&memory()}.deallocate_object(s.buckets, s.bucket_count);
  }
  free_object(memory(), s_inodes);
}

void ihold(inode& i) noexcept { i.i_count.fetch_add(1, std::memory_order_relaxed); }

namespace {

// Nobody can find it any more, or they wait until it is gone.
void evict(inode& i, bool filled) noexcept {
  const super_operations& op = *i.i_sb.s_op;
  if (filled && op.evict_inode != nullptr) call_hook(hook::evict_inode, op.evict_inode, i);
  if (i.i_sb.s_inodes != nullptr) {
    shard& s = shard_of(i);
    mutex_guard guard{s.lock};
    remove(s, i);
    s.changed.wake_all();
  }
  locks_free_context(i);
  op.free_inode(&i);
}

}  // namespace

void iput(inode* i) noexcept {
  if (i == nullptr) return;
  std::uint32_t count = i->i_count.load(std::memory_order_relaxed);
  while (count > 1)
    if (i->i_count.compare_exchange_weak(count, count - 1, std::memory_order_release, std::memory_order_relaxed)) return;
  bool filled = true;
  if (i->i_sb.s_inodes != nullptr) {
    // A look-up takes references under the same lock, so from here on there are none.
    mutex_guard guard{shard_of(*i).lock};
    if (i->i_count.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    i->i_state |= i_freeing;
    filled = i->i_error == 0;
  }
  evict(*i, filled);
}

result<iget_answer> iget_locked(super_block& sb, ino_t number) {
  XIP_TRY(make_cache(sb));
  shard& s = shard_of(sb, number);
  inode* found;
  {
    mutex_guard guard{s.lock};
    found = XIP_TRY(find_settled(sb, s, number));
  }
  if (found != nullptr) return usable(found);
  inode* fresh = XIP_TRY(sb.s_op->alloc_inode(sb, number));
  {
    mutex_guard guard{s.lock};
    found = XIP_TRY(find_settled(sb, s, number));
    if (found == nullptr) {
      if (auto inserted = insert(s, *fresh); inserted) return iget_answer{inode_ref{fresh}, true};
    }
  }
  sb.s_op->free_inode(fresh);
  if (found == nullptr) return fail(ENOMEM);
  return usable(found);
}

void unlock_new_inode(inode& i) noexcept {
  shard& s = shard_of(i);
  mutex_guard guard{s.lock};
  i.i_state &= ~i_new;
  s.changed.wake_all();
}

void iget_failed(inode_ref ref, error why) noexcept {
  inode& i = *ref;
  shard& s = shard_of(i);
  mutex_guard guard{s.lock};
  i.i_error = why.number();
  i.i_state = (i.i_state | i_bad) & ~i_new;
  remove(s, i);
  s.changed.wake_all();
}

result<> insert_inode_locked(inode& i) {
  XIP_TRY(make_cache(i.i_sb));
  shard& s = shard_of(i);
  inode_ref known;
  mutex_guard guard{s.lock};
  known = inode_ref{XIP_TRY(find_settled(i.i_sb, s, i.i_ino))};
  if (known) return fail(EEXIST);
  return insert(s, i);
}

bool has_unlinked_inodes(super_block& sb) noexcept {
  if (sb.s_inodes == nullptr) return false;
  for (shard& s : sb.s_inodes->shards) {
    mutex_guard guard{s.lock};
    for (std::uint32_t b = 0; b < s.bucket_count; ++b)
      for (const inode* i = s.buckets[b]; i != nullptr; i = i->i_hash_next)
        if (i->i_nlink.load(std::memory_order_relaxed) == 0) return true;
  }
  return false;
}

namespace {

// Those of the shard, each with a reference.
[[nodiscard]] std::pmr::vector<inode_ref> collect(super_block& sb, shard& s, bool (*wanted)(const inode& i)) {
  std::pmr::vector<inode_ref> found{&sb.memory()};
  mutex_guard guard{s.lock};
  for (std::uint32_t b = 0; b < s.bucket_count; ++b) {
    for (inode* i = s.buckets[b]; i != nullptr;) {
      if ((i->i_state & i_freeing) != 0) {
        const ino_t number = i->i_ino;
        s.changed.wait(s.lock, [&]() XIP_NO_THREAD_SAFETY_ANALYSIS {
          const inode* now = find(s, number);
          return now == nullptr || (now->i_state & i_freeing) == 0;
        });
        i = s.buckets[b];  // the chain has changed: once more from its beginning
        continue;
      }
      const bool known = std::ranges::any_of(found, [i](const inode_ref& r) { return r.get() == i; });
      if (!known && (i->i_state & (i_new | i_bad)) == 0 && wanted(*i)) {
        found.reserve(found.size() + 1);
        ihold(*i);
        found.emplace_back(i);
      }
      i = i->i_hash_next;
    }
  }
  return found;
}

}  // namespace

result<> for_each_inode(super_block& sb, bool (*wanted)(const inode& i), result<> (*visit)(inode& i)) {
  result<> done;
  if (sb.s_inodes == nullptr) return done;
  for (shard& s : sb.s_inodes->shards) {
    for (const inode_ref& i : collect(sb, s, wanted)) {
      const auto visited = visit(*i);
      if (done && !visited) done = visited;
    }
  }
  return done;
}

void mark_inode_bad(inode& i) noexcept {
  i.i_nlink.store(0, std::memory_order_relaxed);
  if (i.i_sb.s_inodes == nullptr) return;
  mutex_guard guard{shard_of(i).lock};
  i.i_state |= i_bad;
}

}  // namespace xip::vfs

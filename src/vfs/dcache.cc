// The tree of cached names. Linux: fs/dcache.c.
//
// What keeps it right without a lock per reference:
// - a reference from zero is taken only under the parent's d_lock, shared; the shrinker takes dentries away only under it, exclusive;
// - an unhashed dentry is found by nobody, so whoever drops its last reference frees it;
// - names and parents change only while the dentry is out of its parent's table, under the directories' i_rwsem (exclusive), so that a walk that
//   misses it goes the slow way and waits there.
#include "vfs/dcache.h"

#include <algorithm>
#include <functional>
#include <new>
#include <utility>
#include <vector>

#include "vfs/kernel_impl.h"

namespace xip::vfs {

namespace {

constexpr std::uint32_t first_bucket_count = 8;

[[nodiscard]] std::atomic<std::size_t>& counter_of(const dentry& d) noexcept { return d.d_sb.s_kernel.internals().nr_dentry; }

[[nodiscard]] dentry* find_child(const dentry& parent, std::string_view name, std::size_t hash) noexcept
    XIP_REQUIRES_SHARED(parent.d_lock) {
  if (parent.d_bucket_count == 0) return nullptr;
  dentry* child = parent.d_buckets[hash & (parent.d_bucket_count - 1)];
  while (child != nullptr && (child->d_hash != hash || child->name() != name)) child = child->d_hash_next;
  return child;
}

// Twice the buckets, or the first ones. ENOMEM leaves the table as it was.
[[nodiscard]] result<> grow_buckets(dentry& parent) XIP_REQUIRES(parent.d_lock) {
  const std::uint32_t old_count = parent.d_bucket_count;
  const std::uint32_t count = old_count == 0 ? first_bucket_count : old_count * 2;
  std::pmr::polymorphic_allocator<> allocator{&parent.d_sb.memory()};
  dentry** buckets;
  try {
    buckets = allocator.allocate_object<dentry*>(count);
  } catch (const std::bad_alloc&) {
    return fail(ENOMEM);
  }
  std::fill_n(buckets, count, nullptr);
  for (std::uint32_t b = 0; b < old_count; ++b) {
    while (dentry* child = parent.d_buckets[b]) {
      parent.d_buckets[b] = child->d_hash_next;
      dentry*& head = buckets[child->d_hash & (count - 1)];
      child->d_hash_next = head;
      head = child;
    }
  }
  if (old_count != 0) allocator.deallocate_object(parent.d_buckets, old_count);
  parent.d_buckets = buckets;
  parent.d_bucket_count = count;
  return {};
}

[[nodiscard]] result<> make_room_for_child(dentry& parent) XIP_REQUIRES(parent.d_lock) {
  if (parent.d_bucket_count != 0 && parent.d_child_count.load(std::memory_order_relaxed) < parent.d_bucket_count) return {};
  if (auto grown = grow_buckets(parent); !grown && parent.d_bucket_count == 0) return grown;
  return {};  // longer chains will do
}

void link_child(dentry& parent, dentry& child) noexcept XIP_REQUIRES(parent.d_lock) {
  dentry*& head = parent.d_buckets[child.d_hash & (parent.d_bucket_count - 1)];
  child.d_hash_next = head;
  head = &child;
  parent.d_child_count.fetch_add(1, std::memory_order_relaxed);
}

void unlink_child(dentry& parent, dentry& child) noexcept XIP_REQUIRES(parent.d_lock) {
  dentry** place = &parent.d_buckets[child.d_hash & (parent.d_bucket_count - 1)];
  while (*place != &child) place = &(*place)->d_hash_next;
  *place = child.d_hash_next;
  child.d_hash_next = nullptr;
  parent.d_child_count.fetch_sub(1, std::memory_order_relaxed);
}

void unhash_child(dentry& parent, dentry& child) noexcept XIP_REQUIRES(parent.d_lock) {
  unlink_child(parent, child);
  child.d_lockref.fetch_or(dentry::d_unhashed, std::memory_order_relaxed);
}

// A directory is known by one dentry.
[[nodiscard]] bool claim_directory(inode& i, dentry& d) noexcept {
  dentry* nobody = nullptr;
  return !i.is_dir() || i.i_dentry.compare_exchange_strong(nobody, &d, std::memory_order_acq_rel);
}
void disclaim_directory(inode& i, dentry& d) noexcept {
  dentry* mine = &d;
  i.i_dentry.compare_exchange_strong(mine, nullptr, std::memory_order_acq_rel);
}

void free_characters(const dentry& d, char* characters, std::size_t room) noexcept {
  if (characters != nullptr && characters != d.d_inline_name)
    std::pmr::polymorphic_allocator<>{&d.d_sb.memory()}.deallocate_object(characters, room);
}

[[nodiscard]] result<char*> allocate_characters(const dentry& d, std::size_t room) noexcept {
  try {
    return std::pmr::polymorphic_allocator<>{&d.d_sb.memory()}.allocate_object<char>(room);
  } catch (const std::bad_alloc&) {
    return fail(ENOMEM);
  }
}

void free_dentry(dentry& d) noexcept XIP_NO_THREAD_SAFETY_ANALYSIS {  // nobody else has it
  std::pmr::memory_resource& memory = d.d_sb.memory();
  if (d.d_bucket_count != 0) std::pmr::polymorphic_allocator<>{&memory}.deallocate_object(d.d_buckets, d.d_bucket_count);
  free_characters(d, d.d_name, d.d_name_room);
  free_characters(d, d.d_spare_name, name_max);
  counter_of(d).fetch_sub(1, std::memory_order_relaxed);
  free_object(memory, &d);
}

// Its last reference is gone and nobody can find it. Returns the parent, whose reference passes to the caller.
[[nodiscard]] dentry* kill_dentry(dentry& d) noexcept XIP_NO_THREAD_SAFETY_ANALYSIS {
  if (inode* i = d.get_inode(); i != nullptr) {
    disclaim_directory(*i, d);
    iput(i);
  }
  dentry* parent = d.d_parent == &d ? nullptr : d.d_parent;
  free_dentry(d);
  return parent;
}

// A dentry that is in no table, with one reference for the caller and one on PARENT.
[[nodiscard]] result<dentry*> alloc_dentry(super_block& sb, dentry* parent, std::string_view name, std::size_t hash) noexcept {
  dentry* d;
  try {
    d = make_object<dentry>(sb.memory(), sb, parent, hash);
  } catch (const std::bad_alloc&) {
    return fail(ENOMEM);
  }
  d->d_lockref.fetch_or(dentry::d_unhashed, std::memory_order_relaxed);
  counter_of(*d).fetch_add(1, std::memory_order_relaxed);
  if (name.size() > dentry::inline_room) {
    auto characters = allocate_characters(*d, name.size());
    if (!characters) {
      free_dentry(*d);
      return fail(characters.error());
    }
    d->d_name = *characters;
    d->d_name_room = static_cast<std::uint32_t>(name.size());
  }
  d->d_name_length = static_cast<std::uint32_t>(name.copy(d->d_name, name.size()));
  if (parent != nullptr) dget(*parent);
  return d;
}

// D, in no table, is called NAME from now on. d_reserve_name has made room.
void set_name(dentry& d, std::string_view name, std::size_t hash) noexcept XIP_REQUIRES(d.d_lock) {
  if (name.size() > d.d_name_room) {
    free_characters(d, d.d_name, d.d_name_room);
    d.d_name = std::exchange(d.d_spare_name, nullptr);
    d.d_name_room = name_max;
  }
  d.d_name_length = static_cast<std::uint32_t>(name.copy(d.d_name, name.size()));
  d.d_hash = hash;
}

void take_from_table(dentry& parent, dentry& child) noexcept {
  exclusive_guard guard{parent.d_lock};
  unlink_child(parent, child);
}
void put_into_table(dentry& parent, dentry& child) noexcept {
  exclusive_guard guard{parent.d_lock};
  link_child(parent, child);
}

// D, in no table, gets another name and parent. The old parent is held by the caller too, so that its last reference is not dropped here.
void rename_dentry(dentry& d, dentry& parent, std::string_view name, std::size_t hash) noexcept {
  dget(parent);
  dentry* old;
  {
    exclusive_guard guard{d.d_lock};
    set_name(d, name, hash);
    old = d.d_parent;
    d.d_parent = &parent;
  }
  dput(old);
}

}  // namespace

std::size_t hash_name(std::string_view name) noexcept { return std::hash<std::string_view>{}(name); }

void dput(dentry* d) noexcept {
  while (d != nullptr) {
    if (d->d_lockref.fetch_sub(1, std::memory_order_acq_rel) != (dentry::d_unhashed | 1)) return;
    d = kill_dentry(*d);
  }
}

result<dentry*> d_make_root(super_block& sb, inode* root) noexcept {
  inode_ref owned{root};
  dentry* d = XIP_TRY(alloc_dentry(sb, nullptr, "/", 0));
  d->d_inode.store(owned.get(), std::memory_order_release);
  root->i_dentry.store(d, std::memory_order_release);
  (void)owned.release();
  return d;
}

dentry_ref d_lookup(dentry& parent, std::string_view name, std::size_t hash) noexcept {
  shared_guard guard{parent.d_lock};
  dentry* child = find_child(parent, name, hash);
  if (child == nullptr) return {};
  dget(*child);
  if (!child->d_referenced.load(std::memory_order_relaxed)) child->d_referenced.store(true, std::memory_order_relaxed);
  return dentry_ref{child};
}

result<dentry_ref> d_add(dentry& parent, std::string_view name, std::size_t hash, inode_ref& found) noexcept {
  dentry_ref fresh{XIP_TRY(alloc_dentry(parent.d_sb, &parent, name, hash))};
  exclusive_guard guard{parent.d_lock};
  if (dentry* known = find_child(parent, name, hash); known != nullptr) {
    dget(*known);
    return dentry_ref{known};
  }
  XIP_TRY(make_room_for_child(parent));
  if (found) {
    if (!claim_directory(*found, *fresh)) return fail(EUCLEAN);
    fresh->d_inode.store(found.release(), std::memory_order_release);
  }
  fresh->d_lockref.fetch_and(~dentry::d_unhashed, std::memory_order_relaxed);
  link_child(parent, *fresh);
  return fresh;
}

void d_instantiate(dentry& d, inode_ref created) noexcept {
  (void)claim_directory(*created, d);
  d.d_inode.store(created.release(), std::memory_order_release);
  d.d_referenced.store(true, std::memory_order_relaxed);
}

result<dentry_ref> d_tmpfile(dentry& parent, inode_ref created) noexcept {
  dentry_ref d{XIP_TRY(alloc_dentry(parent.d_sb, &parent, "#tmpfile", 0))};
  d->d_inode.store(created.release(), std::memory_order_release);
  return d;
}

inode_ref d_delete(dentry& d) noexcept {
  const dentry_ref parent = dget_parent(d);
  exclusive_guard guard{parent->d_lock};
  inode* i = d.get_inode();
  if (d.d_lockref.load(std::memory_order_relaxed) == 1) {
    disclaim_directory(*i, d);
    d.d_inode.store(nullptr, std::memory_order_release);
    return inode_ref{i};
  }
  unhash_child(*parent, d);
  return {};
}

void d_move(dentry& moved, dentry& target, dentry& new_parent) noexcept {
  const dentry_ref old_parent = dget_parent(moved);
  {
    exclusive_guard guard{new_parent.d_lock};
    unhash_child(new_parent, target);
  }
  take_from_table(*old_parent, moved);
  rename_dentry(moved, new_parent, target.name(), target.d_hash);
  put_into_table(new_parent, moved);
}

void d_exchange(dentry& a, dentry& b) noexcept {
  const dentry_ref parent_of_a = dget_parent(a);
  const dentry_ref parent_of_b = dget_parent(b);
  take_from_table(*parent_of_a, a);
  take_from_table(*parent_of_b, b);
  char name[name_max];
  const std::string_view name_of_a{name, a.name().copy(name, sizeof name)};
  const std::size_t hash_of_a = a.d_hash;
  rename_dentry(a, *parent_of_b, b.name(), b.d_hash);
  rename_dentry(b, *parent_of_a, name_of_a, hash_of_a);
  put_into_table(*parent_of_b, a);
  put_into_table(*parent_of_a, b);
}

result<> d_reserve_name(dentry& d, std::size_t length) noexcept {
  if (length <= d.d_name_room || d.d_spare_name != nullptr) return {};
  d.d_spare_name = XIP_TRY(allocate_characters(d, name_max));
  return {};
}

dentry_ref dget_parent(dentry& d) noexcept {
  shared_guard guard{d.d_lock};
  dget(*d.d_parent);
  return dentry_ref{d.d_parent};
}

bool is_subdir(dentry& d, dentry& ancestor) noexcept {
  dget(d);
  dentry_ref at{&d};
  while (at.get() != &ancestor) {
    dentry_ref parent = dget_parent(*at);
    if (parent.get() == at.get()) return false;
    at = std::move(parent);
  }
  return true;
}

namespace {

// Takes the unused children of DIR out of its table. They come back as a list through d_hash_next, unhashed, with one reference each.
[[nodiscard]] dentry* detach_unused(dentry& dir, bool spare_referenced) noexcept {
  exclusive_guard guard{dir.d_lock};
  dentry* unused = nullptr;
  for (std::uint32_t b = 0; b < dir.d_bucket_count; ++b) {
    dentry** place = &dir.d_buckets[b];
    while (dentry* child = *place) {
      const bool spared = spare_referenced && child->d_referenced.exchange(false, std::memory_order_relaxed);
      if (spared || child->d_lockref.load(std::memory_order_acquire) != 0) {
        place = &child->d_hash_next;
        continue;
      }
      child->d_lockref.store(dentry::d_unhashed | 1, std::memory_order_relaxed);
      if (inode* i = child->get_inode(); i != nullptr) disclaim_directory(*i, *child);
      *place = child->d_hash_next;
      child->d_hash_next = unused;
      unused = child;
      dir.d_child_count.fetch_sub(1, std::memory_order_relaxed);
    }
  }
  return unused;
}

void prune_children(dentry& dir, bool spare_referenced) noexcept {
  dentry* unused = detach_unused(dir, spare_referenced);
  while (unused != nullptr) {
    dentry* next = unused->d_hash_next;
    dput(unused);
    unused = next;
  }
}

// All children of DIR leave its table, used or not. They come back as a list through d_hash_next, unhashed, with one reference more.
[[nodiscard]] dentry* detach_all(dentry& dir) noexcept {
  exclusive_guard guard{dir.d_lock};
  dentry* all = nullptr;
  for (std::uint32_t b = 0; b < dir.d_bucket_count; ++b) {
    while (dentry* child = dir.d_buckets[b]) {
      dget(*child);
      unhash_child(dir, *child);
      child->d_hash_next = all;
      all = child;
    }
  }
  return all;
}

// The children of DIR that have children of their own, counted, go to the end of LIST.
void collect_directories(dentry& dir, std::pmr::vector<dentry*>& list) XIP_NO_THREAD_SAFETY_ANALYSIS {
  shared_guard guard{dir.d_lock};
  for (std::uint32_t b = 0; b < dir.d_bucket_count; ++b) {
    for (dentry* child = dir.d_buckets[b]; child != nullptr; child = child->d_hash_next) {
      if (child->d_child_count.load(std::memory_order_relaxed) == 0) continue;
      list.push_back(child);
      dget(*child);
    }
  }
}

}  // namespace

bool has_known_names(dentry& dir) noexcept {
  shared_guard guard{dir.d_lock};
  for (std::uint32_t b = 0; b < dir.d_bucket_count; ++b)
    for (const dentry* child = dir.d_buckets[b]; child != nullptr; child = child->d_hash_next)
      if (child->get_inode() != nullptr) return true;
  return false;
}

void d_drop_children(dentry& dir) noexcept {
  dentry* child = detach_all(dir);
  while (child != nullptr) {
    dentry* next = std::exchange(child->d_hash_next, nullptr);
    dput(child);
    child = next;
  }
}

// Parents are listed before their children, and pruned after them: a directory whose last child went is unused itself.
void shrink_dcache(dentry& root, bool spare_referenced) noexcept {
  std::pmr::vector<dentry*> directories{&root.d_sb.memory()};
  try {
    collect_directories(root, directories);
    for (std::size_t i = 0; i < directories.size(); ++i) collect_directories(*directories[i], directories);
  } catch (const std::bad_alloc&) {
    // What was listed is pruned; that gives memory back.
  }
  while (!directories.empty()) {
    dentry_ref dir{directories.back()};
    directories.pop_back();
    prune_children(*dir, spare_referenced);
  }
  prune_children(root, spare_referenced);
}

}  // namespace xip::vfs

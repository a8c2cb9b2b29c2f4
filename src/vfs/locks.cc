// flock, and the locks of fcntl on stretches of a file: POSIX's, which belong to a table of descriptors, and those of the open file (F_OFD_).
// Linux: fs/locks.c.
//
// What is held on an inode lies in two lists, under its flc_lock. Who has to wait looks again whenever something was given back. Those who wait for POSIX
// locks say whose, so that a circle is found when it would close: EDEADLK. Open files have no such list: any number of tasks may use one.
//
// Lock chains:
//   flc_lock -> blocked_lock
#include "vfs/locks.h"

#include <algorithm>
#include <memory_resource>
#include <vector>

#include <sys/file.h>

#include <xip/locks/mutex.h>
#include <xip/locks/wait_queue.h>

#include "vfs/files_struct.h"
#include "vfs/kernel_impl.h"
#include "vfs/syscall.h"

namespace xip::vfs {

namespace {

struct file_lock {
  const void* owner;  // files_struct, or file
  bool exclusive;
  bool of_open_file;  // F_OFD_, flock
  std::uint32_t pid;
  loff_t start, end;  // bytes; the last one is locked, too

  [[nodiscard]] bool overlaps(const file_lock& o) const noexcept { return start <= o.end && o.start <= end; }
  [[nodiscard]] bool conflicts(const file_lock& o) const noexcept { return owner != o.owner && (exclusive || o.exclusive) && overlaps(o); }
};

constexpr loff_t end_of_all = INT64_MAX;

using lock_list = std::pmr::vector<file_lock>;

}  // namespace

struct file_lock_context {
  explicit file_lock_context(std::pmr::memory_resource& m) : posix{&m}, flock{&m} {}

  mutex<flc_lock_class> flc_lock;
  wait_queue changed;                        // something was given back
  lock_list posix XIP_GUARDED_BY(flc_lock);  // F_OFD_ locks too; the locks of one owner lie together, in ascending order, and never overlap
  lock_list flock XIP_GUARDED_BY(flc_lock);
};

// One who waits for a POSIX lock, on its own stack. Linux: blocked_hash.
struct blocked_request {
  const file_lock_context* where;
  const void* owner;
  const void* waits_for;  // null: was woken, and has not looked again
  blocked_request* next;
};

namespace {

[[nodiscard]] const file_lock* find_conflict(const lock_list& list, const file_lock& wanted) noexcept {
  const auto found = std::ranges::find_if(list, [&](const file_lock& l) { return l.conflicts(wanted); });
  return found == list.end() ? nullptr : &*found;
}

// ---- who waits for whom

constexpr unsigned longest_circle = 10;  // as in Linux: what is longer is not looked for

class posix_waiter {
 public:
  posix_waiter(kernel& k, const file_lock_context& where, const void* owner) noexcept
      : impl_{k.internals()}, request_{&where, owner, nullptr, nullptr} {}
  ~posix_waiter() {
    if (!linked_) return;
    mutex_guard guard{impl_.blocked_lock};
    blocked_request** place = &impl_.blocked;
    while (*place != &request_) place = &(*place)->next;
    *place = request_.next;
  }
  posix_waiter(const posix_waiter&) = delete;
  posix_waiter& operator=(const posix_waiter&) = delete;

  // False: OTHER waits for us, over however many others.
  [[nodiscard]] bool wait_for(const file_lock& other) noexcept {
    mutex_guard guard{impl_.blocked_lock};
    const void* blocker = other.of_open_file ? nullptr : other.owner;
    if (leads_to_us(blocker)) return false;
    request_.waits_for = blocker;
    if (!linked_) {
      request_.next = impl_.blocked;
      impl_.blocked = &request_;
      linked_ = true;
    }
    return true;
  }

 private:
  [[nodiscard]] bool leads_to_us(const void* owner) const noexcept XIP_REQUIRES(impl_.blocked_lock) {
    for (unsigned i = 0; owner != nullptr && i < longest_circle; ++i) {
      if (owner == request_.owner) return true;
      const blocked_request* r = impl_.blocked;
      while (r != nullptr && (r->owner != owner || r->waits_for == nullptr)) r = r->next;
      owner = r == nullptr ? nullptr : r->waits_for;
    }
    return false;
  }

  kernel::impl& impl_;
  blocked_request request_;
  bool linked_ = false;
};

// Something of CTX was given back. Until those who wait have looked again they wait for nobody.
void wake_waiters(kernel& k, file_lock_context& ctx) noexcept XIP_REQUIRES(ctx.flc_lock) {
  if (!ctx.changed.has_waiters()) return;
  {
    kernel::impl& i = k.internals();
    mutex_guard guard{i.blocked_lock};
    for (blocked_request* r = i.blocked; r != nullptr; r = r->next)
      if (r->where == &ctx) r->waits_for = nullptr;
  }
  ctx.changed.wake_all();
}

// ---- stretches

// What is left of OLD beside R, and R grown by what it meets of its own kind.
void merge_or_cut(const file_lock& old, file_lock& r, bool locks, lock_list& left) {
  const bool same = locks && old.exclusive == r.exclusive;
  const bool touches = old.end != end_of_all && old.end + 1 == r.start;
  const bool touched = r.end != end_of_all && r.end + 1 == old.start;
  if (same && (old.overlaps(r) || touches || touched)) {
    r.start = std::min(r.start, old.start);
    r.end = std::max(r.end, old.end);
    return;
  }
  if (!old.overlaps(r)) {
    left.push_back(old);
    return;
  }
  if (old.start < r.start) {
    left.push_back(old);
    left.back().end = r.start - 1;
  }
  if (old.end > r.end) {
    left.push_back(old);
    left.back().start = r.end + 1;
  }
}

// LIST with R in it (LOCKS), or without it. LIST itself is left as it is until all memory was had.
void apply(lock_list& list, file_lock r, bool locks) {
  const auto is_mine = [owner = r.owner](const file_lock& l) { return l.owner == owner; };
  const auto group = std::ranges::find_if(list, is_mine);
  lock_list mine{list.get_allocator()};
  for (const file_lock& old : list)
    if (is_mine(old)) merge_or_cut(old, r, locks, mine);
  if (locks) mine.push_back(r);
  std::ranges::sort(mine, {}, &file_lock::start);
  lock_list all{list.get_allocator()};
  all.reserve(list.size() + mine.size());
  all.insert(all.end(), list.begin(), group);
  all.insert(all.end(), mine.begin(), mine.end());
  std::copy_if(group, list.end(), std::back_inserter(all), std::not_fn(is_mine));
  list.swap(all);
}

// ---- on an inode

[[nodiscard]] file_lock_context& context_of(inode& i) {
  file_lock_context* ctx = i.i_flctx.load(std::memory_order_acquire);
  if (ctx != nullptr) return *ctx;
  std::pmr::memory_resource& memory = i.i_sb.memory();
  file_lock_context* fresh = make_object<file_lock_context>(memory, memory);
  if (i.i_flctx.compare_exchange_strong(ctx, fresh, std::memory_order_acq_rel)) return *fresh;
  free_object(memory, fresh);
  return *ctx;
}

void remove_all_of(inode& i, file_lock_context& ctx, lock_list file_lock_context::* which, const void* owner) noexcept {
  mutex_guard guard{ctx.flc_lock};
  if (std::erase_if(ctx.*which, [owner](const file_lock& l) { return l.owner == owner; }) != 0) wake_waiters(i.i_sb.s_kernel, ctx);
}

// ---- fcntl

struct lock_command {
  bool of_open_file, sets, waits;
};
[[nodiscard]] result<lock_command> command_of(int command) noexcept {
  switch (command) {
    case F_GETLK:
      return lock_command{false, false, false};
    case F_SETLK:
      return lock_command{false, true, false};
    case F_SETLKW:
      return lock_command{false, true, true};
    case F_OFD_GETLK:
      return lock_command{true, false, false};
    case F_OFD_SETLK:
      return lock_command{true, true, false};
    case F_OFD_SETLKW:
      return lock_command{true, true, true};
    default:
      return fail(EINVAL);
  }
}

[[nodiscard]] result<loff_t> base_of(file& f, int whence) noexcept {
  switch (whence) {
    case SEEK_SET:
      return 0;
    case SEEK_CUR: {
      mutex_guard guard{f.f_pos_lock};
      return f.f_pos;
    }
    case SEEK_END:
      return i_size_read(*f.f_inode);
    default:
      return fail(EINVAL);
  }
}

// Linux: flock64_to_posix_lock.
[[nodiscard]] result<file_lock> lock_of(file& f, const struct ::flock& l) noexcept {
  const loff_t base = XIP_TRY(base_of(f, l.l_whence));
  if (l.l_start > INT64_MAX - base) return fail(EOVERFLOW);
  file_lock r{nullptr, l.l_type == F_WRLCK, false, 0, base + l.l_start, end_of_all};
  if (r.start < 0) return fail(EINVAL);
  if (l.l_len > 0) {
    if (l.l_len - 1 > INT64_MAX - r.start) return fail(EOVERFLOW);
    r.end = r.start + (l.l_len - 1);
  } else if (l.l_len < 0) {
    if (r.start + l.l_len < 0) return fail(EINVAL);
    r.end = r.start - 1;
    r.start += l.l_len;
  }
  if (l.l_type != F_RDLCK && l.l_type != F_WRLCK && l.l_type != F_UNLCK) return fail(EINVAL);
  return r;
}

[[nodiscard]] result<> set_lock(file& f, const file_lock& r, bool locks, bool waits) {
  kernel& k = f.f_inode->i_sb.s_kernel;
  if (!locks && !may_be_locked(f)) return {};
  file_lock_context& ctx = context_of(*f.f_inode);
  if (!locks && r.start == 0 && r.end == end_of_all) {  // needs no memory
    remove_all_of(*f.f_inode, ctx, &file_lock_context::posix, r.owner);
    return {};
  }
  posix_waiter waiter{k, ctx, r.owner};
  mutex_guard guard{ctx.flc_lock};
  bool deadlock = false;
  const auto may_go_on = [&]() XIP_NO_THREAD_SAFETY_ANALYSIS {
    const file_lock* other = find_conflict(ctx.posix, r);
    if (other == nullptr) return true;
    deadlock = !r.of_open_file && !waiter.wait_for(*other);
    return deadlock;
  };
  if (locks && waits) ctx.changed.wait(ctx.flc_lock, may_go_on);
  if (deadlock) return fail(EDEADLK);
  if (locks && !waits && find_conflict(ctx.posix, r) != nullptr) return fail(EAGAIN);
  try {
    apply(ctx.posix, r, locks);
  } catch (const std::bad_alloc&) {
    return fail(ENOLCK);
  }
  wake_waiters(k, ctx);  // a lock that became shared lets others in, too
  return {};
}

void get_lock(file& f, const file_lock& r, struct ::flock& l) {
  file_lock_context* ctx = f.f_inode->i_flctx.load(std::memory_order_acquire);
  if (ctx == nullptr) {
    l.l_type = F_UNLCK;
    return;
  }
  mutex_guard guard{ctx->flc_lock};
  const file_lock* other = find_conflict(ctx->posix, r);
  l.l_type = other == nullptr ? F_UNLCK : other->exclusive ? F_WRLCK : F_RDLCK;
  if (other == nullptr) return;
  l.l_whence = SEEK_SET;
  l.l_start = other->start;
  l.l_len = other->end == end_of_all ? 0 : other->end - other->start + 1;
  l.l_pid = other->of_open_file ? -1 : static_cast<pid_t>(other->pid);
}

[[nodiscard]] result<> check_access(const file& f, const struct ::flock& l) noexcept {
  if (l.l_type == F_RDLCK && (f.f_mode & fmode_read) == 0) return fail(EBADF);
  if (l.l_type == F_WRLCK && (f.f_mode & fmode_write) == 0) return fail(EBADF);
  return {};
}

// Another task that shares the table may have closed FD while this one waited: nobody would take the lock away then. Linux: fcntl_setlk.
[[nodiscard]] result<> check_still_open(task& t, int fd, file& f) {
  const fd_ref now = t.files->get(fd);
  if (now && &*now == &f) return {};
  locks_remove_posix(f, *t.files);
  return fail(EBADF);
}

[[nodiscard]] result<> fcntl_lock(task& t, int fd, int command, struct ::flock& l) {
  const fd_ref f = t.files->get(fd);
  if (!f || (f->f_mode & fmode_path) != 0) return fail(EBADF);
  const lock_command c = XIP_TRY(command_of(command));
  if (c.of_open_file && l.l_pid != 0) return fail(EINVAL);
  if (!c.sets && !c.of_open_file && l.l_type != F_RDLCK && l.l_type != F_WRLCK) return fail(EINVAL);
  file_lock r = XIP_TRY(lock_of(*f, l));
  r.owner = c.of_open_file ? static_cast<const void*>(&*f) : t.files;
  r.of_open_file = c.of_open_file;
  r.pid = t.context.id;
  if (!c.sets) {
    get_lock(*f, r, l);
    return {};
  }
  XIP_TRY(check_access(*f, l));
  const bool locks = l.l_type != F_UNLCK;
  XIP_TRY(set_lock(*f, r, locks, c.waits));
  return locks && !c.of_open_file ? check_still_open(t, fd, *f) : result<>{};
}

// ---- flock

// A lock that changes its kind is given up first: who may not wait may end without any. Linux: flock_lock_inode.
[[nodiscard]] result<> flock_file(file& f, bool exclusive, bool waits) {
  kernel& k = f.f_inode->i_sb.s_kernel;
  file_lock_context& ctx = context_of(*f.f_inode);
  const file_lock r{&f, exclusive, true, 0, 0, end_of_all};
  mutex_guard guard{ctx.flc_lock};
  ctx.flock.reserve(ctx.flock.size() + 1);
  const auto mine = std::ranges::find(ctx.flock, r.owner, &file_lock::owner);
  if (mine != ctx.flock.end()) {
    if (mine->exclusive == exclusive) return {};
    ctx.flock.erase(mine);
    wake_waiters(k, ctx);
  }
  const auto is_free = [&]() XIP_NO_THREAD_SAFETY_ANALYSIS { return find_conflict(ctx.flock, r) == nullptr; };
  if (waits) ctx.changed.wait(ctx.flc_lock, is_free);
  if (!is_free()) return fail(EWOULDBLOCK);
  ctx.flock.reserve(ctx.flock.size() + 1);
  // Another task may have locked by the same open file while this one waited; a lock that becomes a shared one lets others in.
  if (std::erase_if(ctx.flock, [&](const file_lock& l) { return l.owner == r.owner; }) != 0) wake_waiters(k, ctx);
  ctx.flock.push_back(r);
  return {};
}

}  // namespace

result<> task::fcntl(int fd, int command, struct ::flock& lock) {
  return system_call(*this, [&] { return fcntl_lock(*this, fd, command, lock); });
}

result<> task::flock(int fd, int operation) {
  return system_call(*this, [&]() -> result<> {
    const int kind = operation & ~LOCK_NB;
    if (kind != LOCK_SH && kind != LOCK_EX && kind != LOCK_UN) return fail(EINVAL);
    const fd_ref f = files->get(fd);
    if (!f || (f->f_mode & fmode_path) != 0) return fail(EBADF);
    if (kind != LOCK_UN) {
      if ((f->f_mode & (fmode_read | fmode_write)) == 0) return fail(EBADF);
      return flock_file(*f, kind == LOCK_EX, (operation & LOCK_NB) == 0);
    }
    if (file_lock_context* ctx = f->f_inode->i_flctx.load(std::memory_order_acquire); ctx != nullptr)
      remove_all_of(*f->f_inode, *ctx, &file_lock_context::flock, &*f);
    return {};
  });
}

void locks_remove_posix(file& f, const files_struct& owner) noexcept {
  if (file_lock_context* ctx = f.f_inode->i_flctx.load(std::memory_order_acquire); ctx != nullptr)
    remove_all_of(*f.f_inode, *ctx, &file_lock_context::posix, &owner);
}

void locks_remove_file(file& f) noexcept {
  file_lock_context* ctx = f.f_inode->i_flctx.load(std::memory_order_acquire);
  if (ctx == nullptr) return;
  remove_all_of(*f.f_inode, *ctx, &file_lock_context::posix, &f);
  remove_all_of(*f.f_inode, *ctx, &file_lock_context::flock, &f);
}

void locks_free_context(inode& i) noexcept {
  if (file_lock_context* ctx = i.i_flctx.exchange(nullptr, std::memory_order_acq_rel); ctx != nullptr) free_object(i.i_sb.memory(), ctx);
}

unsigned lock_waiters(const inode& i) noexcept {
  const file_lock_context* ctx = i.i_flctx.load(std::memory_order_acquire);
  return ctx == nullptr ? 0 : ctx->changed.waiters();
}

}  // namespace xip::vfs

// Making, forking and ending tasks. Linux: kernel/fork.c, kernel/exit.c.
#include <xip/vfs/task.h>

#include <new>

#include "vfs/files_struct.h"
#include "vfs/kernel_impl.h"
#include "vfs/mount.h"
#include "vfs/namei.h"

namespace xip::vfs {

task::task(kernel& k, const cred& c, const char* name)
    : owner{k}, who{c.uid, c.gid, {c.groups, &k.memory()}, c.real_uid, c.real_gid, c.capabilities} {
  kernel::impl& i = k.internals();
  context.name = name;
  context.id = i.next_task_id.fetch_add(1, std::memory_order_relaxed);
  context.sched = i.sched;
  context.deps = &i.deps;
  context.points = i.points;
  context.task = this;
}

task::~task() {
  const current_scope scope{context};
  if (files != nullptr && files->count.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    files->close_all();
    free_object(owner.memory(), files);
  }
  if (uaccess != nullptr && uaccess->release != nullptr) uaccess->release(uaccess->context);
  (void)path_ref::adopt(cwd);
  (void)path_ref::adopt(root);
}

namespace {

// Null: as much memory as there was is used up.
[[nodiscard]] task* new_task(kernel& k, const cred& who, const char* name) {
  task* t = make_object<task>(k.memory(), k, who, name);
  k.internals().tasks.fetch_add(1, std::memory_order_relaxed);
  return t;
}

void share_or_copy_files(task& child, task& parent, bool share) {
  if (share) {
    parent.files->count.fetch_add(1, std::memory_order_relaxed);
    child.files = parent.files;
    return;
  }
  child.files = make_object<files_struct>(child.owner.memory(), child.owner.memory());
  child.files->copy_from(*parent.files);
}

}  // namespace

result<task*> kernel::make_task(const cred& who, const char* name) {
  task* t = nullptr;
  try {
    t = new_task(*this, who, name);
    t->files = make_object<files_struct>(memory(), memory());
    const current_scope scope{t->context};
    (void)ensure_root(*t);  // later, if nothing is mounted yet
    return t;
  } catch (const std::bad_alloc&) {
    if (t != nullptr) exit_task(t);
    return fail(ENOMEM);
  }
}

result<task*> kernel::fork_task(task& parent, const char* name, bool share_files) {
  task* t = nullptr;
  try {
    t = new_task(*this, parent.who, name);
    t->limits = parent.limits;
    t->uaccess = parent.uaccess;
    if (t->uaccess != nullptr && t->uaccess->share != nullptr) t->uaccess->share(t->uaccess->context);
    t->mask = parent.mask;
    if (parent.root.mnt != nullptr) {
      t->root = path_ref{parent.root}.release();
      t->cwd = path_ref{parent.cwd}.release();
    }
    const current_scope scope{t->context};
    share_or_copy_files(*t, parent, share_files);
    return t;
  } catch (const std::bad_alloc&) {
    if (t != nullptr) exit_task(t);
    return fail(ENOMEM);
  }
}

void kernel::exit_task(task* t) noexcept {
  if (t == nullptr) return;
  free_object(memory(), t);
  impl_->tasks.fetch_sub(1, std::memory_order_relaxed);
}

}  // namespace xip::vfs

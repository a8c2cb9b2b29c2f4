// A kernel instance: what it is made of, its log, its caches. Linux: init/main.c, in a way.
#include <xip/vfs/kernel.h>

#include <cstdio>
#include <cstdlib>
#include <new>
#include <utility>

#include "vfs/kernel_impl.h"
#include "vfs/mount.h"
#include "vfs/namei.h"
#include "vfs/syscall.h"

namespace xip::vfs {

kernel::impl::impl(kernel_options&& o, std::pmr::memory_resource& m)
    : instance_memory{m},
      memory{m},
      log{std::move(o.log)},
      deps{m, std::move(o.lockdep_report)},
      sched{o.sched},
      points{o.points},
      make_mm{o.make_mm},
      protection{o.protection},
      dentry_limit{o.dentry_limit},
      shrink_above{o.dentry_limit},
      file_systems{&memory},
      mounts{&memory} {}

// Only asked, not reached: a scheduler has no business in the middle of an allocation, and a trace would be full of them.
void* kernel_memory::do_allocate(std::size_t bytes, std::size_t alignment) {
  if (point_sink* sink = current_point_sink; sink != nullptr && sink->inject(point::alloc_memory, bytes, alignment) != 0) [[unlikely]]
    throw std::bad_alloc{};
  return upstream_.allocate(bytes, alignment);
}

void kernel::impl::fill_context(thread_context& context, const char* name) noexcept {
  context.name = name;
  context.id = next_task_id.fetch_add(1, std::memory_order_relaxed);
  context.sched = sched;
  context.deps = &deps;
  context.points = points;
}

kernel::kernel(kernel_options options) {
  std::pmr::memory_resource& resource = options.memory != nullptr ? *options.memory : *std::pmr::get_default_resource();
  impl_ = make_object<impl>(resource, std::move(options), resource);
}

kernel::~kernel() {
  if (impl_->tasks.load(std::memory_order_acquire) != 0) {
    printk(log_level::error, "kernel instance destroyed while it still has tasks");
    std::abort();
  }
  unmount_all(*this);
  free_object(impl_->instance_memory, impl_);
}

std::pmr::memory_resource& kernel::memory() noexcept { return impl_->memory; }
const protection_sysctls& kernel::protection() const noexcept { return impl_->protection; }
lockdep& kernel::deps() noexcept { return impl_->deps; }
std::pmr::memory_resource& super_block::memory() const noexcept { return s_kernel.memory(); }

void kernel::printk(log_level level, std::string_view text) noexcept {
  try {
    if (impl_->log) return impl_->log(level, text);
  } catch (const std::bad_alloc&) {  // what it says then is often about that
  }
  if (level == log_level::error || level == log_level::warning) std::fprintf(stderr, "%.*s\n", static_cast<int>(text.size()), text.data());
}

result<> kernel::register_filesystem(const file_system_type& type) {
  task caller{*this, {}, "register_filesystem"};
  return system_call(caller, [&]() -> result<> {
    exclusive_guard guard{impl_->namespace_sem};
    for (const file_system_type* known : impl_->file_systems)
      if (std::string_view{known->name} == type.name) return fail(EBUSY);
    impl_->file_systems.push_back(&type);
    return {};
  });
}

void shrink_caches(kernel& k, bool spare_referenced) noexcept {
  kernel::impl& i = k.internals();
  // One after the other by its place in the list: a mount that goes meanwhile takes its cache along.
  for (std::size_t n = 0;; ++n) {
    path_ref root;
    {
      shared_guard guard{i.mount_lock};
      if (n >= i.mounts.size()) return;
      root = path_ref{*i.mounts[n], *i.mounts[n]->mnt_root};
    }
    shrink_dcache(root.dent(), spare_referenced);
  }
}

void kernel::drop_caches() noexcept {
  thread_context context;
  impl_->fill_context(context, "drop_caches");
  const current_scope scope{context};
  shrink_caches(*this, false);
}

}  // namespace xip::vfs

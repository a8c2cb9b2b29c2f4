// What a kernel instance keeps, and the context its own calls (mount, umount, sync) run in.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <vector>

#include <xip/base/annotations.h>
#include <xip/locks/mutex.h>
#include <xip/locks/rw_semaphore.h>
#include <xip/locks/thread_context.h>
#include <xip/vfs/kernel.h>
#include <xip/vfs/lock_classes.h>
#include <xip/vfs/task.h>
#include <xip/vfs/user_access.h>

namespace xip::vfs {

struct mount;

// The memory of an instance. Each allocation asks the running thread's point sink (point::alloc_memory) whether it fails.
class kernel_memory final : public std::pmr::memory_resource {
 public:
  explicit kernel_memory(std::pmr::memory_resource& upstream) noexcept : upstream_{upstream} {}

 private:
  void* do_allocate(std::size_t bytes, std::size_t alignment) override;
  void do_deallocate(void* p, std::size_t bytes, std::size_t alignment) override { upstream_.deallocate(p, bytes, alignment); }
  [[nodiscard]] bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override { return this == &other; }

  std::pmr::memory_resource& upstream_;
};

struct kernel::impl {
  // M is what the instance itself lies in, and lockdep's: that a rule is broken is not lost for an injected lack of memory.
  impl(kernel_options&& o, std::pmr::memory_resource& m);
  // For what runs outside of any task's calls.
  void fill_context(thread_context& context, const char* name) noexcept;

  std::pmr::memory_resource& instance_memory;
  kernel_memory memory;
  const std::function<void(log_level, std::string_view)> log;
  lockdep deps;
  sched_hook* const sched;
  point_sink* const points;
  result<> (*const make_mm)(task&);
  std::atomic<std::uint32_t> next_task_id{1};
  std::atomic<std::uint32_t> next_dev{1};
  std::atomic<std::uint32_t> tasks{0};
  // For tasks without an address space, as long as there is one whose addresses are pointers: these may be anybody's buffers. Null: there is none.
  std::atomic<const user_access*> pointer_uaccess{nullptr};
  std::atomic<std::uint32_t> pointer_spaces{0};

  // Cached names of all file systems.
  const protection_sysctls protection;
  const std::size_t dentry_limit;
  std::atomic<std::size_t> nr_dentry{0};
  std::atomic<std::size_t> shrink_above;  // at least the limit
  std::atomic<bool> shrinking{false};

  // Held over a whole mount, umount or remount (exclusive) or sync (shared).
  rw_semaphore<namespace_sem_class> namespace_sem;
  std::pmr::vector<const file_system_type*> file_systems XIP_GUARDED_BY(namespace_sem);

  // Changed under both locks. Path walks take mount_lock shared, and only where something is mounted.
  rw_semaphore<mount_lock_class> mount_lock;
  std::pmr::vector<struct mount*> mounts XIP_GUARDED_BY(mount_lock);  // in the order of mounting

  // Those who wait for fcntl locks, on their own stacks.
  mutex<blocked_lock_class> blocked_lock;
  struct blocked_request* blocked XIP_GUARDED_BY(blocked_lock) = nullptr;
};

// Writes back and makes durable what SB has; nothing on a read-only one. Takes s_umount shared.
[[nodiscard]] result<> sync_filesystem(super_block& sb);

// The end of an instance: unmounts everything.
void unmount_all(kernel& k);

// Drops unused dentries of every mounted file system, and with them their inodes. No lock held.
void shrink_caches(kernel& k, bool spare_referenced) noexcept;

// An object from RESOURCE; bad_alloc.
template <class T, class... Arguments>
[[nodiscard]] T* make_object(std::pmr::memory_resource& resource, Arguments&&... arguments) {
  return std::pmr::polymorphic_allocator<>{&resource}.new_object<T>(std::forward<Arguments>(arguments)...);
}
template <class T>
void free_object(std::pmr::memory_resource& resource, T* object) noexcept {
  std::pmr::polymorphic_allocator<>{&resource}.delete_object(object);
}

// How TASK's buffers are reached; null: they are plain memory.
[[nodiscard]] inline const user_access* user_access_of(const task& t) noexcept {
  return t.uaccess != nullptr ? t.uaccess : t.owner.internals().pointer_uaccess.load(std::memory_order_acquire);
}

}  // namespace xip::vfs

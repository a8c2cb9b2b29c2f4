// Calls of a file system's hooks. lockdep is told which hook runs, so that it knows which locks each of them takes: docs/locking.md is made of that.
#pragma once

#include <utility>

#include <xip/locks/lockdep.h>
#include <xip/locks/thread_context.h>

namespace xip::vfs {

// Not locks: nothing leads to one, only from it to what is taken inside. Named as the members of the tables of functions are.
namespace hook {
inline constexpr lock_class create{".create", lock_kind::pseudo};
inline constexpr lock_class evict_inode{".evict_inode", lock_kind::pseudo};
inline constexpr lock_class fallocate{".fallocate", lock_kind::pseudo};
inline constexpr lock_class fault{".fault", lock_kind::pseudo};  // and its kin of a mapping
inline constexpr lock_class fiemap{".fiemap", lock_kind::pseudo};
inline constexpr lock_class fileattr_get{".fileattr_get", lock_kind::pseudo};
inline constexpr lock_class fileattr_set{".fileattr_set", lock_kind::pseudo};
inline constexpr lock_class fsync{".fsync", lock_kind::pseudo};
inline constexpr lock_class get_link{".get_link", lock_kind::pseudo};
inline constexpr lock_class get_inode_acl{".get_inode_acl", lock_kind::pseudo};
inline constexpr lock_class getattr{".getattr", lock_kind::pseudo};
inline constexpr lock_class getxattr{".getxattr", lock_kind::pseudo};
inline constexpr lock_class iterate_shared{".iterate_shared", lock_kind::pseudo};
inline constexpr lock_class link{".link", lock_kind::pseudo};
inline constexpr lock_class listxattr{".listxattr", lock_kind::pseudo};
inline constexpr lock_class llseek{".llseek", lock_kind::pseudo};
inline constexpr lock_class lookup{".lookup", lock_kind::pseudo};
inline constexpr lock_class mkdir{".mkdir", lock_kind::pseudo};
inline constexpr lock_class mknod{".mknod", lock_kind::pseudo};
inline constexpr lock_class mmap{".mmap", lock_kind::pseudo};
inline constexpr lock_class open{".open", lock_kind::pseudo};
inline constexpr lock_class read_iter{".read_iter", lock_kind::pseudo};
inline constexpr lock_class release{".release", lock_kind::pseudo};
inline constexpr lock_class remount{".remount", lock_kind::pseudo};
inline constexpr lock_class rename{".rename", lock_kind::pseudo};
inline constexpr lock_class rmdir{".rmdir", lock_kind::pseudo};
inline constexpr lock_class set_acl{".set_acl", lock_kind::pseudo};
inline constexpr lock_class setattr{".setattr", lock_kind::pseudo};
inline constexpr lock_class setxattr{".setxattr", lock_kind::pseudo};
inline constexpr lock_class splice_read{".splice_read", lock_kind::pseudo};
inline constexpr lock_class statfs{".statfs", lock_kind::pseudo};
inline constexpr lock_class symlink{".symlink", lock_kind::pseudo};
inline constexpr lock_class sync_fs{".sync_fs", lock_kind::pseudo};
inline constexpr lock_class tmpfile{".tmpfile", lock_kind::pseudo};
inline constexpr lock_class unlink{".unlink", lock_kind::pseudo};
inline constexpr lock_class update_time{".update_time", lock_kind::pseudo};
inline constexpr lock_class write_iter{".write_iter", lock_kind::pseudo};
}  // namespace hook

class hook_scope {
 public:
  explicit hook_scope(const lock_class& which) noexcept : which_{which} {
    if constexpr (lockdep_compiled_in) {
      thread_context& me = current();
      if (me.deps != nullptr) me.deps->acquire(me, which_, nullptr, {.is_try = true});
    }
  }
  ~hook_scope() {
    if constexpr (lockdep_compiled_in) {
      thread_context& me = current();
      if (me.deps != nullptr) (void)me.deps->release(me, which_, nullptr);
    }
  }
  hook_scope(const hook_scope&) = delete;
  hook_scope& operator=(const hook_scope&) = delete;

 private:
  const lock_class& which_;
};

// FUNCTION(ARGUMENTS...), the hook WHICH.
template <class Result, class... Parameters, class... Arguments>
Result call_hook(const lock_class& which, Result (*function)(Parameters...), Arguments&&... arguments) {
  const hook_scope scope{which};
  return function(std::forward<Arguments>(arguments)...);
}

}  // namespace xip::vfs

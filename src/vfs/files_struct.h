// The descriptor table of a task, or of several (CLONE_FILES). Linux: include/linux/fdtable.h, fs/file.c.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory_resource>
#include <vector>

#include <xip/base/annotations.h>
#include <xip/base/result.h>
#include <xip/locks/rw_semaphore.h>
#include <xip/vfs/file.h>
#include <xip/vfs/lock_classes.h>

namespace xip::vfs {

// Drops a reference; the last one closes the file (release, then its path). No lock held.
void fput(file& f) noexcept;

// The file behind a descriptor for the time of one call. Counted only where the table is shared: a task's calls do not overlap, so that nobody
// else can close it in an unshared one. Linux: struct fd, fdget.
class fd_ref {
 public:
  fd_ref() noexcept = default;
  fd_ref(file* f, bool counted) noexcept : file_{f}, counted_{counted} {}
  fd_ref(fd_ref&& o) noexcept : file_{o.file_}, counted_{o.counted_} { o.file_ = nullptr; }
  fd_ref& operator=(fd_ref&&) = delete;
  ~fd_ref() {
    if (counted_ && file_ != nullptr) [[unlikely]]
      fput(*file_);
  }
  [[nodiscard]] explicit operator bool() const noexcept { return file_ != nullptr; }
  [[nodiscard]] file* operator->() const noexcept { return file_; }
  [[nodiscard]] file& operator*() const noexcept { return *file_; }

 private:
  file* file_ = nullptr;
  bool counted_ = false;
};

struct files_struct {
  explicit files_struct(std::pmr::memory_resource& memory) : fds{&memory}, open_fds{&memory}, close_on_exec{&memory} {}

  std::atomic<std::uint32_t> count{1};  // tasks that share it
  rw_semaphore<file_lock_class> file_lock;

  // Takes over F's reference. The lowest free descriptor from FROM on; EMFILE beyond LIMIT. bad_alloc leaves the table as it was.
  [[nodiscard]] result<int> install(file& f, bool cloexec, std::uint32_t from, std::uint32_t limit) XIP_EXCLUDES(file_lock);
  // No descriptor below LIMIT is free now.
  [[nodiscard]] bool is_full(std::uint32_t limit) noexcept XIP_EXCLUDES(file_lock);
  // F goes to descriptor TO, its reference is taken over; what was there comes back for fput. EBADF beyond LIMIT.
  [[nodiscard]] result<file*> install_at(file& f, int to, bool cloexec, std::uint32_t limit) XIP_EXCLUDES(file_lock);
  // Empties FD; the reference passes to the caller. Null: not open.
  [[nodiscard]] file* remove(int fd) noexcept XIP_EXCLUDES(file_lock);
  // Null: not open.
  [[nodiscard]] fd_ref get(int fd) noexcept {
    if (count.load(std::memory_order_acquire) == 1) [[likely]]
      return {look_up_unshared(fd), false};
    return get_shared(fd);
  }
  [[nodiscard]] result<bool> get_cloexec(int fd) noexcept XIP_EXCLUDES(file_lock);
  [[nodiscard]] result<> set_cloexec(int fd, bool on) noexcept XIP_EXCLUDES(file_lock);
  // The same open files under the same numbers, each with one reference more. bad_alloc.
  void copy_from(files_struct& other);
  void close_all() noexcept XIP_EXCLUDES(file_lock);

 private:
  [[nodiscard]] file* look_up_unshared(int fd) const noexcept XIP_NO_THREAD_SAFETY_ANALYSIS {
    return static_cast<std::size_t>(fd) < fds.size() ? fds[static_cast<std::size_t>(fd)] : nullptr;
  }
  [[nodiscard]] fd_ref get_shared(int fd) noexcept XIP_EXCLUDES(file_lock);
  [[nodiscard]] bool is_open(int fd) const noexcept XIP_REQUIRES_SHARED(file_lock);
  [[nodiscard]] std::size_t lowest_free(std::size_t from) const noexcept XIP_REQUIRES_SHARED(file_lock);
  void make_room(std::size_t fd) XIP_REQUIRES(file_lock);
  void put(std::size_t fd, file* f, bool cloexec) noexcept XIP_REQUIRES(file_lock);

  std::pmr::vector<file*> fds XIP_GUARDED_BY(file_lock);
  std::pmr::vector<std::uint64_t> open_fds XIP_GUARDED_BY(file_lock);       // one bit a descriptor
  std::pmr::vector<std::uint64_t> close_on_exec XIP_GUARDED_BY(file_lock);  // one bit a descriptor
  std::size_t next_fd XIP_GUARDED_BY(file_lock) = 0;                        // all below are in use
};

}  // namespace xip::vfs

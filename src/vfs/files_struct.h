// The descriptor table of a task, or of several (CLONE_FILES). Linux: include/linux/fdtable.h, fs/file.c.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory_resource>
#include <utility>
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

  // The lowest free descriptor from FROM on becomes the caller's to fill: nobody else gets it, and it is not open yet. EMFILE beyond LIMIT;
  // bad_alloc leaves the table as it was. Linux: get_unused_fd_flags.
  [[nodiscard]] result<int> reserve(bool cloexec, std::uint32_t from, std::uint32_t limit) XIP_EXCLUDES(file_lock);
  void unreserve(int fd) noexcept XIP_EXCLUDES(file_lock);
  // The reserved FD is F's, whose reference is taken over. Linux: fd_install.
  void install(int fd, file& f) noexcept XIP_EXCLUDES(file_lock);
  // F goes to descriptor TO, its reference is taken over; what was there comes back for fput. EBADF beyond LIMIT, EBUSY: reserved.
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
  [[nodiscard]] bool is_reserved(std::size_t fd) const noexcept XIP_REQUIRES_SHARED(file_lock);
  [[nodiscard]] bool is_open(int fd) const noexcept XIP_REQUIRES_SHARED(file_lock);
  [[nodiscard]] std::size_t lowest_free(std::size_t from) const noexcept XIP_REQUIRES_SHARED(file_lock);
  void make_room(std::size_t fd) XIP_REQUIRES(file_lock);
  void put(std::size_t fd, file* f, bool cloexec) noexcept XIP_REQUIRES(file_lock);
  void mark(std::size_t fd, bool used, bool cloexec) noexcept XIP_REQUIRES(file_lock);

  std::pmr::vector<file*> fds XIP_GUARDED_BY(file_lock);
  std::pmr::vector<std::uint64_t> open_fds XIP_GUARDED_BY(file_lock);       // one bit a descriptor, open or reserved
  std::pmr::vector<std::uint64_t> close_on_exec XIP_GUARDED_BY(file_lock);  // one bit a descriptor
  std::size_t next_fd XIP_GUARDED_BY(file_lock) = 0;                        // all below are in use
};

// A reserved descriptor, given back unless a file takes it. Bad_alloc.
class unused_fd {
 public:
  [[nodiscard]] static result<unused_fd> get(files_struct& files, bool cloexec, std::uint32_t from, std::uint32_t limit) {
    return unused_fd{files, XIP_TRY(files.reserve(cloexec, from, limit))};
  }
  unused_fd(unused_fd&& other) noexcept : files_{other.files_}, fd_{std::exchange(other.fd_, -1)} {}
  unused_fd& operator=(unused_fd&&) = delete;
  ~unused_fd() {
    if (fd_ >= 0) files_.unreserve(fd_);
  }
  // F's reference is taken over.
  int install(file& f) noexcept {
    files_.install(fd_, f);
    return std::exchange(fd_, -1);
  }

 private:
  unused_fd(files_struct& files, int fd) noexcept : files_{files}, fd_{fd} {}
  files_struct& files_;
  int fd_;
};

}  // namespace xip::vfs

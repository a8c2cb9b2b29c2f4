// The session with the host's kernel: its mount, the threads that take requests from it, and how it ends. It knows no file system: what answers is a table.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <sys/types.h>

#define FUSE_USE_VERSION 314
#include <fuse3/fuse_lowlevel.h>

#include <xip/locks/kthread.h>

namespace xip::fuse {

struct session_settings {
  std::string directory;  // absolute
  std::string options;    // of the host's mount, comma-separated
  bool debug = false;
  bool mapped_direct_io = false;  // files past the page cache can be mapped all the same, if the kernel offers that
};

// Whether this thread's request truncates, or opens to truncate, for somebody without CAP_FSETID, or changes an owner. Before writes the kernel
// sends a SETATTR that sets nothing.
[[nodiscard]] bool& kills_privileges() noexcept;

// What is asked of the kernel: for a table's init.
void negotiate(fuse_conn_info& conn) noexcept;

// Takes what is mounted on DIRECTORY away; LAZILY: out of the tree, whoever uses it. As a user that is fusermount3's affair.
[[nodiscard]] bool unmount_directory(const std::string& directory, bool lazily) noexcept;

class connection {
 public:
  // Mounts on the directory. USERDATA: what fuse_req_userdata gives. What libfuse says beside a failure goes to its log.
  [[nodiscard]] static std::expected<std::unique_ptr<connection>, std::string> open(session_settings settings,
                                                                                    const fuse_lowlevel_ops& table, void* userdata);
  ~connection();
  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;

  // Starts COUNT threads; each calls PREPARE(its number) before its first request.
  [[nodiscard]] result<> start(unsigned count, std::function<void(unsigned)> prepare);
  [[nodiscard]] fuse_session* session() noexcept { return session_; }
  // A descriptor that is readable once all threads have ended: the file system was unmounted, or the connection was cut.
  [[nodiscard]] int ended() const noexcept { return ended_; }
  // At once if nobody uses the mount. Else it leaves the tree, what its users have written comes to us, and they are cut off. False: something
  // else is mounted on the directory by now, which stays, and our users are cut off as well.
  [[nodiscard]] bool unmount() noexcept;
  // Waits for the threads.
  void join() noexcept { threads_.clear(); }

 private:
  connection() = default;
  void serve(unsigned number) noexcept;
  void look_into(fuse_buf& buffer) noexcept;
  [[nodiscard]] bool has_ended(int milliseconds) const noexcept;
  void interrupt_threads() noexcept;
  [[nodiscard]] bool is_on_top() const noexcept;
  static ssize_t receive(int fd, void* to, std::size_t bytes, void* userdata);
  static ssize_t reply(int fd, struct iovec* pieces, int count, void* userdata);

  session_settings settings_;
  fuse_session* session_ = nullptr;
  dev_t device_ = 0;  // of the mount
  int ended_ = -1;
  std::function<void(unsigned)> prepare_;
  std::deque<std::atomic<int>> thread_ids_;  // 0: not running
  std::atomic<unsigned> running_{0};
  std::atomic<bool> stopping_{false};
  std::vector<kthread> threads_;
};

}  // namespace xip::fuse

// Descriptor tables. Linux: fs/file.c.
#include "vfs/files_struct.h"

#include <algorithm>
#include <bit>

#include "vfs/locks.h"

namespace xip::vfs {

namespace {

constexpr std::size_t bits_per_word = 64;

[[nodiscard]] constexpr std::uint64_t bit_of(std::size_t fd) noexcept { return std::uint64_t{1} << (fd % bits_per_word); }

}  // namespace

bool files_struct::is_open(int fd) const noexcept {
  return static_cast<std::size_t>(fd) < fds.size() && fds[static_cast<std::size_t>(fd)] != nullptr;
}

std::size_t files_struct::lowest_free(std::size_t from) const noexcept {
  from = std::max(from, next_fd);
  std::size_t word = from / bits_per_word;
  std::uint64_t below = bit_of(from) - 1;
  for (; word < open_fds.size(); ++word, below = 0) {
    const std::uint64_t used = open_fds[word] | below;
    if (used != ~std::uint64_t{0}) return word * bits_per_word + static_cast<std::size_t>(std::countr_one(used));
  }
  return std::max(from, word * bits_per_word);
}

void files_struct::make_room(std::size_t fd) {
  const std::size_t words = fd / bits_per_word + 1;
  if (words * bits_per_word <= fds.size()) return;
  const std::size_t more = std::max(words, open_fds.size() * 2);
  open_fds.resize(more);
  close_on_exec.resize(more);
  fds.resize(more * bits_per_word);  // last: its size says how much there is
}

bool files_struct::is_reserved(std::size_t fd) const noexcept {
  return fd < fds.size() && fds[fd] == nullptr && (open_fds[fd / bits_per_word] & bit_of(fd)) != 0;
}

void files_struct::put(std::size_t fd, file* f, bool cloexec) noexcept {
  fds[fd] = f;
  mark(fd, f != nullptr, cloexec);
}

void files_struct::mark(std::size_t fd, bool used, bool cloexec) noexcept {
  const std::uint64_t bit = bit_of(fd);
  std::uint64_t& open_word = open_fds[fd / bits_per_word];
  std::uint64_t& cloexec_word = close_on_exec[fd / bits_per_word];
  open_word = used ? open_word | bit : open_word & ~bit;
  cloexec_word = cloexec ? cloexec_word | bit : cloexec_word & ~bit;
  if (!used)
    next_fd = std::min(next_fd, fd);
  else if (fd == next_fd)
    ++next_fd;
}

result<int> files_struct::reserve(bool cloexec, std::uint32_t from, std::uint32_t limit) {
  exclusive_guard guard{file_lock};
  const std::size_t fd = lowest_free(from);
  if (fd >= limit) return fail(EMFILE);
  make_room(fd);
  mark(fd, true, cloexec);
  return static_cast<int>(fd);
}

void files_struct::unreserve(int fd) noexcept {
  exclusive_guard guard{file_lock};
  mark(static_cast<std::size_t>(fd), false, false);
}

void files_struct::install(int fd, file& f) noexcept {
  exclusive_guard guard{file_lock};
  fds[static_cast<std::size_t>(fd)] = &f;
}

result<file*> files_struct::install_at(file& f, int to, bool cloexec, std::uint32_t limit) {
  if (to < 0 || static_cast<std::uint32_t>(to) >= limit) return fail(EBADF);
  const auto fd = static_cast<std::size_t>(to);
  exclusive_guard guard{file_lock};
  make_room(fd);
  if (is_reserved(fd)) return fail(EBUSY);
  file* old = fds[fd];
  put(fd, &f, cloexec);
  return old;
}

file* files_struct::remove(int fd) noexcept {
  exclusive_guard guard{file_lock};
  if (!is_open(fd)) return nullptr;
  file* f = fds[static_cast<std::size_t>(fd)];
  put(static_cast<std::size_t>(fd), nullptr, false);
  return f;
}

fd_ref files_struct::get_shared(int fd) noexcept {
  shared_guard guard{file_lock};
  if (!is_open(fd)) return {};
  file* f = fds[static_cast<std::size_t>(fd)];
  f->f_count.fetch_add(1, std::memory_order_relaxed);
  return {f, true};
}

result<bool> files_struct::get_cloexec(int fd) noexcept {
  shared_guard guard{file_lock};
  if (!is_open(fd)) return fail(EBADF);
  const auto n = static_cast<std::size_t>(fd);
  return (close_on_exec[n / bits_per_word] & bit_of(n)) != 0;
}

result<> files_struct::set_cloexec(int fd, bool on) noexcept {
  exclusive_guard guard{file_lock};
  if (!is_open(fd)) return fail(EBADF);
  const auto n = static_cast<std::size_t>(fd);
  put(n, fds[n], on);
  return {};
}

// Nobody else has this table yet; the other one's owner is the caller.
void files_struct::copy_from(files_struct& other) XIP_NO_THREAD_SAFETY_ANALYSIS {
  shared_guard guard{other.file_lock};
  open_fds = other.open_fds;
  close_on_exec = other.close_on_exec;
  fds = other.fds;
  next_fd = other.next_fd;
  for (std::size_t fd = 0; fd < fds.size(); ++fd) {
    if (fds[fd] != nullptr)
      fds[fd]->f_count.fetch_add(1, std::memory_order_relaxed);
    else if (is_reserved(fd))
      mark(fd, false, false);  // for a file that the other task is about to open
  }
}

void files_struct::close_all() noexcept {
  std::size_t fd = 0;
  for (;;) {
    file* f = nullptr;
    {
      exclusive_guard guard{file_lock};
      while (fd < fds.size() && fds[fd] == nullptr) ++fd;
      if (fd == fds.size()) return;
      f = fds[fd];
      put(fd, nullptr, false);
    }
    filp_close(*f, *this);
  }
}

}  // namespace xip::vfs

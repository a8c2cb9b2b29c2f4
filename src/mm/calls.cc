// The calls of a task on its address space: what is asked for is checked here, and done elsewhere. Linux: mm/mmap.c, mm/mprotect.c, mm/msync.c, mm/madvise.c.
#include <algorithm>
#include <array>
#include <cstring>

#include <xip/vfs/kernel.h>
#include <xip/vfs/ops.h>

#include "mm/areas.h"
#include "mm/host_traps.h"
#include "vfs/files_struct.h"
#include "vfs/syscall.h"

namespace xip::mm {
namespace {

inline constexpr int always_known = MAP_TYPE | MAP_FIXED | MAP_FIXED_NOREPLACE | MAP_ANONYMOUS | MAP_POPULATE | MAP_NORESERVE | MAP_LOCKED |
                                    MAP_NONBLOCK | MAP_STACK | MAP_DENYWRITE | MAP_EXECUTABLE;
inline constexpr std::uint32_t protections = PROT_READ | PROT_WRITE | PROT_EXEC;
static_assert(vm_read == PROT_READ && vm_write == PROT_WRITE && vm_exec == PROT_EXEC);

// What was asked of one range of an address space, in whole pages.
struct range {
  mm_struct* mm;
  user_address start, end;
};

// EINVAL: START is no page. No address space has so many bytes: TOO_LONG.
[[nodiscard]] result<range> range_of(const vfs::task& me, user_address start, std::size_t length, int too_long) {
  if (!is_page_aligned(start)) return fail(EINVAL);
  const user_address end = start + page_align(length);
  if (end < start || page_align(length) < length) return fail(too_long);
  return range{mm_struct::of(me), start, end};
}

[[nodiscard]] bool inside(const range& r) noexcept { return r.mm != nullptr && r.mm->holds(r.start, r.end); }

// What a mapping of F may be, and may become. Linux: do_mmap, by the type of the mapping.
[[nodiscard]] result<std::uint32_t> flags_of_file(const vfs::file& f, int prot, int flags) {
  const bool shared = (flags & MAP_TYPE) != MAP_PRIVATE;
  std::uint32_t vm_flags = static_cast<std::uint32_t>(prot) | vm_mayread | vm_maywrite | vm_mayexec;
  if ((flags & MAP_TYPE) == MAP_SHARED_VALIDATE) {
    if ((flags & ~(always_known | MAP_SYNC)) != 0) return fail(EOPNOTSUPP);
    if ((flags & MAP_SYNC) != 0) vm_flags |= vm_sync;
  }
  if ((f.f_mode & vfs::fmode_path) != 0) return fail(EBADF);
  const bool writable = (f.f_mode & vfs::fmode_write) != 0;
  if (shared && (prot & PROT_WRITE) != 0 && !writable) return fail(EACCES);
  if (shared && writable && (f.f_inode->i_flags.load(std::memory_order_relaxed) & vfs::s_append) != 0) return fail(EACCES);
  if ((f.f_mode & vfs::fmode_read) == 0) return fail(EACCES);
  if (shared) vm_flags |= vm_shared;
  if (shared && !writable) vm_flags &= ~vm_maywrite;
  if ((f.f_inode->i_sb.s_flags.load(std::memory_order_relaxed) & vfs::sb_noexec) != 0) {
    if ((prot & PROT_EXEC) != 0) return fail(EPERM);
    vm_flags &= ~vm_mayexec;
  }
  if (f.f_op == nullptr || f.f_op->mmap == nullptr) return fail(ENODEV);
  return vm_flags;
}

struct request {
  user_address address;
  std::size_t length;
  int prot, flags;
  loff_t offset;
};

[[nodiscard]] result<user_address> map_file(vfs::task& me, mm_struct& mm, const request& r, int fd) {
  const vfs::fd_ref f = me.files->get(fd);
  if (!f) return fail(EBADF);
  const std::uint32_t vm_flags = XIP_TRY(flags_of_file(*f, r.prot, r.flags));
  const pgoff_t first{static_cast<std::uint64_t>(r.offset) >> page_shift};
  if (static_cast<std::uint64_t>(r.offset) + r.length > static_cast<std::uint64_t>(INT64_MAX)) return fail(EOVERFLOW);
  return mm.map(r.address, r.length, vm_flags, r.flags, &*f, first);
}

[[nodiscard]] result<user_address> map_anonymous(mm_struct& mm, const request& r) {
  if ((r.flags & MAP_TYPE) == MAP_SHARED_VALIDATE) return fail(EINVAL);
  std::uint32_t vm_flags = static_cast<std::uint32_t>(r.prot) | vm_mayread | vm_maywrite | vm_mayexec;
  if ((r.flags & MAP_TYPE) == MAP_SHARED) vm_flags |= vm_shared;
  return mm.map(r.address, r.length, vm_flags, r.flags, nullptr, {});
}

[[nodiscard]] result<mm_struct*> mm_for(vfs::task& me) {
  if (mm_struct* mm = mm_struct::of(me); mm != nullptr) return mm;
  return mm_struct::make_for(me);
}

}  // namespace

result<user_address> mmap(vfs::task& me, user_address address, std::size_t length, int prot, int flags, int fd, loff_t offset) {
  return vfs::system_call(me, [&]() -> result<user_address> {
    const int type = flags & MAP_TYPE;
    if (!is_page_aligned(static_cast<user_address>(offset)) || offset < 0) return fail(EINVAL);
    if ((flags & MAP_ANONYMOUS) == 0 && !me.files->get(fd)) return fail(EBADF);
    if (length == 0) return fail(EINVAL);
    if (type != MAP_SHARED && type != MAP_PRIVATE && type != MAP_SHARED_VALIDATE) return fail(EINVAL);
    if (page_align(length) == 0) return fail(ENOMEM);
    const request r{address, page_align(length), prot & static_cast<int>(protections), flags, offset};
    mm_struct& mm = *XIP_TRY(mm_for(me));
    const user_address start = XIP_TRY((flags & MAP_ANONYMOUS) != 0 ? map_anonymous(mm, r) : map_file(me, mm, r, fd));
    if ((flags & MAP_POPULATE) != 0) mm.populate(start, start + r.length);
    return start;
  });
}

result<> munmap(vfs::task& me, user_address address, std::size_t length) {
  return vfs::system_call(me, [&]() -> result<> {
    const range r = XIP_TRY(range_of(me, address, length, EINVAL));
    if (r.start == r.end || !inside(r)) return fail(EINVAL);
    return r.mm->unmap(r.start, r.end);
  });
}

result<> mprotect(vfs::task& me, user_address address, std::size_t length, int prot) {
  return vfs::system_call(me, [&]() -> result<> {
    const range r = XIP_TRY(range_of(me, address, length, ENOMEM));
    if ((prot & ~static_cast<int>(protections)) != 0) return fail(EINVAL);
    if (r.start == r.end) return {};
    if (!inside(r)) return fail(ENOMEM);
    return r.mm->protect(r.start, r.end, static_cast<std::uint32_t>(prot));
  });
}

result<user_address> mremap(vfs::task& me, user_address old_address, std::size_t old_size, std::size_t new_size, int flags,
                            user_address new_address) {
  return vfs::system_call(me, [&]() -> result<user_address> {
    if ((flags & ~(MREMAP_MAYMOVE | MREMAP_FIXED)) != 0) return fail(EINVAL);
    if ((flags & MREMAP_FIXED) != 0 && (flags & MREMAP_MAYMOVE) == 0) return fail(EINVAL);
    const range from = XIP_TRY(range_of(me, old_address, old_size, EFAULT));
    if (page_align(new_size) == 0 || from.start == from.end) return fail(EINVAL);
    if (!inside(from)) return fail(EFAULT);
    if ((flags & MREMAP_FIXED) != 0) {
      const range to = XIP_TRY(range_of(me, new_address, new_size, EINVAL));
      if (!inside(to)) return fail(EINVAL);
    } else if (!from.mm->has_room_for(page_align(new_size))) {
      return fail(ENOMEM);
    }
    return from.mm->remap(from.start, from.end - from.start, page_align(new_size), flags, new_address);
  });
}

result<> msync(vfs::task& me, user_address address, std::size_t length, int flags) {
  return vfs::system_call(me, [&]() -> result<> {
    if ((flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC)) != 0) return fail(EINVAL);
    if ((flags & MS_ASYNC) != 0 && (flags & MS_SYNC) != 0) return fail(EINVAL);
    const range r = XIP_TRY(range_of(me, address, length, ENOMEM));
    if (r.start == r.end) return {};
    if (r.mm == nullptr) return fail(ENOMEM);
    return r.mm->sync(r.start, r.end, (flags & MS_SYNC) != 0);
  });
}

result<> madvise(vfs::task& me, user_address address, std::size_t length, int advice) {
  return vfs::system_call(me, [&]() -> result<> {
    const bool hint = advice == MADV_NORMAL || advice == MADV_RANDOM || advice == MADV_SEQUENTIAL || advice == MADV_WILLNEED;
    if (advice != MADV_DONTNEED && !hint) return fail(EINVAL);
    const range r = XIP_TRY(range_of(me, address, length, EINVAL));
    if (r.start == r.end) return {};
    if (!inside(r)) return fail(ENOMEM);
    return hint ? r.mm->check_mapped(r.start, r.end) : r.mm->drop_pages(r.start, r.end);
  });
}

namespace {

[[nodiscard]] access_result access_user(vfs::task& me, user_address address, std::byte* memory, std::size_t bytes, bool write) {
  const vfs::syscall_scope scope{me};
  mm_struct* mm = mm_struct::of(me);
  if (mm == nullptr) return std::unexpected{access_fault{access_signal::segv_maperr, address}};
  access_result ended;
  if (!host_ref{reinterpret_cast<user_address>(memory)}.get()) [[likely]] {
    static_cast<void>(mm->transfer({address, bytes, write, false}, memory, ended));
    return ended;
  }
  // MEMORY is a pointer into a mapping: it may fault, and must not do so under the lock of the page tables.
  std::array<std::byte, page_size> between;
  for (std::size_t done = 0; done < bytes && ended;) {
    const std::size_t piece = std::min(bytes - done, page_size);
    if (write) std::memcpy(between.data(), memory + done, piece);
    const std::size_t moved = mm->transfer({address + done, piece, write, false}, between.data(), ended);
    if (!write) std::memcpy(memory + done, between.data(), moved);
    done += piece;
  }
  return ended;
}

}  // namespace

access_result load(vfs::task& me, user_address address, void* to, std::size_t bytes) {
  return access_user(me, address, static_cast<std::byte*>(to), bytes, false);
}

access_result store(vfs::task& me, user_address address, const void* from, std::size_t bytes) {
  return access_user(me, address, static_cast<std::byte*>(const_cast<void*>(from)), bytes, true);
}

access_result persist(vfs::task& me, user_address address, std::size_t bytes) {
  const vfs::syscall_scope scope{me};
  mm_struct* mm = mm_struct::of(me);
  if (mm == nullptr) return std::unexpected{access_fault{access_signal::segv_maperr, address}};
  return mm->persist_user(address, bytes);
}

result<> pin_user_page(vfs::task& me, user_address address, bool write, page_pin& pin) {
  return vfs::system_call(me, [&]() -> result<> {
    mm_struct* mm = mm_struct::of(me);
    if (mm == nullptr || !mm->pin(address, write, pin)) return fail(EFAULT);
    return {};
  });
}

}  // namespace xip::mm

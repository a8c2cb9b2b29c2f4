#include "mm/host_space.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <new>
#include <utility>

#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xip/base/assert.h>
#include <xip/vfs/kernel.h>
#include <xip/vfs/super_block.h>

#include "mm/host_signal.h"

namespace xip::mm {
namespace {

constexpr std::size_t most_reserved = std::size_t{1} << 40, least_reserved = std::size_t{1} << 32;

[[nodiscard]] void* pointer(user_address a) noexcept { return user_pointer(a); }

[[nodiscard]] std::size_t allowed_mappings() noexcept {
  std::size_t count = 65530;
  if (FILE* f = std::fopen("/proc/sys/vm/max_map_count", "re"); f != nullptr) {
    if (std::fscanf(f, "%zu", &count) != 1) count = 65530;
    static_cast<void>(std::fclose(f));
  }
  return count;
}

// Nobody's memory, which costs nothing and cannot be touched.
[[nodiscard]] bool reserve(user_address start, std::size_t bytes) noexcept {
  return ::mmap(pointer(start), bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) != MAP_FAILED;
}

// No page of whole mappings can be touched any more, where the host makes no new mapping, be it in the place of another. To take rights away needs none.
void shut(user_address start, std::size_t bytes) noexcept {
  const bool done = ::mprotect(pointer(start), bytes, PROT_NONE) == 0;
  XIP_ASSERT(done && "the host takes rights from whole mappings");
  static_cast<void>(::madvise(pointer(start), bytes, MADV_DONTNEED));
}

}  // namespace

pte host_space::run::at(user_address start, user_address address) const noexcept {
  pte e = what;
  if (e.memory != nullptr) e.memory += address - start;
  if (e.kind == pte_kind::pfn) e.pfn += (address - start) >> page_shift;
  return e;
}

int host_space::run::protection() const noexcept {
  if (!what.read) return PROT_NONE;
  return PROT_READ | (what.write ? PROT_WRITE : 0) | (exec ? PROT_EXEC : 0);
}

host_space::host_space(vfs::kernel& owner, user_address reserved, std::size_t reserved_bytes) noexcept
    : kernel_{owner},
      reserved_{reserved},
      reserved_bytes_{reserved_bytes},
      bottom_{(reserved + pmd_size - 1) & ~(user_address{pmd_size} - 1)},
      top_{(reserved + reserved_bytes) & ~(user_address{pmd_size} - 1)},
      most_runs_{allowed_mappings() / 3},
      runs_{&owner.memory()} {
  take_ballast();
}

bool host_space::is_possible() noexcept { return ::sysconf(_SC_PAGESIZE) == static_cast<long>(page_size) && tells_access(); }

result<> host_space::check_device(const dev::device& d, std::uint32_t vm_flags) noexcept {
  const dev::host_file file = XIP_TRY(dev::host_mapping(d, 0, page_size));
  const bool writes = (vm_flags & vm_write) != 0 && (vm_flags & vm_shared) != 0;
  const int protection = PROT_READ | (writes ? PROT_WRITE : 0) | ((vm_flags & vm_exec) != 0 ? PROT_EXEC : 0);
  void* const at = ::mmap(nullptr, page_size, protection, MAP_SHARED, file.fd, static_cast<off_t>(file.offset));
  if (at != MAP_FAILED)
    ::munmap(at, page_size);
  else if (errno != ENOMEM)  // room is made when it is needed
    return fail(errno);
  return {};
}

result<host_space*> host_space::make(vfs::kernel& owner) noexcept {
  for (std::size_t bytes = most_reserved; bytes >= least_reserved; bytes /= 2) {
    void* const there = ::mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (there == MAP_FAILED) continue;
    void* const memory = ::operator new(sizeof(host_space), std::nothrow);
    if (memory != nullptr) return new (memory) host_space{owner, reinterpret_cast<user_address>(there), bytes};
    ::munmap(there, bytes);
    break;
  }
  return fail(ENOMEM);
}

host_space::~host_space() {
  ::munmap(pointer(reserved_), reserved_bytes_);
  static_cast<void>(drop_ballast());
}

// ---- pages that trap

// A userfaultfd is told of pages that are missing, and registering comes before touching: until then SIGSEGV tells.
bool host_space::trap(user_address start, user_address end) noexcept {
  if (!reserve(start, end - start)) return false;
  if (userfaultfd_ < 0) return true;
  uffdio_register wanted{};
  wanted.range = {start, end - start};
  wanted.mode = UFFDIO_REGISTER_MODE_MISSING;
  if (::madvise(pointer(start), end - start, MADV_DONTFORK) != 0) return true;
  if (::ioctl(userfaultfd_, UFFDIO_REGISTER, &wanted) == 0)
    static_cast<void>(::mprotect(pointer(start), end - start, PROT_READ | PROT_WRITE));
  return true;
}

// What begins and ends where mappings do takes no more of them than there are.
void host_space::trap_for_sure(user_address start, user_address end) noexcept {
  if (trap(start, end)) return;
  is_at_limit_.store(true, std::memory_order_relaxed);
  for (bool wider = true; wider;) {
    wider = false;
    if (const auto low = start > bottom_ ? find(start - 1) : runs_.end(); low != runs_.end() && low->second.what.kind != pte_kind::anon) {
      start = low->first;
      runs_.erase(low);
      wider = true;
    }
    if (const auto high = runs_.find(end); high != runs_.end() && high->second.what.kind != pte_kind::anon) {
      end = high->second.end;
      runs_.erase(high);
      wider = true;
    }
  }
  if (trap(start, end)) return;
  if (drop_ballast() && trap(start, end))
    take_ballast();
  else
    shut(start, end - start);
}

void host_space::take_ballast() noexcept {
  void* const at = ::mmap(nullptr, page_size, PROT_NONE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (at != MAP_FAILED) ballast_ = at;
}

bool host_space::drop_ballast() noexcept { return ballast_ != nullptr && ::munmap(std::exchange(ballast_, nullptr), page_size) == 0; }

result<> host_space::arm(user_address start, user_address end) noexcept {
  if (userfaultfd_ >= 0 && !trap(start, end)) return fail(ENOMEM);
  return {};
}

// What the host cannot cut out stays armed, and is refused as it is touched.
void host_space::disarm(user_address start, user_address end) noexcept {
  if (userfaultfd_ >= 0) static_cast<void>(reserve(start, end - start));
}

void host_space::withdraw() noexcept {
  userfaultfd_ = -1;
  if (!reserve(reserved_, reserved_bytes_) && (!drop_ballast() || !reserve(reserved_, reserved_bytes_))) shut(reserved_, reserved_bytes_);
}

// Without room for a mapping of one page: all around it, up to what is mapped. They are served by SIGSEGV then.
void host_space::refuse(user_address page) noexcept {
  if (translate(page).present() || ::mprotect(pointer(page), page_size, PROT_NONE) == 0) return;
  const auto high = runs_.upper_bound(page);
  const user_address end = high == runs_.end() ? top_ : high->first;
  const user_address start = high == runs_.begin() ? bottom_ : std::prev(high)->second.end;
  static_cast<void>(::mprotect(pointer(start), end - start, PROT_NONE));
}

// ---- runs

host_space::map::iterator host_space::find(user_address address) noexcept {
  auto at = runs_.upper_bound(address);
  if (at == runs_.begin()) return runs_.end();
  --at;
  return at->second.end > address ? at : runs_.end();
}
host_space::map::iterator host_space::first_in(user_address start) noexcept {
  const auto r = find(start);
  return r != runs_.end() ? r : runs_.lower_bound(start);
}
host_space::map::const_iterator host_space::find(user_address address) const noexcept {
  return const_cast<host_space&>(*this).find(address);
}

pte host_space::translate(user_address address) const noexcept {
  const auto r = find(address);
  return r == runs_.end() ? pte{} : r->second.at(r->first, address & ~(user_address{page_size} - 1));
}

bool host_space::cut(user_address address) noexcept {
  const auto low = find(address);
  if (low == runs_.end() || low->first == address) return true;
  run high = low->second;
  high.what = low->second.at(low->first, address);
  high.file.offset += address - low->first;
  try {
    runs_.emplace(address, high);
  } catch (const std::bad_alloc&) {
    return false;
  }
  low->second.end = address;
  return true;
}

host_space::map::iterator host_space::cut_out(map::iterator r, user_address from, user_address to) noexcept {
  const user_address start = r->first;
  if (from > start && cut(from)) r = runs_.find(from);
  if (to < r->second.end) static_cast<void>(cut(to));
  return r;
}

void host_space::join_around(user_address start, user_address end) noexcept {
  auto low = runs_.lower_bound(start);
  if (low != runs_.begin()) --low;
  while (low != runs_.end() && low->first < end) {
    const auto high = std::next(low);
    if (high == runs_.end()) return;
    const run &a = low->second, &b = high->second;
    const pte next = a.at(low->first, a.end);
    const bool same = a.end == high->first && next.kind != pte_kind::anon && next.kind == b.what.kind && next.read == b.what.read &&
                      next.write == b.what.write && a.exec == b.exec && next.inode == b.what.inode && next.pfn == b.what.pfn &&
                      next.memory == b.what.memory && a.file.fd == b.file.fd;
    if (!same) {
      low = high;
      continue;
    }
    low->second.end = b.end;
    runs_.erase(high);
  }
}

void host_space::warn_of_limit() noexcept {
  if (!is_at_limit_.load(std::memory_order_relaxed) || has_warned_.exchange(true, std::memory_order_relaxed)) return;
  try {
    kernel_.printk(vfs::log_level::warning, "host mappings: the host allows no more of them (vm.max_map_count)");
  } catch (const std::bad_alloc&) {
    return;
  }
}

int host_space::map_on_host(user_address start, const run& r) noexcept {
  const std::size_t bytes = r.end - start;
  const bool is_file = r.what.kind == pte_kind::pfn;
  const auto map_as = [&](void* at, int protection, int flags) {
    return ::mmap(at, bytes, protection, flags | (at != nullptr ? MAP_FIXED : 0), is_file ? r.file.fd : -1,
                  is_file ? static_cast<off_t>(r.file.offset) : 0);
  };
  const auto map_at = [&](void* at, int protection) {
    void* there = MAP_FAILED;
    if (is_file && r.file.synchronous) there = map_as(at, protection, MAP_SHARED_VALIDATE | MAP_SYNC);
    // Memory that is only said to be persistent has no MAP_SYNC.
    if (there == MAP_FAILED && (!is_file || !r.file.synchronous || errno == EOPNOTSUPP))
      there = map_as(at, protection, is_file ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE);
    return there;
  };
  // Inaccessible at first, so that a child that is forked in between inherits nothing it could use.
  const auto open_up = [&](void* at) { return ::madvise(at, bytes, MADV_DONTFORK) == 0 && ::mprotect(at, bytes, r.protection()) == 0; };
  // Made elsewhere and moved here: the host's kernel, which waits in a userfaultfd, never finds what it may not read, and where the host refuses the mapping
  // there is no gap.
  void* const made = map_at(nullptr, PROT_NONE);
  if (made == MAP_FAILED && errno != ENOMEM) return errno;
  if (made != MAP_FAILED) {
    if (open_up(made) && ::mremap(made, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, pointer(start)) != MAP_FAILED) return 0;
    ::munmap(made, bytes);
  }
  // It needs more mappings for a moment than the host has.
  void* const there = map_at(pointer(start), PROT_NONE);
  if (there != MAP_FAILED && open_up(there)) return 0;
  const int failed = errno;
  static_cast<void>(trap(start, r.end));
  return failed;
}

int host_space::insert(user_address start, const run& r) noexcept {
  if (runs_.size() >= most_runs_) return ENOMEM;
  try {
    const auto made = runs_.emplace(start, r).first;
    const int failed = map_on_host(start, r);
    if (failed != 0) runs_.erase(made);
    return failed;
  } catch (const std::bad_alloc&) {
    return EAGAIN;
  }
}

bool host_space::is_there(user_address page, bool write) const noexcept {
  const pte e = translate(page);
  return e.present() && (!write || e.write || e.kind == pte_kind::anon);
}

vm_fault_t host_space::set(user_address start, user_address end, user_address page, const pte& e, std::uint32_t vm_flags) noexcept {
  dev::host_file file;
  if (e.kind == pte_kind::pfn) {
    const auto there = dev::host_mapping(e.inode->i_sb.s_bdev, e.pfn << page_shift, end - start);
    if (!there) return vm_fault_t::sigbus;
    file = *there;
  }
  const run wanted{.end = end, .what = e, .exec = (vm_flags & vm_exec) != 0, .file = file};
  bool has_evicted = false;
  for (user_address at = start; at < end;) {
    if (auto there = find(at); there != runs_.end()) {
      const user_address stop = std::min(there->second.end, end);
      const pte is = there->second.at(there->first, at), becomes = wanted.at(start, at);
      if (is.kind == pte_kind::pfn && is.pfn == becomes.pfn && e.write && !is.write) {
        there = cut_out(there, at, stop);
        if (there->first != at || there->second.end != stop)
          return vm_fault_t::oom;  // of more than that nobody would know that it is stored to
        there->second.what.write = there->second.what.read = true;
        protect_on_host(there);
      }
      at = stop;
      continue;
    }
    const auto next = runs_.lower_bound(at);
    run piece = wanted;
    piece.end = next == runs_.end() ? end : std::min(end, next->first);
    piece.what = wanted.at(start, at);
    piece.file.offset += at - start;
    const int failed = insert(at, piece);
    if (failed == 0) {
      at = piece.end;
      continue;
    }
    if (failed == ENOMEM) is_at_limit_.store(true, std::memory_order_relaxed);
    if (page < start || page >= end || is_there(page, e.write)) break;  // the others fault when somebody touches them
    if (failed != ENOMEM && failed != EAGAIN) return vm_fault_t::sigbus;
    if (failed == EAGAIN || std::exchange(has_evicted, true)) return vm_fault_t::oom;
    evict();
    // Only private pages are left, and the page lies between two of them.
    const auto above = runs_.upper_bound(page);
    at = above == runs_.begin() ? start : std::max(start, std::prev(above)->second.end);
  }
  join_around(start, end);
  return vm_fault_t::nopage;
}

// Made elsewhere and moved here: a thread finds what was there before, or the copy.
vm_fault_t host_space::set_copy(user_address address, const std::byte* bytes, std::uint32_t vm_flags) noexcept {
  if (try_set_copy(address, bytes, vm_flags)) return vm_fault_t::nopage;
  is_at_limit_.store(true, std::memory_order_relaxed);
  evict();
  return try_set_copy(address, bytes, vm_flags) ? vm_fault_t::nopage : vm_fault_t::oom;
}

bool host_space::try_set_copy(user_address address, const std::byte* bytes, std::uint32_t vm_flags) noexcept {
  if (runs_.size() >= most_runs_) return false;
  void* const scratch = ::mmap(nullptr, page_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (scratch == MAP_FAILED) return false;
  std::memcpy(scratch, bytes, page_size);
  const pte e{.kind = pte_kind::anon,
              .read = true,
              .write = true,
              .memory = static_cast<std::byte*>(pointer(address)),
              .inode = nullptr,
              .page = nullptr,
              .pfn = 0};
  const run made{.end = address + page_size, .what = e, .exec = (vm_flags & vm_exec) != 0, .file = {}};
  const auto install = [&] {
    if (!cut(address) || !cut(address + page_size)) return false;
    if (::madvise(scratch, page_size, MADV_DONTFORK) != 0 || ::mprotect(scratch, page_size, made.protection()) != 0) return false;
    try {
      const bool fresh = runs_.try_emplace(address, made).second;
      if (::mremap(scratch, page_size, page_size, MREMAP_MAYMOVE | MREMAP_FIXED, pointer(address)) != MAP_FAILED) {
        runs_.find(address)->second = made;
        return true;
      }
      if (fresh) runs_.erase(address);
    } catch (const std::bad_alloc&) {
      return false;
    }
    return false;
  };
  if (install()) return true;
  ::munmap(scratch, page_size);
  return false;
}

void host_space::zap(user_address start, user_address end, bool even_cows) noexcept {
  user_address from = 0, to = 0;  // what has been taken out, and is to trap
  const auto take = [&] {
    if (from < to) trap_for_sure(from, to);
    from = to = 0;
  };
  for (auto r = first_in(start); r != runs_.end() && r->first < end;) {
    const user_address stop = std::min(end, r->second.end);
    if (r->second.what.kind == pte_kind::anon && !even_cows) {
      take();
    } else {
      r = cut_out(r, std::max(start, r->first), stop);
      if (from == to) from = r->first;
      to = r->second.end;
      runs_.erase(r);
    }
    r = runs_.lower_bound(stop);
  }
  take();
}

void host_space::evict() noexcept { zap(bottom_, top_, false); }

bool host_space::protect_on_host(map::iterator r) noexcept {
  if (::mprotect(pointer(r->first), r->second.end - r->first, r->second.protection()) == 0) return true;
  if (r->second.what.kind == pte_kind::anon) return false;
  const user_address start = r->first, end = r->second.end;
  runs_.erase(r);
  trap_for_sure(start, end);
  return true;
}

void host_space::write_protect(user_address start, user_address end) noexcept {
  for (auto r = first_in(start); r != runs_.end() && r->first < end;) {
    const user_address stop = std::min(end, r->second.end);
    if (r->second.what.kind == pte_kind::pfn && r->second.what.write) {
      r = cut_out(r, std::max(start, r->first), stop);
      r->second.what.write = false;
      protect_on_host(r);
    }
    r = runs_.lower_bound(stop);
  }
  join_around(start, end);
}

vm_fault_t host_space::make_writable(user_address page) noexcept {
  const auto r = find(page);
  if (r == runs_.end()) return vm_fault_t::nopage;
  r->second.what.write = true;
  if (protect_on_host(r)) return vm_fault_t::nopage;
  r->second.what.write = false;
  return vm_fault_t::oom;
}

void host_space::protect(user_address start, user_address end, std::uint32_t vm_flags) noexcept {
  for (auto r = first_in(start); r != runs_.end() && r->first < end;) {
    const user_address first = std::max(start, r->first), stop = std::min(end, r->second.end);
    r = cut_out(r, first, stop);
    if (r->first != first || r->second.end != stop) {  // what lies beside has other rights
      const user_address from = r->first, to = r->second.end;
      runs_.erase(r);
      trap_for_sure(from, to);
    } else {
      const run before = r->second;
      r->second.what.read = (vm_flags & (vm_read | vm_write | vm_exec)) != 0;
      r->second.what.write = r->second.what.write && (vm_flags & vm_write) != 0;
      r->second.exec = (vm_flags & vm_exec) != 0;
      if (!protect_on_host(r)) r->second = before;
    }
    r = runs_.lower_bound(stop);
  }
  join_around(start, end);
}

// What is moved leaves a hole behind: the old range is nobody's soon, and is kept from others at once.
bool host_space::move_page(map::iterator r, user_address to) noexcept {
  const user_address from = r->first;
  if (::mremap(pointer(from), page_size, page_size, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, pointer(to)) == MAP_FAILED) {
    static_cast<void>(trap(to, to + page_size));  // what was there may be gone all the same
    return false;
  }
  auto node = runs_.extract(r);
  node.key() = to;
  node.mapped().end = to + page_size;
  node.mapped().what.memory = static_cast<std::byte*>(pointer(to));
  runs_.insert(std::move(node));
  trap_for_sure(from, from + page_size);
  return true;
}

result<> host_space::move(user_address from, user_address to, std::size_t bytes) noexcept {
  const auto move_pages = [this, bytes](user_address at, user_address there) {
    const user_address end = at + bytes, start = at;
    for (auto r = runs_.lower_bound(at); r != runs_.end() && r->first < end; r = runs_.lower_bound(at)) {
      at = r->second.end;
      if (r->second.what.kind == pte_kind::anon && !move_page(r, there + (r->first - start))) return false;
    }
    return true;
  };
  if (move_pages(from, to)) return {};
  is_at_limit_.store(true, std::memory_order_relaxed);
  evict();  // a private page alone is not taken out, so the host has room now, be it for the way back
  if (move_pages(from, to)) return {};
  static_cast<void>(move_pages(to, from));
  return fail(ENOMEM);
}

}  // namespace xip::mm

// mmap, and the faults of what it mapped: locks, the handle, and what is to be done when one of them does not suffice. Linux: ext4_file_mmap,
// ext4_dax_huge_fault (fs/ext4/file.c).
//
// A fault takes no i_rwsem: it may come out of a read or a write that holds one. What keeps truncate out of it is invalidate_lock. Times change before that lock is
// taken, under a handle of their own. With an entry locked no handle is begun and no commit waited for: the core comes back for both.
//
// A crash between the handle's stop and the store leaves a written block of zeros, which is what the page held.
//
// Lock chains:
//   mmap_lock -> invalidate_lock -> jbd2_handle -> dax_entry -> i_data_sem
//   invalidate_lock -> jbd2_commit
#include <optional>

#include <xip/mm/fault.h>
#include <xip/vfs/file.h>
#include <xip/xip/mapped.h>

#include "fs_ext4lite/file_hooks.h"
#include "fs_ext4lite/zero.h"

namespace xip::ext4lite {
namespace {

using mm::fault_order;
using mm::vm_fault_t;

// The one place where an errno becomes the end of a fault.
[[nodiscard]] vm_fault_t vmf_error(error why) noexcept { return why == ENOMEM ? vm_fault_t::oom : vm_fault_t::sigbus; }

// A store into a private area changes nothing: it needs none, and gets its copy on a read-only mount, too.
[[nodiscard]] bool needs_handle(const mm::vm_fault& vmf) noexcept {
  return vmf.changes_file() || (XIP_EXHIBIT(handle_for_copy) && vmf.write);
}

[[nodiscard]] result<fault_outcome> fault_once(mm::vm_fault& vmf, fault_order order) {
  ext4_inode_info& inode = info_of(vmf.vma.inode());
  if (!needs_handle(vmf)) return xip_mapping_fault(vmf, order, ext4_xip_ops, nullptr);
  handle h = XIP_TRY(journal_start(sbi_of(inode), credits_for_one_extent(inode) + credits_inode));
  XIP_TRY(start_changing(h));  // a store is a change, whether metadata follow it or not
  return xip_mapping_fault(vmf, order, ext4_xip_ops, &h);
}

// MAP_SYNC: what leads to the pages is made durable before a store can go there.
[[nodiscard]] result<vm_fault_t> sync_and_finish(mm::vm_fault& vmf, fault_order order, const fault_outcome& outcome) {
  const auto start = static_cast<loff_t>(outcome.pages.first.value() << page_shift);
  XIP_POINT(xip_fault_unlocked, vmf.pgoff.value());
  XIP_TRY(ext4_fsync(*vmf.vma.vm_file, start, start + static_cast<loff_t>(outcome.pages.pages << page_shift), true));
  return xip_finish_sync_fault(vmf, order, outcome);
}

// Under invalidate_lock shared.
[[nodiscard]] result<vm_fault_t> fault_until_done(mm::vm_fault& vmf, fault_order order) {
  for (unsigned attempt = 0;; ++attempt) {
    const fault_outcome outcome = XIP_TRY(fault_once(vmf, order));
    switch (outcome.state) {
      case fault_outcome::what::ended:
        return outcome.code;
      case fault_outcome::what::need_sync:
        return sync_and_finish(vmf, order, outcome);
      case fault_outcome::what::no_space:
        if (!should_retry_alloc(sbi_of(vmf.vma.inode()), attempt)) return outcome.code;
    }
  }
}

[[nodiscard]] result<vm_fault_t> fault_locked(mm::vm_fault& vmf, fault_order order) {
  if (XIP_EXHIBIT(fault_without_lock)) return fault_until_done(vmf, order);
  shared_guard guard{vmf.vma.inode().i_mapping.invalidate_lock};
  if (XIP_EXHIBIT(fault_takes_inode_lock)) {
    shared_guard whole{vmf.vma.inode().i_rwsem};
    return fault_until_done(vmf, order);
  }
  return fault_until_done(vmf, order);
}

vm_fault_t ext4_dax_huge_fault(mm::vm_fault& vmf, fault_order order) {
  const auto done = without_exceptions([&]() -> result<vm_fault_t> {
    if (vmf.changes_file()) XIP_TRY(vfs::file_update_time(*vmf.vma.vm_file));
    return fault_locked(vmf, order);
  });
  return done ? *done : vmf_error(done.error());
}

vm_fault_t ext4_dax_fault(mm::vm_fault& vmf) { return ext4_dax_huge_fault(vmf, fault_order::pte); }

// ENOSPC: 2 MiB would take the last blocks, of which one page needs only one.
[[nodiscard]] result<> room_for_all(ext4_inode_info& inode, lblk_t lblk, std::uint32_t max) {
  if (max == 1 || sbi_of(inode).s_freeblocks.load(std::memory_order_relaxed) >= std::int64_t{2} * max) return {};
  const extent_map em = XIP_TRY(map_blocks(nullptr, inode, lblk, max, 0));
  return em.type == extent_type::hole ? result<>{fail(ENOSPC)} : result<>{};
}

vm_fault_t ext4_dax_map_pages(mm::vm_fault& vmf, mm::page_run pages) {
  const auto done = without_exceptions([&]() -> result<vm_fault_t> {
    shared_guard guard{vmf.vma.inode().i_mapping.invalidate_lock};
    return xip_map_pages(vmf, pages, ext4_xip_ops);
  });
  return done ? *done : vmf_error(done.error());
}

constexpr mm::vm_operations_struct ext4_dax_vm_ops{
    .fault = ext4_dax_fault,
    .huge_fault = ext4_dax_huge_fault,
    .page_mkwrite = ext4_dax_fault,
    .pfn_mkwrite = ext4_dax_fault,
    .map_pages = ext4_dax_map_pages,
};

}  // namespace

result<extent_map> ext4_get_fault_blocks(vfs::inode& i, lblk_t lblk, std::uint32_t max, void* of) {
  return without_exceptions([&]() -> result<extent_map> {
    ext4_inode_info& inode = info_of(i);
    handle& h = *static_cast<handle*>(of);
    XIP_TRY(room_for_all(inode, lblk, max));
    return map_zeroed_blocks(h, inode, lblk, max);
  });
}

result<> ext4_file_mmap(vfs::file& f, mm::vm_area_struct& area) {
  const vfs::inode& inode = *f.f_inode;
  if (sbi_of(inode).s_shutdown.load(std::memory_order_relaxed)) return fail(EIO);
  const bool sync = (area.vm_flags & mm::vm_sync) != 0;
  if (!inode.is_dax()) return fail(sync ? EOPNOTSUPP : ENODEV);
  if (sync && !inode.i_sb.s_bdev.synchronous()) return fail(EOPNOTSUPP);
  vfs::file_accessed(f);
  area.vm_ops = &ext4_dax_vm_ops;
  area.vm_flags |= mm::vm_hugepage;
  return {};
}

}  // namespace xip::ext4lite

// Faults of runs: what host page tables ask for, which take as many pages at once as lie in one piece. Locks and rules are those of fault.cc; only how much
// one fault brings differs.
//
// A store makes one entry of what lies in one piece within 2 MiB of the file, and between the entries that are there: what is written becomes DIRTY and is
// write-protected as it is locked. A load of written pages makes no entry: no fsync has to know of it, and whoever takes blocks away finds it by i_mmap. So
// it may reach as far as the extent does, under the lock of the first 2 MiB only: invalidate_lock keeps what is written so.
//
// Lock chains:
//   invalidate_lock -> jbd2_handle -> dax_entry -> i_mmap_rwsem -> pte_lock
//   dax_entry -> i_pages
//   invalidate_lock -> pte_lock
#include "xip/run_fault.h"

#include <algorithm>

#include <xip/base/points.h>
#include <xip/dev/device.h>
#include <xip/mm/rmap.h>
#include <xip/vfs/super_block.h>
#include <xip/xip/entry.h>

#include "xip/mapping_cursor.h"

namespace xip {
namespace {

using mm::page_run;
using mm::vm_fault_t;

[[nodiscard]] fault_outcome ended(vm_fault_t code) noexcept { return {.state = fault_outcome::what::ended, .code = code}; }
[[nodiscard]] std::uint64_t pages_in(const vfs::inode& inode) noexcept {
  return blocks_for(static_cast<std::uint64_t>(vfs::i_size_read(inode)), page_shift);
}

class run_fault {
 public:
  run_fault(mm::vm_fault& vmf, const xip_ops& ops, void* handle) noexcept
      : vmf_{vmf}, inode_{vmf.vma.inode()}, ops_{ops}, handle_{handle} {}

  [[nodiscard]] fault_outcome run() noexcept {
    if (inode_.i_sb.s_blocksize != page_size || vmf_.pgoff.value() >= pages_in(inode_)) return ended(vm_fault_t::sigbus);
    if (!entry_table::make(inode_)) return ended(vm_fault_t::oom);
    begin_with_window();
    entry_range_lock entries{inode_, run_.first, run_.end() - 1};
    XIP_POINT(xip_fault_locked, run_.first.value(), run_.pages);
    const auto known = entries.get(vmf_.pgoff);
    const auto em = vmf_.changes_file() ? find_to_write(entries, known) : find();
    if (!em) return failed(em.error());
    if (em->type != extent_type::mapped && known && known->kind == entry_kind::pfn)
      return ended(vm_fault_t::sigbus);  // memory without a block
    XIP_POINT(xip_before_entry, run_.first.value(), static_cast<std::uint64_t>(em->type));
    if (em->type != extent_type::mapped) return map_zeros(entries, known);
    return vmf_.changes_file() ? map_to_write(entries, *em) : map_to_read(entries, *em);
  }

 private:
  [[nodiscard]] static lblk_t lblk_of_page(pgoff_t page) noexcept { return lblk_t{static_cast<std::uint32_t>(page.value())}; }
  [[nodiscard]] bool has_page(page_run r) const noexcept { return r.first <= vmf_.pgoff && vmf_.pgoff < r.end(); }

  // The 2 MiB around the page, as far as area and file go.
  void begin_with_window() noexcept {
    const pgoff_t window{vmf_.pgoff.value() & ~std::uint64_t{mm::pages_per_pmd - 1}};
    const pgoff_t end = std::min({window + mm::pages_per_pmd, vmf_.vma.vm_pgoff + vmf_.vma.pages(), pgoff_t{pages_in(inode_)}});
    run_.first = std::max(window, vmf_.vma.vm_pgoff);
    run_.pages = end - run_.first;
  }

  // What lies in one piece around the page becomes the run.
  [[nodiscard]] result<extent_map> find() noexcept {
    const pgoff_t end = run_.end();
    for (pgoff_t at = run_.first;;) {
      const auto most = static_cast<std::uint32_t>(end - at);
      const extent_map em = XIP_TRY(ops_.get_blocks(inode_, lblk_of_page(at), most, nullptr));
      XIP_TRY(check_extent_map(inode_, em, lblk_of_page(at), most));
      run_ = {at, em.len};
      if (has_page(run_)) return em;
      at = run_.end();
    }
  }

  // An entry of device memory stays what it is, and is DIRTY as a whole. Without one: what lies between those that are there, filled if it has no blocks.
  [[nodiscard]] result<extent_map> find_to_write(const entry_range_lock& entries, const std::optional<dax_entry>& known) noexcept {
    if (known && known->kind == entry_kind::pfn) {
      run_ = {vmf_.pgoff, 1};
      extent_map em = XIP_TRY(find());
      if (em.type != extent_type::mapped || em.pblk.value() != known->pfn + (vmf_.pgoff - known->index)) return fail(EIO);
      run_ = {known->index, known->pages};
      em.pblk = pblk_t{known->pfn};
      is_known_ = true;
      return em;
    }
    leave_out_others(entries, entry_kind::pfn);
    const extent_map em = XIP_TRY(find());
    return em.type == extent_type::mapped ? em : fill();
  }

  // The run ends where entries of KIND begin, on both sides; of none: of any kind.
  void leave_out_others(const entry_range_lock& entries, entry_kind kind) noexcept {
    const pgoff_t end = run_.end();
    for (auto e = entries.next(run_.first); e && e->index < end; e = entries.next(e->last() + 1)) {
      if (kind != entry_kind::none && e->kind != kind) continue;
      if (e->index > vmf_.pgoff) {
        run_.pages = e->index - run_.first;
        return;
      }
      run_ = {e->last() + 1, end - (e->last() + 1)};
    }
  }

  // Where there is no room for all of it, the page alone. An answer that ends before the page is an answer: what it says was filled, and the next fault goes on.
  [[nodiscard]] result<extent_map> fill() noexcept {
    auto em = ops_.get_fault_blocks(inode_, lblk_of_page(run_.first), static_cast<std::uint32_t>(run_.pages), handle_);
    if (!em && em.error() == ENOSPC && run_.pages > 1) {
      run_ = {vmf_.pgoff, 1};
      em = ops_.get_fault_blocks(inode_, lblk_of_page(run_.first), 1, handle_);
    }
    if (!em) return em;
    XIP_TRY(check_extent_map(inode_, *em, lblk_of_page(run_.first), static_cast<std::uint32_t>(run_.pages)));
    if (em->type != extent_type::mapped) return fail(EIO);
    run_.pages = em->len;
    return em;
  }

  [[nodiscard]] fault_outcome failed(error why) const noexcept {
    if (why == ENOSPC && vmf_.changes_file()) return {.state = fault_outcome::what::no_space, .code = vm_fault_t::sigbus};
    return ended(why == ENOMEM ? vm_fault_t::oom : vm_fault_t::sigbus);
  }

  // Of the run, or of its part around the page if the window is shorter, or the page alone.
  [[nodiscard]] result<std::byte*> memory_of(extent_map& em, dev::access_intent intent) noexcept {
    const auto window = inode_.i_sb.s_bdev.direct_access(bytes_of(em.pblk, page_shift), run_.pages << page_shift, intent);
    if (window && window->bytes >= run_.pages << page_shift) return window->data;
    if (is_known_) return fail(EIO);
    const std::uint64_t skip = vmf_.pgoff - run_.first;
    if (window && window->bytes > skip << page_shift) {
      run_.pages = window->bytes >> page_shift;
      return window->data;
    }
    run_ = {vmf_.pgoff, 1};
    em.pblk += skip;
    const dev::window page = XIP_TRY(inode_.i_sb.s_bdev.direct_access(bytes_of(em.pblk, page_shift), page_size, intent));
    if (page.bytes < page_size) return fail(EIO);
    return page.data;
  }

  // Zero pages of the run go from every page table before one of them gets its block.
  void drop_zeros(entry_range_lock& entries) noexcept {
    for (auto e = entries.next(run_.first); e && e->index < run_.end(); e = entries.next(e->last() + 1)) {
      if (e->kind != entry_kind::zero) continue;
      mm::unmap_mapping_range(inode_, e->index, e->last(), false);
      entries.remove(e->index);
    }
  }

  [[nodiscard]] fault_outcome map_zeros(entry_range_lock& entries, const std::optional<dax_entry>& known) noexcept {
    if (known && known->kind == entry_kind::zero) {
      run_ = {known->index, known->pages};
    } else {
      leave_out_others(entries, entry_kind::none);
      if (!entries.put({.index = run_.first, .pages = static_cast<std::uint32_t>(run_.pages), .kind = entry_kind::zero}))
        return ended(vm_fault_t::oom);
      if (!stays_unwritten(inode_, ops_, lblk_of_page(run_.first), static_cast<std::uint32_t>(run_.pages))) {
        entries.remove(run_.first);
        return ended(vm_fault_t::nopage);
      }
    }
    return ended(mm::insert_zeros(vmf_, run_));
  }

  [[nodiscard]] fault_outcome map_to_read(entry_range_lock& entries, extent_map em) noexcept {
    drop_zeros(entries);
    const pgoff_t end = std::min(vmf_.vma.vm_pgoff + vmf_.vma.pages(), pgoff_t{pages_in(inode_)});
    const auto most = static_cast<std::uint32_t>(std::min<std::uint64_t>(end - run_.first, ~std::uint32_t{0}));
    if (const auto longer = ops_.get_blocks(inode_, em.lblk, most, nullptr);
        longer && longer->type == extent_type::mapped && longer->pblk == em.pblk && longer->len <= most)
      run_.pages = std::max<std::uint64_t>(run_.pages, longer->len);
    const auto memory = memory_of(em, dev::access_intent::read);
    if (!memory) return failed(memory.error());
    return ended(mm::insert_pfns(vmf_, run_, em.pblk.value(), *memory, false));
  }

  [[nodiscard]] fault_outcome map_to_write(entry_range_lock& entries, extent_map em) noexcept {
    drop_zeros(entries);
    if (!has_page(run_)) return ended(vm_fault_t::nopage);
    const auto memory = memory_of(em, dev::access_intent::write);
    if (!memory) return failed(memory.error());
    const bool sync_first = (vmf_.vma.vm_flags & mm::vm_sync) != 0 && (em.flags & em_dirty) != 0;
    const dax_entry made{.index = run_.first,
                         .pages = static_cast<std::uint32_t>(run_.pages),
                         .kind = entry_kind::pfn,
                         .dirty = !sync_first,
                         .pfn = em.pblk.value(),
                         .memory = *memory};
    if (!entries.put(made)) return ended(vm_fault_t::oom);
    if (sync_first) return {.state = fault_outcome::what::need_sync, .pages = run_, .pfn = em.pblk.value()};
    const vm_fault_t r = mm::insert_pfns(vmf_, run_, em.pblk.value(), *memory, true);
    return ended(r == vm_fault_t::nopage && (em.flags & em_new) != 0 ? vm_fault_t::major : r);
  }

  mm::vm_fault& vmf_;
  vfs::inode& inode_;
  const xip_ops& ops_;
  void* const handle_;
  page_run run_;
  bool is_known_ = false;  // the run is an entry that was there
};

}  // namespace

fault_outcome xip_run_fault(mm::vm_fault& vmf, const xip_ops& ops, void* handle) noexcept { return run_fault{vmf, ops, handle}.run(); }

vm_fault_t xip_map_pages(mm::vm_fault& vmf, page_run pages, const xip_ops& ops) noexcept {
  vfs::inode& inode = vmf.vma.inode();
  inode.i_mapping.invalidate_lock.assert_held_shared();
  if (inode.i_sb.s_blocksize != page_size) return vm_fault_t::sigbus;
  if (!entry_table::make(inode)) return vm_fault_t::oom;  // who takes blocks away looks at page tables where there is one
  const pgoff_t end = std::min(pages.end(), pgoff_t{pages_in(inode)});
  for (pgoff_t at = pages.first; at < end;) {
    const auto most = static_cast<std::uint32_t>(std::min<std::uint64_t>(end - at, ~std::uint32_t{0}));
    const lblk_t lblk{static_cast<std::uint32_t>(at.value())};
    const auto em = ops.get_blocks(inode, lblk, most, nullptr);
    if (!em || !check_extent_map(inode, *em, lblk, most)) return vm_fault_t::sigbus;
    if (em->type == extent_type::mapped) {
      const auto w =
          inode.i_sb.s_bdev.direct_access(bytes_of(em->pblk, page_shift), std::size_t{em->len} << page_shift, dev::access_intent::read);
      const std::uint64_t there = w ? std::min<std::uint64_t>(em->len, w->bytes >> page_shift) : 0;
      if (there != 0)
        if (const vm_fault_t r = mm::insert_pfns(vmf, {at, there}, em->pblk.value(), w->data, false); mm::is_error(r)) return r;
    }
    at += em->len;
  }
  return vm_fault_t::nopage;
}

}  // namespace xip

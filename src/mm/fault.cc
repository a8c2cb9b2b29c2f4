// Faults: from an access to the hook that knows what to map there. Linux: handle_mm_fault (mm/memory.c).
//
// mmap_lock shared keeps the area. Two tasks may fault on one page at once: what they set is decided under page_table_lock, and whoever comes late takes
// what is there and has the access tried again.
//
// Lock chains:
//   mmap_lock -> pte_lock
#include <algorithm>
#include <utility>

#include <xip/base/points.h>
#include <xip/mm/mm.h>
#include <xip/vfs/super_block.h>

#include "mm/entries.h"
#include "mm/host_space.h"
#include "vfs/hook.h"

namespace xip::mm {

// One fault of one area.
class fault_handler {
 public:
  fault_handler(mm_struct& mm, const vm_area_struct& area, user_address address, bool write) noexcept
      : mm_{mm}, area_{area}, address_{address & ~(user_address{page_size} - 1)}, write_{write} {}

  [[nodiscard]] vm_fault_t run() noexcept {
    if (area_.vm_ops != nullptr && mm_.host_ == nullptr)
      if (const vm_fault_t r = huge(); r != vm_fault_t::fallback) return r;
    if (!mm_.ensure_slot(address_, fault_order::pte)) return vm_fault_t::oom;
    const pte now = mm_.translate(address_);
    if (!now.present()) return area_.vm_ops == nullptr ? anonymous() : missing();
    if (write_ ? now.write : now.read) return vm_fault_t::nopage;
    if (!write_) return vm_fault_t::sigbus;  // protection and area agree, so there is no such entry
    if (!area_.is_shared() || area_.vm_ops == nullptr) return copy(now);
    return make_writable(now);
  }

 private:
  [[nodiscard]] vm_fault fault_of() const noexcept { return {area_, address_, area_.pgoff_of(address_), write_}; }

  template <class Hook, class... More>
  [[nodiscard]] vm_fault_t ask(Hook function, vm_fault& vmf, More... more) const noexcept {
    return vfs::call_hook(vfs::hook::fault, function, vmf, more...);
  }

  // Linux: thp_vma_suitable_order.
  [[nodiscard]] bool fits_huge() const noexcept {
    const user_address start = address_ & ~(user_address{pmd_size} - 1);
    if (start < area_.vm_start || start + pmd_size > area_.vm_end) return false;
    return (area_.pgoff_of(start).value() & (pages_per_pmd - 1)) == 0;
  }

  // fallback: a table of pages is to be used.
  [[nodiscard]] vm_fault_t huge() noexcept {
    if (area_.vm_ops->huge_fault == nullptr || (area_.vm_flags & vm_hugepage) == 0) return vm_fault_t::fallback;
    if (!fits_huge()) {
      // What is mapped so of an area that was cut since is given up.
      zap_huge();
      return vm_fault_t::fallback;
    }
    if (!mm_.ensure_slot(address_, fault_order::pmd)) return vm_fault_t::oom;
    pte now;
    bool has_table = false;
    {
      spin_guard guard{mm_.page_table_lock_};
      if (const page_table::slot* slot = mm_.page_table_.find(address_); slot != nullptr) {
        now = slot->huge;
        has_table = slot->entries != nullptr;
      }
    }
    if (has_table) return vm_fault_t::fallback;
    if (now.present() && (write_ ? now.write : now.read)) return vm_fault_t::nopage;
    vm_fault vmf = fault_of();
    const vm_fault_t r = ask(area_.vm_ops->huge_fault, vmf, fault_order::pmd);
    // Its pages come one by one from here on.
    if (r == vm_fault_t::fallback) zap_huge();
    return r;
  }

  void zap_huge() noexcept {
    const auto is_huge = [this] {
      spin_guard guard{mm_.page_table_lock_};
      const page_table::slot* slot = mm_.page_table_.find(address_);
      return slot != nullptr && slot->huge.present();
    };
    if (is_huge()) mm_.zap(address_, address_ + page_size, false);
  }

  [[nodiscard]] vm_fault_t missing() noexcept {
    vm_fault vmf = fault_of();
    if (write_ && !area_.is_shared()) {
      vmf.cow_page = allocate_page(mm_.memory());
      if (vmf.cow_page == nullptr) return vm_fault_t::oom;
    }
    const bool in_runs = mm_.host_ != nullptr && vmf.cow_page == nullptr && area_.vm_ops->huge_fault != nullptr;
    const vm_fault_t r = in_runs ? ask(area_.vm_ops->huge_fault, vmf, fault_order::run) : ask(area_.vm_ops->fault, vmf);
    if (vmf.cow_page != nullptr) put_page(vmf.cow_page);
    return r;
  }

  [[nodiscard]] vm_fault_t make_writable(const pte& now) noexcept {
    const vm_operations_struct& ops = *area_.vm_ops;
    auto* const hook = now.kind == pte_kind::anon ? ops.page_mkwrite : ops.pfn_mkwrite;
    vm_fault vmf = fault_of();
    if (mm_.host_ != nullptr && ops.huge_fault != nullptr) return ask(ops.huge_fault, vmf, fault_order::run);
    return ask(hook != nullptr ? hook : ops.fault, vmf);
  }

  // A store into a private page that was only read until now: it gets a copy of what is mapped, and the file system is not asked. Memory of
  // nobody's else becomes writable as it is. Linux: do_wp_page.
  [[nodiscard]] vm_fault_t copy(const pte& now) noexcept {
    page* fresh = now.kind == pte_kind::anon ? nullptr : allocate_page(mm_.memory());
    if (now.kind != pte_kind::anon && fresh == nullptr) return vm_fault_t::oom;
    XIP_POINT(mm_before_copy, address_);
    vm_fault_t r = vm_fault_t::nopage;
    {
      spin_guard guard{mm_.page_table_lock_};
      if (mm_.host_ != nullptr)
        r = copy_on_host(now, fresh);
      else
        copy_in_table(now, fresh);
    }
    if (fresh != nullptr) put_page(fresh);
    return r;
  }

  // Somebody may have taken it out meanwhile, a truncate above all: then there is nothing to copy any more.
  void copy_in_table(const pte& now, page*& fresh) noexcept XIP_REQUIRES(mm_.page_table_lock_) {
    pte* const there = mm_.page_table_.entry(address_);
    if (there == nullptr || there->kind != now.kind || there->pfn != now.pfn) return;
    if (fresh == nullptr) {
      there->write = true;
    } else {
      move_page_bytes(*there, 0, fresh->bytes.data(), page_size, false);
      set_anon(*there, *std::exchange(fresh, nullptr));
    }
  }

  [[nodiscard]] vm_fault_t copy_on_host(const pte& now, page* fresh) noexcept XIP_REQUIRES(mm_.page_table_lock_) {
    const pte there = mm_.host_->translate(address_);
    if (there.kind != now.kind || there.pfn != now.pfn) return vm_fault_t::nopage;
    if (fresh == nullptr) return mm_.host_->make_writable(address_);
    move_page_bytes(there, 0, fresh->bytes.data(), page_size, false);
    return mm_.host_->set_copy(address_, fresh->bytes.data(), area_.vm_flags);
  }

  [[nodiscard]] vm_fault_t anonymous() noexcept {
    vm_fault vmf = fault_of();
    if (!write_) return insert_zero(vmf, fault_order::pte);
    vmf.cow_page = allocate_page(mm_.memory());
    if (vmf.cow_page == nullptr) return vm_fault_t::oom;
    const vm_fault_t r = finish_cow_fault(vmf);
    if (vmf.cow_page != nullptr) put_page(vmf.cow_page);
    return r;
  }

  static void set_anon(pte& e, page& p) noexcept {
    e = {.kind = pte_kind::anon, .read = true, .write = true, .memory = p.bytes.data(), .inode = nullptr, .page = &p, .pfn = 0};
  }

  mm_struct& mm_;
  const vm_area_struct& area_;
  const user_address address_;
  const bool write_;
};

access_result mm_struct::fault_in(user_address address, bool write) noexcept {
  const access_result made = fault_locked(address, write);
  if (host_ != nullptr) host_->warn_of_limit();
  return made;
}

access_result mm_struct::fault_locked(user_address address, bool write) noexcept {
  const auto signal = [address](access_signal s) { return std::unexpected{access_fault{s, address}}; };
  shared_guard guard{mmap_lock_};
  XIP_POINT(mm_fault, address, write);
  const vm_area_struct* area = find_area(address);
  if (area == nullptr) return signal(access_signal::segv_maperr);
  if ((area->vm_flags & (write ? vm_write : vm_read | vm_write | vm_exec)) == 0) return signal(access_signal::segv_accerr);
  switch (fault_handler{*this, *area, address, write}.run()) {
    case vm_fault_t::sigbus:
    case vm_fault_t::fallback:
      return signal(access_signal::bus_adrerr);
    case vm_fault_t::oom:
      return signal(access_signal::killed);
    case vm_fault_t::major:
      major_faults_.fetch_add(1, std::memory_order_relaxed);
      return {};
    case vm_fault_t::nopage:
      break;
  }
  minor_faults_.fetch_add(1, std::memory_order_relaxed);
  return {};
}

bool mm_struct::may_execute(user_address address) noexcept {
  shared_guard guard{mmap_lock_};
  const vm_area_struct* area = find_area(address);
  return area != nullptr && (area->vm_flags & vm_exec) != 0;
}

std::size_t mm_struct::transfer(const access& what, std::byte* memory, access_result& ended) noexcept {
  std::size_t done = 0;
  while (done < what.bytes) {
    const user_address at = what.address + done;
    const std::size_t piece = std::min<std::size_t>(what.bytes - done, page_size - (at & (page_size - 1)));
    if (copy_within_page({at, piece, what.write, what.nofault}, memory + done)) {
      done += piece;
      continue;
    }
    if (what.nofault) break;
    ended = fault_in(at, what.write);
    if (!ended) break;
  }
  return done;
}

access_result mm_struct::persist_user(user_address address, std::size_t bytes) noexcept {
  dev::device* stored_to = nullptr;
  for (std::size_t done = 0; done < bytes;) {
    const user_address at = address + done;
    const std::size_t piece = std::min<std::size_t>(bytes - done, page_size - (at & (page_size - 1)));
    bool there = false;
    {
      spin_guard guard{page_table_lock_};
      const pte e = look_up(at);
      there = e.present() && e.read;
      if (there && e.kind == pte_kind::pfn) {
        stored_to = &e.inode->i_sb.s_bdev;
        stored_to->flush(e.memory + (at & (page_size - 1)), piece);
      }
    }
    if (there)
      done += piece;
    else if (const auto brought = fault_in(at, false); !brought)
      return brought;
  }
  if (stored_to != nullptr) stored_to->drain();
  return {};
}

access_result mm_struct::pin(user_address address, bool write, page_pin& pin) noexcept {
  // Memory of the host's own has no struct page that could count it.
  const auto is_of_host = [](const pte& e) { return e.kind == pte_kind::anon && e.page == nullptr; };
  const auto pin_present = [&] {
    shared_guard guard{mmap_lock_};
    const vm_area_struct* area = find_area(address);
    if (area == nullptr) return false;
    spin_guard tables{page_table_lock_};
    const pte e = look_up(address);
    if (!e.present() || !(write ? e.write : e.read) || is_of_host(e)) return false;
    pin.pin(e, area->vm_file, area->pgoff_of(address));
    return true;
  };
  while (true) {
    if (pin_present()) {
      XIP_POINT(mm_pinned, address);
      return {};
    }
    if (is_of_host(translate(address))) return std::unexpected{access_fault{access_signal::segv_accerr, address}};
    if (const auto there = fault_in(address, write); !there) return there;
  }
}

// What is written, to be read, in as few runs as there are extents. What cannot be mapped now faults later.
void mm_struct::map_written(user_address start, user_address end) noexcept {
  shared_guard guard{mmap_lock_};
  for (std::size_t i = index_of(start); i < areas_.size() && areas_[i]->vm_start < end; ++i) {
    const vm_area_struct& area = *areas_[i];
    if (area.vm_ops == nullptr || area.vm_ops->map_pages == nullptr || (area.vm_flags & (vm_read | vm_write | vm_exec)) == 0) continue;
    const user_address from = std::max(start, area.vm_start), to = std::min(end, area.vm_end);
    vm_fault vmf{area, to, area.pgoff_of(from), false};  // no page of them is waited for
    static_cast<void>(vfs::call_hook(vfs::hook::fault, area.vm_ops->map_pages, vmf, page_run{vmf.pgoff, (to - from) >> page_shift}));
  }
}

void mm_struct::populate(user_address start, user_address end) noexcept {
  for (user_address at = start; at < end; at += page_size) {
    bool write = false;
    {
      shared_guard guard{mmap_lock_};
      const vm_area_struct* area = find_area(at);
      if (area == nullptr) return;
      write = (area->vm_flags & vm_write) != 0 && !area->is_shared();  // a shared one is not made dirty for nothing
    }
    if (!is_there(at, write) && !fault_in(at, write)) return;
  }
}

}  // namespace xip::mm

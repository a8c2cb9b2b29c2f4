// A toy file that can be mapped: its hooks do what a file system's do, one lock and one handle each, and note what they were asked.
#pragma once

#include <gtest/gtest.h>

#include <xip/mm/mm.h>
#include <xip/vfs/task.h>
#include <xip/xip/entry.h>
#include <xip/xip/mapped.h>

#include "toy_file.h"

namespace xip::toy {

inline mm::vm_fault_t fault_once(mm::vm_fault& vmf, mm::fault_order order, unsigned attempt) {
  toy_inode& inode = of(vmf.vma.inode());
  inode.handle_open = vmf.changes_file();
  if (inode.handle_open) inode.log.push_back("start");
  const fault_outcome outcome = xip_mapping_fault(vmf, order, ops, inode.handle_open ? &inode : nullptr);
  if (inode.handle_open) inode.log.push_back("stop");
  inode.handle_open = false;
  switch (outcome.state) {
    case fault_outcome::what::ended:
      return outcome.code;
    case fault_outcome::what::no_space:
      return wait_for_space(inode, attempt) ? fault_once(vmf, order, attempt + 1) : outcome.code;
    case fault_outcome::what::need_sync:
      inode.log.push_back("sync");
      if (inode.on_get_blocks) inode.on_get_blocks();
      return xip_finish_sync_fault(vmf, order, outcome);
  }
  return mm::vm_fault_t::sigbus;
}

inline mm::vm_fault_t huge_fault(mm::vm_fault& vmf, mm::fault_order order) {
  shared_guard guard{vmf.vma.inode().i_mapping.invalidate_lock};
  return fault_once(vmf, order, 0);
}
inline mm::vm_fault_t fault(mm::vm_fault& vmf) { return huge_fault(vmf, mm::fault_order::pte); }

inline constexpr mm::vm_operations_struct vm_ops{.fault = fault, .huge_fault = huge_fault, .page_mkwrite = fault, .pfn_mkwrite = fault};

inline result<> mmap(vfs::file&, mm::vm_area_struct& area) {
  area.vm_ops = &vm_ops;
  area.vm_flags |= mm::vm_hugepage;
  return {};
}
inline constexpr vfs::file_operations file_operations{.mmap = mmap};

// Tells each point to a function.
class point_caller final : public point_sink {
 public:
  point_caller(vfs::task& task, std::function<void(point)> call) : task_{task}, call_{std::move(call)} { task_.context.points = this; }
  ~point_caller() { task_.context.points = nullptr; }
  point_caller(const point_caller&) = delete;
  point_caller& operator=(const point_caller&) = delete;
  void on_point(point p, std::uint64_t, std::uint64_t, std::uint64_t) noexcept override { call_(p); }
  int inject(point, std::uint64_t, std::uint64_t) noexcept override { return 0; }

 private:
  vfs::task& task_;
  std::function<void(point)> call_;
};

class MappedTest : public ::testing::Test {
 protected:
  static constexpr std::uint64_t device_pages = 4096;

  MappedTest() {
    file.opened.f_op = &file_operations;
    file.opened.f_mode = vfs::fmode_read | vfs::fmode_write;
    file.inode.next_free = 100;
    file.inode.i_size = 8 * static_cast<loff_t>(block);
  }
  ~MappedTest() override { task.reset(); }

  [[nodiscard]] mm::user_address map(std::uint64_t first, std::uint64_t pages, std::uint32_t more = mm::vm_shared,
                                     mm::user_address at = 0) {
    return map_into(*task, first, pages, more, at);
  }
  [[nodiscard]] mm::user_address map_into(vfs::task& me, std::uint64_t first, std::uint64_t pages, std::uint32_t more = mm::vm_shared,
                                          mm::user_address at = 0) {
    const current_scope scope{me.context};
    mm::mm_struct* space = mm::mm_struct::of(me);
    if (space == nullptr) space = mm::mm_struct::make_for(me).value();
    const std::uint32_t flags = mm::vm_read | mm::vm_write | mm::vm_mayread | mm::vm_maywrite | more;
    return space->map(at, pages << page_shift, flags, at != 0 ? MAP_FIXED : 0, &file.opened, pgoff_t{first}).value();
  }
  [[nodiscard]] mm::mm_struct& space() { return *mm::mm_struct::of(*task); }
  [[nodiscard]] std::uint32_t word_at(mm::user_address at) {
    std::uint32_t word = 99;
    EXPECT_TRUE(mm::load(*task, at, &word, sizeof word));
    return word;
  }
  [[nodiscard]] mm::access_result put_word(mm::user_address at, std::uint32_t word) { return mm::store(*task, at, &word, sizeof word); }
  [[nodiscard]] std::uint32_t word_on_device(std::uint64_t page) {
    std::uint32_t word = 0;
    EXPECT_TRUE(memory->read(page << page_shift, std::as_writable_bytes(std::span{&word, 1})));
    return word;
  }
  void put_extent(std::uint32_t lblk, std::uint32_t len, std::uint64_t pblk, extent_type type) {
    file.inode.put({lblk_t{lblk}, len, pblk_t{pblk}, type, 0});
  }
  [[nodiscard]] std::optional<dax_entry> entry(std::uint64_t index) {
    entry_table* table = entry_table::find(file.inode);
    return table == nullptr ? std::nullopt : table->peek(pgoff_t{index});
  }
  [[nodiscard]] bool is_dirty(std::uint64_t index) {
    const auto e = entry(index);
    return e && e->dirty;
  }
  [[nodiscard]] bool logged(const std::string& what) const { return std::ranges::find(file.inode.log, what) != file.inode.log.end(); }

  std::unique_ptr<dev::device> memory = dev::open_memory(device_pages << page_shift).value();
  fence_log fences;
  std::unique_ptr<dev::device> recorded = dev::make_recording(*memory, fences);
  toy_file file{*recorded};
  vfs::task_ptr task{file.kern.make_task().value()};
};

}  // namespace xip::toy

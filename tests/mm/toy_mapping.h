// A file whose page I is page 100 + I of a memory device, as long as PAGES says: something to map, without a file system.
#pragma once

#include <gtest/gtest.h>

#include <memory>

#include <fcntl.h>

#include <xip/dev/devices.h>
#include <xip/mm/mm.h>
#include <xip/vfs/kernel.h>
#include <xip/vfs/ops.h>

namespace xip::mm::test {

inline constexpr std::uint64_t first_page = 100;

struct toy_inode final : vfs::inode {
  using inode::inode;
  std::uint64_t pages = 64;
  int faults = 0, write_faults = 0, cow_faults = 0;
};

inline toy_inode& toy_of(const vm_area_struct& area) { return static_cast<toy_inode&>(area.inode()); }

inline vm_fault_t toy_fault(vm_fault& vmf) {
  toy_inode& inode = toy_of(vmf.vma);
  ++inode.faults;
  if (vmf.pgoff.value() >= inode.pages) return vm_fault_t::sigbus;
  const std::uint64_t pfn = first_page + vmf.pgoff.value();
  std::byte* memory = inode.i_sb.s_bdev.direct_access(pfn << page_shift, page_size, dev::access_intent::write)->data;
  if (vmf.cow_page != nullptr) {
    ++inode.cow_faults;
    inode.i_sb.s_bdev.copy_out(vmf.cow_page->bytes.data(), memory, page_size);
    return finish_cow_fault(vmf);
  }
  if (vmf.changes_file()) ++inode.write_faults;
  return insert_pfn(vmf, fault_order::pte, pfn, memory, vmf.changes_file());
}

inline constexpr vm_operations_struct toy_vm_ops{.fault = toy_fault};

inline result<> toy_mmap(vfs::file&, vm_area_struct& area) {
  area.vm_ops = &toy_vm_ops;
  return {};
}

inline constexpr vfs::file_operations toy_file_operations{.mmap = toy_mmap};

class MappingTest : public ::testing::Test {
 protected:
  MappingTest() {
    opened.f_op = &toy_file_operations;
    opened.f_inode = &inode;
    opened.f_mode = vfs::fmode_read | vfs::fmode_write;
  }
  ~MappingTest() override {
    task.reset();
    EXPECT_EQ(opened.f_count, 1u) << "a mapping has kept the file";
    EXPECT_EQ(inode.i_mapping.i_mmap, nullptr);
  }

  [[nodiscard]] mm_struct& mm() {
    mm_struct* there = mm_struct::of(*task);
    return there != nullptr ? *there : *mm_struct::make_for(*task).value();
  }
  // PAGES pages of the file from INDEX on.
  [[nodiscard]] user_address map_file(std::uint64_t index, std::uint64_t pages, bool shared = true, user_address at = 0) {
    const std::uint32_t flags = vm_read | vm_write | vm_mayread | vm_maywrite | vm_mayexec | (shared ? vm_shared : 0);
    const current_scope scope{task->context};
    return mm().map(at, pages << page_shift, flags, at != 0 ? MAP_FIXED : 0, &opened, pgoff_t{index}).value();
  }
  [[nodiscard]] user_address map_memory(std::uint64_t pages) {
    return mmap(*task, 0, pages << page_shift, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0).value();
  }
  [[nodiscard]] std::uint32_t word_at(user_address address) {
    std::uint32_t word = 0;
    EXPECT_TRUE(load(*task, address, &word, sizeof word));
    return word;
  }
  void put_word(user_address address, std::uint32_t word) { EXPECT_TRUE(store(*task, address, &word, sizeof word)); }
  // In page INDEX of the file, as the device has it.
  [[nodiscard]] std::uint32_t word_in_file(std::uint64_t index) {
    std::uint32_t word = 0;
    EXPECT_TRUE(device->read((first_page + index) << page_shift, std::as_writable_bytes(std::span{&word, 1})));
    return word;
  }
  [[nodiscard]] access_result touch(user_address address, bool write) {
    std::byte byte{1};
    return write ? store(*task, address, &byte, 1) : load(*task, address, &byte, 1);
  }

  std::unique_ptr<dev::device> device = dev::open_memory(8 << 20).value();
  vfs::kernel kern;
  vfs::super_block super{kern, *device};
  toy_inode inode{super, ino_t{12}};
  vfs::file opened;
  vfs::task_ptr task{kern.make_task().value()};
};

}  // namespace xip::mm::test

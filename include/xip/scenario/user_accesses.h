// Loads and stores of a task's address space that a signal may end: as calls on a model, and by the CPU where addresses are pointers.
#pragma once

#include <cstddef>

#include <xip/mm/mm.h>
#include <xip/vfs/task.h>

namespace xip::scenario {

// As mm::load and mm::store. Through a pointer: words one by one where the address is a multiple of 8, no lock held; what lies before the page that was
// signalled has been moved. The process has a handler of SIGSEGV and SIGBUS from the first of these on, which hands on what is not from here.
[[nodiscard]] mm::access_result load_user(vfs::task& me, mm::user_address address, void* to, std::size_t bytes);
[[nodiscard]] mm::access_result store_user(vfs::task& me, mm::user_address address, const void* from, std::size_t bytes);

// Whether what TASK maps are pointers. False: a model's addresses, or nothing is mapped.
[[nodiscard]] bool maps_pointers(const vfs::task& task) noexcept;

}  // namespace xip::scenario

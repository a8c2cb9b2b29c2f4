// The door to user memory. By default user memory is plain memory of the process; a task may be given another kind (a model address
// space whose pages fault, a buffer with a bad tail). Linux: copy_from_user, copy_to_user, fault_in_readable, fault_in_writeable.
#pragma once

#include <cstddef>

#include <xip/locks/lockdep.h>

namespace xip::vfs {

// Moves BYTES bytes between HOST, a host address that is valid during the call, and what ARGUMENT names; OFFSET counts from the start
// of the whole copy.
using move_piece = void (*)(void* argument, std::byte* host, std::size_t offset, std::size_t bytes);

struct user_access {
  // How many bytes from USER on can be touched now without a fault that fails; 0: none (EFAULT). May block.
  std::size_t (*fault_in)(void* context, const std::byte* user, std::size_t bytes, bool write);
  // Hands the user bytes to MOVE piece by piece, for reading (copy_in) or writing (copy_out). Returns how many bytes were moved: fewer than
  // BYTES when a page cannot be had, or, with NOFAULT, is not there right now.
  std::size_t (*copy_in)(void* context, const std::byte* user, std::size_t bytes, bool nofault, move_piece move, void* argument);
  std::size_t (*copy_out)(void* context, std::byte* user, std::size_t bytes, bool nofault, move_piece move, void* argument);
  void* context;
  // A task that is forked has the same user memory; a task that ends has it no more. Null: nobody counts.
  void (*share)(void* context) noexcept = nullptr;
  void (*release)(void* context) noexcept = nullptr;
};

// Where lockdep is compiled in; use might_fault.
void record_might_fault() noexcept;

// Tells lockdep that a fault may be taken here: whatever is held now is held outside mmap_lock and all that a fault takes.
inline void might_fault() noexcept {
  if constexpr (lockdep_compiled_in) record_might_fault();
}

}  // namespace xip::vfs

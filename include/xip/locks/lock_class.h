// A lock class: one static object for every kind of lock. lockdep reasons about classes, never about instances.
#pragma once

#include <cstdint>

namespace xip {

enum class lock_kind : std::uint8_t {
  sleeping,  // mutex, rw_semaphore: the holder may block
  spinning,  // spin_lock: held for a few instructions, the holder must not block
  pseudo,    // not a lock, but waited for like one: an open handle, a locked entry, a freeze level
};

struct lock_class {
  const char* name;  // Linux's own name where it has one; as lock chains and reports spell it
  lock_kind kind = lock_kind::sleeping;
  bool nests = false;  // instances may nest within themselves in an order of their own (ascending index, ancestor first)
};

// A member of a class that nests: parent before child, lower inode number before higher.
using lock_subclass = std::uint8_t;
inline constexpr lock_subclass subclass_normal = 0;
inline constexpr lock_subclass subclass_parent = 1;
inline constexpr lock_subclass subclass_child = 2;
inline constexpr lock_subclass subclass_second = 3;

}  // namespace xip

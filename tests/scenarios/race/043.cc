// What: reads and writes whose user memory faults, against a task that holds mmap_lock.
// Why: a copy that faults takes mmap_lock under i_rwsem; whoever takes them the other way round deadlocks (Linux a05b0855fd, 4879e0dfe9c9,
// 00bfe02f4796). Here memory is a model whose faults take mmap_lock shared, as those of a mapping do.
// Operations: pread of two blocks into such memory; pwrite of two blocks from such memory; twice mmap_lock exclusive, as mmap takes it.
// Invariant: all come to their end, lockdep is silent, and the read sees the write whole or not at all.
// Groups: auto locks. Needs: nothing.
#include <new>

#include <xip/locks/rw_semaphore.h>
#include <xip/vfs/lock_classes.h>

#include "race_helpers.h"

namespace xip::scenario {
namespace {

using mmap_lock = rw_semaphore<vfs::mmap_lock_class>;

// A fault on each page, the first time that a copy comes there with faults allowed.
std::size_t fault_in(void* context, const std::byte*, std::size_t bytes, bool) {
  const shared_guard guard{*static_cast<mmap_lock*>(context)};
  return bytes;
}

std::size_t copy(void* context, std::byte* user, std::size_t bytes, bool nofault, vfs::move_piece move, void* argument) {
  for (std::size_t done = 0; done < bytes;) {
    const std::size_t piece = std::min(bytes - done, page_size);
    if (!nofault) fault_in(context, user + done, piece, true);
    move(argument, user + done, done, piece);
    done += piece;
  }
  return bytes;
}

std::size_t copy_in(void* context, const std::byte* user, std::size_t bytes, bool nofault, vfs::move_piece move, void* argument) {
  return copy(context, const_cast<std::byte*>(user), bytes, nofault, move, argument);
}

struct scene : race {
  observed_file file;
  mmap_lock* lock = nullptr;
  vfs::user_access memory{};

  void setup() {
    file = observe("file", 1);
    file.write(task(), 0, 2 * block(), 1);
    lock = new (kernel().memory().allocate(sizeof(mmap_lock), alignof(mmap_lock))) mmap_lock;
    memory = {fault_in, copy_in, copy, lock};
  }
  void reader(vfs::task& me) {
    me.uaccess = &memory;
    file.read(me, 0, 2 * block());
  }
  void writer(vfs::task& me) {
    me.uaccess = &memory;
    file.write(me, block() / 2, 2 * block(), 2);
  }
  void mapper(vfs::task&) {
    for (unsigned i = 0; i < 2; ++i) const exclusive_guard guard{*lock};
  }
  void check() {
    lock->~mmap_lock();
    kernel().memory().deallocate(lock, sizeof(mmap_lock), alignof(mmap_lock));
  }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto locks", "copies that fault against mmap_lock", {"reader", &scene::reader}, {"writer", &scene::writer},
         {"mapper", &scene::mapper})

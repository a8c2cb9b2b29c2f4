// An address space as a whole, and as the user memory of its tasks. Linux: kernel/fork.c (mm_alloc, exit_mmap), lib/usercopy.c.
#include <xip/mm/mm.h>

#include <algorithm>
#include <array>
#include <new>

#include <xip/vfs/kernel.h>

#include "mm/areas.h"
#include "mm/host_space.h"
#include "mm/host_traps.h"
#include "vfs/kernel_impl.h"

namespace xip::mm {
namespace {

[[nodiscard]] mm_struct& mm_of(void* context) noexcept { return *static_cast<mm_struct*>(context); }
[[nodiscard]] user_address address_of(const std::byte* user) noexcept { return reinterpret_cast<user_address>(user); }

// Of the model, or the host's whose pointer it is, be it of another task; null: plain memory of the process. CONTEXT null: the task has no address space.
class user_space {
 public:
  user_space(void* context, user_address address) noexcept
      : host_{address}, mm_{context != nullptr && address >= mmap_base ? &mm_of(context) : host_.get()} {}
  [[nodiscard]] mm_struct* get() const noexcept { return mm_; }

 private:
  const host_ref host_;
  mm_struct* const mm_;
};

std::size_t fault_in_user(void* context, const std::byte* user, std::size_t bytes, bool write) {
  const user_address address = address_of(user);
  const user_space space{context, address};
  if (space.get() == nullptr) return bytes;
  mm_struct& mm = *space.get();
  std::size_t ready = 0;
  while (ready < bytes) {
    const user_address at = address + ready;
    if (!mm.is_there(at, write) && !mm.fault_in(at, write)) break;
    ready += std::min<std::size_t>(bytes - ready, page_size - (at & (page_size - 1)));
  }
  return ready;
}

// Bytes go through a page of our own: MOVE may stop at a point, and page_table_lock is not held that long.
template <bool to_user>
std::size_t copy_user(void* context, std::byte* user, std::size_t bytes, bool nofault, vfs::move_piece move, void* argument) {
  const user_address address = address_of(user);
  const user_space space{context, address};
  if (space.get() == nullptr) {
    move(argument, user, 0, bytes);
    return bytes;
  }
  mm_struct& mm = *space.get();
  std::array<std::byte, page_size> between;
  access_result ended;
  std::size_t done = 0;
  while (done < bytes) {
    const user_address at = address + done;
    const std::size_t piece = std::min<std::size_t>(bytes - done, page_size - (at & (page_size - 1)));
    if constexpr (to_user) move(argument, between.data(), done, piece);
    if (mm.transfer({at, piece, to_user, nofault}, between.data(), ended) != piece) break;
    if constexpr (!to_user) move(argument, between.data(), done, piece);
    done += piece;
  }
  return done;
}

std::size_t copy_in_user(void* context, const std::byte* user, std::size_t bytes, bool nofault, vfs::move_piece move, void* argument) {
  return copy_user<false>(context, const_cast<std::byte*>(user), bytes, nofault, move, argument);
}

constexpr vfs::user_access pointer_uaccess{fault_in_user, copy_in_user, copy_user<true>, nullptr, nullptr, nullptr};

}  // namespace

mm_struct::mm_struct(vfs::kernel& owner) noexcept
    : kernel_{owner},
      uaccess_{fault_in_user, copy_in_user, copy_user<true>, this, share, release},
      areas_{&owner.memory()},
      page_table_{owner.memory()} {}

mm_struct::~mm_struct() {
  {
    removed_areas removed{*this};
    exclusive_guard guard{mmap_lock_};
    remove_range(bottom_, top_, removed);
  }
  if (host_ == nullptr) return;
  delete traps_;  // no list of mappings leads to a page of ours any more
  delete host_;
  // Of two, the one that comes while the other goes is the last to say so.
  vfs::kernel::impl& k = kernel_.internals();
  if (k.pointer_spaces.fetch_sub(1) != 1) return;
  k.pointer_uaccess.store(nullptr, std::memory_order_release);
  if (k.pointer_spaces.load() != 0) k.pointer_uaccess.store(&pointer_uaccess, std::memory_order_release);
}

void mm_struct::enter_host(host_space& space) noexcept {
  vfs::kernel::impl& k = kernel_.internals();
  k.pointer_spaces.fetch_add(1);
  k.pointer_uaccess.store(&pointer_uaccess, std::memory_order_release);
  host_ = &space;
  bottom_ = space.bottom();
  top_ = space.top();
}

std::optional<trap_by> mm_struct::traps() const noexcept { return traps_ != nullptr ? std::optional{traps_->by()} : std::nullopt; }

access_result mm_struct::fault_of_thread(user_address address, host_access kind, bool small_stack) noexcept {
  return traps_->fault(address, kind, small_stack);
}

std::pmr::memory_resource& mm_struct::memory() const noexcept { return kernel_.memory(); }

fault_counts mm_struct::faults() const noexcept {
  return {minor_faults_.load(std::memory_order_relaxed), major_faults_.load(std::memory_order_relaxed)};
}

void mm_struct::share(void* context) noexcept { mm_of(context).users_.fetch_add(1, std::memory_order_relaxed); }

void mm_struct::release(void* context) noexcept {
  mm_struct& mm = mm_of(context);
  if (mm.users_.fetch_sub(1, std::memory_order_acq_rel) == 1) std::pmr::polymorphic_allocator<>{&mm.memory()}.delete_object(&mm);
}

mm_struct* mm_struct::of(const vfs::task& task) noexcept {
  return task.uaccess != nullptr && task.uaccess->share == share ? static_cast<mm_struct*>(task.uaccess->context) : nullptr;
}

result<mm_struct*> mm_struct::make_for(vfs::task& task) {
  if (const auto make = task.owner.internals().make_mm; make != nullptr) {
    XIP_TRY(make(task));
    return of(task);
  }
  mm_struct* made = nullptr;
  try {
    made = std::pmr::polymorphic_allocator<>{&task.owner.memory()}.new_object<mm_struct>(task.owner);
  } catch (const std::bad_alloc&) {
    return fail(ENOMEM);
  }
  made->become_of(task);
  return made;
}

void mm_struct::become_of(vfs::task& task) noexcept {
  const vfs::user_access* before = std::exchange(task.uaccess, &uaccess_);
  if (before != nullptr && before->release != nullptr) before->release(before->context);
}

result<mm_struct*> mm_struct::make_host_for(vfs::task& task, trap_by by) {
  if (task.context.sched != nullptr || !host_space::is_possible()) return fail(EOPNOTSUPP);
  const current_scope scope{task.context};
  mm_struct* made = nullptr;
  try {
    made = std::pmr::polymorphic_allocator<>{&task.owner.memory()}.new_object<mm_struct>(task.owner);
    const auto ready = [&]() -> result<> {
      made->enter_host(*XIP_TRY(host_space::make(task.owner)));
      made->traps_ = XIP_TRY(host_traps::make(*made, *made->host_, task, by));
      return {};
    }();
    if (ready) {
      made->become_of(task);
      return made;
    }
    release(made);
    return fail(ready.error());
  } catch (const std::bad_alloc&) {
    if (made != nullptr) release(made);
    return fail(ENOMEM);
  }
}

}  // namespace xip::mm

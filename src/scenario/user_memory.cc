// User memory whose bytes from a point on cannot be touched, or whose copies call back.
#include <xip/scenario/user_memory.h>

#include <algorithm>

namespace xip::scenario {
namespace {

std::size_t reachable(void* context, const std::byte* user, std::size_t bytes) noexcept {
  const auto* end = static_cast<const std::byte*>(context);
  return user >= end ? 0 : std::min(bytes, static_cast<std::size_t>(end - user));
}

std::size_t fault_in(void* context, const std::byte* user, std::size_t bytes, bool) { return reachable(context, user, bytes); }

// Page by page, as a kernel copies: a caller sees partial progress at page borders.
std::size_t copy_pieces(void* context, std::byte* user, std::size_t bytes, vfs::move_piece move, void* argument) {
  const std::size_t whole = reachable(context, user, bytes);
  std::size_t done = 0;
  while (done < whole) {
    const std::size_t to_page_end = page_size - (reinterpret_cast<std::uintptr_t>(user + done) & (page_size - 1));
    const std::size_t piece = std::min(whole - done, to_page_end);
    move(argument, user + done, done, piece);
    done += piece;
  }
  return done;
}

std::size_t copy_in(void* context, const std::byte* user, std::size_t bytes, bool nofault, vfs::move_piece move, void* argument) {
  if (!nofault) vfs::might_fault();
  return copy_pieces(context, const_cast<std::byte*>(user), bytes, move, argument);
}

std::size_t copy_out(void* context, std::byte* user, std::size_t bytes, bool nofault, vfs::move_piece move, void* argument) {
  if (!nofault) vfs::might_fault();
  return copy_pieces(context, user, bytes, move, argument);
}

}  // namespace

user_memory_ends::user_memory_ends(vfs::task& task, const void* end) noexcept
    : task_{task},
      before_{task.uaccess},
      end_{static_cast<const std::byte*>(end)},
      access_{fault_in, copy_in, copy_out, const_cast<std::byte*>(end_)} {
  task_.uaccess = &access_;
}

user_memory_ends::~user_memory_ends() { task_.uaccess = before_; }

namespace {

std::size_t all_there(void*, const std::byte*, std::size_t bytes, bool) { return bytes; }

std::size_t copy_in_calling(void* context, const std::byte* user, std::size_t bytes, bool nofault, vfs::move_piece move, void* argument) {
  if (!nofault) vfs::might_fault();
  static_cast<user_memory_calls*>(context)->copy(const_cast<std::byte*>(user), bytes, move, argument);
  return bytes;
}

std::size_t copy_out_calling(void* context, std::byte* user, std::size_t bytes, bool nofault, vfs::move_piece move, void* argument) {
  if (!nofault) vfs::might_fault();
  static_cast<user_memory_calls*>(context)->copy(user, bytes, move, argument);
  return bytes;
}

}  // namespace

user_memory_calls::user_memory_calls(vfs::task& task, const void* at, std::function<void()> reached)
    : task_{task},
      before_{task.uaccess},
      at_{static_cast<const std::byte*>(at)},
      reached_{std::move(reached)},
      access_{all_there, copy_in_calling, copy_out_calling, this} {
  task_.uaccess = &access_;
}

user_memory_calls::~user_memory_calls() { task_.uaccess = before_; }

void user_memory_calls::copy(std::byte* user, std::size_t bytes, vfs::move_piece move, void* argument) {
  std::size_t done = 0;
  if (user + bytes > at_ && !called_.exchange(true, std::memory_order_relaxed)) {
    if (user < at_) {
      done = static_cast<std::size_t>(at_ - user);
      move(argument, user, 0, done);
    }
    reached_();
  }
  if (done < bytes) move(argument, user + done, done, bytes - done);
}

}  // namespace xip::scenario

// User memory whose bytes from a point on cannot be touched.
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

}  // namespace xip::scenario

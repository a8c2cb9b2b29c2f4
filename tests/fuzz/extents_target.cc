// Where the contents of files lie: extent trees and block maps, read, grown, cut and punched.
#include <fcntl.h>

#include "fuzz/target.h"

namespace xip::fuzz {
namespace {

// The files of the image, open for the program, so that most of what it does meets one.
void open_files(session& s) {
  constexpr std::uint32_t some = 6;
  const std::uint32_t first = s.in().byte();
  for (std::uint32_t i = 0; i < some; ++i) s.keep(s.task().open(s.paths()[(first + i) % s.paths().size()], O_RDWR));
}

}  // namespace

std::span<const structure_kind> structures_of_target() noexcept {
  static constexpr structure_kind kinds[] = {structure_kind::extent_block, structure_kind::pointer_block, structure_kind::inode};
  return kinds;
}

void run_target(const test_case& c) {
  const std::span<const operation> tables[] = {data_operations()};
  run_session(
      c,
      [](session& s) {
        if ((s.in().byte() & 1) != 0) read_everything(s);
        open_files(s);
      },
      tables);
}

}  // namespace xip::fuzz

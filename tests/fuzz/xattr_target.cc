// Extended attributes: in inodes and in blocks, whoever reads them and whoever lets go of them.
#include "fuzz/target.h"

namespace xip::fuzz {
namespace {

// The last name of everything goes, and with it what its attributes hold.
void remove_everything(session& s) {
  for (auto path = s.paths().rbegin(); path != s.paths().rend(); ++path)
    if (!s.task().unlink(*path)) (void)s.task().rmdir(*path);
}

}  // namespace

void run_target(const test_case& c) {
  constexpr operation removals[] = {remove_everything};
  const std::span<const operation> tables[] = {attribute_operations(), name_operations(), removals};
  run_session(c, read_everything, tables);
}

}  // namespace xip::fuzz

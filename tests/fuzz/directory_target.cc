// Directories, linear and hashed: listed, searched, filled and emptied.
#include <sys/stat.h>

#include <fmt/format.h>

#include "fuzz/target.h"

namespace xip::fuzz {
namespace {

// Names come into one directory and leave it again, enough of them to split blocks.
void churn(session& s) {
  const std::string directory = s.path();
  const std::uint32_t count = s.in().below(48);
  const std::string stem = fmt::format("{}/{}", directory, std::string(s.in().below(180), 'c'));
  for (std::uint32_t i = 0; i < count; ++i) (void)s.task().mknod(fmt::format("{}{}", stem, i), S_IFREG | 0600, 0);
  for (std::uint32_t i = 0; i < count; i += 2) (void)s.task().unlink(fmt::format("{}{}", stem, i));
}

}  // namespace

std::span<const structure_kind> structures_of_target() noexcept {
  static constexpr structure_kind kinds[] = {structure_kind::directory_leaf, structure_kind::directory_index};
  return kinds;
}

void run_target(const test_case& c) {
  constexpr operation churns[] = {churn, churn, churn};
  const std::span<const operation> tables[] = {name_operations(), churns};
  run_session(c, read_everything, tables);
}

}  // namespace xip::fuzz

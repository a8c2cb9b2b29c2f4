// Replaying a journal, and writing it: a mount for writing of an image whose log is full of what was never written so, then a program, then another mount.
#include "fuzz/target.h"

namespace xip::fuzz {

std::span<const structure_kind> structures_of_target() noexcept {
  static constexpr structure_kind kinds[] = {structure_kind::journal_super, structure_kind::journal_descriptor,
                                             structure_kind::journal_revoke, structure_kind::journal_commit, structure_kind::super_block};
  return kinds;
}

void run_target(const test_case& c) {
  machine m{c};
  program_reader in{c.program};
  const std::string options = mount_options(in, false);
  if (!m.mount(options)) return;
  {
    const std::span<const operation> tables[] = {system_operations(), name_operations()};
    session s{m, in};
    s.discover();
    run_program(s, tables);
  }
  m.remount("ro");
  m.umount();
  if (m.mount(options)) (void)m.task().stat("/");
}

}  // namespace xip::fuzz

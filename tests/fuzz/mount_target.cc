// Mounting: every mode, one after the other, and from one to another. The super block, the descriptors, the root, the orphans.
#include <fmt/format.h>

#include "fuzz/target.h"

namespace xip::fuzz {
namespace {

void look_at_root(machine& m) {
  vfs::task& t = m.task();
  (void)t.statfs("/");
  (void)t.stat("/");
  program_reader nothing{{}};
  session s{m, nothing};
  s.discover();
}

}  // namespace

std::span<const structure_kind> structures_of_target() noexcept {
  static constexpr structure_kind kinds[] = {structure_kind::super_block, structure_kind::group_desc, structure_kind::block_bitmap,
                                             structure_kind::inode_bitmap, structure_kind::orphan_block};
  return kinds;
}

void run_target(const test_case& c) {
  machine m{c};
  program_reader in{c.program};
  const std::string readable = mount_options(in, true);
  if (m.mount(readable)) {
    look_at_root(m);
    m.remount("rw");
    (void)m.task().mkdir("/fuzz", 0755);
    m.remount("ro");
    m.umount();
  }
  if (!m.mount(mount_options(in, false))) return;
  look_at_root(m);
  m.remount("ro");
  m.remount("rw");
  const std::span<const operation> tables[] = {system_operations(), name_operations()};
  session s{m, in};
  s.discover();
  run_program(s, tables);
}

}  // namespace xip::fuzz

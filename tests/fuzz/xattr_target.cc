// Extended attributes and access control lists: in inodes and in blocks, set, read, inherited, shared and let go of; then once more after another mount.
#include "fuzz/target.h"

namespace xip::fuzz {
namespace {

// The last name of everything goes, and with it what its attributes hold.
void remove_everything(session& s) {
  for (auto path = s.paths().rbegin(); path != s.paths().rend(); ++path)
    if (!s.task().unlink(*path)) (void)s.task().rmdir(*path);
}

// What the medium has is what the last mount said; where anything was damaged, it is enough that it can be asked.
void mount_again(machine& m, const std::string& options, const attribute_map& before) {
  if (!m.mount(options)) {
    if (m.sound()) finding("a sound image is refused", m.failure());
    return;
  }
  program_reader nothing{{}};
  session s{m, nothing};
  s.discover();
  const attribute_map after = attributes_of(s);
  if (m.sound())
    for (const auto& [what, value] : before)
      if (const auto now = after.find(what); now == after.end() || now->second != value)
        finding("an attribute is not what it was before the unmount", what);
  if (m.sound() && after.size() != before.size()) finding("attributes have come by an unmount");
  remove_everything(s);
  m.umount();
}

}  // namespace

std::span<const structure_kind> structures_of_target() noexcept {
  static constexpr structure_kind kinds[] = {structure_kind::xattr_block, structure_kind::inode};
  return kinds;
}

void run_target(const test_case& c) {
  constexpr const char* features[] = {"", "", "", ",noacl", "", ",nouser_xattr", "", ",noacl,nouser_xattr"};
  constexpr operation removals[] = {remove_everything};
  const std::span<const operation> tables[] = {xattr_operations(), xattr_operations(), attribute_operations(), name_operations(), removals};
  machine m{c};
  program_reader in{c.program};
  const std::uint8_t how = in.byte();
  const std::string options = mount_options(in, (how & 7) == 0) + features[how >> 3 & 7];
  if (!m.mount(options)) return;
  session s{m, in};
  s.discover();
  read_everything(s);
  run_program(s, tables);
  s.discover();
  const attribute_map before = attributes_of(s);
  m.umount();
  mount_again(m, options, before);
}

}  // namespace xip::fuzz

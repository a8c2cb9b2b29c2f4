#include "fuzz/target.h"

namespace xip::fuzz {

void run_session(const test_case& c, void (*sweep)(session&), std::span<const std::span<const operation>> tables) {
  machine m{c};
  program_reader in{c.program};
  constexpr std::uint8_t reads_in_8 = 1;
  const bool read_only = in.byte() % 8 < reads_in_8;
  if (!m.mount(mount_options(in, read_only))) return;
  session s{m, in};
  s.discover();
  if (sweep != nullptr) sweep(s);
  run_program(s, tables);
  m.umount();
  if (!c.sound || !m.mount("ro")) return;
  program_reader nothing{{}};
  session again{m, nothing};
  again.discover();
  read_everything(again);
  m.umount();
}

}  // namespace xip::fuzz

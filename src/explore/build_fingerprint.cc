// Which build runs: from the build ids that linkers leave in a note.
#include <cstring>
#include <span>

#include <elf.h>
#include <link.h>

#include <xip/base/points.h>
#include <xip/explore/token.h>

#include "explore/lock_names.h"
#include "explore/random.h"

namespace xip::explore {
namespace {

constexpr std::uint64_t library_version = 1;

struct search {
  std::uint64_t hash = 0;
  bool first = true;  // the program itself is told first
};

std::span<const char> build_id(const char* note, std::size_t bytes) noexcept {
  while (bytes >= sizeof(ElfW(Nhdr))) {
    ElfW(Nhdr) head;
    std::memcpy(&head, note, sizeof head);
    const std::size_t name = (head.n_namesz + 3) & ~std::size_t{3}, content = (head.n_descsz + 3) & ~std::size_t{3};
    if (name + content > bytes - sizeof head) break;
    const char* const at = note + sizeof head;
    if (head.n_type == NT_GNU_BUILD_ID && head.n_namesz == 4 && std::memcmp(at, "GNU", 4) == 0) return {at + name, head.n_descsz};
    note = at + name + content;
    bytes -= sizeof head + name + content;
  }
  return {};
}

bool contains(const dl_phdr_info& module, const void* address) noexcept {
  for (const ElfW(Phdr) & part : std::span{module.dlpi_phdr, module.dlpi_phnum}) {
    const auto start = module.dlpi_addr + part.p_vaddr, at = reinterpret_cast<ElfW(Addr)>(address);
    if (part.p_type == PT_LOAD && at >= start && at - start < part.p_memsz) return true;
  }
  return false;
}

int visit_module(dl_phdr_info* module, std::size_t, void* argument) {
  search& found = *static_cast<search*>(argument);
  const bool program = found.first;
  found.first = false;
  if (!program && !contains(*module, reinterpret_cast<const void*>(&build_fingerprint))) return 0;
  for (const ElfW(Phdr) & part : std::span{module->dlpi_phdr, module->dlpi_phnum}) {
    if (part.p_type != PT_NOTE) continue;
    const auto id = build_id(reinterpret_cast<const char*>(module->dlpi_addr + part.p_vaddr), part.p_memsz);
    if (!id.empty()) found.hash = mix(found.hash ^ hash_text({id.data(), id.size()}));
  }
  return 0;
}

std::uint64_t vocabulary() noexcept {
  std::uint64_t hash = library_version;
  for (std::size_t i = 0; i < point_count; ++i) hash = mix(hash ^ hash_text(point_name(static_cast<point>(i))));
  return hash;
}

}  // namespace

std::uint32_t build_fingerprint() {
  search found;
  ::dl_iterate_phdr(visit_module, &found);
  return static_cast<std::uint32_t>(found.hash != 0 ? found.hash : vocabulary());
}

}  // namespace xip::explore

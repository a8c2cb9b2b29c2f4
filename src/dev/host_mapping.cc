#include <xip/dev/host_mapping.h>

namespace xip::dev {

result<host_file> host_mapping(const device& d, std::uint64_t offset, std::size_t bytes) noexcept {
  const auto* const mappable = dynamic_cast<const host_mappable*>(&d);
  if (mappable == nullptr || d.killed()) return fail(ENODEV);
  if (offset >= d.size() || bytes > d.size() - offset) return fail(ERANGE);
  return mappable->file_at(offset);
}

}  // namespace xip::dev

// What the process has but once: which address spaces of the host there are, and its handler of SIGSEGV.
#pragma once

#include <cstddef>

#include <xip/mm/mm.h>

namespace xip::mm {

// The first one installs the handler, which stays. A forked child begins without any. EMFILE.
[[nodiscard]] result<std::size_t> register_host_space(mm_struct& mm, user_address bottom, user_address top) noexcept;
// When it returns, nobody is in that address space on account of a fault or a copy.
void unregister_host_space(std::size_t slot) noexcept;

// The host says of a fault whether it was made by a load, a store or a fetch: so it is on x86-64 and on arm64.
[[nodiscard]] bool tells_access() noexcept;

}  // namespace xip::mm

// Between fault.cc and run_fault.cc.
#pragma once

#include <xip/xip/mapped.h>

namespace xip {

// xip_mapping_fault of a run.
[[nodiscard]] fault_outcome xip_run_fault(mm::vm_fault& vmf, const xip_ops& ops, void* handle) noexcept;

}  // namespace xip

// One schedule as a picture: a page for a person, and a trace for Perfetto.
#pragma once

#include <string>

#include <xip/explore/explore.h>

namespace xip::explore {

// What a reader needs to know beside the schedule itself. Any text.
struct timeline_header {
  std::string title;   // what was explored
  std::string about;   // what that is, for somebody who has never heard of it; may be empty
  std::string replay;  // the command that runs this schedule again; may be empty
};

// One HTML page, UTF-8, that needs nothing else: lanes for tasks, locks, file sizes and blocks, and a table of all steps.
// R has to have its trace. Sizes come from the points vfs_i_size_stored and xip_read_block, blocks from a block_sanitizer.
[[nodiscard]] std::string timeline_html(const timeline_header& header, const schedule_report& r);

// Chrome's trace event format, as JSON: threads are tasks, locks and waits are durations, points instants, sizes counters. Virtual time
// hardly passes in a schedule, so each event takes one microsecond.
[[nodiscard]] std::string chrome_trace_json(const timeline_header& header, const schedule_report& r);

}  // namespace xip::explore

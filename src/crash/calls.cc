#include "crash/calls.h"

#include <array>
#include <string_view>

#include <fmt/format.h>

#include "crash/play.h"

namespace xip::crash {
namespace {

constexpr std::uint32_t open_flags = flag_dsync | flag_sync | flag_direct | flag_append;

bool takes_file(verb v) noexcept {
  switch (v) {
    case verb::write:
    case verb::store:
    case verb::msync:
    case verb::truncate:
    case verb::falloc:
    case verb::setxattr:
    case verb::removexattr:
    case verb::fsync:
    case verb::fdatasync:
      return true;
    default:
      return false;
  }
}

// Of a store "sync" is a word about the mapping.
std::uint32_t flags_of_open(const step& s) noexcept { return s.what == verb::store ? 0 : s.flags & open_flags; }

// For it alone, of a file that a step names by its path.
step opening(const step& s) {
  const bool syncs = s.what == verb::fsync || s.what == verb::fdatasync;
  return {.what = verb::open,
          .path = s.path,
          .fd = player::own_descriptor,
          .flags = syncs ? std::uint32_t{flag_read} : flags_of_open(s),
          .task = s.task};
}

// Changes nothing: nobody but its task has to do with the descriptor.
bool opens_only(const step& s) noexcept { return s.what == verb::open && (s.flags & (flag_creat | flag_trunc | flag_tmpfile)) == 0; }

// A or something above it is at B.
bool is_at_or_below(std::string_view a, std::string_view b) noexcept {
  return a == b || (a.starts_with(b) && a.size() > b.size() && a[b.size()] == '/');
}

// A path of A goes through one of B.
bool goes_through(const step& a, const step& b) noexcept {
  for (const std::string* used : {&a.path, &a.other})
    for (const std::string* at : {&b.path, &b.other})
      if (!used->empty() && !at->empty() && is_at_or_below(*used, *at)) return true;
  return false;
}

// Stores go page by page, and between two pages others may come.
void add(std::vector<task_call>& calls, step s, std::uint32_t of, const std::string& text) {
  const auto page = static_cast<std::int64_t>(page_size);
  for (const std::int64_t end = s.offset + s.length; s.what == verb::store && s.offset / page < (end - 1) / page;) {
    const std::int64_t next = (s.offset / page + 1) * page;
    s.length = next - s.offset;
    calls.push_back({s, of, text});
    s.offset = next, s.length = end - next;
  }
  calls.push_back({std::move(s), of, text});
}

}  // namespace

std::vector<task_call> calls_of(const workload& w) {
  std::vector<task_call> calls;
  for (std::uint32_t i = 0; i < w.steps.size(); ++i) {
    const step& s = w.steps[i];
    const std::string text = fmt::format("task {}: {}", s.task + 1, text_of(s));
    if (!takes_file(s.what) || s.fd != step::by_path) {
      add(calls, s, i, text);
      continue;
    }
    step by_descriptor = s;
    by_descriptor.path.clear();
    by_descriptor.fd = player::own_descriptor;
    by_descriptor.flags &= ~flags_of_open(s);
    calls.push_back({opening(s), i, text + ": open"});
    add(calls, std::move(by_descriptor), i, text);
    calls.push_back({{.what = verb::close, .fd = player::own_descriptor, .task = s.task}, i, text + ": close"});
  }
  return calls;
}

bool goes_by_path(const step& s) noexcept { return !s.path.empty() && !opens_only(s); }

bool leads_elsewhere(const step& a, const step& b) noexcept {
  return (a.what == verb::rename || a.what == verb::unlink || a.what == verb::rmdir) && goes_through(b, a);
}

bool changes_name_of(const step& a, const step& b) noexcept {
  switch (a.what) {
    case verb::mkdir:
    case verb::creat:
    case verb::mknod:
    case verb::symlink:
    case verb::link:
    case verb::linkat:
    case verb::unlink:
    case verb::rmdir:
    case verb::rename:
      return goes_through(b, a);
    case verb::open:
      return (a.flags & flag_creat) != 0 && goes_through(b, a);
    default:
      return false;
  }
}

bool commute(const step& a, const step& b) noexcept {
  const auto by_descriptor = [](const step& s) { return takes_file(s.what) || s.what == verb::close || s.what == verb::sync; };
  if (a.what == verb::close) return by_descriptor(b) || opens_only(b);
  return opens_only(a) && (by_descriptor(b) || opens_only(b));
}

bool makes_durable(const step& s) noexcept {
  return s.what == verb::fsync || s.what == verb::fdatasync || s.what == verb::msync || s.what == verb::sync;
}

}  // namespace xip::crash

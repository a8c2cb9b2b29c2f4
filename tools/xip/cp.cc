// xip cp: copies between the host and images, both ways, as cp -a.
#include <memory>
#include <vector>

#include <unistd.h>

#include <xip/locks/clock.h>

#include "command.h"
#include "copy.h"
#include "sizes.h"
#include "verbs.h"

namespace xip::tool {
namespace {

// A line on the terminal that says how far a long copy has come.
class progress_line {
 public:
  explicit progress_line(bool on) : on_{on}, next_{monotonic_now() + std::chrono::seconds{1}} {}
  ~progress_line() { clear(); }
  progress_line(const progress_line&) = delete;
  progress_line& operator=(const progress_line&) = delete;

  void show(const std::string& file, std::uint64_t bytes) {
    if (!on_ || monotonic_now() < next_) return;
    next_ = monotonic_now() + std::chrono::milliseconds{200};
    fmt::print(stderr, "\r\033[K{:>6} {:.60}", human_size(bytes), printable(file));
    std::fflush(stderr);
    shown_ = true;
  }
  void clear() {
    if (shown_) fmt::print(stderr, "\r\033[K");
    shown_ = false;
  }

 private:
  bool on_;
  bool shown_ = false;
  nanoseconds next_;
};

// The one place that all arguments but the last come from: the host or one image.
struct request {
  std::vector<place> sources;
  place target;
  bool recursive = false;
};

// OTHER is the session of the other side, if that is in an image.
std::unique_ptr<tree> tree_for(const place& p, image_session* session, const image_session* other) {
  if (p.in_image()) return make_image_tree(*session, p.image);
  return make_host_tree(other != nullptr ? std::vector<const image_session*>{other} : std::vector<const image_session*>{});
}

int copy_all(const request& r, tree& from, tree& to) {
  progress_line line{::isatty(STDERR_FILENO) == 1};
  copy_options options;
  options.recursive = r.recursive;
  options.several = r.sources.size() > 1;
  options.report = [&](const std::string& message) {
    line.clear();
    complain("cp", message);
  };
  options.progress = [&](const std::string& file, std::uint64_t bytes) { line.show(file, bytes); };
  options.asked_to_stop = stop_signals::asked;
  const auto there = to.info(r.target.path, follow::yes);
  const bool into_directory = there.has_value() && there->is_dir();
  if (!into_directory && (r.sources.size() > 1 || (r.target.path.ends_with('/') && !r.recursive))) {
    complain("cp", fmt::format("{}: is not a directory", r.target.shown()));
    return exit_failed;
  }
  copier copy{from, to, std::move(options)};
  bool all = true;
  for (const place& source : r.sources) {
    all = copy.copy(source.path, target_of(to, source.path, r.target.path)) && all;
    if (copy.stopped()) break;
  }
  line.clear();
  if (copy.stopped()) complain("cp", "stopped by a signal; what was copied stays");
  return all ? exit_ok : exit_failed;
}

std::unique_ptr<image_session> opened(const std::string& image, image_access access) {
  auto session = image_session::open("cp", image, access);
  if (session.has_value()) return std::move(*session);
  complain("cp", session.error());
  return nullptr;
}

int run_request(const request& r) {
  const stop_signals signals;
  const place& source = r.sources.front();
  std::unique_ptr<image_session> from_image, to_image;
  if (r.target.in_image() && (to_image = opened(r.target.image, image_access::write)) == nullptr) return exit_failed;
  const bool same = source.in_image() && source.image == r.target.image;
  if (source.in_image() && !same && (from_image = opened(source.image, image_access::read)) == nullptr) return exit_failed;

  const auto from = tree_for(source, same ? to_image.get() : from_image.get(), to_image.get());
  const auto to = same || (!source.in_image() && !r.target.in_image()) ? nullptr : tree_for(r.target, to_image.get(), from_image.get());
  int code = exit_failed;
  try {
    code = copy_all(r, *from, to == nullptr ? *from : *to);
  } catch (const std::bad_alloc&) {
    complain("cp", fmt::format("{}: out of memory", source.in_image() ? source.image : r.target.image));
  }
  for (auto* session : {to_image.get(), from_image.get()}) {
    if (session == nullptr) continue;
    if (const auto closed = session->close(); !closed.has_value()) {
      complain("cp", closed.error());
      code = exit_failed;
    }
  }
  return code;
}

}  // namespace

int cp_verb(int argc, char** argv) {
  CLI::App app{
      "Copy files between the host and images, as cp -a does: modes, owners (as root), times, holes, links, every file type and extended "
      "attributes (ACLs among them) are kept",
      "cp"};
  request r;
  std::vector<std::string> arguments;
  app.add_flag("-r,-R,-a,--recursive,--archive", r.recursive, "copy directories with all that is in them");
  app.add_option("PATH", arguments, "sources and, last, the target; IMAGE:/path for a path in an image")->required();
  if (const auto code = parse(app, argc, argv)) return *code;
  if (arguments.size() < 2) {
    complain("cp", fmt::format("'{}' is to be copied, but there is no target behind it; see xip cp --help", arguments.front()));
    return exit_usage;
  }
  for (const std::string& argument : arguments) r.sources.push_back(parse_place(argument));
  r.target = r.sources.back();
  r.sources.pop_back();
  bool any_image = r.target.in_image();
  for (const place& source : r.sources) {
    any_image = any_image || source.in_image();
    if (source.image != r.sources.front().image) {
      complain("cp", fmt::format("{}: the sources must all be on the host or all in one image", source.shown()));
      return exit_usage;
    }
  }
  if (!any_image) {
    complain("cp", "neither source nor target is in an image; write IMAGE:/path");
    return exit_usage;
  }
  return run_request(r);
}

}  // namespace xip::tool

// xip cat: the bytes of files in an image, on standard output.
#include <cerrno>
#include <cstring>
#include <memory>
#include <new>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"
#include "verbs.h"

namespace xip::tool {
namespace {

constexpr std::size_t buffer_bytes = std::size_t{1} << 20;

// All of BYTES to standard output.
bool put(const std::byte* from, std::size_t bytes) {
  while (bytes != 0) {
    const ssize_t n = ::write(STDOUT_FILENO, from, bytes);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    from += n;
    bytes -= static_cast<std::size_t>(n);
  }
  return true;
}

// Large enough that calls cost little; ENOMEM.
result<std::unique_ptr<std::byte[]>> make_buffer() {
  std::unique_ptr<std::byte[]> buffer{new (std::nothrow) std::byte[buffer_bytes]};
  if (buffer == nullptr) return fail(ENOMEM);
  return buffer;
}

result<bool> copy_out(vfs::task& task, const std::string& path) {
  const vfs::kstat stat = XIP_TRY(task.stat(path));
  if (S_ISDIR(stat.mode)) return fail(EISDIR);
  if (!S_ISREG(stat.mode)) return fail(ENXIO);
  const int fd = XIP_TRY(task.open(path, O_RDONLY));
  const auto buffer = XIP_TRY(make_buffer());
  for (;;) {
    const std::size_t n = XIP_TRY(task.read(fd, buffer.get(), buffer_bytes));
    if (n == 0) break;
    if (!put(buffer.get(), n)) return false;
  }
  XIP_TRY(task.close(fd));
  return true;
}

}  // namespace

int cat_verb(int argc, char** argv) {
  CLI::App app{"Write files of an image to standard output", "cat"};
  std::vector<std::string> arguments;
  app.add_option("IMAGE:/PATH", arguments, "regular files")->required();
  if (const auto code = parse(app, argc, argv)) return *code;
  const auto places = places_of_one_image("cat", arguments);
  if (!places) return exit_usage;
  return with_image("cat", places->front().image, image_access::read, [&](image_session& session) {
    int code = exit_ok;
    for (const place& p : *places) {
      const auto done = copy_out(session.task(), p.path);
      if (done.has_value() && *done) continue;
      code = exit_failed;
      if (done.has_value()) {
        complain("cat", fmt::format("standard output: {}", std::strerror(errno)));
        break;
      }
      complain("cat", p.shown(), done.error());
    }
    return code;
  });
}

}  // namespace xip::tool

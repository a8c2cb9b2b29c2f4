// The smallest user of libxip: opens an image, mounts it read-only in this process, and prints a file of it.
//   read_image IMAGE PATH        read_image disk.img /etc/hostname
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include <xip/dev/devices.h>
#include <xip/fs_ext4lite/ext4lite.h>
#include <xip/vfs/kernel.h>
#include <xip/vfs/task.h>

namespace {

// Everything in here is a system call of TASK, with Linux's answers.
xip::result<> print_file(xip::vfs::task& task, const std::string& path) {
  const int fd = XIP_TRY(task.open(path, O_RDONLY));
  std::vector<char> bytes(64 * 1024);
  for (;;) {
    const std::size_t got = XIP_TRY(task.read(fd, bytes.data(), bytes.size()));
    if (got == 0) break;
    std::fwrite(bytes.data(), 1, got, stdout);
  }
  return task.close(fd);
}

int complain(std::string_view what) {
  std::fprintf(stderr, "read_image: %.*s\n", static_cast<int>(what.size()), what.data());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return complain("usage: read_image IMAGE PATH"), 2;
  auto device = xip::dev::open_pmem(argv[1], true);
  if (!device) return complain(device.error().message);

  xip::vfs::kernel kernel;
  if (!kernel.register_filesystem(xip::ext4lite_file_system())) return complain("two file systems of one name");
  if (auto mounted = kernel.mount("ext4", **device, "/", "ro"); !mounted) return complain(mounted.error().message);

  auto made = kernel.make_task();
  if (!made) return complain(made.error().message());
  const xip::vfs::task_ptr task{*made};
  if (auto printed = print_file(*task, argv[2]); !printed) return complain(printed.error().message());
  return 0;
}

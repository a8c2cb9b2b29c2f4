// The smallest user of the installed library: a device of memory, written and read back.
#include <array>
#include <cstdio>
#include <span>

#include <xip/base/config.h>
#include <xip/dev/devices.h>

int main() {
  xip::dev::opened device = xip::dev::open_memory(1 << 20);
  if (!device) {
    std::fprintf(stderr, "%s\n", device.error().message.c_str());
    return 1;
  }
  std::printf("libxip %s: a device of %llu bytes\n", XIP_VERSION, static_cast<unsigned long long>((*device)->size()));
  return (*device)->size() == 1 << 20 ? 0 : 1;
}

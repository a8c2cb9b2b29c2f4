// A kernel instance on one device, and a round of everything that reads, or changes, what is there.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <xip/dev/device.h>
#include <xip/vfs/kernel.h>
#include <xip/vfs/task.h>

namespace xip::hostile {

class tour {
 public:
  explicit tour(dev::device& device) : device_{device} {}
  ~tour();
  tour(const tour&) = delete;
  tour& operator=(const tour&) = delete;

  [[nodiscard]] bool mount(std::string_view options);
  void read_everything();
  void change_everything();
  // If something was found to be wrong, a change is now answered as OPTION says. Ends with the unmount.
  void expect_errors_obeyed(std::string_view option);
  void umount();

  [[nodiscard]] const std::string& failure() const noexcept { return failure_; }
  [[nodiscard]] const std::string& log() const noexcept { return log_; }

 private:
  void list(const std::string& directory, int depth);
  void read_one(const std::string& path);
  void change_one(const std::string& path);
  [[nodiscard]] std::vector<std::string> read_attributes(const std::string& path);
  void change_attributes(const std::string& path);
  void remove_attributes(const std::string& path);

  dev::device& device_;
  std::string failure_;
  std::string log_;
  bool error_logged_ = false;
  std::vector<std::string> paths_;
  std::unique_ptr<vfs::kernel> kernel_;
  vfs::task* task_ = nullptr;
};

}  // namespace xip::hostile

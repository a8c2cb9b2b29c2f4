// A kernel instance on one device, and a round of everything that reads, or changes, what is there.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <xip/dev/device.h>
#include <xip/vfs/kernel.h>
#include <xip/vfs/task.h>

#include "hostile/contents.h"

namespace xip::hostile {

class tour {
 public:
  // What is read is compared with UNDAMAGED, if that is given.
  explicit tour(dev::device& device, const inventory* undamaged = nullptr) : device_{device}, judge_{undamaged} {}
  ~tour();
  tour(const tour&) = delete;
  tour& operator=(const tour&) = delete;

  [[nodiscard]] bool mount(std::string_view options);
  // Of an image without damage.
  [[nodiscard]] inventory take_inventory();
  void read_everything();
  // New ones, in each directory: what was there before is not changed.
  void make_files();
  // What the undamaged image has, once more.
  void read_known_files();
  void change_everything();
  // If something was found to be wrong, a change is now answered as OPTION says. Ends with the unmount.
  void expect_errors_obeyed(std::string_view option);
  void umount();

  [[nodiscard]] const std::string& failure() const noexcept { return failure_; }
  // One line of the log, of that level and no other, has these words.
  [[nodiscard]] bool said(vfs::log_level level, std::string_view words) const noexcept;
  [[nodiscard]] bool said_error() const noexcept { return said(vfs::log_level::error, ""); }
  [[nodiscard]] std::string log() const;
  [[nodiscard]] const std::vector<difference>& differences() const noexcept { return judge_.differences(); }

 private:
  struct log_line {
    vfs::log_level level;
    std::string text;
  };
  // A regular file to be read.
  struct open_file {
    const std::string& path;
    int fd;
    loff_t size;
  };

  // ---- tour.cc
  void list_all();
  void list(const std::string& directory, int depth);

  // ---- tour_reading.cc
  void read_one(const std::string& path);
  void read_regular(const std::string& path, loff_t size);
  [[nodiscard]] std::size_t read_at(const open_file& f, loff_t pos);
  void read_through(const open_file& f);
  void read_stretches(const open_file& f);
  void load_mapped(const open_file& f, loff_t from, std::size_t bytes);
  // JUDGE hears of them, if there is one.
  std::vector<std::string> read_attributes(const std::string& path, contents_judge* judge);

  // ---- tour_changing.cc
  void make_files_in(const std::string& directory);
  void change_one(const std::string& path);
  void change_ranges(int fd);
  void store_mapped(const std::string& path, int fd);
  void change_attributes(const std::string& path);
  void remove_attributes(const std::string& path);

  dev::device& device_;
  contents_judge judge_;
  std::string failure_;
  std::vector<log_line> log_;
  std::vector<std::string> paths_;  // what was listed, as far as it is looked at
  paths names_, listed_to_the_end_;
  std::unique_ptr<vfs::kernel> kernel_;
  vfs::task* task_ = nullptr;
};

}  // namespace xip::hostile

// What calls may answer, whatever is damaged.
#pragma once

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include <xip/mm/mm.h>

namespace xip::hostile {

// All that a call on attributes has to say. ENOENT: a listed name that lies where nobody looks for it.
template <class Result>
void expect_answer(const Result& done, const std::string& path, std::string_view name) {
  constexpr std::array answers{ENOENT, ENODATA, ERANGE, EOPNOTSUPP, EPERM, EACCES, ENOSPC, EROFS, EUCLEAN, EIO};
  EXPECT_TRUE(done || std::ranges::find(answers, done.error().number()) != answers.end())
      << path << " " << name << ": " << done.error().name();
}

// An access to a mapping that is there and allows it. Memory is never the reason.
inline void expect_done_or_sigbus(const mm::access_result& ended, const std::string& path) {
  EXPECT_TRUE(ended || ended.error().signal == mm::access_signal::bus_adrerr) << path << " was signalled otherwise than by SIGBUS";
}

}  // namespace xip::hostile

// The verb that measures.
#pragma once

namespace xip::tool {

struct bench_bed;
int bench_main(int argc, char** argv);

}  // namespace xip::tool

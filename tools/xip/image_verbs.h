// The verbs that work on one image. Each takes the arguments from its own name on and answers with an exit code.
#pragma once

namespace xip::tool {

int cat_main(int argc, char** argv);
int cp_main(int argc, char** argv);
int df_main(int argc, char** argv);
int fallocate_main(int argc, char** argv);
int ls_main(int argc, char** argv);
int map_main(int argc, char** argv);
int mkdir_main(int argc, char** argv);
int rm_main(int argc, char** argv);
int stat_main(int argc, char** argv);
int truncate_main(int argc, char** argv);

}  // namespace xip::tool

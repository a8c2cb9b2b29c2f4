// The verbs of `xip`: a file each, and a line in the table of main.cc.
#pragma once

namespace xip::tool {

// ARGV[0] is the verb. The answer is the exit code: 0 all well, 1 it failed, 2 wrong usage, 3 something is missing here.
struct verb {
  const char* name;
  const char* help;  // one line
  int (*run)(int argc, char** argv);
};

int bench_verb(int argc, char** argv);
int cat_verb(int argc, char** argv);
int check_verb(int argc, char** argv);
int cp_verb(int argc, char** argv);
int crash_verb(int argc, char** argv);
int df_verb(int argc, char** argv);
int exhibits_verb(int argc, char** argv);
int explore_verb(int argc, char** argv);
int fallocate_verb(int argc, char** argv);
int getfattr_verb(int argc, char** argv);
int ls_verb(int argc, char** argv);
int map_verb(int argc, char** argv);
int mkdir_verb(int argc, char** argv);
int mount_verb(int argc, char** argv);
int rm_verb(int argc, char** argv);
int setfattr_verb(int argc, char** argv);
int stat_verb(int argc, char** argv);
int truncate_verb(int argc, char** argv);

}  // namespace xip::tool

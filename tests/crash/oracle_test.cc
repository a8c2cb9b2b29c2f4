// What may be found after a crash, of trees made by hand; and what files should have without one.
#include <sys/stat.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "crash/content_model.h"
#include "crash/file_flags.h"
#include "crash/oracle.h"
#include "crash/play.h"

namespace xip::crash::test {
namespace {

using testing::HasSubstr;

std::vector<std::byte> bytes_of(std::string_view text) {
  const auto raw = std::as_bytes(std::span{text});
  return {raw.begin(), raw.end()};
}

struct named_file {
  std::string name;
  std::uint64_t ino;
  std::string content;
};

tree tree_of(const std::vector<named_file>& files) {
  tree t;
  t.names[""] = 2;
  t.nodes[2] = {.mode = S_IFDIR | 0755, .nlink = 2, .names = {""}};
  for (const named_file& f : files) {
    t.names[f.name] = f.ino;
    tree_node& n = t.nodes[f.ino];
    n.mode = S_IFREG | 0644;
    ++n.nlink;
    n.size = static_cast<std::int64_t>(f.content.size());
    n.names.push_back(f.name);
    n.data = bytes_of(f.content);
  }
  return t;
}

step step_of(std::string_view text) { return parse_workload("test", text).value().steps.front(); }

// Two files are made, the second one is synced: that syncs the first one's name too.
class TwoFiles : public testing::Test {
 protected:
  TwoFiles() {
    o.start(tree_of({}));
    o.add(step_of("creat a"), durability::nothing, 12, tree_of({{"a", 12, ""}}));
    o.add(step_of("creat b"), durability::nothing, 13, tree_of({{"a", 12, ""}, {"b", 13, ""}}));
    o.add(step_of("fsync b"), durability::file, 13, tree_of({{"a", 12, ""}, {"b", 13, ""}}));
    o.add(step_of("unlink a"), durability::nothing, 0, tree_of({{"b", 13, ""}}));
  }
  oracle o;
};

TEST_F(TwoFiles, AreThereUpToSomeStep) {
  for (const auto& files : {std::vector<named_file>{}, {{"a", 12, ""}}, {{"a", 12, ""}, {"b", 13, ""}}}) {
    EXPECT_EQ(o.judge(tree_of(files), 0, 2), "");
    EXPECT_EQ(o.judge(tree_of(files), 2, 2), "");
  }
  EXPECT_THAT(o.judge(tree_of({{"b", 13, ""}}), 2, 2), HasSubstr("/a is missing"));
  EXPECT_THAT(o.judge(tree_of({{"a", 12, ""}}), 0, 0), HasSubstr("before the first step: /a (inode 12) should not be there"));
}

TEST_F(TwoFiles, AreBothThereAfterAnFsyncOfTheSecond) {
  EXPECT_EQ(o.judge(tree_of({{"a", 12, ""}, {"b", 13, ""}}), 3, 3), "");
  EXPECT_THAT(o.judge(tree_of({{"a", 12, ""}}), 3, 3), HasSubstr("/b is missing"));
  EXPECT_EQ(o.judge(tree_of({{"b", 13, ""}}), 3, 4), "");
}

TEST_F(TwoFiles, AreTheInodesThatTheyWere) {
  EXPECT_THAT(o.judge(tree_of({{"a", 13, ""}, {"b", 12, ""}}), 3, 3), HasSubstr("/a is inode 13 in place of 12"));
}

class OneFile : public testing::Test {
 protected:
  void run(durability first, durability second) {
    o.start(tree_of({{"a", 12, "oldoldoloddoddod"}}));
    o.add(step_of("write a 0 16"), first, 12, tree_of({{"a", 12, "newnewne00000000"}}));
    o.add(step_of("write a 0 24"), second, 12, tree_of({{"a", 12, "thirdthisecondsethethethe"}}));
  }
  std::string judge(const char* content, std::uint32_t finished, std::uint32_t begun) {
    return o.judge(tree_of({{"a", 12, content}}), finished, begun);
  }
  oracle o;
};

TEST_F(OneFile, HasWordsOfAnyCallSinceItWasSynced) {
  run(durability::nothing, durability::nothing);
  EXPECT_EQ(judge("oldoldol00000000", 0, 1), "");
  EXPECT_EQ(judge("newnewneoddoddod", 2, 2), "");
  EXPECT_THAT(judge("oldnewneoddoddod", 1, 1), HasSubstr("/a has 6f6c646e65776e65 at byte 0"));
  EXPECT_THAT(judge("strangerstranger", 1, 1), HasSubstr("at byte 0"));
}

TEST_F(OneFile, HasWhatWasSynced) {
  run(durability::data, durability::nothing);
  EXPECT_THAT(judge("oldoldol00000000", 1, 1), HasSubstr("since 'after step 1 (write a 0 16)' nothing was there but 6e65776e65776e65"));
  EXPECT_EQ(judge("newnewne00000000", 1, 1), "");
}

TEST_F(OneFile, MayHaveGrownHalfway) {
  run(durability::nothing, durability::nothing);
  EXPECT_EQ(judge("thirdthisecondsethe", 1, 2), "");
  EXPECT_THAT(judge("thirdthisecond", 1, 2), HasSubstr("/a is"));
}

// Its times are those of its last change, in nanoseconds.
class TimedFile : public testing::Test {
 protected:
  static tree at(std::int64_t mtime, std::int64_t ctime, const char* content = "12345678") {
    tree t = tree_of({{"a", 12, content}});
    t.nodes[12].mtime = mtime, t.nodes[12].ctime = ctime;
    return t;
  }
  // Written, synced in this way, and written again.
  void run(durability synced) {
    o.start(at(10, 10));
    o.add(step_of("write a 0 8"), durability::nothing, 12, at(20, 20));
    o.add(step_of("fsync a"), synced, 12, at(20, 20));
    o.add(step_of("write a 0 8"), durability::nothing, 12, at(30, 30));
  }
  oracle o;
};

TEST_F(TimedFile, IsNoOlderThanItsFsync) {
  run(durability::file);
  EXPECT_TRUE(o.judges_times_of(12));
  EXPECT_FALSE(o.judges_times_of(13));
  EXPECT_EQ(o.judge(at(10, 10), 1, 2), "") << "while it is in progress";
  EXPECT_EQ(o.judge(at(20, 20), 2, 2), "");
  EXPECT_THAT(o.judge(at(10, 20), 2, 2), HasSubstr("/a has mtime 0.000000010 and ctime 0.000000020, and since 'after step 2 (fsync a)'"));
  EXPECT_THAT(o.judge(at(20, 10), 2, 2), HasSubstr("/a has mtime"));
  EXPECT_THAT(o.judge(at(10, 10), 3, 3), HasSubstr("/a has mtime"));
}

TEST_F(TimedFile, IsNoNewerThanItsLastChange) {
  run(durability::file);
  EXPECT_EQ(o.judge(at(30, 30), 2, 3), "");
  EXPECT_THAT(o.judge(at(30, 30), 2, 2), HasSubstr("/a has mtime"));
  EXPECT_THAT(o.judge(at(30, 31), 2, 3), HasSubstr("/a has mtime"));
}

TEST_F(TimedFile, MayBeOlderThanItsFdatasync) {
  run(durability::data);
  EXPECT_FALSE(o.judges_times_of(12));
  EXPECT_EQ(o.judge(at(10, 10), 2, 2), "");
}

TEST_F(TimedFile, IsSyncedWithEverything) {
  run(durability::everything);
  EXPECT_TRUE(o.judges_times_of(13));
  EXPECT_THAT(o.judge(at(10, 10), 2, 2), HasSubstr("/a has mtime"));
  EXPECT_EQ(o.judge(at(20, 20), 2, 2), "");
}

// The file that has its number now is another one.
TEST_F(TimedFile, IsForgottenWhenItIsGone) {
  run(durability::file);
  o.add(step_of("unlink a"), durability::nothing, 0, tree_of({}));
  o.add(step_of("creat a"), durability::nothing, 12, at(5, 5));
  EXPECT_EQ(o.judge(at(5, 5), 5, 5), "");
  EXPECT_THAT(o.judge(at(5, 5), 3, 3), HasSubstr("/a has mtime"));
}

// In the directory A each change of a name lasts when its call returns.
class LastingNames : public testing::Test {
 protected:
  static tree with(const std::vector<named_file>& files, std::uint32_t flags) {
    tree t = tree_of(files);
    t.names["A"] = 11;
    t.nodes[11] = {.mode = S_IFDIR | 0755, .nlink = 2, .flags = flags, .names = {"A"}};
    return t;
  }
  void run(std::uint32_t flags, names_last names = names_last::as_flagged) {
    o.start(with({}, flags), numbering::same, names);
    o.add(step_of("creat A/a"), durability::nothing, 12, with({{"A/a", 12, ""}}, flags));
    o.add(step_of("creat A/a"), durability::nothing, 12, with({{"A/a", 12, ""}}, flags));
    o.add(step_of("rename A/a b"), durability::nothing, 0, with({{"b", 12, ""}}, flags));
    o.add(step_of("rename b c"), durability::nothing, 0, with({{"c", 12, ""}}, flags));
  }
  oracle o;
};

TEST_F(LastingNames, AreThereWhenTheirCallHasReturned) {
  for (const std::uint32_t flags : {syncs_flag, syncs_names_flag}) {
    run(flags);
    EXPECT_EQ(o.judge(with({}, flags), 0, 1), "");
    EXPECT_THAT(o.judge(with({}, flags), 1, 1), HasSubstr("/A/a is missing"));
    EXPECT_EQ(o.judge(with({{"A/a", 12, ""}}, flags), 2, 3), "");
    EXPECT_THAT(o.judge(with({{"A/a", 12, ""}}, flags), 3, 3), HasSubstr("/b is missing")) << "it left the directory";
    EXPECT_EQ(o.judge(with({{"b", 12, ""}}, flags), 4, 4), "") << "the root has no such flag";
  }
}

TEST_F(LastingNames, AreThoseOfFlaggedDirectories) {
  run(0);
  EXPECT_EQ(o.judge(with({}, 0), 4, 4), "");
  run(0, names_last::everywhere);
  EXPECT_THAT(o.judge(with({{"b", 12, ""}}, 0), 4, 4), HasSubstr("/c is missing"));
}

TEST_F(LastingNames, NeedAFlagThatIsFoundAgain) {
  run(syncs_flag);
  EXPECT_THAT(o.judge(with({{"A/a", 12, ""}}, 0), 1, 1), HasSubstr("/A has flags 0x0, and should have 0x8"));
}

// What changes nothing makes nothing durable.
TEST_F(LastingNames, AreNotSyncedByACallThatChangesNone) {
  o.start(with({}, 0));
  o.add(step_of("creat A/a"), durability::nothing, 12, with({{"A/a", 12, ""}}, 0));
  o.add(step_of("chattr A S"), durability::nothing, 11, with({{"A/a", 12, ""}}, syncs_flag));
  o.add(step_of("creat A/a"), durability::nothing, 12, with({{"A/a", 12, ""}}, syncs_flag));
  EXPECT_EQ(o.judge(with({}, 0), 3, 3), "");
}

// Two that hold the same to a reader of names, and two that do not.
TEST(Shape, IsOfNamesAndAttributes) {
  const tree one = tree_of({{"a", 12, "1234"}});
  EXPECT_EQ(shape_of(one), shape_of(tree_of({{"a", 12, "5678"}})));
  EXPECT_NE(shape_of(one), shape_of(tree_of({{"a", 12, "12345"}})));
  EXPECT_NE(shape_of(one), shape_of(tree_of({{"b", 12, "1234"}})));
  tree with = one;
  with.nodes[12].xattrs["user.a"] = "1";
  tree other = with;
  other.nodes[12].xattrs["user.a"] = "2";
  EXPECT_NE(shape_of(with), shape_of(one));
  EXPECT_NE(shape_of(with), shape_of(other));
}

// A file of four words. Something is put over the second one, a range goes or comes at the first one's end, then over the second one again.
class MovedFile : public testing::Test {
 protected:
  static constexpr const char* old = "firsttwosecondtwthirdtwofourthtw";

  void add(std::string_view text, const std::string& content, durability made = durability::nothing) {
    o.add(step_of(text), made, 12, tree_of({{"a", 12, content}}));
  }
  void collapse(durability made = durability::nothing) {
    o.start(tree_of({{"a", 12, old}}));
    add("write a 16 8", "firsttwosecondtwTHIRDTWOfourthtw");
    add("falloc a 8 8 collapse", "firsttwoTHIRDTWOfourthtw", made);
    add("write a 0 16", "FIRSTTWOoverthirfourthtw");
  }
  void insert() {
    o.start(tree_of({{"a", 12, old}}));
    add("write a 16 8", "firsttwosecondtwTHIRDTWOfourthtw");
    add("falloc a 8 8 insert", "firsttwo" + zeros + "secondtwTHIRDTWOfourthtw");
    add("write a 0 24", "FIRSTTWOfreshtwooversecoTHIRDTWOfourthtw");
  }
  std::string judge(const std::string& content, std::uint32_t finished, std::uint32_t begun) {
    return o.judge(tree_of({{"a", 12, content}}), finished, begun);
  }
  const std::string zeros = std::string(8, '\0');
  oracle o;
};

TEST_F(MovedFile, IsLaidOutAsBeforeOrAsBehind) {
  collapse();
  EXPECT_EQ(judge(old, 1, 2), "");
  EXPECT_EQ(judge("firsttwosecondtwTHIRDTWOfourthtw", 1, 2), "");
  EXPECT_EQ(judge("firsttwoTHIRDTWOfourthtw", 1, 2), "");
  EXPECT_THAT(judge("firsttwosecondtwTHIRDTWO", 1, 2), HasSubstr("/a has")) << "the size without the move";
  EXPECT_THAT(judge("firsttwoTHIRDTWOfourthtw" + zeros, 1, 2), HasSubstr("/a has")) << "the move without the size";
  EXPECT_THAT(judge("firsttwo" + zeros + "THIRDTWOfourthtw", 1, 2), HasSubstr("/a has")) << "the hole alone";
  EXPECT_THAT(judge("firsttwoTHIRDTWOfour", 1, 2), HasSubstr("/a is")) << "halfway";
  EXPECT_THAT(judge("firsttwosecondtwTHIRDTWO", 2, 2), HasSubstr("/a has"));
}

TEST_F(MovedFile, IsMadeLongerAtOnce) {
  insert();
  EXPECT_EQ(judge(old, 1, 2), "");
  EXPECT_EQ(judge("firsttwo" + zeros + "secondtwTHIRDTWOfourthtw", 1, 2), "");
  EXPECT_THAT(judge("firsttwosecondtwTHIRDTWOfourthtw" + zeros, 1, 2), HasSubstr("/a has")) << "the size without the move";
  EXPECT_THAT(judge("firsttwo" + zeros + "secondtwTHIRDTWO", 1, 2), HasSubstr("/a has")) << "the move without the size";
  EXPECT_THAT(judge("firsttwosecondtwTHIRDTWOfourthtw1234", 1, 2), HasSubstr("/a is")) << "halfway";
}

// What had not arrived when the file moved has moved with it.
TEST_F(MovedFile, HasAtTheirNewPlaceWordsOfCallsBefore) {
  collapse();
  EXPECT_EQ(judge("firsttwothirdtwofourthtw", 2, 2), "");
  insert();
  EXPECT_EQ(judge("firsttwo" + zeros + "secondtwthirdtwofourthtw", 2, 2), "");
  EXPECT_THAT(judge("firsttwosecondtwsecondtwthirdtwofourthtw", 2, 2), HasSubstr("nothing was there but 0000000000000000"));
}

TEST_F(MovedFile, HasWhatWasWrittenBehindTheMoveWhereItWasWritten) {
  collapse();
  EXPECT_EQ(judge("FIRSTTWOTHIRDTWOfourthtw", 3, 3), "");
  EXPECT_EQ(judge("FIRSTTWOsecondtwTHIRDTWOfourthtw", 3, 3), "") << "before the range nothing has moved";
  EXPECT_THAT(judge("firsttwosecondtwoverthirfourthtw", 3, 3), HasSubstr("at byte 16")) << "over the third word where it had been";
  EXPECT_THAT(judge("firsttwooverthirTHIRDTWOfourthtw", 3, 3), HasSubstr("at byte 8")) << "in a block that is gone";
  insert();
  EXPECT_THAT(judge("firsttwoovesecoTHIRDTWOfourthtw", 3, 3), HasSubstr("/a is"));
  EXPECT_THAT(judge("firsttwooversecoTHIRDTWOfourthtw", 3, 3), HasSubstr("at byte 8"));
}

TEST_F(MovedFile, IsNotMovedBackOnceItWasSynced) {
  collapse(durability::data);
  EXPECT_THAT(judge(old, 2, 2), HasSubstr("/a is"));
  EXPECT_THAT(judge("firsttwothirdtwofourthtw", 2, 2), HasSubstr("at byte 8"));
}

// A call that was refused has moved nothing.
TEST(Refused, MovesNothing) {
  oracle o;
  o.start(tree_of({{"a", 12, "firsttwosecondtw"}}));
  o.add(step_of("falloc a 8 8 collapse"), durability::nothing, 12, tree_of({{"a", 12, "firsttwosecondtw"}}));
  o.add(step_of("write a 8 8"), durability::nothing, 12, tree_of({{"a", 12, "firsttwooverseco"}}));
  EXPECT_EQ(o.judge(tree_of({{"a", 12, "firsttwooverseco"}}), 2, 2), "");
}

TEST(Punched, MayBePartlyZeros) {
  oracle o;
  o.start(tree_of({{"a", 12, "firsttwosecondtwthirdtwo"}}));
  const std::string zeros(8, '\0');
  o.add(step_of("falloc a 0 16 punch"), durability::nothing, 12, tree_of({{"a", 12, zeros + zeros + "thirdtwo"}}));
  EXPECT_EQ(o.judge(tree_of({{"a", 12, "firsttwo" + zeros + "thirdtwo"}}), 0, 1), "");
  EXPECT_EQ(o.judge(tree_of({{"a", 12, zeros + "secondtwthirdtwo"}}), 1, 1), "");
  EXPECT_THAT(o.judge(tree_of({{"a", 12, zeros + zeros + zeros}}), 0, 1), HasSubstr("at byte 16"));
  EXPECT_THAT(o.judge(tree_of({{"a", 12, zeros + zeros}}), 0, 1), HasSubstr("/a is"));
}

// The zeros are a change of metadata that a crash takes back, the bytes that were written into them went to the medium at once.
TEST(Zeroed, MayHaveOldAndNewBytesInAWord) {
  oracle o;
  o.start(tree_of({{"a", 12, "firsttwosecondtwthirdtwo"}}));
  const std::string zeros(16, '\0'), few(4, '\0');
  o.add(step_of("falloc a 0 16 zero"), durability::nothing, 12, tree_of({{"a", 12, zeros + "thirdtwo"}}));
  o.add(step_of("write a 0 4"), durability::nothing, 12, tree_of({{"a", 12, "OVER" + few + zeros.substr(8) + "thirdtwo"}}));
  o.add(step_of("write a 16 4"), durability::nothing, 12, tree_of({{"a", 12, "OVER" + few + zeros.substr(8) + "THIRdtwo"}}));
  EXPECT_EQ(o.judge(tree_of({{"a", 12, "OVERttwosecondtwthirdtwo"}}), 2, 2), "");
  EXPECT_EQ(o.judge(tree_of({{"a", 12, "OVER" + few + "secondtwthirdtwo"}}), 2, 2), "");
  EXPECT_THAT(o.judge(tree_of({{"a", 12, "OVERttwXsecondtwthirdtwo"}}), 2, 2), HasSubstr("at byte 0"));
  EXPECT_THAT(o.judge(tree_of({{"a", 12, "firsttwosecondtwTHirdtwo"}}), 3, 3), HasSubstr("at byte 16")) << "outside of the range";
}

TEST(Zeroed, HasWordsOnceItWasSynced) {
  oracle o;
  o.start(tree_of({{"a", 12, "firsttwosecondtw"}}));
  const std::string zeros(8, '\0'), few(4, '\0');
  o.add(step_of("falloc a 0 8 zero"), durability::data, 12, tree_of({{"a", 12, zeros + "secondtw"}}));
  o.add(step_of("write a 0 4"), durability::nothing, 12, tree_of({{"a", 12, "OVER" + few + "secondtw"}}));
  EXPECT_EQ(o.judge(tree_of({{"a", 12, "OVER" + few + "secondtw"}}), 2, 2), "");
  EXPECT_THAT(o.judge(tree_of({{"a", 12, "OV" + zeros.substr(2) + "secondtw"}}), 2, 2), HasSubstr("at byte 0"));
}

// A program has flushed one word through MAP_SYNC. What was stored beside it before, and written behind it, may be lost.
TEST(Stored, IsDurableByItself) {
  oracle o;
  o.start(tree_of({{"a", 12, "firsttwosecondtwthirdtwo"}}));
  o.add(step_of("store a 0 8"), durability::nothing, 12, tree_of({{"a", 12, "FIRSTTWOsecondtwthirdtwo"}}));
  o.add(step_of("store a 8 8 sync"), durability::own_bytes, 12, tree_of({{"a", 12, "FIRSTTWOSECONDTWthirdtwo"}}));
  o.add(step_of("write a 16 8"), durability::nothing, 12, tree_of({{"a", 12, "FIRSTTWOSECONDTWTHIRDTWO"}}));
  EXPECT_EQ(o.judge(tree_of({{"a", 12, "firsttwoSECONDTWthirdtwo"}}), 3, 3), "");
  EXPECT_EQ(o.judge(tree_of({{"a", 12, "FIRSTTWOSECONDTWTHIRDTWO"}}), 3, 3), "");
  EXPECT_EQ(o.judge(tree_of({{"a", 12, "firsttwosecondtwthirdtwo"}}), 1, 2), "") << "while it is in progress";
  EXPECT_THAT(o.judge(tree_of({{"a", 12, "FIRSTTWOsecondtwTHIRDTWO"}}), 2, 3), HasSubstr("at byte 8, and since 'after step 2"));
}

// A mapping of a page that the file has not reached would have been of no use: with the bytes the file is there, and as long as they lie in it.
TEST(Stored, IsInAFileThatReachesIt) {
  const std::string less(24, 's'), more = less + std::string(8192 - 24, '\0');
  std::string stored = more;
  stored.replace(4104, 8, "THESTORE");
  oracle o;
  o.start(tree_of({{"a", 12, less}}));
  o.add(step_of("truncate a 8192"), durability::nothing, 12, tree_of({{"a", 12, more}}));
  o.add(step_of("store a 4104 8 sync"), durability::own_bytes, 12, tree_of({{"a", 12, stored}}));
  EXPECT_EQ(o.judge(tree_of({{"a", 12, stored}}), 2, 2), "");
  EXPECT_THAT(o.judge(tree_of({{"a", 12, less}}), 2, 2), HasSubstr("0:0 24', and should be"));
  EXPECT_THAT(o.judge(tree_of({}), 2, 2), HasSubstr("/a is missing"));
}

// The page was mapped when the file ended in it, and needed no fault afterwards.
TEST(Stored, DoesNotSyncASizeInItsPage) {
  const std::string less(24, 's'), more = less + std::string(40, '\0');
  oracle o;
  o.start(tree_of({{"a", 12, less}}));
  o.add(step_of("truncate a 64"), durability::nothing, 12, tree_of({{"a", 12, more}}));
  o.add(step_of("store a 32 8 sync"), durability::own_bytes, 12, tree_of({{"a", 12, std::string{more}.replace(32, 8, "THESTORE")}}));
  EXPECT_EQ(o.judge(tree_of({{"a", 12, less}}), 2, 2), "");
}

TEST(Stored, IsNotSyncedByAWriteBesideIt) {
  oracle o;
  o.start(tree_of({{"a", 12, "firsttwo"}}));
  o.add(step_of("store a 0 8"), durability::nothing, 12, tree_of({{"a", 12, "FIRSTTWO"}}));
  o.add(step_of("write a 8 8 dsync"), durability::data, 12, tree_of({{"a", 12, "FIRSTTWOthethird"}}), synced_bytes::own);
  EXPECT_EQ(o.judge(tree_of({{"a", 12, "firsttwothethird"}}), 2, 2), "");
  EXPECT_THAT(o.judge(tree_of({{"a", 12, "FIRSTTWO"}}), 2, 2), HasSubstr("0:0 8', and should be"));
  EXPECT_THAT(o.judge(tree_of({{"a", 12, "FIRSTTWOTHETHIRD"}}), 2, 2), HasSubstr("at byte 8"));
}

TEST(Stored, IsWhereItHasMovedTo) {
  oracle o;
  o.start(tree_of({{"a", 12, "firsttwosecondtwthirdtwo"}}));
  o.add(step_of("store a 16 8 sync"), durability::own_bytes, 12, tree_of({{"a", 12, "firsttwosecondtwTHIRDTWO"}}));
  o.add(step_of("falloc a 8 8 collapse"), durability::nothing, 12, tree_of({{"a", 12, "firsttwoTHIRDTWO"}}));
  EXPECT_EQ(o.judge(tree_of({{"a", 12, "firsttwosecondtwTHIRDTWO"}}), 2, 2), "");
  EXPECT_EQ(o.judge(tree_of({{"a", 12, "firsttwoTHIRDTWO"}}), 2, 2), "");
  EXPECT_THAT(o.judge(tree_of({{"a", 12, "firsttwosecondtwthirdtwo"}}), 2, 2), HasSubstr("at byte 16"));
  EXPECT_THAT(o.judge(tree_of({{"a", 12, "firsttwothirdtwo"}}), 2, 2), HasSubstr("at byte 8"));
}

// Inode 12 is freed and becomes another file: what that one holds is no content of the first.
TEST(TwoLives, OfOneInodeAreTwoFiles) {
  oracle o;
  o.start(tree_of({{"a", 12, "firstone"}}));
  o.add(step_of("unlink a"), durability::nothing, 0, tree_of({}));
  o.add(step_of("creat b"), durability::nothing, 12, tree_of({{"b", 12, ""}}));
  o.add(step_of("write b 0 8"), durability::nothing, 12, tree_of({{"b", 12, "thenext!"}}));
  EXPECT_EQ(o.judge(tree_of({{"a", 12, "firstone"}}), 3, 3), "");
  EXPECT_THAT(o.judge(tree_of({{"a", 12, "thenext!"}}), 3, 3), HasSubstr("/a has"));
  EXPECT_EQ(o.judge(tree_of({{"b", 12, "thenext!"}}), 3, 3), "");
}

// Two tasks make a file each. Which of them got its number first is not told by the order in which the names came.
class TwoTasks : public testing::Test {
 protected:
  TwoTasks() {
    o.start(tree_of({{"old", 12, "old"}}), numbering::by_name);
    o.add(step_of("creat a"), durability::nothing, 13, tree_of({{"old", 12, "old"}, {"a", 13, ""}}));
    o.add(step_of("creat b"), durability::nothing, 14, tree_of({{"old", 12, "old"}, {"a", 13, ""}, {"b", 14, ""}}));
    o.add(step_of("fsync b"), durability::file, 14, tree_of({{"old", 12, "old"}, {"a", 13, ""}, {"b", 14, ""}}));
  }
  std::string judge(const std::vector<named_file>& files, const std::vector<step_time>& times) { return o.judge(tree_of(files), times); }
  oracle o;
};

TEST_F(TwoTasks, KnowNewFilesByTheirNames) {
  EXPECT_EQ(judge({{"old", 12, "old"}, {"a", 14, ""}, {"b", 13, ""}}, {{0, 1}, {2, 3}, {4, 5}}), "");
  EXPECT_THAT(judge({{"old", 12, "old"}, {"a", 13, ""}, {"b", 13, ""}}, {{0, 1}, {2, 3}, {4, 5}}), HasSubstr("/b is inode"));
  EXPECT_THAT(judge({{"old", 13, "old"}, {"a", 12, ""}, {"b", 14, ""}}, {{0, 1}, {2, 3}, {4, 5}}), HasSubstr("/old is inode"));
  EXPECT_EQ(o.differs(tree_of({{"old", 12, "old"}, {"a", 14, ""}, {"b", 13, ""}})), "");
  EXPECT_THAT(o.differs(tree_of({{"old", 12, "old"}, {"a", 14, ""}})), HasSubstr("/b is missing"));
  EXPECT_THAT(o.differs(tree_of({{"old", 12, "new"}, {"a", 14, ""}, {"b", 13, ""}})), HasSubstr("/old has"));
}

// Only who has ended has promised anything, whatever his place in the order.
TEST_F(TwoTasks, PromiseWhatTheyHaveEnded) {
  EXPECT_EQ(judge({{"old", 12, "old"}}, {{0}, {1, 2}, {3}}), "");
  EXPECT_THAT(judge({{"old", 12, "old"}}, {{0}, {1, 2}, {3, 4}}), HasSubstr("/a is missing"));
}

// A write in progress may have got halfway though another task's, which comes behind it in the order, is there.
TEST(Growing, MayBeDoneHalfwayByTwoTasksAtOnce) {
  oracle o;
  o.start(tree_of({{"a", 12, ""}, {"b", 13, ""}}), numbering::by_name);
  o.add(step_of("write a 0 8"), durability::nothing, 12, tree_of({{"a", 12, "12345678"}, {"b", 13, ""}}));
  o.add(step_of("write b 0 8"), durability::nothing, 13, tree_of({{"a", 12, "12345678"}, {"b", 13, "12345678"}}));
  const tree halfway = tree_of({{"a", 12, "1234"}, {"b", 13, "1234"}});
  EXPECT_EQ(o.judge(halfway, std::vector<step_time>{{0}, {1}}), "");
  EXPECT_THAT(o.judge(halfway, std::vector<step_time>{{0, 1}, {2}}), HasSubstr("is '-0644"));
}

std::string written(std::size_t number, std::int64_t from, std::int64_t to) {
  std::string text;
  for (std::int64_t at = from; at < to; ++at) text += static_cast<char>(written_byte(number, at));
  return text;
}

TEST(ContentModel, FollowsTheCalls) {
  content_model m;
  m.start(tree_of({{"a", 12, "1234567"}}));
  EXPECT_EQ(m.follow(step_of("write a 2 3"), 0, false, 12, tree_of({{"a", 12, "12" + written(0, 2, 5) + "67"}})), "");
  EXPECT_EQ(m.follow(step_of("truncate a 3"), 1, false, 12, tree_of({{"a", 12, "12" + written(0, 2, 3)}})), "");
  const std::string grown = "12" + written(0, 2, 3) + std::string(2, '\0');
  EXPECT_EQ(m.follow(step_of("falloc a 1 4"), 2, false, 12, tree_of({{"a", 12, grown}})), "");
  EXPECT_EQ(m.follow(step_of("write a 0 2 append"), 3, true, 12, tree_of({{"a", 12, grown + written(3, 0, 2)}})), "");
  EXPECT_EQ(m.follow(step_of("creat b"), 4, false, 13, tree_of({{"a", 12, grown + written(3, 0, 2)}, {"b", 13, ""}})), "");
}

TEST(ContentModel, FollowsStoresUpToTheEnd) {
  content_model m;
  m.start(tree_of({{"a", 12, "1234567"}}));
  EXPECT_EQ(m.follow(step_of("store a 2 3"), 0, false, 12, tree_of({{"a", 12, "12" + written(0, 2, 5) + "67"}})), "");
  EXPECT_EQ(m.follow(step_of("store a 5 9"), 1, false, 12, tree_of({{"a", 12, "12" + written(0, 2, 5) + written(1, 5, 7)}})), "");
}

TEST(ContentModel, FollowsRanges) {
  content_model m;
  const auto follows = [&m](const char* text, const std::string& content) {
    return m.follow(step_of(text), 0, false, 12, tree_of({{"a", 12, content}}));
  };
  const auto zeros = [](std::size_t count) { return std::string(count, '\0'); };
  m.start(tree_of({{"a", 12, "123456789"}}));
  EXPECT_EQ(follows("falloc a 2 3 punch", "12" + zeros(3) + "6789"), "");
  EXPECT_EQ(follows("falloc a 7 9 punch", "12" + zeros(3) + "67" + zeros(2)), "") << "the size stays";
  EXPECT_EQ(follows("falloc a 20 9 punch", "12" + zeros(3) + "67" + zeros(2)), "");
  EXPECT_EQ(follows("falloc a 1 1 zero", "1" + zeros(4) + "67" + zeros(2)), "");
  EXPECT_EQ(follows("falloc a 6 9 zero keep_size", "1" + zeros(4) + "6" + zeros(3)), "");
  EXPECT_EQ(follows("falloc a 5 6 zero", "1" + zeros(10)), "");
  EXPECT_EQ(follows("falloc a 12 2 zero", "1" + zeros(13)), "") << "from behind the end on";
  m.start(tree_of({{"a", 12, "123456789"}}));
  EXPECT_EQ(follows("falloc a 2 3 collapse", "126789"), "");
  EXPECT_EQ(follows("falloc a 4 2 insert", "1267" + zeros(2) + "89"), "");
  EXPECT_EQ(follows("falloc a 0 1 insert", zeros(1) + "1267" + zeros(2) + "89"), "");
  EXPECT_EQ(follows("falloc a 0 1 collapse", "1267" + zeros(1) + "89"),
            "behind 'falloc a 0 1 collapse', without a crash, /a has 7 bytes in place of 8");
}

TEST(ContentModel, SeesWhatNobodyWrote) {
  content_model m;
  m.start(tree_of({{"a", 12, "1234567"}}));
  EXPECT_EQ(m.follow(step_of("truncate a 3"), 0, false, 12, tree_of({{"a", 12, "12x"}})),
            "behind 'truncate a 3', without a crash, /a has at byte 2 78 in place of 33");
  EXPECT_EQ(m.follow(step_of("sync"), 1, false, 0, tree_of({{"a", 12, "12"}})),
            "behind 'sync', without a crash, /a has 2 bytes in place of 3");
}

}  // namespace
}  // namespace xip::crash::test

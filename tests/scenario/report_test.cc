// Machine-readable reports, and the data that describes itself.
#include <nlohmann/json.hpp>

#include "scenario/check_fixture.h"
#include "scenario/subprocess.h"

namespace xip::scenario {
namespace {

using testing::HasSubstr;

TEST_F(CheckCommand, PrintsJsonWithAllThatTheLinesSay) {
  const called c = on_memory({"plant/001", "plant/002", "plant/004", "plant/010", "--json"});
  EXPECT_EQ(c.exit_code, 1);
  const auto all = nlohmann::json::parse(c.out, nullptr, false);
  ASSERT_TRUE(all.is_object()) << c.out;
  EXPECT_EQ(all["passed"], 1);
  EXPECT_EQ(all["failed"], 2);
  EXPECT_EQ(all["skipped"], 1);
  ASSERT_EQ(all["scenarios"].size(), 4u);
  EXPECT_EQ(all["scenarios"][0]["status"], "passed");
  EXPECT_EQ(all["scenarios"][1]["failures"][0]["expected"], "42");
  EXPECT_EQ(all["scenarios"][1]["failures"][0]["found"], "41");
  EXPECT_TRUE(std::filesystem::exists(all["scenarios"][1]["image"].get<std::string>()));
  EXPECT_EQ(all["scenarios"][2]["why"], "the moon is full");
}

TEST_F(CheckCommand, WritesJUnitThatAnXmlParserTakes) {
  const std::string file = in_directory("junit.xml");
  static_cast<void>(on_memory({"plant/001", "plant/002", "plant/004", "plant/010", "--junit", file}));
  const std::string text = contents(file);
  EXPECT_THAT(text, HasSubstr("a &lt;b&gt; &amp; &quot;c&quot;"));
  EXPECT_THAT(text, HasSubstr("failures=\"2\""));
  const std::string python = find_tool("python3");
  if (python.empty()) GTEST_SKIP() << "python3 is not installed";
  const auto parsed = run_tool(
      python, {"-c", "import sys, xml.dom.minidom as m; d = m.parse(sys.argv[1]); print(len(d.getElementsByTagName('testcase')))", file});
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(parsed->output, "4\n");
}

TEST_F(CheckCommand, ReplacesAJUnitFileOnlyByAWholeOne) {
  const std::string file = in_directory("junit.xml");
  std::ofstream{file} << "of the last run";
  static_cast<void>(check({"plant/001", "--device", "memory", "--keep", "/proc/x", "--junit", file}));
  EXPECT_EQ(contents(file), "of the last run");
  EXPECT_EQ(on_memory({"plant/001", "--junit", file}).exit_code, 0);
  EXPECT_THAT(contents(file), testing::EndsWith("</testsuites>\n"));
  const auto files = std::distance(std::filesystem::directory_iterator{directory_}, {});
  EXPECT_EQ(files, 2) << "something lies beside junit.xml and kept";
}

TEST_F(CheckCommand, SaysThatAJUnitFileIsFull) {
  const called c = on_memory({"plant/001", "--junit", "/dev/full"});
  EXPECT_EQ(c.exit_code, 3);
  EXPECT_THAT(c.err, HasSubstr("/dev/full: No space left on device"));
}

TEST(Pattern, FillAndCompareAgreeAtAnyAlignment) {
  std::vector<std::byte> data(100);
  for (const loff_t offset : {0, 1, 7, 8, 4093})
    for (const std::size_t bytes : {0, 1, 8, 13, 100}) {
      fill(std::span{data}.first(bytes), offset, {.file = 3, .generation = 9});
      EXPECT_FALSE(compare(std::span{data}.first(bytes), offset, {.file = 3, .generation = 9}));
      if (bytes > 8) {
        EXPECT_TRUE(compare(std::span{data}.first(bytes), offset, {.file = 3, .generation = 10}));
        EXPECT_TRUE(compare(std::span{data}.first(bytes), offset + 8, {.file = 3, .generation = 9}));
      }
    }
}

TEST(Pattern, NamesTheFirstWrongByteAndCountsAll) {
  std::vector<std::byte> data(64);
  fill(data, 8192, {.file = 3, .generation = 9});
  std::fill(data.begin() + 17, data.begin() + 20, std::byte{0xee});
  const auto d = compare(data, 8192, {.file = 3, .generation = 9});
  ASSERT_TRUE(d);
  EXPECT_EQ(d->at, 8192 + 17);
  EXPECT_EQ(d->bytes, 3u);
  EXPECT_FALSE(compare_zeros(std::vector<std::byte>(10), 0));
  std::vector<std::byte> nearly(10);
  nearly[9] = std::byte{1};
  EXPECT_EQ(compare_zeros(nearly, 100)->at, 109);
}

TEST(Words, AreSplitAtBlanksOutsideOfQuotes) {
  EXPECT_EQ(split_words(" -b 4096  -E 'a b' \"\" ").value(), (std::vector<std::string>{"-b", "4096", "-E", "a b", ""}));
  EXPECT_EQ(split_words("'open").error(), EINVAL);
}

TEST(Tools, AreFoundWherePathDoesNotLead) {
  EXPECT_NE(find_tool("mke2fs"), "");
  EXPECT_EQ(find_tool("no-such-tool-anywhere"), "");
}

TEST(Tools, ReportOutputAndExitCode) {
  const auto ran = run_tool(find_tool("sh"), {"-c", "echo out; echo err >&2; exit 7"});
  ASSERT_TRUE(ran.has_value());
  EXPECT_EQ(ran->status, 7);
  EXPECT_EQ(ran->output, "out\nerr\n");
}

}  // namespace
}  // namespace xip::scenario

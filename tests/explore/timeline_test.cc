// A schedule as a page and as a trace: what lasts is worked out right, everything is there, and text of others stays text.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include <xip/explore/timeline.h>

#include "explore/timeline_model.h"

namespace xip::explore::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;
using kind = event_kind;

// A trace made by hand; the step is the number of the event.
class trace_of {
 public:
  explicit trace_of(std::vector<std::string> tasks) { report_.tasks = std::move(tasks); }
  trace_of& plain(std::uint32_t task, kind k, std::uint64_t a = 0, std::uint64_t b = 0, std::uint64_t c = 0, bool flag = false) {
    report_.trace.push_back({report_.trace.size(), task, k, flag, 0, {}, a, b, c, {}});
    return *this;
  }
  trace_of& lock(std::uint32_t task, kind k, std::string_view name, bool exclusive = true) {
    report_.trace.push_back({report_.trace.size(), task, k, exclusive, 1, name, 0, 0, 0, {}});
    return *this;
  }
  trace_of& at(std::uint32_t task, point p, std::uint64_t a, std::uint64_t b = 0, std::uint64_t c = 0) {
    report_.trace.push_back({report_.trace.size(), task, kind::point, false, 0, point_name(p), a, b, c, {}});
    return *this;
  }
  [[nodiscard]] schedule_report& report() { return report_; }
  [[nodiscard]] timeline_model model() const { return model_of(report_); }

 private:
  schedule_report report_;
};

std::vector<std::string> spans(const std::vector<timeline_model::hold>& holds) {
  std::vector<std::string> text;
  for (const auto& h : holds)
    text.push_back(std::to_string(h.task) + ":" + std::to_string(h.from) + "-" + std::to_string(h.to) + (h.exclusive ? "x" : "s"));
  return text;
}

using strings = std::vector<std::string>;

TEST(TimelineModel, TellsAPreemptionFromATaskThatCannotGoOn) {
  trace_of t{{"a", "b"}};
  t.plain(0, kind::resume).at(0, point::xip_copy_piece, 1);
  t.plain(1, kind::resume).plain(1, kind::block);
  t.plain(0, kind::resume).plain(0, kind::exit);
  t.plain(1, kind::resume).plain(1, kind::join, 0);
  t.plain(0, kind::resume);  // not what a task does that has ended, but the join was no reason to stop
  const timeline_model m = t.model();
  ASSERT_EQ(m.runs.size(), 5u);
  EXPECT_EQ(m.runs[1].from, 2u);
  EXPECT_EQ(m.runs[1].to, 4u);
  std::vector<bool> preemptions;
  for (const auto& s : m.switches) preemptions.push_back(s.preemption);
  EXPECT_EQ(preemptions, (std::vector<bool>{true, false, false, true}));
  EXPECT_EQ(m.switches[0].at, 2u);
  EXPECT_EQ(m.switches[0].from, 0u);
  EXPECT_EQ(m.switches[0].to, 1u);
}

TEST(TimelineModel, KnowsWhoHoldsALockAndWhoWaits) {
  trace_of t{{"a", "b"}};
  t.lock(0, kind::acquire, "m").lock(0, kind::acquired, "m");                                   // 0, 1
  t.lock(1, kind::acquire, "m").plain(1, kind::block);                                          // 2, 3
  t.plain(0, kind::resume).lock(0, kind::release, "m");                                         // 4, 5
  t.plain(1, kind::resume).lock(1, kind::acquired, "m");                                        // 6, 7
  t.lock(0, kind::acquire, "other", false).lock(0, kind::acquired, "other", false);             // 8, 9
  t.lock(0, kind::acquire, "tried").at(0, point::dev_fence, 0).lock(0, kind::acquire, "spun");  // 10, 11, 12
  t.lock(0, kind::yield, "spun").plain(0, kind::resume).lock(0, kind::acquired, "spun");        // 13, 14, 15
  const timeline_model m = t.model();
  ASSERT_EQ(m.locks.size(), 3u) << "the one that was tried in vain was neither held nor waited for";
  EXPECT_EQ(m.locks[0].name, "m#1");
  EXPECT_EQ(spans(m.locks[0].holds), (strings{"0:1-6x", "1:7-16x"})) << "one that is not given back lasts to the end";
  EXPECT_EQ(spans(m.locks[0].waits), strings{"1:2-7x"});
  EXPECT_TRUE(m.locks[0].contended);
  EXPECT_EQ(spans(m.locks[1].holds), strings{"0:9-16s"});
  EXPECT_FALSE(m.locks[1].contended);
  EXPECT_EQ(spans(m.locks[2].waits), strings{"0:12-15x"});
}

TEST(TimelineModel, WhoWaitsForeverWaitsToTheEnd) {
  trace_of t{{"a", "b"}};
  t.lock(0, kind::acquire, "m").plain(0, kind::block).lock(1, kind::wait, "queue").plain(1, kind::block).plain(1, kind::fail);
  const timeline_model m = t.model();
  ASSERT_EQ(m.locks.size(), 2u);
  EXPECT_EQ(spans(m.locks[0].waits), strings{"0:0-5x"});
  EXPECT_EQ(spans(m.locks[1].waits), strings{"1:2-5x"});
}

TEST(TimelineModel, FollowsTheSizeOfEachFile) {
  trace_of t{{"a"}};
  t.at(0, point::xip_read_block, 0, 8192, 12).at(0, point::vfs_i_size_stored, 13, 5).at(0, point::vfs_i_size_stored, 12, 100);
  t.at(0, point::xip_read_block, 0, 100, 12);
  const timeline_model m = t.model();
  ASSERT_EQ(m.sizes.size(), 2u);
  ASSERT_EQ(m.sizes[0].steps.size(), 2u);
  EXPECT_EQ(m.sizes[0].steps[0].bytes, 8192u) << "seen before the first change";
  EXPECT_EQ(m.sizes[0].steps[0].to, 2u);
  EXPECT_EQ(m.sizes[0].steps[1].bytes, 100u);
  EXPECT_EQ(m.sizes[0].steps[1].to, 4u);
  EXPECT_EQ(m.sizes[1].inode, 13u);
  EXPECT_EQ(m.sizes[1].steps[0].from, 1u) << "what it was before is not known";
}

TEST(TimelineModel, FollowsTheOwnersOfBlocks) {
  using use = timeline_model::block_use;
  trace_of t{{"a"}};
  t.plain(0, kind::access, 40, 1, 12, false);  // 0
  t.plain(0, kind::free, 40, 3);               // 1
  t.plain(0, kind::commit);                    // 2
  t.plain(0, kind::alloc, 41, 2, 13, true);    // 3
  t.plain(0, kind::access, 42, 1, 13, true);   // 4
  t.plain(0, kind::access, 7, 1, 0, true);     // 5: metadata that nobody allocates
  const timeline_model m = t.model();
  ASSERT_EQ(m.blocks.size(), 3u);
  const auto told = [](const timeline_model::block_lane& l) {
    strings text;
    for (const auto& s : l.spans)
      text.push_back(std::to_string(s.from) + "-" + std::to_string(s.to) + " " + std::to_string(static_cast<int>(s.use)) + " " +
                     std::to_string(s.inode));
    return text;
  };
  const auto as = [](use u) { return std::to_string(static_cast<int>(u)); };
  EXPECT_EQ(told(m.blocks[0]), (strings{"0-1 " + as(use::file) + " 12", "1-2 " + as(use::pending) + " 12", "2-6 " + as(use::free) + " 0"}));
  EXPECT_EQ(m.blocks[1].first, 41u);
  EXPECT_EQ(told(m.blocks[1]), (strings{"0-1 " + as(use::in_use) + " 0", "1-2 " + as(use::pending) + " 0", "2-3 " + as(use::free) + " 0",
                                        "3-6 " + as(use::file) + " 13"}));
  EXPECT_EQ(m.blocks[2].first, 42u);
  ASSERT_EQ(m.blocks[2].accesses.size(), 1u);
  EXPECT_TRUE(m.blocks[2].accesses[0].write);
}

TEST(TimelineModel, SaysEachEventInWords) {
  const strings tasks{"a", "b"};
  const auto said = [&](trace_of& t) { return sentence(t.report().trace.back(), tasks); };
  trace_of t{tasks};
  EXPECT_EQ(said(t.lock(0, kind::acquired, "m", false)), "takes m#1, shared");
  EXPECT_EQ(said(t.at(0, point::xip_read_block, 0, 8192, 12)), "passes the point xip_read_block: pos 0, i_size 8192, inode 12");
  EXPECT_EQ(said(t.at(0, point::xip_before_mapping, 1, 2)), "passes the point xip_before_mapping: lblk 1, blocks 2");
  EXPECT_EQ(said(t.at(0, point::dev_flush, 0)), "passes the point dev_flush");
  EXPECT_EQ(said(t.at(0, point::mm_fault, 0x1000, 1)), "faults at 0x1000, in a store");
  EXPECT_EQ(said(t.at(0, point::mm_before_pte, 3, 1)), "is about to put page 3 of the file into a page table");
  EXPECT_EQ(said(t.at(0, point::mm_before_pte, 8, 512)), "is about to put the 512 pages around page 8 of the file into a page table");
  EXPECT_EQ(said(t.at(0, point::mm_before_zap, 4, 6)), "is about to take pages 4 to 6 of the file out of page tables");
  EXPECT_EQ(said(t.at(0, point::mm_before_zap, 4, ~std::uint64_t{0})),
            "is about to take pages 4 to the last of the file out of page tables");
  EXPECT_EQ(said(t.at(0, point::xip_fault_locked, 8, 512)), "passes the point xip_fault_locked: page 8, pages 512");
  EXPECT_EQ(said(t.at(0, point::user_point, 1, 2, 3)), "passes the point user_point (1, 2, 3)");
  EXPECT_EQ(said(t.plain(0, kind::join, 1)), "waits for the end of 'b'");
  EXPECT_EQ(said(t.plain(0, kind::access, 40, 2, 12, true)), "writes blocks 40 to 41 as data of inode 12");
  for (int k = 0; k <= static_cast<int>(kind::commit); ++k) EXPECT_NE(said(t.plain(0, static_cast<kind>(k))), "") << k;
}

// ---- the whole --------------------------------------------------------------------------------------------------------------------------

constexpr std::string_view nasty = "</script><script>alert(\"1\")</script> & \x01\xff {{rows}}";

// One of everything, with texts that could do harm.
schedule_report example() {
  trace_of t{{"<reader> & \"co\"", "truncate\x02"}};
  t.plain(0, kind::resume).lock(0, kind::acquire, "i_rwsem", false).lock(0, kind::acquired, "i_rwsem", false);
  t.at(0, point::xip_read_block, 0, 8192, 12).plain(0, kind::access, 40, 2, 12);
  t.plain(1, kind::resume).lock(1, kind::acquire, "i_rwsem").plain(1, kind::block);
  t.plain(0, kind::resume).lock(0, kind::acquire, "inner").lock(0, kind::acquired, "inner").lock(0, kind::release, "i_rwsem", false);
  t.lock(0, kind::release, "inner").plain(0, kind::exit);
  t.plain(1, kind::resume).lock(1, kind::acquired, "i_rwsem").at(1, point::vfs_i_size_stored, 12, 100).plain(1, kind::free, 41, 1);
  t.plain(1, kind::commit).plain(1, kind::alloc, 41, 1, 13, true).plain(1, kind::fail);
  schedule_report& r = t.report();
  r.failed = failure_kind::reported;
  r.text = nasty;
  r.token = "x1.token";
  r.steps = 9;
  r.preemptions = 1;
  return r;
}

timeline_header example_header() {
  return {std::string{"title "} + std::string{nasty}, std::string{nasty}, "xip explore <it> --replay x1.token"};
}

std::size_t count_of(const std::string& text, std::string_view part) {
  std::size_t n = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

TEST(Timeline, ThePageHasEverythingAndNeedsNothing) {
  const schedule_report r = example();
  const std::string page = timeline_html(example_header(), r);
  EXPECT_EQ(count_of(page, "<tr id=\"e"), r.trace.size());
  for (const char* part : {"i_rwsem#1", "inner#1", "xip explore &lt;it&gt; --replay x1.token", "&lt;reader&gt; &amp; &quot;co&quot;",
                           "truncate?", "takes i_rwsem#1, exclusive", "frees block 41", "1 preemption (", "prefers-color-scheme: dark"})
    EXPECT_THAT(page, HasSubstr(part));
  for (const char* part : {"http:", "https:", "<link", " src=", "@import", "url("}) {
    std::string own = page;
    // The one address is a name.
    if (const std::size_t at = own.find("http://www.w3.org/2000/svg"); at != std::string::npos) own.erase(at, 26);
    EXPECT_THAT(own, Not(HasSubstr(part)));
  }
}

TEST(Timeline, TextOfOthersStaysText) {
  const std::string page = timeline_html(example_header(), example());
  EXPECT_EQ(count_of(page, "<script"), 2u);
  EXPECT_EQ(count_of(page, "</script"), 2u);
  EXPECT_THAT(page, HasSubstr("&lt;/script&gt;&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; ?\xef\xbf\xbd {{rows}}"));
  EXPECT_THAT(page, Not(HasSubstr("\x01")));
  EXPECT_THAT(page, Not(HasSubstr("<reader>")));
}

TEST(Timeline, ASchedulePassesOrFailsInTheCheckOrHasNoTrace) {
  schedule_report r = example();
  r.failed = failure_kind::none;
  EXPECT_THAT(timeline_html({"t", "", ""}, r), HasSubstr("This schedule passed."));
  EXPECT_THAT(timeline_html({"t", "", ""}, r), HasSubstr("\"bad\":null"));
  EXPECT_THAT(timeline_html({"t", "", ""}, r), HasSubstr("value=\"x1.token\"")) << "without a command the token itself";
  r.failed = failure_kind::check;
  r.trace.pop_back();
  EXPECT_THAT(timeline_html({"t", "", ""}, r), HasSubstr("\"bad\":" + std::to_string(r.trace.size())));
  r.trace.clear();
  r.tasks.clear();
  EXPECT_THAT(timeline_html({"t", "", ""}, r), HasSubstr("0 events"));
  EXPECT_TRUE(json::parse(chrome_trace_json({"t", "", ""}, r)).contains("traceEvents"));
}

TEST(ChromeTrace, HasThreadsDurationsInstantsAndCounters) {
  const json all = json::parse(chrome_trace_json(example_header(), example()));
  EXPECT_EQ(all["otherData"]["token"], "x1.token");
  strings threads, durations, asynchronous, counters, failures;
  for (const json& e : all["traceEvents"]) {
    const std::string phase = e["ph"];
    if (phase == "M" && e["name"] == "thread_name") threads.push_back(e["args"]["name"]);
    const auto span = [&] {
      return e["name"].get<std::string>() + " " + std::to_string(e["tid"].get<int>()) + " " + std::to_string(e["ts"].get<int>());
    };
    if (phase == "X" && e["pid"] == 1) durations.push_back(span() + "+" + std::to_string(e["dur"].get<int>()));
    if ((phase == "b" || phase == "e") && e["cat"] == "lock") asynchronous.push_back(phase + " " + span());
    if (phase == "C") counters.push_back(e["name"].get<std::string>() + " " + std::to_string(e["args"]["bytes"].get<int>()));
    if (phase == "i" && e["s"] == "g") failures.push_back(e["args"]["kind"]);
  }
  EXPECT_EQ(threads, (strings{"who runs", "<reader> & \"co\"", "truncate\x02"}));
  EXPECT_EQ(durations, (strings{"i_rwsem#1 shared 1 2+10", "waits for i_rwsem#1 2 6+9", "i_rwsem#1 exclusive 2 15+6"}));
  EXPECT_EQ(asynchronous, (strings{"b inner#1 exclusive 1 10", "e inner#1 exclusive 1 13"})) << "it ends behind the one it began in";
  EXPECT_EQ(counters, (strings{"i_size of inode 12 8192", "i_size of inode 12 100"}));
  EXPECT_EQ(failures, strings{"reported"});
}

// ---- judged by others -------------------------------------------------------------------------------------------------------------------

// Into $XIP_TIMELINE_DIR, where a browser finds them (timeline_in_browser.sh), or a directory of its own.
TEST(Timeline, PythonReadsPageAndTrace) {
  if (std::system("command -v python3 >/dev/null 2>&1") != 0) GTEST_SKIP() << "python3 is not installed";
  const char* wanted = std::getenv("XIP_TIMELINE_DIR");
  std::string directory = wanted != nullptr ? wanted : (std::filesystem::temp_directory_path() / "xip-timeline-XXXXXX").string();
  ASSERT_TRUE(wanted != nullptr || ::mkdtemp(directory.data()) != nullptr);
  std::ofstream{directory + "/page.html"} << timeline_html(example_header(), example());
  std::ofstream{directory + "/trace.json"} << chrome_trace_json(example_header(), example());
  std::ofstream{directory + "/judge.py"} << R"(
import html.parser, json, sys
trace = json.load(open(sys.argv[1] + "/trace.json", encoding="utf-8"))
assert all({"ph", "pid"} <= e.keys() for e in trace["traceEvents"])
class Page(html.parser.HTMLParser):
    open, data, scripts = [], "", 0
    def handle_starttag(self, tag, attributes):
        if tag not in ("meta", "input"): self.open.append(tag)
        self.scripts += tag == "script"
    def handle_startendtag(self, tag, attributes): pass
    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, (tag, self.getpos())
    def handle_data(self, data):
        if self.open[-1:] == ["script"] and self.scripts == 1: self.data += data
page = Page()
page.feed(open(sys.argv[1] + "/page.html", encoding="utf-8").read())
assert not page.open and page.scripts == 2, page.open
data = json.loads(page.data)
assert [l["name"] for l in data["locks"]] == ["i_rwsem#1", "inner#1"] and len(data["tasks"]) == 2
)";
  EXPECT_EQ(std::system(("python3 " + directory + "/judge.py " + directory).c_str()), 0);
  if (wanted == nullptr) std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace xip::explore::test

#!/bin/bash
# timeline_in_browser.sh EXPLORE_TESTS: the page of a schedule draws itself in a browser. Skipped where Chromium is not installed.
set -u
tests=$(readlink -f "${1:?usage: ${0##*/} path/to/explore_tests}")
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome) || { echo 'skipped: chromium is not installed'; exit 77; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failures=0
fail() { failures=$((failures + 1)); echo "FAILED: $*"; }

XIP_TIMELINE_DIR=$scratch "$tests" --gtest_brief=1 --gtest_filter=Timeline.PythonReadsPageAndTrace >"$scratch/said" || { cat "$scratch/said"; exit 1; }
[ -s "$scratch/page.html" ] || { echo 'skipped: python3 is not installed'; exit 77; }
drawn() {  # PAGE: what the browser makes of it, in $scratch/dom
  timeout 120 "$browser" --headless --no-sandbox --disable-gpu --user-data-dir="$scratch/profile" --enable-logging=stderr \
    --dump-dom "file://$1" >"$scratch/dom" 2>"$scratch/log"
}
drawn "$scratch/page.html"
[ -s "$scratch/dom" ] || { echo 'skipped: the browser does not run here'; exit 77; }

has() { grep -qF -- "$2" "$scratch/dom" || fail "$1: no '$2'"; }
grep -E 'CONSOLE.*(Uncaught|Error)' "$scratch/log" && fail 'an error in the script'
has 'tasks run' '<title>&lt;reader&gt; &amp; "co" runs</title>'
has 'a lock is held' 'holds i_rwsem#1, shared</title>'
has 'somebody waits' 'waits for i_rwsem#1</title>'
has 'a size' 'inode 12 has 8192 bytes</title>'
has 'blocks' '>given back by inode 12'
has 'the bad step' 'class="flag"'
has 'it is chosen' 'Event 21, step 20: '
has 'its row is marked' 'class="k-fail is-chosen"'

# A name that is longer than its bar is cut, and whole in the bar's title.
sed 's/truncate/a-task-with-a-name-of-sixty-letters-that-has-room-nowhere-at-all/' "$scratch/page.html" >"$scratch/long.html"
drawn "$scratch/long.html"
grep -qE '<text[^>]*>a-task-[a-z-]*…</text>' "$scratch/dom" || fail 'a name that is too long has no dots'
grep -qE '<text[^>]*>[^<]*nowhere-at-all' "$scratch/dom" && fail 'a name runs out of its bar'
[ "$failures" = 0 ] || exit 1

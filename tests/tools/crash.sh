#!/bin/bash
# xip crash from outside: workloads from files and from the generator, what is wrong with them, results as text, JSON and JUnit XML.
. "$(dirname "$0")/judge.sh"

run() {
  status=0
  "$xip" crash "$@" >"$scratch/said" 2>"$scratch/error" || status=$?
}
json() { python3 -c "import json, sys; r = json.load(open(sys.argv[1])); assert $1, r" "$scratch/said"; }

cat >"$scratch/mine.txt" <<'END'
mkdir A
creat A/foo
---
write A/foo 0 5000   # more than a block
rename A/foo A/bar
fsync A/bar
END
run "$scratch/mine.txt"
same 'a workload of ours' 0 "$status"
expect 'has a line' grep -qE '^mine [0-9.]+s [0-9]+ states at [0-9]+ moments' "$scratch/said"
expect 'and a closing line' grep -qE '^1 workload passed, 0 failed; [0-9]+ states, [0-9]+/s, [0-9]+ unique images, [0-9]+ recovered/s, .*; e2fsck on [0-9]+ images?, [0-9]+/s; (.* )?memory, unit 64$' "$scratch/said"

for where in '--unit 8' '--unit 512' '--device block' '--device block --unit 4096' '--fsck all' '--mkfs "-b 1024 -J size=1" -o dax=never' '--mkfs "-b 4096 -O ^metadata_csum"' '-o dax=always,zero=alloc --unit 8'; do
  eval run "$scratch/mine.txt" ace1-40 "$where" --json
  same "with $where" 0 "$status"
  expect 'both pass' json 'r["passed"] == 2 and r["failed"] == 0 and r["states"] > 10 and r["fsck_images"] > 0'
done

run --ace 2 --sample 3 --seed 5 --list
same 'a list' 0 "$status"
cp "$scratch/said" "$scratch/list"
same 'of three' 3 "$(wc -l <"$scratch/list")"
run --ace 2 --sample 3 --seed 5 --shard 2/3 --list
same 'a part of it' "$(sed -n 2p "$scratch/list")" "$(cat "$scratch/said")"
run --ace 2 --sample 3 --seed 5 --junit "$scratch/results.xml"
same 'the three' 0 "$status"
expect 'are in the XML' python3 -c 'import sys, xml.etree.ElementTree as e; assert e.parse(sys.argv[1]).getroot().get("tests") == "3"' "$scratch/results.xml"
run --ace 3 --budget 1 --json
same 'a second of triples' 0 "$status"
expect 'ends with what was not run' json 'int(r["not_run"]) > 100000'

# Without a journal nothing holds: metadata goes home as it comes. What is found is named, kept, and can be had again.
run "$scratch/mine.txt" --mkfs '-b 4096 -O ^has_journal' --keep "$scratch/kept" --json
same 'an image without a journal' 1 "$status"
token=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["failures"][0]["failures"][0]["minimised"]["token"])' "$scratch/said")
expect 'with fewer calls, too' json '(f := r["failures"][0])["least"]["name"] == "mine-least" and len(f["least"]["workload"].split()) < len(f["workload"].split())'
least=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["failures"][0]["least"]["minimised"]["token"])' "$scratch/said")
expect 'the workload is kept' grep -q 'rename A/foo A/bar' "$scratch/kept/mine.workload"
expect 'the report is kept' grep -qF -- "--replay $token" "$scratch/kept/mine.report"
expect 'with the lines that were on their way, or that none was' grep -qE 'lines? on their way|nothing was on its way' "$scratch/kept/mine.report"
expect 'and both are kept with fewer calls' test -s "$scratch/kept/mine-least.workload" -a -s "$scratch/kept/mine-least.img"
run "$scratch/kept/mine-least.workload" --mkfs '-b 4096 -O ^has_journal' --replay "$least"
same 'which fail, too, when they are replayed' 1 "$status"
expect 'the image is kept' test "$(stat -c %s "$scratch/kept/mine.img")" = $((16 << 20))
run "$scratch/mine.txt" --mkfs '-b 4096 -O ^has_journal' --replay "$token"
same 'its replay fails' 1 "$status"
expect 'and says where' grep -q 'the power fails' "$scratch/said"
run "$scratch/mine.txt" --mkfs '-b 4096 -O ^has_journal'
expect 'the text names the command' grep -qF -- "xip crash --replay" "$scratch/said"
run "$scratch/mine.txt" --unit 8 --replay "$token"
same 'a token of another unit' 2 "$status"
run ace1-1 --replay "$token"
same 'a token of another workload' 2 "$status"

# Pictures, of what passed and of what failed.
run "$scratch/mine.txt" --html "$scratch/page.html"
same 'a page' 0 "$status"
expect 'is one file with the calls in it' grep -qE 'Every state (that was run )?passed' "$scratch/page.html"
expect 'and a picture' grep -q '<svg width=.* events of 3 calls' "$scratch/page.html"
expect 'in which each store says what it is and whose' grep -qE '<title>request: [0-9]+ bytes at [0-9]+ \(journal block [0-9]+, byte 0\), of call 3: fsync A/bar</title>' "$scratch/page.html"
expect 'well formed' python3 -c 'import sys, xml.etree.ElementTree as e; e.fromstring(open(sys.argv[1]).read().replace("<!DOCTYPE html>", ""))' "$scratch/page.html"
run "$scratch/mine.txt" --mkfs '-b 4096 -O ^has_journal' --html "$scratch/page.html"
expect 'of a failure: what of it arrived' grep -q 'what of it arrived' "$scratch/page.html"
expect 'and the command' grep -qF -- "xip crash --replay" "$scratch/page.html"

# Two tasks, in many schedules.
cat >"$scratch/two.txt" <<'END'
creat a
---
task 1:
write a 0 100
fsync a
task 2:
rename a b
END
run "$scratch/two.txt" --bound 1 --schedules 60 --json
same 'two tasks' 0 "$status"
expect 'in many schedules, most of which do the same' json 'r["schedules"] == 60 and 1 < r["histories"] < 60 and r["unexplained"] == 0'
run "$scratch/two.txt" --strategy pct=2 --schedules 5 --html "$scratch/page.html"
expect 'have a line' grep -qE '^two .* states at .*, 5 schedules$' "$scratch/said"
expect 'and a closing line' grep -qE '^1 workload passed, 0 failed; .*5 schedules of two tasks' "$scratch/said"
expect 'and a page with both' grep -q 'task 2: rename a b' "$scratch/page.html"
run "$scratch/two.txt" --strategy random --schedules 3 --device block
same 'two tasks on a disk' 0 "$status"
run "$scratch/two.txt" --mkfs '-b 4096 -O ^has_journal' --schedules 60 --keep "$scratch/kept" --json
same 'two tasks without a journal' 1 "$status"
token=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["failures"][0]["failures"][0]["minimised"]["token"])' "$scratch/said")
expect 'one token for schedule and state' grep -q '^r1\.two\.' <<<"$token"
failure=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["failures"][0]["failures"][0]["minimised"]["failure"])' "$scratch/said")
expect 'the workload is kept' grep -q '^task 2:$' "$scratch/kept/two.workload"
run "$scratch/two.txt" --mkfs '-b 4096 -O ^has_journal' --replay "$token"
same 'its replay fails' 1 "$status"
expect 'with the same words' grep -qF -- "$failure" "$scratch/said"
expect 'and says how the tasks took turns' grep -qE '^ +task [12] runs to its end$' "$scratch/said"
run "$scratch/two.txt" --mkfs '-b 4096 -O ^has_journal' --unit 8 --replay "$token"
same 'a token of another unit' 2 "$status"
run --tasks 2 --ace 1 --sample 3 --seed 5 --list
same 'pairs have names' 3 "$(grep -cE '^2xace1-[0-9]+$' "$scratch/said")"
run "$(head -n 1 "$scratch/said")" --schedules 5
same 'by which they can be had' 0 "$status"
run --tasks 2 --list
same 'a hundred of them' 100 "$(wc -l <"$scratch/said")"

run --random 6 --sample 3 --seed 9 --list
same 'random ones have names' 3 "$(grep -cE '^random6-[0-9]+$' "$scratch/said")"
run "$(head -n 1 "$scratch/said")"
same 'by which they can be had' 0 "$status"

# Without the flush before its commit block, a transaction is not whole.
run "$scratch/mine.txt" --mutants --fsck none
expect 'a wait that is left out is missed' grep -qE '^no flush behind [a-z0-9_]+, jbd2_before_flush: killed after [0-9]+ states by mine: ' "$scratch/said"
run "$scratch/mine.txt" --mutants --fsck none --device block
expect 'on a disk, too' grep -qE '^no flush behind [a-z0-9_]+, jbd2_before_flush: killed after [0-9]+ states by mine: ' "$scratch/said"
printf 'creat a\nwrite a 0 4096\n---\nopen 1 a\nstore @1 0 8\nfsync @1\n' >"$scratch/mapped.txt"
run "$scratch/mapped.txt" --mutants --fsck none
expect 'as is a flush of the cache of the processor' grep -qE '^no flush of lines behind .*: killed after [0-9]+ states by mapped: ' "$scratch/said"

# The power has failed before, and fails again while what it left is mended: a log with revokes, and a file that is to be deleted.
cat >"$scratch/dirty.txt" <<'END'
mkdir A
creat A/foo
creat A/bar
write A/bar 0 9000
sync
open 1 A/bar
unlink A/bar
rename A/foo foo
rmdir A
write foo 0 5000
fsync foo
cut
---
mount
sync
END
for where in '--unit 8' '--unit 64' '--unit 512' '--unit 4096' '--device block --unit 512' '--device block --unit 4096' '--mkfs "-b 4096 -N 64 -m 0 -O orphan_file"' '--mkfs "-b 4096 -N 64 -m 0 -O ^metadata_csum" --unit 8'; do
  eval run "$scratch/dirty.txt" "$where" --fsck 5 --json
  same "the power fails in the mount, with $where" 0 "$status"
  expect 'at many moments, in one tree' json 'r["points"] > 5 and r["states"] > r["points"] and r["fsck_images"] > 0'
done
run "$scratch/dirty.txt" --mutants --fsck none
expect 'a recovery that does not wait for what it brings home is found out' grep -qE '^no flush [0-9]* *behind .*: killed after [0-9]+ states by dirty: ' "$scratch/said"

# Names that last when a call returns.
for flags in S D; do
  printf 'mkdir A\nchattr A %s\n---\ncreat A/foo\nlink A/foo A/bar\nrename A/foo foo\nmkdir A/B\nunlink A/bar\n' "$flags" >"$scratch/names.txt"
  for where in '--unit 8' '--device block'; do
    eval run "$scratch/names.txt" "$where"
    same "a directory with chattr +$flags, $where" 0 "$status"
  done
done
printf 'mkdir A\n---\ncreat A/foo\nrename A/foo A/bar\n' >"$scratch/names.txt"
run "$scratch/names.txt" -o dax=always,dirsync
same 'a mount with dirsync' 0 "$status"

printf 'creat A/foo\nfly away\n' >"$scratch/wrong.txt"
refused() {
  run "$@"
  same "xip crash $*" 2 "$status"
}
refused "$scratch/wrong.txt"
expect 'names file and line' grep -q 'wrong.txt: line 2: "fly" is no call' "$scratch/error"
refused "$scratch/missing"
refused "$scratch"
refused --unit 9
refused --ace 4
refused --sample 3 ace1-1
refused --device block --unit 64
refused --shard 3/2
refused --fsck some
refused -o ro
refused --exhibit
refused --random 101
refused --random 3 --ace 1
refused --mutants --json
refused --replay c1.nonsense
printf 'cut\n---\nsync\n' >"$scratch/wrong.txt"
refused "$scratch/wrong.txt"
expect 'names what is wrong' grep -q 'wrong.txt: a cut at the end of the setup and a mount behind it go together' "$scratch/error"
refused --tasks 3
refused --tasks 2 --ace 3
refused --tasks 2 "$scratch/two.txt"
refused --bound 2 ace1-1
refused --schedules 0 "$scratch/two.txt"
refused --strategy slowly "$scratch/two.txt"
refused --mutants "$scratch/two.txt"
refused "$scratch/two.txt" --replay r1.two.nonsense
refused "$scratch/two.txt" --schedules 3 --replay "$token"
run ace1-1 --mkfs '-b 4096 -J size=1'
same 'what mke2fs does not like' 3 "$status"
run ace1-1 --junit /nonexistent/x
same 'a file that cannot be written' 3 "$status"
printf 'rmdir A\n---\nsync\n' >"$scratch/setup.txt"
run "$scratch/setup.txt"
same 'a setup that fails' 1 "$status"
expect 'is named' grep -q "the setup's 'rmdir A' says ENOENT" "$scratch/said"
finish

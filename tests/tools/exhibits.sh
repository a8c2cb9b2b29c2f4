#!/bin/bash
# The museum: every exhibit is found, with lock checking and without, and its race is survived by the product. A release has none.
. "$(dirname "$0")/judge.sh"
unset XIP_LOCKDEP_EDGES # what planted bugs do with locks is nobody's chain

run() {
  status=0
  "$xip" "$@" >"$scratch/said" 2>"$scratch/error" || status=$?
}

run exhibits
if [ "$status" = 3 ]; then
  expect 'a build without exhibits says so' grep -q 'none in this build' "$scratch/error"
  run explore race/024 --exhibit 3
  same 'explore --exhibit there' 3 "$status"
  expect 'says so too' grep -q 'no exhibits in this build' "$scratch/error"
  nm -C "$xip" >"$scratch/symbols" 2>/dev/null
  expect 'its symbols can be read' grep -q 'xip::xip_mapping_read' "$scratch/symbols"
  expect 'the code of exhibits is not among them' bash -c "! grep -q 'exhibits::core_2013\|exhibit_is_on\|exhibit_place_name' '$scratch/symbols'"
  finish
fi
same 'the list' 0 "$status"
count=$(wc -l <"$scratch/said")
expect 'a line each, at least twenty' test "$count" -ge 20
expect 'what, source, race' grep -qE '^ +3 read-without-lock .*; .*; race/[0-9]{3}$' "$scratch/said"

run exhibits --run --schedules 1500
same 'all are found' 0 "$status"
same 'the closing line' "$count passed, 0 failed" "$(tail -n 1 "$scratch/said")"
expect 'none escapes' bash -c "! grep -E 'ESCAPED|FAILED' '$scratch/said'"
token=$(awk '$1 == 3 { print $NF }' "$scratch/said")

# The token of an exhibit brings the bug with it, and belongs to no other.
run explore --replay "$token"
same 'a replayed exhibit fails again' 1 "$status"
run explore race/024 --exhibit 12 --unchecked --replay "$token"
same 'the token with another bug' 2 "$status"
expect 'is refused by name' grep -q 'race/024+3' "$scratch/error"

# One that is not found is a failure: a single schedule is too few for it.
run exhibits read-without-lock --run --strategy bound=1 --schedules 1
same 'an exhibit that escapes' 1 "$status"
expect 'is named' grep -q 'ESCAPED' "$scratch/said"

run exhibits 14 --seeds 3 --strategy pct=3 --schedules 1000 --json
same 'the odds of one' 0 "$status"
expect 'found by all seeds' python3 -c 'import json, sys; [one] = json.load(open(sys.argv[1])); assert one["found"] == one["seeds"] == 3' "$scratch/said"

for words in 'exhibits nonsense' 'exhibits 1 --strategy nonsense --run' 'exhibits --seeds 0' 'explore race/024 --exhibit nonsense' 'explore --exhibit='; do
  run $words
  same "xip $words" 2 "$status"
  expect "xip $words says why" test -s "$scratch/error"
done
finish

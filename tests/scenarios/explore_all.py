#!/usr/bin/env python3
"""Explores every race at a preemption bound of 1 and looks at what was explored.

    explore_all.py path/to/xip            all pass, completely, and tasks are switched at every point that a race is about
    explore_all.py --twice path/to/xip    two processes see the same image and the same schedules
    explore_all.py --parts path/to/xip    what the parts of a campaign print adds up to what the whole prints
"""
import json
import os
import subprocess
import sys

# Before and behind each mapping, in mid-copy, before drain, conversion, size and each free: nobody can say that a race misses none of
# these windows where none of its tasks is ever switched there.
POINTS = (
    "xip_read_block", "xip_before_mapping", "xip_mapping_returned", "xip_copy_piece", "xip_read_done", "xip_zero_piece", "xip_zero_tail",
    "xip_slice_started", "xip_entries_locked", "xip_before_drain", "xip_before_convert", "xip_before_set_size", "xip_slice_done",
    "vfs_before_i_size", "vfs_i_size_stored", "ext4_handle_started", "ext4_handle_stopped", "ext4_map_blocks", "ext4_extent_inserted",
    "ext4_extent_converted", "ext4_extent_removed", "ext4_block_allocated", "ext4_before_free", "ext4_block_freed", "ext4_orphan_add",
    "ext4_orphan_del", "ext4_commit_start", "ext4_before_reuse", "ext4_commit_done", "dev_fence", "dev_flush",
    # Of a fault, and of what takes its work back.
    "xip_fault_locked", "xip_before_entry", "xip_fault_unlocked", "xip_write_protected", "xip_before_clean", "xip_entries_dropped",
    "xip_zeros_unmapped", "mm_fault", "mm_before_pte", "mm_before_zap", "mm_before_copy", "mm_pinned",
)
PARTS = 3  # of a campaign


def explore(xip, *names, part=None):
    environment = dict(os.environ)
    for variable in ("GTEST_SHARD_INDEX", "GTEST_TOTAL_SHARDS"):
        environment.pop(variable, None)
    if part is not None:
        environment.update(GTEST_SHARD_INDEX=str(part), GTEST_TOTAL_SHARDS=str(PARTS))
    ran = subprocess.run([xip, "explore", "--bound", "1", "--json", *names], stdout=subprocess.PIPE, text=True, env=environment)
    if ran.returncode == 3:
        sys.exit(77)
    return ran.returncode, json.loads(ran.stdout)


def all_races(xip):
    code, report = explore(xip)
    problems = [] if code == 0 else [f"exit code {code}"]
    seen = set()
    for race in report["races"]:
        print(f"{race['name']} {race['schedules']} schedules, {race['images']} images, {len(race['point_pairs'])} point pairs, {race['seconds']:.2f}s")
        for failure in race["failures"]:
            problems.append(f"{race['name']}: {failure['minimised']['failed']}: {failure['minimised']['text']}")
            problems.append(f"  xip explore {race['name']} --replay {failure['minimised']['token']}")
        if race["status"] == "passed" and not race["complete"]:
            problems.append(f"{race['name']}: not all schedules were run")
        seen.update(race["switched_at"])
    problems += [f"no task of any race is ever switched at {point}" for point in POINTS if point not in seen]
    if len(report["races"]) < 16:
        problems.append(f"only {len(report['races'])} races")
    return problems


def twice(xip):
    first, second = (explore(xip)[1] for i in range(2))
    problems = [] if first["image"] == second["image"] else ["the images differ"]
    for one, two in zip(first["races"], second["races"]):
        same = all(one[what] == two[what] for what in ("name", "schedules", "steps", "images", "trace_hash"))
        if not same:
            problems.append(f"{one['name']}: {one['trace_hash']} in one process, {two['trace_hash']} in another")
    return problems


def added(races):
    """The reports of one race's parts as one: what is counted adds up, what was seen is united."""
    switched = {}
    for race in races:
        for point, times in race["switched_at"].items():
            switched[point] = switched.get(point, 0) + times
    return {
        "name": races[0]["name"],
        "schedules": sum(race["schedules"] for race in races),
        "steps": sum(race["steps"] for race in races),
        "failed_schedules": sum(race["failed_schedules"] for race in races),
        "trace_hash": f"{sum(int(race['trace_hash'], 16) for race in races) % 2**64:016x}",
        "point_pairs": sorted({tuple(pair) for race in races for pair in race["point_pairs"]}),
        "points": sorted(switched),
    }


def parts(xip):
    races = ("race/027", "race/034")
    whole = explore(xip, *races)[1]
    shares = [explore(xip, *races, part=part)[1] for part in range(PARTS)]
    problems = []
    for number, race in enumerate(whole["races"]):
        of_race = [share["races"][number] for share in shares]
        if min(part["schedules"] for part in of_race) == 0:
            problems.append(f"{race['name']}: a part has nothing to do")
        one, all_parts = added([race]), added(of_race)
        problems += [f"{race['name']}: {what} is {one[what]}, the parts give {all_parts[what]}" for what in one if one[what] != all_parts[what]]
    return problems


def main(arguments):
    modes = {"--twice": twice, "--parts": parts}
    problems = modes[arguments[0]](arguments[1]) if arguments[0] in modes else all_races(arguments[0])
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

#!/bin/bash
# What a listing asks the server for: names alone until somebody looks at the files, and attributes with them then.
. "$(dirname "$0")/mounts.sh"
img=$scratch/disk.img
new_image "$img" 32M
up "$img"
for directory in one two three; do mkdir "$mnt/$directory"; touch "$mnt/$directory"/{01..20}; done
down "$img"
# serve: mounts $img and keeps what the server is asked for; its process is $server
serve() {
  "$xip_fuse" -d "$img" "$mnt" 2>"$scratch/said" &
  server=$!
  until mountpoint -q "$mnt"; do kill -0 $server 2>/dev/null || { fail 'the server has not begun'; cat "$scratch/said"; finish; }; done
}
# looked_up COMMAND...: how many names the server is asked for by it
looked_up() {
  "$@" >/dev/null &
  wait $! || fail "$*"
  grep -c "opcode: LOOKUP.* pid: $!\$" "$scratch/said"
}
serve
same 'the directory and no file' 1 "$(looked_up ls -f "$mnt/one")"
same 'each file' 20 "$(looked_up ls -l "$mnt/one")"
same 'only the directory: its listing brings the files' 1 "$(looked_up ls -l "$mnt/two")"
# Nobody has looked at a file of a new mount.
expect umount unmount "$mnt"
wait $server || fail "the server ends with $?"
serve
same 'the directory and its files' 21 "$(looked_up ls -l "$mnt/three")"
down "$img"
wait $server || fail "the server ends with $?"
finish

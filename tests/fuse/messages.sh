#!/bin/bash
# What a mount says of damage that somebody meets: on standard error in the foreground, in the system log in the background.
. "$(dirname "$0")/mounts.sh"
[ "$(id -u)" = 0 ] || skip 'not root, who may be the system log'
has python3 || skip 'no python3'
img=$scratch/damaged.img
new_image "$img" 16M -b 1024 -O ^metadata_csum
echo text >"$scratch/text"
for name in sound victim; do expect "debugfs writes $name" debugfs -w -R "write $scratch/text $name" "$img"; done
# What the inode of "victim" has of its tree of extents begins with zeros.
read -r block offset < <(debugfs -R 'imap victim' "$img" 2>/dev/null | sed -n 's/.*located at block \([0-9]*\), offset 0x\([0-9a-f]*\).*/\1 \2/p')
of_block_map=40
dd if=/dev/zero of="$img" bs=1 seek=$((block * 1024 + 16#$offset + of_block_map)) count=2 conv=notrunc status=none
cp "$img" "$scratch/again.img"
python3 "$(dirname "$0")/messages.py" foreground "$xip_fuse" "$img" "$mnt" || fail 'what is said in the foreground'
python3 "$(dirname "$0")/messages.py" background "$xip_fuse" "$scratch/again.img" "$mnt"
case $? in
  0) ;;
  77) [ "$failures" != 0 ] || skip 'somebody else is the system log at /dev/log, or nobody can be: what is said in the background was not looked at' ;;
  *) fail 'what is said in the background' ;;
esac
finish

#!/bin/bash
# The image verbs against debugfs and e2fsck; needs no root.
. "$(dirname "$0")/judge.sh"
img=$scratch/disk.img
new_image "$img" 64M -b 4096 -O metadata_csum

# refuse, and not a byte of the image is another
unchanged() {
  sha256sum <"$img" >"$scratch/sum"
  refuse "$@"
  expect "$1: changes no byte" bash -c "sha256sum <'$img' | cmp - '$scratch/sum'"
}

# A tree with every kind of thing, there and back again.
mkdir -p "$scratch/tree/a/b" "$scratch/tree/empty"
printf hello >"$scratch/tree/a/file"
printf 'line one\nline two\n' >"$scratch/tree/a/b/with space"
ln "$scratch/tree/a/file" "$scratch/tree/hard"
ln -s a/file "$scratch/tree/soft"
ln -s "$(printf 'long%.0s' $(seq 1 40))" "$scratch/tree/slow"
mkfifo "$scratch/tree/fifo"
truncate -s 5M "$scratch/tree/sparse"; printf x | dd of="$scratch/tree/sparse" bs=1 seek=3000000 conv=notrunc status=none
chmod 6751 "$scratch/tree/a/file"; chmod 1777 "$scratch/tree/empty"
touch -d '1969-07-20 20:17:40.000000001 UTC' "$scratch/tree/a/file"; touch -d '2400-01-01 00:00:00.5 UTC' "$scratch/tree/empty"
expect 'copy in' "$xip" cp -r "$scratch/tree" "$img:/tree"
clean 'after copy in' "$img"
expect 'copy out' "$xip" cp -r "$img:/tree" "$scratch/back"
facts() {
  (cd "$1" && find . -printf '%y %m %s %T@ %l %n %U %G %p\n' | sort && find . -type f -print0 | sort -z | xargs -0 sha256sum
    find . \( -type c -o -type b \) -exec stat -c '%n %t:%T' {} + | sort) | sed '/ \.$/d; s/^d \([0-9]*\) [0-9]* /d \1 - /'
}
facts "$scratch/tree" >"$scratch/want"
facts "$scratch/back" >"$scratch/got"
expect 'there and back' diff "$scratch/want" "$scratch/got"
same 'holes in' 8 "$(debugfs -R 'stat /tree/sparse' "$img" 2>/dev/null | sed -n 's/.*Blockcount: \([0-9]*\).*/\1/p')"
[ "$(stat -c %b "$scratch/back/sparse")" -le 16 ] || fail 'holes out'
same 'debugfs reads it' hello "$(debugfs -R 'cat /tree/a/file' "$img" 2>/dev/null)"

# cp's rules for targets.
expect 'into a directory' "$xip" cp "$scratch/tree/a/file" "$img:/tree/empty"
same 'into a directory' hello "$("$xip" cat "$img:/tree/empty/file")"
expect 'over a file' "$xip" cp "$scratch/tree/a/b/with space" "$img:/tree/empty/file"
same 'over a file' 'line one' "$("$xip" cat "$img:/tree/empty/file" | head -n 1)"
expect 'several into a directory' "$xip" cp "$scratch/tree/a/file" "$scratch/tree/a/b/with space" "$img:/tree/empty"
expect 'contents only' "$xip" cp -r "$scratch/tree/a/." "$img:/tree/empty"
expect 'contents only' "$xip" stat "$img:/tree/empty/b/with space"
expect 'within one image' "$xip" cp -r "$img:/tree/a" "$img:/again"
same 'within one image' hello "$("$xip" cat "$img:/again/file")"
unchanged 'a directory without -r' 1 'copy it with -r' "$xip" cp "$scratch/tree" "$img:/x"
unchanged 'several onto a file' 1 'is not a directory' "$xip" cp "$scratch/tree/a/file" "$scratch/tree/hard" "$img:/tree/hard"
unchanged 'no parent' 1 "$img:/none/x" "$xip" cp "$scratch/tree/a/file" "$img:/none/x"
unchanged 'onto itself' 1 'same file' "$xip" cp "$img:/again/file" "$img:/again/file"
refuse 'unknown option and no path' 2 '--frob' "$xip" ls --frob
refuse 'no target' 2 'no target' "$xip" cp "$img:/tree"
expect 'help, whatever is missing' bash -c "'$xip' cp '$img:/tree' --help | grep -q 'Usage: xip cp'"
refuse 'host to host' 2 'IMAGE:/path' "$xip" cp "$scratch/tree/a/file" "$scratch/y"

# Over what is there already, as cp -a: the same sources over the same target, in place of an image a directory.
root=no; [ "$(id -u)" = 0 ] && root=yes
make_sources() { # DIRECTORY
  mkdir -p "$1/kept"; (cd "$1" || exit
  printf 'new plain' >plain; printf 'new through' >through; printf 'new of two' >of-two
  printf shared >link-a; ln link-a link-b; printf more >more-a; ln more-a more-b
  ln -s plain symlink; ln -s plain was-plain; ln -s other-way kept/turned
  mkfifo fifo was-symlink; python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("socket")'
  if [ $root = yes ]; then mknod node c 1 3; mknod was-fifo b 7 9; fi
  touch -h -d '2001-02-03 04:05:06.7 UTC' -- * kept/* kept)
}
make_there() { # DIRECTORY
  mkdir -p "$1/kept"; (cd "$1" || exit
  printf 'old and longer than the new' >plain; chmod 600 plain
  printf 'old target' >target; ln -s target through
  printf 'old of two' >of-two; ln of-two of-two-too
  printf x >link-b; printf y >more-a; ln -s target more-b
  ln -s target symlink; printf z >was-plain; printf w >kept/turned; printf only-here >kept/stays
  mkfifo fifo; ln -s nowhere was-symlink; printf v >socket
  if [ $root = yes ]; then mknod node b 1 3; mkfifo was-fifo; fi
  touch -h -d '1999-02-03 04:05:06.7 UTC' -- * kept/* kept)
}
make_sources "$scratch/new"; make_there "$scratch/there"; cp -a "$scratch/there" "$scratch/judge"; cp -a "$scratch/there" "$scratch/over"
expect 'over: target into the image' "$xip" cp -r "$scratch/there" "$img:/over"
expect 'over: sources into the image' "$xip" cp -r "$scratch/new" "$img:/new"
before=$(stat -c %i "$scratch/over/plain")
for time in first second; do
  expect "over, $time time: cp -a" cp -a "$scratch/new/." "$scratch/judge/"
  expect "over, $time time: into the image" "$xip" cp -r "$scratch/new/." "$img:/over"
  expect "over, $time time: out of the image" "$xip" cp -r "$img:/new/." "$scratch/over"
  rm -rf "$scratch/seen"; expect "over, $time time: read back" "$xip" cp -r "$img:/over" "$scratch/seen"
  facts "$scratch/judge" >"$scratch/want"
  for place in seen over; do facts "$scratch/$place" >"$scratch/got"; expect "over, $time time: $place as after cp -a" diff "$scratch/want" "$scratch/got"; done
  clean "over, $time time" "$img"
done
same 'a regular file is written over in place' "$before" "$(stat -c %i "$scratch/over/plain")"
same 'what a symlink leads to is written' 'new through' "$(cat "$scratch/over/target")"

# What cp does not write over, it says: the same words as cp's, and nothing has changed.
mkdir "$scratch/kinds"; (cd "$scratch/kinds" && mkdir directory && printf f >file && mkfifo fifo && ln -s nowhere dangling && ln -s directory to-directory && ln -s fifo to-fifo)
expect 'kinds' "$xip" cp -r "$scratch/kinds" "$img:/kinds"
refuse_over() { # TEXT SOURCE TARGET: in the image, and on the host
  mkdir -p "$scratch/renamed"; rm -rf "$scratch/renamed/$3"; cp -a "$scratch/kinds/$2" "$scratch/renamed/$3"
  sha256sum <"$img" >"$scratch/sum"; facts "$scratch/kinds" >"$scratch/want"
  refuse "$2 over $3, into the image" 1 "$1" "$xip" cp -r "$scratch/renamed/$3" "$img:/kinds"
  expect "$2 over $3 changes no byte" bash -c "sha256sum <'$img' | cmp - '$scratch/sum'"
  "$xip" rm -rf "$img:/renamed"; "$xip" mkdir "$img:/renamed"; "$xip" cp -r "$scratch/renamed/$3" "$img:/renamed"
  refuse "$2 over $3, out of the image" 1 "$1" "$xip" cp -r "$img:/renamed/$3" "$scratch/kinds"
  facts "$scratch/kinds" >"$scratch/got"; expect "$2 over $3 changes nothing" diff "$scratch/want" "$scratch/got"
}
refuse_over 'cannot overwrite non-directory' directory file
refuse_over 'cannot overwrite non-directory' directory fifo
refuse_over 'cannot overwrite non-directory' directory to-directory
refuse_over 'cannot overwrite directory' file directory
refuse_over 'cannot overwrite directory' file to-directory
refuse_over 'cannot overwrite directory' dangling directory
refuse_over 'not writing through dangling symlink' file dangling
refuse_over 'a fifo, socket or device' file fifo
refuse_over 'a fifo, socket or device' file to-fifo
mkdir "$scratch/one" "$scratch/two"; printf 1 >"$scratch/one/same"; printf 2 >"$scratch/two/same"
refuse 'two files of one name' 1 'will not overwrite just-created' "$xip" cp -r "$scratch/one/same" "$scratch/two/same" "$img:/kinds"
same 'the first of them stays' 1 "$("$xip" cat "$img:/kinds/same")"

# Who may not give files away gets no set-id bits either.
mkdir -p "$scratch/rights/directory"; printf s >"$scratch/rights/foreign"; printf s >"$scratch/rights/own"
chmod 6755 "$scratch/rights/foreign" "$scratch/rights/own"; chmod 3775 "$scratch/rights/directory"
expect 'rights: into the image' "$xip" cp -r "$scratch/rights" "$img:/rights"
nobody=()
if [ $root = yes ]; then nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups); fi
for field in uid gid; do
  for name in foreign directory; do debugfs -w -R "sif /rights/$name $field 12345" "$img" 2>/dev/null; done
  debugfs -w -R "sif /rights/own $field $("${nobody[@]}" id -${field:0:1})" "$img" 2>/dev/null
done
chmod 711 "$scratch"; chmod 644 "$img"; mkdir "$scratch/nobody's"; chmod 777 "$scratch/nobody's"; cp "$xip" "$scratch/xip"
expect 'rights: out of the image' "${nobody[@]}" "$scratch/xip" cp -r "$img:/rights" "$scratch/nobody's/rights"
same 'a foreign file' 755 "$(stat -c %a "$scratch/nobody's/rights/foreign")"
same 'a foreign directory' 775 "$(stat -c %a "$scratch/nobody's/rights/directory")"
same 'a file of the one who copies' 6755 "$(stat -c %a "$scratch/nobody's/rights/own")"

# Extended attributes and access control lists, as cp -a keeps them: read and set in an image, into it, from one to another, and out.
expect 'setfattr' "$xip" setfattr -n user.colour -v red "$img:/tree/a/file" "$img:/tree/a"
expect 'setfattr of bytes' "$xip" setfattr -n user.bytes -v 0x00ff22 "$img:/tree/a/file"
expect 'setfattr of a symlink itself' "$xip" setfattr -n trusted.link -v here "$img:/tree/soft"
expect 'setfattr of a list' "$xip" setfattr -n system.posix_acl_access -v u::rwx,u:1000:6,g::r-x,m:rwx,o::--x "$img:/tree/a/b/with space"
expect 'setfattr of a default list' "$xip" setfattr -n system.posix_acl_default -v user::7,user:1000:rwx,group::5,mask::7,other::0 "$img:/tree/a/b"
same 'getfattr' '# file: /tree/a/file
user.bytes=0x00ff22
user.colour="red"' "$("$xip" getfattr "$img:/tree/a/file")"
same 'getfattr of a list' '# file: /tree/a/b/with space
system.posix_acl_access="user::rwx,user:1000:rw-,group::r-x,mask::rwx,other::--x"' "$("$xip" getfattr "$img:/tree/a/b/with space")"
same 'getfattr -n' 'red' "$("$xip" getfattr -n user.colour --only-values "$img:/tree/a")"
same 'debugfs agrees' 'user.colour (3) = "red"' "$(debugfs -R 'ea_list /tree/a/file' "$img" 2>/dev/null | grep colour | sed 's/^ *//')"
expect 'ls -l marks a list' bash -c "'$xip' ls -l '$img:/tree/a/b' | grep -q '^-rwxrwx--x+ '"
expect 'ls -l marks no other' bash -c "'$xip' ls -l '$img:/tree/a' | grep -q '^-rwsr-s--x  '"
expect 'stat shows attributes' bash -c "'$xip' stat '$img:/tree/a/file' | grep -q 'Xattr: user.colour (3 bytes)'"
unchanged 'no such attribute' 1 'user.none' "$xip" setfattr -x user.none "$img:/tree/a/file"
unchanged 'no such prefix' 1 'other.a' "$xip" setfattr -n other.a -v 1 "$img:/tree/a/file"
unchanged 'no list' 2 'no value of' "$xip" setfattr -n system.posix_acl_access -v user::rwx,somebody "$img:/tree/a/file"
unchanged 'an unfinished list' 1 'Invalid argument' "$xip" setfattr -n system.posix_acl_access -v user::rwx "$img:/tree/a/file"
unchanged 'neither set nor removed' 2 '-x NAME' "$xip" setfattr "$img:/tree/a/file"
refuse 'getfattr of nothing' 1 'user.none' "$xip" getfattr -n user.none "$img:/tree/a/file"
attributes() { "$xip" getfattr "$1:$2" $("$xip" ls -R "$1:$2" | sed -n "s,^\($2.*\):\$,$1:\1,p" | sort -u) "$1:$2/a/file" "$1:$2/a/b/with space" "$1:$2/soft" | sed "s,^# file: $2,# file: ,"; }
attributes "$img" /tree >"$scratch/want"
expect 'there are some' [ "$(wc -l <"$scratch/want")" -gt 15 ]
expect 'within the image' "$xip" cp -r "$img:/tree" "$img:/attributes"
attributes "$img" /attributes >"$scratch/got"; expect 'within the image' diff "$scratch/want" "$scratch/got"
new_image "$scratch/second.img" 64M -b 1024
expect 'to another image' "$xip" cp -r "$img:/tree" "$scratch/second.img:/tree"
attributes "$scratch/second.img" /tree >"$scratch/got"; expect 'to another image' diff "$scratch/want" "$scratch/got"
clean 'attributes' "$img"; clean 'attributes' "$scratch/second.img"
expect 'what was inherited and is not the source'"'"'s goes' "$xip" cp "$scratch/tree/a/file" "$img:/tree/a/b/plain"
same 'no list' '' "$("$xip" getfattr "$img:/tree/a/b/plain")"
expect 'setfattr -x' "$xip" setfattr -x trusted.link "$img:/tree/soft"
same 'setfattr -x' '' "$("$xip" getfattr "$img:/tree/soft")"

# The host's: where the scratch directory takes what an image has, it is there and comes back; what it refuses is named, and is no failure.
"$xip" cp -r "$img:/tree" "$scratch/host" 2>"$scratch/said"; same 'attributes out: no failure' 0 $?
if setfattr -n user.probe -v 1 "$scratch/host" 2>/dev/null && setfacl -m u:1:r "$scratch/host/a" 2>/dev/null; then
  setfattr -x user.probe "$scratch/host"; setfacl -b "$scratch/host/a"
  same 'attributes out: nothing to say' '' "$(cat "$scratch/said")"
  same 'getfattr on the host' 'red' "$(getfattr --only-values -n user.colour "$scratch/host/a/file" 2>/dev/null)"
  same 'getfacl on the host' 'user:1000:rw-' "$(getfacl -cnp "$scratch/host/a/b/with space" | grep 1000)"
  same 'getfacl -d on the host' 'default:user:1000:rwx' "$(getfacl -cnp "$scratch/host/a/b" | grep default:user:1000)"
  expect 'attributes in' "$xip" cp -r "$scratch/host" "$img:/from-host"
  attributes "$img" /from-host >"$scratch/got"; attributes "$img" /tree >"$scratch/want"; expect 'attributes in' diff "$scratch/want" "$scratch/got"
else
  expect 'what is lost is named' grep -q "warning: $scratch/host/a/file: user.colour is not kept: Operation not supported" "$scratch/said"
fi
if [ $root = yes ]; then
  # A file system that knows no attributes of users' own making.
  mkdir "$scratch/ramfs"
  if mount -t ramfs none "$scratch/ramfs" 2>/dev/null; then
    "$xip" cp -r "$img:/tree" "$scratch/ramfs/tree" 2>"$scratch/said"; same 'lost attributes: no failure' 0 $?
    expect 'a lost attribute is named' grep -q "warning: $scratch/ramfs/tree/a/file: user.colour is not kept: " "$scratch/said"
    expect 'a lost list is named' grep -q "warning: $scratch/ramfs/tree/a/b: system.posix_acl_default is not kept: " "$scratch/said"
    same 'the file is there' hello "$(cat "$scratch/ramfs/tree/a/file")"
    unmount "$scratch/ramfs"
  fi
  # Who is not root sets neither trusted nor security attributes, and is told nothing about it.
  expect 'a trusted attribute' "$xip" setfattr -n trusted.t -v 1 "$img:/tree/a/file"
  "${nobody[@]}" "$scratch/xip" cp "$img:/tree/a/file" "$scratch/nobody's/file" 2>"$scratch/said"; same 'not root: no failure' 0 $?
  same 'not root: nothing of trusted attributes' '' "$(grep trusted "$scratch/said")"
fi

# ls, stat, map, df
same 'ls' 'a empty fifo hard slow soft sparse' "$("$xip" ls "$img:/tree" | tr '\n' ' ' | sed 's/ $//')"
expect 'ls -l shows modes and targets' bash -c "'$xip' ls -l '$img:/tree' | grep -q -- 'soft -> a/file' && '$xip' ls -l '$img:/tree/a' | grep -q '^-rwsr-s--x'"
same 'ls -d' '/tree' "$("$xip" ls -d "$img:/tree")"
expect 'ls -ldh' bash -c "'$xip' ls -ldh '$img:/tree/sparse' | grep -q ' 5.0M '"
expect 'cp -a' "$xip" cp -a "$scratch/tree/a" "$img:/archived"
expect 'ls -R goes down' bash -c "'$xip' ls -R '$img:/' | grep -q '^/tree/a/b:'"
expect 'stat' bash -c "'$xip' stat '$img:/tree/a/file' | grep -q '(6751/-rwsr-s--x)'"
expect 'fallocate' "$xip" fallocate -l 64K "$img:/pre"
expect 'map follows a symlink' bash -c "'$xip' map '$img:/tree/soft' | grep -q 'extent'"
expect 'map shows unwritten' bash -c "'$xip' map '$img:/pre' | grep -q unwritten"

# map --faults: each page of a mapping, loaded from.
pages=$scratch/pages.img small=$scratch/small.img
new_image "$pages" 16M -b 4096
new_image "$small" 4M -b 1024
head -c 20000 /dev/zero | tr '\0' 'x' >"$scratch/few"
expect 'a file of five pages' "$xip" cp "$scratch/few" "$pages:/few"
expect 'a hole behind it' "$xip" truncate -s 40000 "$pages:/few"
faults=$("$xip" map --faults "$pages:/few"); same 'map --faults' 0 $?
same 'how many' '/few: 10 pages, 10 faults' "$(head -n 1 <<<"$faults")"
expect 'written pages are blocks' grep -qE '^ +0\.\. +4 +5 +4 KiB  blocks [0-9]+\.\.[0-9]+$' <<<"$faults"
expect 'a hole is zeros' grep -qE '^ +5\.\. +9 +5 +4 KiB  zeros$' <<<"$faults"
expect 'an empty file' "$xip" truncate -s 0 "$pages:/none"
same 'has none' '/none: 0 pages, 0 faults' "$("$xip" map --faults "$pages:/none")"
expect 'a file of 4 MiB' "$xip" fallocate -l 4M "$pages:/large"
expect 'zeros of 2 MiB' bash -c "'$xip' map --faults '$pages:/large' | grep -qE ' 2 +2 MiB  zeros$'"
"$xip" map --faults "$pages:/" 2>"$scratch/said"; same 'of a directory' 1 $?
expect 'is said' grep -q 'No such device' "$scratch/said"
"$xip" map --faults "$small:/lost+found" 2>"$scratch/said"; same 'of small blocks' 1 $?
expect 'is said, too' grep -q 'dax=always needs blocks of 4096 bytes' "$scratch/said"

expect 'truncate up' "$xip" truncate -s 1M "$img:/pre"
expect 'truncate relative' "$xip" truncate -s -512K "$img:/pre"
same 'size' 524288 "$("$xip" cat "$img:/pre" | wc -c)"
expect 'fallocate past the end' "$xip" fallocate -n -o 1M -l 64K "$img:/pre"
same 'keep size' 524288 "$("$xip" cat "$img:/pre" | wc -c)"
# A range in the middle: a kilobyte of each letter, four of them a block.
expect 'a file to change' bash -c "for c in {a..x}; do head -c 1024 /dev/zero | tr '\\0' \$c; done >'$scratch/letters' && '$xip' cp '$scratch/letters' '$img:/letters'"
letters() { "$xip" cat "$img:/letters" | tr '\0' . | fold -w 1024 | cut -c1 | tr -d '\n'; }
expect 'punch' "$xip" fallocate -p -o 5K -l 6K "$img:/letters"
same 'punch' 'abcde......lmnopqrstuvwx' "$(letters)"
expect 'punch past the end' "$xip" fallocate --punch-hole -o 1M -l 4K "$img:/letters"
expect 'zero' "$xip" fallocate -z -o 20K -l 8K "$img:/letters"
same 'zero' 'abcde......lmnopqrst........' "$(letters)"
expect 'zero past the end' "$xip" fallocate --zero-range -n -o 64K -l 4K "$img:/letters"
expect 'collapse' "$xip" fallocate -c -o 4K -l 8K "$img:/letters"
same 'collapse' 'abcdmnopqrst........' "$(letters)"
expect 'insert' "$xip" fallocate -i -o 8K -l 4K "$img:/letters"
same 'insert' 'abcdmnop....qrst........' "$(letters)"
clean 'changed ranges' "$img"
unchanged 'collapse off a block' 1 'multiples of 4096' "$xip" fallocate -c -o 1K -l 4K "$img:/letters"
unchanged 'insert off a block' 1 'multiples of 4096' "$xip" fallocate -i -l 5K "$img:/letters"
unchanged 'collapse to the end' 1 'before the file does, at 24576' "$xip" fallocate -c -l 24K "$img:/letters"
unchanged 'insert at the end' 1 'before the end of the file, at 24576' "$xip" fallocate -i -o 24K -l 4K "$img:/letters"
unchanged 'insert too much' 1 'File too large' "$xip" fallocate -i -l 16T "$img:/letters"
unchanged 'punch nothing' 1 'No such file' "$xip" fallocate -p -l 4K "$img:/fresh"
unchanged 'collapse nothing' 1 'No such file' "$xip" fallocate -c -l 4K "$img:/fresh"
unchanged 'punch a directory' 1 'Is a directory' "$xip" fallocate -p -l 4K "$img:/tree"
unchanged 'zero more than is free, new' 1 'No space left' "$xip" fallocate -z -l 1G "$img:/fresh"
expect 'fallocate the last block of all' "$xip" fallocate -n -o 17592186036224 -l 4K "$img:/letters"
unchanged 'insert before that' 1 'Invalid argument' "$xip" fallocate -i -l 4K "$img:/letters"
unchanged 'two modes' 2 'excludes' "$xip" fallocate -p -z -l 4K "$img:/letters"
unchanged 'collapse and keep the size' 2 'excludes' "$xip" fallocate -c -n -l 4K "$img:/letters"
unchanged 'insert and collapse' 2 'excludes' "$xip" fallocate -i -c -l 4K "$img:/letters"
expect 'df' bash -c "'$xip' df '$img' | grep -q '%'"
expect 'mkdir -p' "$xip" mkdir -p "$img:/p/q/r"
unchanged 'mkdir twice' 1 'File exists' "$xip" mkdir "$img:/p"
unchanged 'rm a directory' 1 'remove it with -r' "$xip" rm "$img:/p"
unchanged 'mkdir without a parent' 1 'No such file' "$xip" mkdir "$img:/none/x"
unchanged 'mkdir over a file' 1 'File exists' "$xip" mkdir "$img:/pre"
unchanged 'mkdir -p through a file' 1 'Not a directory' "$xip" mkdir -p "$img:/pre/x"
unchanged 'cp of nothing' 1 'No such file' "$xip" cp "$scratch/none" "$img:/x"
unchanged 'cp -r without a parent' 1 "$img:/none/x" "$xip" cp -r "$scratch/tree" "$img:/none/x"
unchanged 'truncate too large a file, new' 1 'File too large' "$xip" truncate -s 7E "$img:/fresh"
unchanged 'truncate to more than there is, new' 2 '99E' "$xip" truncate -s 99E "$img:/fresh"
unchanged 'truncate by too much' 1 'File too large' "$xip" truncate -s +9223372036854775807 "$img:/pre"
unchanged 'truncate too large, there' 1 'File too large' "$xip" truncate -s 7E "$img:/pre"
unchanged 'truncate without a parent' 1 'No such file' "$xip" truncate -s 1 "$img:/none/x"
unchanged 'truncate a directory' 1 'Is a directory' "$xip" truncate -s 1 "$img:/p"
unchanged 'fallocate too large a file, new' 1 'File too large' "$xip" fallocate -l 7E "$img:/fresh"
unchanged 'fallocate past all sizes, new' 1 'File too large' "$xip" fallocate -o 7E -l 2E "$img:/fresh"
unchanged 'fallocate more than is free, new' 1 'No space left' "$xip" fallocate -l 1G "$img:/fresh"
unchanged 'fallocate more than is free, there' 1 'No space left' "$xip" fallocate -l 1G "$img:/pre"
unchanged 'fallocate more than is free, behind what is there' 1 'No space left' "$xip" fallocate -n -o 4K -l 60M "$img:/pre"
unchanged 'fallocate without a parent' 1 'No such file' "$xip" fallocate -l 1 "$img:/none/x"
unchanged 'fallocate a directory' 1 'Is a directory' "$xip" fallocate -l 1 "$img:/p"
unchanged 'rm nothing' 1 'No such file' "$xip" rm "$img:/none"
expect 'rm -f nothing' "$xip" rm -f "$img:/none"
expect 'rm -r' "$xip" rm -r "$img:/p" "$img:/again"
clean 'after all' "$img"

# What is wrong is said, and leaves the image as it is.
sha256sum <"$img" >"$scratch/sum"
refuse 'no image' 1 "$scratch/none" "$xip" ls "$scratch/none:/"
refuse 'no path' 2 'IMAGE:/path' "$xip" cat "$img"
refuse 'cat a directory' 1 'Is a directory' "$xip" cat "$img:/tree"
unchanged 'bad size' 2 '12Q' "$xip" truncate -s 12Q "$img:/pre"
unchanged 'bad mode' 2 '999' "$xip" mkdir -m 999 "$img:/m"
refuse 'unknown option' 2 'help' "$xip" ls --frob "$img:/"
refuse 'a directory as image' 1 "$scratch" "$xip" ls "$scratch:/"
refuse 'two images' 2 'another image' "$xip" ls "$img:/" "$scratch/other.img:/"
unchanged 'the root' 2 'not removed' "$xip" rm -r "$img:/"
exec 9<"$img"; flock -s 9
refuse 'in use' 1 'in use' "$xip" mkdir "$img:/locked"
expect 'readers share' "$xip" ls "$img:/"
flock -u 9; flock -x 9
refuse 'scenarios on an image in use' 3 'in use' "$xip" check --image "$img" --device memory generic/001
exec 9<&-
expect 'nothing changed' bash -c "sha256sum <'$img' | cmp - '$scratch/sum'"

# A full image: an error that names the file, and a sound image.
new_image "$scratch/small.img" 2M -b 1024
head -c 3M /dev/urandom >"$scratch/big"
refuse 'full' 1 'No space left' "$xip" cp "$scratch/big" "$scratch/small.img:/big"
clean 'full' "$scratch/small.img"

# Limits of the image, not of the format: they are known before a file is made, also through a symlink.
ln -s d/behind "$scratch/leads"
limits() { # OPTIONS LARGEST: the largest file, and that fallocate is possible or not
  new_image "$scratch/old.img" 8M $1
  img=$scratch/old.img
  expect "$1" "$xip" mkdir "$img:/d"
  expect "$1" "$xip" cp -r "$scratch/leads" "$img:/leads"
  for name in new leads; do
    unchanged "$1, $name: too large" 1 'File too large' "$xip" truncate -s "$(($2 + 1))" "$img:/$name"
    unchanged "$1, $name: too far out" 1 'File too large' "$xip" fallocate -o "$2" -l 1 "$img:/$name"
    case $1 in *^extent*) unchanged "$1, $name: no preallocation" 1 'not supported' "$xip" fallocate -l 1 "$img:/$name";; esac
  done
  same "$1: nothing is there" '' "$("$xip" ls "$img:/d")"
  for name in new leads; do expect "$1, $name: the largest" "$xip" truncate -s "$2" "$img:/$name"; done
  clean "$1: the largest" "$img"
}
limits '-b 4096' 17592186040320
limits '-b 1024 -O ^huge_file' 2199023254528
limits '-b 1024 -O ^extent,^64bit' 17247252480
limits '-b 4096 -O ^extent,^64bit' 2199014854144
finish

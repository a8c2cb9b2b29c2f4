#!/bin/bash
# How a mount is asked for, what it says, and how it ends.
. "$(dirname "$0")/mounts.sh"
img=$scratch/disk.img
new_image "$img" 192M -b 4096
sum() { sha256sum <"$1"; }
options_of() { findmnt -n -o OPTIONS "$mnt"; }

# What it is called.
up "$img"
same 'source' "$img" "$(findmnt -n -o SOURCE "$mnt")"
same 'type' fuse.xip "$(findmnt -n -o FSTYPE "$mnt")"
expect 'default_permissions' grep -q default_permissions <<<"$(options_of)"
down "$img"
odd="$scratch/a, b\\c.img"
cp "$img" "$odd"
up "$odd"
same 'source with a comma and a backslash' "$odd" "$(findmnt -n -r -o SOURCE "$mnt" | python3 -c 'import sys; print(sys.stdin.read().rstrip("\n").encode().decode("unicode_escape"))')"
down "$odd"
(cd "$scratch" && up disk.img) # a relative name
down "$img"

# Every option of mount(8), and those of the file system.
generic=defaults,rw,relatime,noatime,atime,strictatime,nodiratime,suid,dev,exec,nosuid,nodev,noexec,sync,async,dirsync,auto,noauto,user,nouser,users
generic=$generic,owner,group,_netdev,nofail,silent,loud,mand,nomand,iversion,noiversion,lazytime,nolazytime,x-systemd.automount,X-mount.mkdir,comment=a
up "$img" "$generic,errors=remount-ro,dax=never,device=block,threads=2,commit=5,default_permissions"
expect 'flags that the kernel keeps' grep -Eq '(^|,)nosuid,nodev,noexec(,|$)' <<<"$(options_of)"
down "$img"
up "$img" commit=0 # the default
expect 'commit=0 is no word of its own' grep -Evq 'commit=' <<<"$(options_of)"
down "$img"
for dev in pmem block; do
  for dax in always never inode; do
    [ "$dev-$dax" = block-always ] && continue
    up "$img" "device=$dev,dax=$dax"
    expect "writing with device=$dev,dax=$dax" cp "$xip_fuse" "$mnt/copy"
    expect 'and reading' cmp "$xip_fuse" "$mnt/copy"
    rm -f "$mnt/copy"
    down "$img"
  done
done

up "$img" noatime,relatime
expect 'the last word on times wins' grep -Evq '(^|,)noatime(,|$)' <<<"$(options_of)"
down "$img"

# What is wrong is named, changes nothing, and is told to whoever asked.
before=$(sum "$img")
refuse 'an unknown option' 2 '"frob"' "$xip" mount "$img" "$mnt" -o frob
refuse 'one with a wrong value' 2 'errors=maybe' "$xip" mount "$img" "$mnt" -o errors=maybe
refuse 'a number of threads' 2 'threads=no' "$xip" mount "$img" "$mnt" -o threads=no
refuse 'seconds without end' 2 'commit=3601' "$xip" mount "$img" "$mnt" -o commit=3601
refuse 'a device' 2 'device=tape' "$xip" mount "$img" "$mnt" -o device=tape
refuse 'DAX without memory' 1 'direct access' "$xip" mount "$img" "$mnt" -o device=block,dax=always
refuse 'too few arguments' 2 'IMAGE' "$xip" mount "$img"
refuse 'too many' 2 'too many' "$xip" mount "$img" "$mnt" more
refuse 'no such switch' 2 '--frob' "$xip" mount --frob "$img" "$mnt"
refuse 'no image' 1 'No such file' "$xip" mount "$scratch/none" "$mnt"
refuse 'no directory' 1 'No such file' "$xip" mount "$img" "$scratch/none"
refuse 'a file to mount on' 1 'not a directory' "$xip" mount "$img" "$img"
refuse 'a directory for an image' 1 "$mnt" "$xip" mount "$mnt" "$mnt"
refuse 'the codes of mount(8): usage' 1 'threads=no' "$xip_fuse" "$img" "$mnt" -o threads=no
refuse 'an option, too' 1 '"frob"' "$xip_fuse" "$img" "$mnt" -o frob
refuse 'the codes of mount(8): failure' 32 'No such file' "$xip_fuse" "$scratch/none" "$mnt"
for word in user_id=77 group_id=77 rootmode=1 max_read=4096 blksize=512 fd=3; do
  refuse "$word, which is the kernel's to say" 2 "\"$word\" is for a remount only" "$xip" mount "$img" "$mnt" -o $word
done
same 'a refused mount changes nothing' "$before" "$(sum "$img")"
expect 'sloppy' "$xip_fuse" -s "$img" "$mnt" -o frob
down "$img"
head -c 1M /dev/urandom >"$scratch/noise"
refuse 'what is no ext4' 1 "$scratch/noise" "$xip" mount "$scratch/noise" "$mnt"
expect 'help' "$xip" mount --help
expect 'version' "$xip_fuse" --version
if [ "$(id -u)" = 0 ] && has unshare; then
  refuse 'no /dev/fuse' 3 '/dev/fuse' unshare -m sh -c 'mount --bind /dev/null /dev/fuse 2>/dev/null && mount -o remount,bind,nodev /dev/fuse && exec "$@"' sh "$xip" mount "$img" "$mnt"
fi

# Read-only, and towards both sides while it is in use.
before=$(sum "$img")
up "$img" ro
refuse 'writing' 1 'Read-only' touch "$mnt/x"
expect 'reading' ls -lR "$mnt"
expect 'a second reader' "$xip" ls "$img:/"
down "$img"
same 'a read-only mount changes nothing' "$before" "$(sum "$img")"
up "$img"
touch "$mnt/kept"
refuse 'remount to read-only with a file open for writing' 32 'busy' sh -c 'exec 5>"$1/open"; shift; exec "$@"' sh "$mnt" "$xip_fuse" -o remount,ro "$img" "$mnt"
expect 'which is undone' touch "$mnt/kept"
expect 'remount,ro' "$xip_fuse" -o remount,ro "$img" "$mnt"
refuse 'writing then' 1 'Read-only' touch "$mnt/x"
clean 'read-only in use' "$img"
expect 'remount,rw' "$xip_fuse" -o remount,rw "$img" "$mnt"
expect 'writing again' touch "$mnt/x"
refuse 'remount with nonsense' 1 'frob' "$xip_fuse" -o remount,frob "$img" "$mnt"
if [ "$(id -u)" = 0 ] && has setpriv; then
  powerless=(setpriv --bounding-set -sys_admin --inh-caps -sys_admin)
  refuse 'remount by who may not mount' 32 'not permitted' "${powerless[@]}" "$xip_fuse" -o remount,ro,noexec "$img" "$mnt"
  expect 'which changes nothing' touch "$mnt/x"
fi
expect 'remount,noatime' "$xip_fuse" -o remount,noatime "$img" "$mnt"
expect 'which the kernel shows' grep -Eq '(^|,)noatime(,|$)' <<<"$(options_of)"
expect 'remount,strictatime' "$xip_fuse" -o remount,strictatime "$img" "$mnt"
expect 'which takes it back' grep -Evq '(^|,)noatime(,|$)' <<<"$(options_of)"
refuse 'remount of another file system' 32 'not a mount of this program' "$xip_fuse" -o remount,ro "$img" "$scratch"
down "$img"

# A flag that libfuse does not pass on, and those that a remount does not speak of.
if [ "$(id -u)" = 0 ]; then
  up "$img" nosymfollow,noexec
  echo kept >"$mnt/target"
  ln -s target "$mnt/link"
  refuse 'a symlink with nosymfollow' 1 'Too many levels' cat "$mnt/link"
  expect 'remount of something else' "$xip_fuse" -o remount,noatime "$img" "$mnt"
  refuse 'a symlink after it' 1 'Too many levels' cat "$mnt/link"
  expect 'remount,symfollow' "$xip_fuse" -o remount,symfollow "$img" "$mnt"
  same 'followed then' kept "$(cat "$mnt/link")"
  expect 'noexec stays' grep -Eq '(^|,)noexec(,|$)' <<<"$(options_of)"
  # As the kernel shows it, and mount(8) gives it back.
  expect 'remount with what the kernel shows' "$xip_fuse" -o "remount,$(options_of)" "$img" "$mnt"
  down "$img"
fi
refuse 'a label, with a comma in it, that is none' 1 'cannot mount' "$xip" mount "$img" "$mnt" -o 'ro,context="a,b"'

# Past the page cache: written at once where others look, mapped all the same, and two readers of one file see one content.
up "$img" direct_io
cp "$xip_fuse" "$mnt/copy"
expect 'read past the page cache' cmp "$xip_fuse" "$mnt/copy"
expect 'mapped, stored into, written over and read' python3 - "$mnt/copy" <<'PY'
import mmap, os, sys
fd = os.open(sys.argv[1], os.O_RDWR)
try:
    m = mmap.mmap(fd, 8192)
except OSError:
    assert tuple(map(int, os.uname().release.split("-")[0].split(".")[:2])) < (6, 6)
    sys.exit(0)
m[:6] = b"mapped"
assert os.pread(fd, 6, 0) == b"mapped"
os.pwrite(fd, b"written", 4096)
assert m[4096:4103] == b"written"
m[4103:4106] = b"too"
m.flush()
assert os.pread(fd, 10, 4096) == b"writtentoo"
PY
# What is stored into a mapping of a file that only grows does not land at its end.
if [ "$(id -u)" = 0 ] && has chattr; then
  printf 'first line\n' >"$mnt/log"
  chattr +a "$mnt/log"
  expect 'a store into what only grows goes nowhere' python3 - "$mnt/log" <<'PY'
import errno, mmap, os, sys
fd = os.open(sys.argv[1], os.O_RDWR | os.O_APPEND)
try:
    m = mmap.mmap(fd, 11)
except OSError:
    assert tuple(map(int, os.uname().release.split("-")[0].split(".")[:2])) < (6, 6)
    sys.exit(0)
m[:5] = b"FIRST"
try:
    m.flush()
except OSError as refused:
    assert refused.errno == errno.EPERM
else:
    sys.exit("the store was taken")
PY
  same 'which is as it was' 'first line' "$(cat "$mnt/log")"
  chattr -a "$mnt/log"
fi
down "$img"

# One user at a time; who comes too early waits a moment.
up "$img"
mkdir "$scratch/second"
refuse 'a second mount' 1 'in use' "$xip" mount "$img" "$scratch/second"
refuse 'a verb' 1 'in use' "$xip" ls "$img:/"
dd if=/dev/zero of="$mnt/zeros" bs=1M count=8 status=none
unmount "$mnt"
expect 'right behind umount' "$xip" ls "$img:/zeros"
clean 'umount' "$img"

# Signals unmount; who still uses the mount is cut off, and what was written is there.
for signal in TERM INT HUP; do
  up "$img"
  echo "$signal" >"$mnt/signal"
  kill -$signal "$(pgrep -n -f "mount $img $mnt")"
  free "$img"
  expect "nothing is mounted after SIG$signal" sh -c '! mountpoint -q "$1"' sh "$mnt"
  clean "SIG$signal" "$img"
  same "written before SIG$signal" "$signal" "$("$xip" cat "$img:/signal")"
done
up "$img"
exec 7>"$mnt/open"
echo 'in time' >&7
python3 - "$mnt/mapped" <<'PY' &
import mmap, os, sys, time
fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
os.truncate(fd, 4096)
m = mmap.mmap(fd, 4096)
m[:6] = b"mapped"
open(sys.argv[1] + ".ready", "w").close()
time.sleep(600)
PY
user=$!
until [ -e "$mnt/mapped.ready" ]; do kill -0 $user 2>/dev/null || { fail 'nobody maps the file'; break; }; done
kill -TERM "$(pgrep -n -f "mount $img $mnt")"
free "$img"
expect 'who has a file open is told' sh -c '! echo late >&7' 2>/dev/null
exec 7>&-
kill $user; wait $user 2>/dev/null
clean 'SIGTERM while it is in use' "$img"
same 'written before it' 'in time' "$("$xip" cat "$img:/open")"
same 'stored into a mapping before it' 'mapped' "$("$xip" cat "$img:/mapped" | head -c 6)"

# A server that dies leaves an image that e2fsck repairs, and a directory that can be unmounted.
up "$img"
cp -r "$(dirname "$0")" "$mnt/tree"
kill -KILL "$(pgrep -n -f "mount $img $mnt")"
free "$img"
expect 'the dead mount can be removed' umount -l "$mnt"
e2fsck -fp "$img" >"$scratch/log" 2>&1 || e2fsck -fy "$img" >"$scratch/log" 2>&1
clean 'after the repair' "$img"

# An image that goes away under the mount: errors, and the server lives.
cp "$img" "$scratch/cut.img"
up "$scratch/cut.img"
dd if=/dev/zero of="$mnt/big" bs=1M count=4 status=none
truncate -s 1M "$scratch/cut.img"
echo 3 >/proc/sys/vm/drop_caches 2>/dev/null
expect 'reading what is gone is an error' sh -c '! cat "$1/big" >/dev/null 2>&1' sh "$mnt"
expect 'and the server lives' pgrep -f "mount $scratch/cut.img $mnt"
unmount "$mnt"
free "$scratch/cut.img"

# In the foreground messages go to standard error.
"$xip" mount -f "$img" "$mnt" 2>"$scratch/said" &
server=$!
until mountpoint -q "$mnt"; do kill -0 $server 2>/dev/null || { fail 'foreground'; cat "$scratch/said"; break; }; done
unmount "$mnt"
wait $server; same 'foreground ends with' 0 $?

# mount(8) and fstab, through a helper in sbin.
if [ "$(id -u)" = 0 ] && has unshare && unshare -m true 2>/dev/null; then
  mkdir "$scratch/sbin"
  ln -s "$xip_fuse" "$scratch/sbin/mount.fuse.xip"
  ln -s "$(readlink -f "$(dirname "$0")/../../tools/fuse/umount.fuse.xip")" "$scratch/sbin/umount.fuse.xip"
  echo "$img $mnt fuse.xip noauto,user,errors=remount-ro,x-comment 0 0" >"$scratch/fstab"
  cat >"$scratch/by_mount" <<'SH'
set -e
mount --make-rprivate /
mount --bind "$1/sbin" /usr/sbin
mount -t fuse.xip -o relatime,nosuid "$1/disk.img" "$1/mnt"
findmnt -n -o FSTYPE,OPTIONS "$1/mnt" | grep -q 'fuse.xip.*nosuid'
findmnt -n -o OPTIONS "$1/mnt" | grep -q nodev && exit 1
echo by mount >"$1/mnt/by_mount"
mount -o remount,ro "$1/mnt"
! touch "$1/mnt/x" 2>/dev/null
umount "$1/mnt"
mount -t fuse.xip -o uhelper=fuse.xip "$1/disk.img" "$1/mnt"
head -c 50000000 /dev/urandom >"$1/mnt/much"
umount "$1/mnt"
flock -n "$1/disk.img" true # the server has finished: nobody has to wait
mount -t fuse.xip -o uhelper=fuse.xip "$1/disk.img" "$1/mnt"
rm "$1/mnt/much"
exec 9<"$1/mnt"
umount "$1/mnt" 2>/dev/null && exit 1 # in use
umount -l "$1/mnt"
exec 9<&-
flock "$1/disk.img" true
mount -T "$1/fstab" "$1/mnt"
grep -q 'by mount' "$1/mnt/by_mount"
findmnt -n -o OPTIONS "$1/mnt" | grep -q 'nosuid,nodev,noexec'
umount "$1/mnt"
SH
  expect 'mount -t fuse.xip' unshare -m bash "$scratch/by_mount" "$scratch"
  free "$img"
  clean 'mount -t fuse.xip' "$img"
fi

# Others than the one who mounts.
if [ "$(id -u)" = 0 ] && has setpriv; then
  chmod 755 "$scratch"
  other=(setpriv --reuid 12345 --regid 12345 --clear-groups)
  up "$img"
  refuse 'somebody else' 2 'Permission denied' "${other[@]}" ls "$mnt"
  down "$img"
  up "$img" allow_other
  chmod 1777 "$mnt"
  expect 'somebody else with allow_other' "${other[@]}" touch "$mnt/theirs"
  same 'whose file it is' 12345:12345 "$(stat -c %u:%g "$mnt/theirs")"
  install -m 600 /dev/null "$mnt/secret"
  refuse 'what is not theirs' 1 'Permission denied' "${other[@]}" cat "$mnt/secret"
  refuse 'to remove it' 1 'Operation not permitted' "${other[@]}" rm -f "$mnt/secret"
  install -m 4777 -o 0 /dev/null "$mnt/setuid"
  expect 'writing to a set-id file' "${other[@]}" sh -c 'echo x >"$1/setuid"' sh "$mnt"
  same 'takes the bit away' 777 "$(stat -c %a "$mnt/setuid")"
  install -m 640 -g 777 /dev/null "$mnt/of_group"
  expect 'a supplementary group' setpriv --reuid 12345 --regid 12345 --groups 777 cat "$mnt/of_group"
  install -m 4755 "/bin/true" "$mnt/program"
  expect 'programs run' "$mnt/program"
  down "$img"
  # A user, where they may open /dev/fuse: in a namespace of their own everybody may.
  new_image "$scratch/own.img" 16M
  mkdir "$scratch/own"
  chown nobody "$scratch/own.img" "$scratch/own"
  cat >"$scratch/by_user" <<'SH'
set -e
mount --make-rprivate /
mknod -m 666 "$1/fuse" c 10 229
mount --bind "$1/fuse" /dev/fuse
user="setpriv --reuid nobody --regid nogroup --clear-groups"
$user "$2" mount "$1/own.img" "$1/own"
$user ls -l "$1/own"
findmnt -n -o OPTIONS "$1/own" | grep -q nosuid,nodev
$user fusermount3 -u "$1/own"
SH
  if has fusermount3 && unshare -m true 2>/dev/null; then
    expect 'a user mounts their image' unshare -m bash "$scratch/by_user" "$scratch" "$xip"
    free "$scratch/own.img"
    clean "a user's mount" "$scratch/own.img"
  fi
fi
finish

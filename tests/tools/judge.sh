# Sourced by the tests of the image verbs: counting, a scratch directory, e2fsck as the judge.
# After each test program: `finish` prints what failed and ends with 1 if anything did. 77 means skipped.
set -u
xip=$(readlink -f "${1:?usage: ${0##*/} path/to/xip}")
scratch=$(mktemp -d)
trap 'umount -q "$scratch/mnt" "$scratch/full" "$scratch/ramfs" 2>/dev/null; rm -rf "$scratch"' EXIT
failures=0

fail() { failures=$((failures + 1)); echo "FAILED: $*"; }
# expect WHAT COMMAND...: the command succeeds
expect() { local what=$1; shift; "$@" >"$scratch/log" 2>&1 || { fail "$what"; sed 's/^/    /' "$scratch/log" | tail -n 8; }; }
# refuse WHAT CODE TEXT COMMAND...: the command ends with CODE and says TEXT on standard error
refuse() {
  local what=$1 code=$2 text=$3 got; shift 3
  timeout 60 "$@" >/dev/null 2>"$scratch/log" </dev/null; got=$?
  [ "$got" = "$code" ] || fail "$what: exit $got in place of $code"
  grep -qF -- "$text" "$scratch/log" || { fail "$what: does not say '$text'"; sed 's/^/    /' "$scratch/log"; }
}
same() { [ "$2" = "$3" ] || fail "$1: expected '$2', found '$3'"; }
clean() { expect "$1: e2fsck" e2fsck -fn "$2"; }
# Something of the host that looks into every mount may be in this one for a moment.
unmount() { local n; for n in {1..500}; do umount "$1" 2>/dev/null && return; done; umount "$1"; }
new_image() { local path=$1 size=$2; shift 2; rm -f "$path"; truncate -s "$size" "$path"; mke2fs -q -F -t ext4 "$@" "$path" || { echo "mke2fs $* failed"; exit 1; }; }
finish() { if [ "$failures" = 0 ]; then exit 0; fi; echo "$failures failed"; exit 1; }

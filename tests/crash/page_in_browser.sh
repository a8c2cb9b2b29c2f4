#!/bin/bash
# page_in_browser.sh XIP: a browser shows the page of a crashed workload as it was meant. Skipped where Chromium is not installed.
set -u
xip=$(readlink -f "${1:?usage: ${0##*/} path/to/xip}")
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome) || { echo 'skipped: chromium is not installed'; exit 77; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failures=0
fail() { failures=$((failures + 1)); echo "FAILED: $*"; }

cat >"$scratch/mine.txt" <<'END'
mkdir A
creat A/foo
---
write A/foo 0 5000
rename A/foo A/a-name-that-is-much-longer-than-its-bar-in-the-picture-can-be
setxattr A/a-name-that-is-much-longer-than-its-bar-in-the-picture-can-be user.<&> 10
fsync A/a-name-that-is-much-longer-than-its-bar-in-the-picture-can-be
END
# What is measured in the browser goes into the page, since that is what it prints.
cat >"$scratch/probe.html" <<'END'
<pre id="probe"></pre>
<script>
addEventListener('load', () => {
  const facts = [], note = (what, is) => facts.push(what + ': ' + is);
  const picture = document.querySelector('.scroll > svg'), all = (what) => [...picture.querySelectorAll(what)];
  const whole = picture.getBoundingClientRect();
  const inside = (e) => { const r = e.getBoundingClientRect(); return r.left >= whole.left && r.right <= whole.right + 1 && r.top >= whole.top && r.bottom <= whole.bottom + 1; };
  note('calls', all('rect.call').length);
  note('wide calls', all('rect.call').filter((e) => e.getBoundingClientRect().width >= 20).length);
  note('outside', all('rect, line.store, line.fence, circle').filter((e) => !inside(e)).length);
  note('stores without an owner', all('line.store').filter((e) => !/, of (call [0-9]+: |no call)/.test(e.querySelector('title').textContent)).length);
  note('colours of stores', new Set(all('line.store').map((e) => getComputedStyle(e).stroke)).size);
  note('moments', all('circle.moment').length === document.querySelectorAll('[aria-labelledby=moments] tbody tr').length);
  note('page scrolls sideways', document.documentElement.scrollWidth > innerWidth);
  note('failed moments', all('circle.moment.failed').length);
  note('lines of the failure', document.querySelectorAll('[aria-labelledby=lines] tbody tr').length);
  document.getElementById('probe').textContent = facts.join('\n');
});
</script>
END

drawn() {  # PAGE WIDTH: what the browser makes of it, in $scratch/dom
  sed "/<\/body>/e cat '$scratch/probe.html'" "$1" >"$scratch/probed.html"
  timeout 120 "$browser" --headless --no-sandbox --disable-gpu --window-size="$2,900" --user-data-dir="$scratch/profile" --enable-logging=stderr \
    --dump-dom "file://$scratch/probed.html" >"$scratch/dom" 2>"$scratch/log"
  grep -E 'CONSOLE.*(Uncaught|Error)' "$scratch/log" && fail 'an error in the page'
}
has() { grep -qE -- "$2" "$scratch/dom" || { fail "$1: no '$2'"; sed -n '/id="probe"/,/<\/pre>/p' "$scratch/dom"; }; }

"$xip" crash "$scratch/mine.txt" --fsck none --html "$scratch/page.html" >"$scratch/said" || { cat "$scratch/said"; exit 1; }
for width in 1200 400; do
  drawn "$scratch/page.html" "$width"
  [ -s "$scratch/dom" ] || { echo 'skipped: the browser does not run here'; exit 77; }
  has 'each call has a bar' '^(<pre id="probe">)?calls: 4$'
  has 'that can be seen' '^wide calls: 4$'
  has 'all of it lies in the picture' '^outside: 0$'
  has 'stores tell whose they are' '^stores without an owner: 0$'
  has 'and have a colour for data, metadata and the log' '^colours of stores: 3$'
  has 'each moment has a dot and a row' '^moments: true$'
  has 'none has failed' '^failed moments: 0$'
  has 'a page no wider than its window' '^page scrolls sideways: false'
done
has 'names of others are text' '<title>3: setxattr [^<]* user\.&lt;&amp;&gt; 10</title>'

"$xip" crash "$scratch/mine.txt" --fsck none --mkfs '-b 4096 -O ^has_journal' --html "$scratch/page.html" >"$scratch/said"
[ $? = 1 ] || fail 'an image without a journal passes'
drawn "$scratch/page.html" 1200
has 'a moment that failed is marked' '^failed moments: [1-9]'
has 'and its lines have a table' '^lines of the failure: [1-9]'
grep -q 'A state failed' "$scratch/dom" || fail 'the verdict'
[ "$failures" = 0 ] || exit 1

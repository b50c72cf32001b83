#!/bin/sh
# Installs what `npm start` and `npm test` need and this machine lacks; silent and quick where nothing is missing.
# Runs before them, under the machine's own sh and Node, so it uses neither TypeScript nor any package.
set -eu
cd "$(dirname "$0")/.."

say() { printf '%s\n' "setup: $*" >&2; }
has() { command -v "$1" >/dev/null 2>&1; }

# The sum of the lock file that node_modules was last seen to match.
stamp=node_modules/.imagemill-lock
lock_sum() { cksum <package-lock.json; }

# After an `npm install` by hand the stamp is old but the packages may be right: asks npm's own list of them.
packages_match() {
  [ -f node_modules/.package-lock.json ] && node -e '
    const { readFileSync } = require("node:fs");
    const wanted = JSON.parse(readFileSync("package-lock.json", "utf8")).packages;
    const there = JSON.parse(readFileSync("node_modules/.package-lock.json", "utf8")).packages;
    const differs = (path) => path !== "" && !wanted[path].optional && there[path]?.version !== wanted[path].version;
    process.exitCode = Object.keys(wanted).some(differs) ? 1 : 0;'
}

install_packages() {
  has npm || { say "npm is missing: install Node.js 18 or newer, https://nodejs.org"; exit 1; }
  say "installing the npm packages of package-lock.json (npm ci)"
  npm ci --no-audit --no-fund --loglevel=error >&2 && return
  # Some registries lack optional packages of other systems; npm ci refuses the whole lock file for that
  # (https://github.com/npm/cli/issues/9846).
  say "npm ci failed; trying npm install --no-save"
  npm install --no-save --no-audit --no-fund --loglevel=error >&2
}

node_runs() { node_modules/.bin/node -e 0 >/dev/null 2>&1; }

# npm can be told not to run install scripts; the package `node` is only a script without its own.
install_node() {
  say "installing the Node.js of package-lock.json (npm did not run the install script of the package node)"
  (cd node_modules/node && node installArchSpecificPackage.js) >&2 || true
  mkdir -p node_modules/.bin
  [ -e node_modules/.bin/node ] || ln -s ../node/bin/node node_modules/.bin/node
  node_runs && return
  say "node_modules/.bin/node does not run on this machine ($(uname -sm))"
  exit 1
}

has_redis() { has redis-server || has valkey-server; }

for_tests() { [ "${1:-}" = test ] || [ "${npm_lifecycle_event:-}" = pretest ]; }

# Tests start servers of their own; `npm start` can use one that runs elsewhere.
needs_redis() { for_tests "${1:-}" || [ -z "${REDIS_URL:-}" ]; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

can_be_root() { [ "$(id -u)" = 0 ] || { has sudo && sudo -n true >/dev/null 2>&1; }; }

install_redis() {
  if has brew; then
    say "installing Redis (brew install redis)"
    brew install redis >&2
  elif ! can_be_root; then
    return 1
  elif has apt-get; then
    say "installing Redis (apt-get install redis-server)"
    as_root apt-get update -q >&2
    # RUNLEVEL=1: Debian then installs the service without starting it.
    as_root env RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -q redis-server >&2
  elif has dnf; then
    say "installing Valkey or Redis (dnf install valkey)"
    as_root dnf install -y -q valkey >&2 || as_root dnf install -y -q redis >&2
  elif has apk; then
    say "installing Redis (apk add redis)"
    as_root apk add -q redis >&2 || as_root apk add -q valkey >&2
  else
    return 1
  fi
}

explain_redis() {
  say "Redis is missing and could not be installed from here. One of these does it:
  Debian, Ubuntu   sudo apt-get update && sudo apt-get install -y redis-server
  Fedora, RHEL     sudo dnf install -y valkey
  Alpine           sudo apk add redis
  macOS            brew install redis
  Docker           docker run -d -p 6379:6379 redis
                   and REDIS_URL=redis://localhost:6379 (npm start only: the tests start their own servers)"
}

has_browser() {
  has chromium || has chromium-browser || has google-chrome-stable || has google-chrome || has chrome
}

install_browser() {
  can_be_root || return 1
  if has apt-get; then
    say "installing Chromium for the tests of the monitor (apt-get install chromium)"
    as_root apt-get update -q >&2
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends chromium >&2
  elif has dnf; then
    say "installing Chromium for the tests of the monitor (dnf install chromium)"
    as_root dnf install -y -q chromium >&2
  elif has apk; then
    say "installing Chromium for the tests of the monitor (apk add chromium)"
    as_root apk add -q chromium >&2
  else
    return 1
  fi
}

explain_browser() {
  say "Chromium is missing and could not be installed from here: the tests of the monitor will fail. One of these does it:
  Debian           sudo apt-get update && sudo apt-get install -y chromium
  Ubuntu           sudo snap install chromium, or Google Chrome's package from https://www.google.com/chrome
  Fedora, RHEL     sudo dnf install -y chromium
  Alpine           sudo apk add chromium
  macOS            brew install --cask chromium, then put its binary on PATH as \`chromium\`"
}

# Below /usr, in a folder that has the machine's name (Debian), the width of its addresses (Fedora), or neither.
has_library() {
  for folder in "${SETUP_USR:-/usr}"/lib/"$(uname -m)"-linux-* "${SETUP_USR:-/usr}"/lib64 "${SETUP_USR:-/usr}"/lib; do
    for found in "$folder"/$1; do [ ! -e "$found" ] || return 0; done
  done
  return 1
}

# chaos/other-clock.ts looks for the same.
has_clock() { has_library "faketime/libfaketime.so.*" && has_library "libmimalloc*.so.*"; }

install_clock() {
  can_be_root || return 1
  if has apt-get; then
    say "installing what gives a test's Redis another clock (apt-get install faketime libmimalloc-dev)"
    as_root apt-get update -q >&2
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends faketime libmimalloc-dev >&2
  elif has dnf; then
    say "installing what gives a test's Redis another clock (dnf install libfaketime mimalloc)"
    as_root dnf install -y -q libfaketime mimalloc >&2
  elif has apk; then
    say "installing what gives a test's Redis another clock (apk add libfaketime mimalloc2)"
    as_root apk add -q libfaketime mimalloc2 >&2
  else
    return 1
  fi
}

explain_clock() {
  say "libfaketime and mimalloc are missing and could not be installed from here: the test of a Redis whose clock is behind will fail.
One of these does it:
  Debian, Ubuntu   sudo apt-get update && sudo apt-get install -y faketime libmimalloc-dev
  Fedora           sudo dnf install -y libfaketime mimalloc
  Alpine           sudo apk add libfaketime mimalloc2"
}

if [ ! -f "$stamp" ] || [ "$(cat "$stamp")" != "$(lock_sum)" ]; then
  packages_match || install_packages
  lock_sum >"$stamp"
fi
node_runs || install_node
if needs_redis "${1:-}" && ! has_redis; then
  install_redis && has_redis || { explain_redis; exit 1; }
fi
if for_tests "${1:-}" && ! has_browser; then
  install_browser && has_browser || explain_browser
fi
if for_tests "${1:-}" && ! has_clock; then
  install_clock && has_clock || explain_clock
fi

#!/bin/sh
# The login and device pages in a real Chromium (Debian's chromium, npm's playwright-core). Screenshots stay in the folder
# that is given, or in a temporary one.
# Usage: login.sh WAXSEAL [FOLDER [STEPS]], where node finds playwright-core in the current folder's node_modules.
set -eu
waxseal=$1
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
shots=${2:-$work/screenshots}
mkdir -p "$shots"
trap 'kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT

email=alice@example.org password='correct horse battery'
printf '%s\n' "$password" | "$waxseal" serve user add --data "$work/data" "$email"
"$waxseal" serve --data "$work/data" --listen 127.0.0.1:0 >"$work/ready" &
server=$!
for _ in $(seq 100); do
    [ -s "$work/ready" ] && break
    sleep 0.1
done
url=$(sed 's/.*"url":"\([^"]*\)".*/\1/' "$work/ready")
node "$here/login.mjs" "$url" "$email" "$password" "$shots" "${3:-}"

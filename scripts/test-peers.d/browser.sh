# shellcheck shell=bash
# The login and device pages in a real Chromium (Debian's chromium, npm's playwright-core). Screenshots go when the script
# ends, unless $SCREENSHOTS names a folder for them.

setup_browser() {
    have chromium chromium
    have node nodejs
    have npm npm
    cd "$CACHE/browser"
    [ -e node_modules/playwright-core ] && grep -q '"1.65.1"' node_modules/playwright-core/package.json ||
        npm install --no-audit --no-fund --no-save playwright-core@1.65.1 oidc-provider@9.13.3
    echo "$(chromium --version), playwright-core 1.65.1"
}

other_browser() {
    cd "$CACHE/browser"
    pages
}

# A stack with an account, which nobody is let into without a password.
pages() {
    local data="$WORK/browser/data" ready="$WORK/browser/ready" server url
    printf 'correct horse battery\n' | waxseal serve user add --data "$data" "$IDENTITY"
    waxseal serve --data "$data" --listen 127.0.0.1:0 >"$ready" &
    server=$!
    for _ in $(seq 100); do
        [ -s "$ready" ] && break
        sleep 0.1
    done
    url=$(sed 's/.*"url":"\([^"]*\)".*/\1/' "$ready")
    mkdir -p "${SCREENSHOTS:-$WORK/browser/screenshots}"
    check 'the login and device pages' \
        node "$PEERS/login.mjs" "$url" "$IDENTITY" 'correct horse battery' "${SCREENSHOTS:-$WORK/browser/screenshots}"
    kill "$server"
}

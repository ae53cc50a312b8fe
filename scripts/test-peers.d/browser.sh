# shellcheck shell=bash
# A real Chromium (Debian's, driven by npm's playwright-core): the login and device pages, logins that sigstore-python and
# waxseal begin, and logins at other issuers (npm's oidc-provider). Screenshots go when the script ends, unless $SCREENSHOTS
# names a folder for them.

setup_browser() {
    have chromium chromium
    have node nodejs
    have npm npm
    cd "$CACHE/browser"
    if ! cmp -s "$PEERS/browser.sh" installed; then
        npm install --no-audit --no-fund --no-save playwright-core@1.65.1 oidc-provider@9.13.3
        cp "$PEERS/browser.sh" installed
    fi
    have faketime faketime || true
    echo "$(chromium --version), playwright-core 1.65.1, oidc-provider 9.13.3"
}

PASSWORD='correct horse battery'

other_browser() {
    export SCREENSHOTS="${SCREENSHOTS:-$WORK/browser/screenshots}"
    mkdir -p "$SCREENSHOTS"
    # It mostly waits for half-minutes to pass.
    check 'other issuers: people, and CI systems whose keys change and which go away' \
        in_node issuers.mjs "$(command -v waxseal)" >issuers.out &
    login_pages
    waxseal_logins
    browser_logins
    wait
    cat issuers.out
}

# Runs a script where it finds what is installed.
in_node() { (cd "$CACHE/browser" && node "$PEERS/$1" "${@:2}"); }

# A stack that nobody enters without a password: sets `server`, `url` and `digest`.
# usage: password_stack FOLDER COMMAND…
password_stack() {
    local data="$WORK/browser/$1" line
    shift
    printf '%s\n' "$PASSWORD" | waxseal serve user add --data "$data" "$IDENTITY" >/dev/null
    "$@" waxseal serve --data "$data" --listen 127.0.0.1:0 >"$data.ready" &
    server=$!
    for _ in $(seq 100); do
        [ -s "$data.ready" ] && break
        sleep 0.1
    done
    line=$(cat "$data.ready")
    url=$(sed 's/.*"url":"\([^"]*\)".*/\1/' <<<"$line")
    digest=$(sed 's/.*"trust_sha256":"\([^"]*\)".*/\1/' <<<"$line")
}

# Its clock is set by a file, where faketime can be had, so that what is too old can be shown.
login_pages() {
    local server url digest clock=()
    if command -v faketime >/dev/null; then
        export FAKETIME_TIMESTAMP_FILE="$WORK/browser/clock"
        echo '+0' >"$FAKETIME_TIMESTAMP_FILE"
        # shellcheck disable=SC2016 # the library's place is for the inner shell to say
        clock=(env "LD_PRELOAD=$(faketime -f +0 sh -c 'echo $LD_PRELOAD')" FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1)
    else
        echo '  not run: what is too old: faketime is not here'
    fi
    password_stack pages ${clock[@]+"${clock[@]}"}
    check 'the login and device pages' in_node login.mjs "$url" "$IDENTITY" "$PASSWORD" "$SCREENSHOTS"
    kill "$server"
    unset FAKETIME_TIMESTAMP_FILE
}

waxseal_logins() {
    local library=
    # shellcheck disable=SC2016 # the library's place is for the inner shell to say
    ! command -v faketime >/dev/null || library=$(faketime -f +0 sh -c 'echo $LD_PRELOAD')
    check 'waxseal signs after logins at oidc-provider and at the embedded issuer, and renews them without a question' \
        in_node waxseal_logins.mjs "$(command -v waxseal)" "$IDENTITY" "$PASSWORD" "$SCREENSHOTS" "$library"
}

# Programs that open a browser themselves.
browser_logins() {
    local server url digest repository=browsed config="$WORK/browser/config.json"
    password_stack programs
    cat >opener <<END
#!/bin/sh
cd '$CACHE/browser' && exec node '$PEERS/log_in.mjs' '$IDENTITY' '$PASSWORD' "\$1"
END
    chmod +x opener
    waxseal trust add browsed --url "$url" --sha256 "$digest" >/dev/null
    make_repository "$repository"
    git -C "$repository" config waxseal.instance browsed
    git -C "$repository" config waxseal.allow "$IDENTITY $url/oidc browsed"
    check 'waxseal signs a commit after a login in Chromium' \
        env CALLER=waxseal BROWSER="$PWD/opener" git -C "$repository" commit --quiet --allow-empty -S -m 'By a person'
    check 'and verifies it' git -C "$repository" verify-commit HEAD
    if [ -x "$CACHE/python/venv/bin/sigstore" ]; then
        curl -sSf --noproxy '*' "$url/trust/client_trust_config.json" -o "$config"
        cp "$BUNDLES/artifact" artifact
        check 'sigstore-python signs after a login in Chromium' env CALLER=sigstore-python BROWSER="$PWD/opener %s" \
            "$CACHE/python/venv/bin/sigstore" --trust-config "$config" sign --bundle browsed.sigstore.json artifact
        check 'and verifies it' "$CACHE/python/venv/bin/sigstore" --trust-config "$config" verify identity --offline \
            --bundle browsed.sigstore.json --cert-identity "$IDENTITY" --cert-oidc-issuer "$url/oidc" artifact
    else
        echo '  not run: sigstore-python with a login in Chromium: sigstore-python is not here'
    fi
    kill "$server"
}

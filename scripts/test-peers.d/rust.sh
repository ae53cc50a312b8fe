# shellcheck shell=bash
# sigstore-rust (crates sigstore-sign and sigstore-verify), the TUF client tough, and Cloudflare's tlog_tiles and
# signed_note, in a program of their own (rust/src/main.rs).

setup_rust() {
    # Nothing is built twice, and nothing is kept for a debugger.
    cargo build --locked --quiet --manifest-path "$PEERS/rust/Cargo.toml" --target-dir "$CACHE/rust/target"
    # Another run may build another version there.
    cp "$CACHE/rust/target/debug/peers" "$WORK/rust/peers"
    sed -n 's/^\(sigstore-sign\|sigstore-verify\|signed_note\|tlog_tiles\|tough\) = .*"=\([0-9.]*\)".*/\1 \2/p' "$PEERS/rust/Cargo.toml" |
        paste -sd , | sed 's/,/, /g'
}

rust() { "$WORK/rust/peers" "$@"; }

sign_rust() {
    local v1=signing_config.v0.2.json v2=signing_config_rekor_v2.v0.2.json
    rust_sign "$v1" "$BUNDLES/artifact" rust-v1
    rust_sign "$v2" "$BUNDLES/artifact" rust-v2
    # dsse 0.0.1, and dsseRequestV002
    rust_sign "$v1" "$BUNDLES/statement.json" rust-dsse-v1
    rust_sign "$v2" "$BUNDLES/statement.json" rust-dsse-v2
}

rust_sign() { SIGSTORE_ID_TOKEN=$(token) rust sign "$TRUST/$1" "$2" "$BUNDLES/$3.sigstore.json"; }

verify_rust() { rust verify "$TRUST/trusted_root.json" "$2" "$1" "$3" "$ISSUER"; }

other_rust() {
    check 'sigstore-tuf follows the TUF repository' rust tuf "$STACK_URL/tuf" "$TRUST/tuf-root.json" "$PWD/tuf" "$TRUST/trusted_root.json"
    check 'tough follows it, and has every target' rust tough "$STACK_URL/tuf" "$TRUST/tuf-root.json" "$TRUST/trusted_root.json"
    local log
    for log in rekor rekor2 ct; do log_key "$log" >"$log.pem"; done
    rust_logs 'tlog_tiles reads'
    make_repository repository
    git -C repository commit --quiet --allow-empty -S -m 'One more entry and certificate'
    SIGSTORE_ID_TOKEN=$(token) rust sign "$TRUST/signing_config_rekor_v2.v0.2.json" "$BUNDLES/artifact" more
    rust_logs 'tlog_tiles proves that larger trees extend the earlier ones:'
    check "signed_note refuses another log's key" refuses rust log "$STACK_URL/rekor2" rekor.pem none
}

rust_logs() {
    check "$1 Rekor v2 over HTTP" rust log "$STACK_URL/rekor2" rekor2.pem seen-v2
    check "$1 Rekor v1's files" rust log "$SANDBOX/sigstore/rekor-v1" rekor.pem seen-v1
    check "$1 the CT log's files" rust log "$SANDBOX/sigstore/ct-log" ct.pem seen-ct
}

# For scripts/soak: tuftool takes longer to build than everything else together.
# usage: rust_tuftool FOLDER, which must not be there
rust_tuftool() {
    local folder=$1
    command -v tuftool >/dev/null || [ -x "$CACHE/rust/tuftool/bin/tuftool" ] ||
        CARGO_PROFILE_RELEASE_OPT_LEVEL=1 cargo install --quiet --locked --version 0.17.0 --root "$CACHE/rust/tuftool" tuftool || return 1
    PATH="$PATH:$CACHE/rust/tuftool/bin" tuftool download --root "$TRUST/tuf-root.json" --metadata-url "$STACK_URL/tuf/" \
        --targets-url "$STACK_URL/tuf/targets/" "$folder" || return 1
    cmp "$folder/trusted_root.json" "$TRUST/trusted_root.json"
}

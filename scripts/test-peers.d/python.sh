# shellcheck shell=bash
# sigstore-python signs, attests and verifies; python-tuf follows the TUF repository; rfc3161-client checks timestamps;
# pymerkle checks the logs.

setup_python() {
    have python3 python3
    python3 -c 'import ensurepip, venv' || have python3-venv python3-venv || python3 -c 'import ensurepip, venv'
    cd "$CACHE/python"
    if ! cmp -s "$PEERS/python.requirements.txt" installed.txt; then
        rm -rf venv installed.txt
        python3 -m venv venv
        venv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r "$PEERS/python.requirements.txt"
        cp "$PEERS/python.requirements.txt" installed.txt
    fi
    echo "$(venv/bin/sigstore --version), $(venv/bin/python --version)"
}

sigstore_python() { "$CACHE/python/venv/bin/sigstore" "$@"; }
peer_python() { "$CACHE/python/venv/bin/python" "$@"; }

# The signing config with both logs has the newer one first in the client's eyes.
sign_python() {
    local version config
    cp "$BUNDLES/artifact" artifact
    echo '{"buildDefinition":{"buildType":"https://example.org/t","externalParameters":{}},"runDetails":{"builder":{"id":"https://example.org/b"}}}' >predicate
    for version in 1 2; do
        config="$TRUST/client_trust_config_rekor_v2.json"
        sigstore_python --trust-config "$config" sign --identity-token "$(token)" --rekor-version "$version" \
            --bundle "$BUNDLES/python-v$version.sigstore.json" artifact
        sigstore_python --trust-config "$config" attest --identity-token "$(token)" --rekor-version "$version" \
            --predicate predicate --predicate-type https://slsa.dev/provenance/v1 \
            --bundle "$BUNDLES/python-dsse-v$version.sigstore.json" artifact
    done
}

verify_python() { python_verify --trust-config "$TRUST/client_trust_config.json" "$@"; }

# usage: python_verify OPTION VALUE BUNDLE ARTIFACT IDENTITY
python_verify() {
    sigstore_python "$1" "$2" verify identity --offline --bundle "$3" --cert-identity "$5" --cert-oidc-issuer "$ISSUER" "$4"
}

other_python() {
    cp "$BUNDLES/artifact" artifact
    python_by_tuf
    check 'sigstore-python signs with a code that is copied from the login page' python_out_of_band
    check 'python-tuf follows the repository through a rotation, and refuses an older one' \
        peer_python "$PEERS/python_tuf.py" "$WORK/python/tuf" "$IDENTITY"
    check 'waxseal follows a repository of python-tuf through a rotation, and refuses older, frozen and forged ones' \
        peer_python "$PEERS/python_tuf_repository.py" "$WORK/python/tuf-repository" "$TRUST"
    check 'rfc3161-client accepts timestamps, and refuses them for something else' \
        peer_python "$PEERS/python_tsa.py" "$STACK_URL/tsa/api/v1/timestamp" "$TRUST/trusted_root.json"
    check 'pymerkle has the same roots and proofs as the three logs' \
        peer_python "$PEERS/python_merkle.py" "$STACK_URL"
}

# Trust by TUF alone, from a pinned first root.
python_by_tuf() {
    local instance=(--instance "$STACK_URL/tuf")
    check 'sigstore-python trusts the instance by its TUF root' sigstore_python "${instance[@]}" trust-instance "$TRUST/tuf-root.json"
    check 'sigstore-python signs for it' sigstore_python "${instance[@]}" sign --identity-token "$(token)" --bundle by-tuf.sigstore.json artifact
    check 'sigstore-python verifies by it' python_verify "${instance[@]}" by-tuf.sigstore.json artifact "$IDENTITY"
    check 'sigstore-python refuses a token of nobody' refuses sigstore_python "${instance[@]}" sign --identity-token "$(token | sed 's/.$/_/;s/\.[^.]*$/.c2ln/')" --bundle no.sigstore.json artifact
}

# The login of somebody whose browser is elsewhere: the program shows an address, the page shows a code.
python_out_of_band() {
    local program code
    mkfifo typed
    sigstore_python --trust-config "$TRUST/client_trust_config.json" sign --oauth-force-oob \
        --bundle out-of-band.sigstore.json artifact <typed 2>said &
    program=$!
    exec 3>typed
    for _ in $(seq 300); do
        grep -q '^\s*http' said && break
        sleep 0.1
    done
    curl -sSfL --noproxy '*' "$(grep -o 'http.*' said | head -n 1)" -o page
    code=$(sed -n 's/.*<output[^>]*>\([^<]*\)<.*/\1/p' page)
    echo "$code" >&3
    exec 3>&-
    wait "$program" || { cat said; return 1; }
    verify_python out-of-band.sigstore.json artifact "$IDENTITY"
}

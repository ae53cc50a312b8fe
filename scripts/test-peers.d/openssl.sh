# shellcheck shell=bash
# OpenSSL knows CMS, X.509 and timestamps, and nothing of Git or Sigstore.

setup_openssl() { openssl version; }

other_openssl() {
    openssl_cms
    openssl_ts
}

# What waxseal signed, as DER, and the bytes it is about, as files NAME.der and NAME.payload.
take_apart() {
    local kind=$1 object=$2 name=$3
    git cat-file "$kind" "$object" >"$name.object"
    if [ "$kind" = commit ]; then
        # The header gpgsig and its continuation lines, each of which Git indented by one space.
        awk -v der="$name.pem" -v payload="$name.payload" '
            !body && /^gpgsig /   { inside = 1; sub(/^gpgsig /, ""); print > der; next }
            inside && /^ /        { sub(/^ /, ""); print > der; next }
            { inside = 0; if ($0 == "") body = 1; print > payload }' "$name.object"
    else
        awk -v der="$name.pem" -v payload="$name.payload" '
            /^-----BEGIN SIGNED MESSAGE-----$/ { inside = 1 }
            { print > (inside ? der : payload) }' "$name.object"
    fi
    sed '/^-----/d' "$name.pem" | openssl base64 -d >"$name.der"
}

# The instance's certificate authority, as PEM: those values of the trusted root that are certificates.
authorities() {
    local value
    grep -o '"rawBytes": *"[^"]*"' "$TRUST/trusted_root.json" |
        sed 's/.*"\([^"]*\)"$/\1/' |
        while read -r value; do
            openssl base64 -d -A <<<"$value" | openssl x509 -inform DER 2>/dev/null || true
        done
}

cms_verify() {
    openssl cms -verify -binary -inform DER -purpose any -no_check_time -no-CApath -no-CAstore \
        -in "$1" -content "$2" -CAfile authorities.pem -out /dev/null
}

openssl_cms() {
    make_repository repository
    cd repository
    git commit --quiet --allow-empty -S -m 'Plain'
    printf 'No final newline' | git commit --quiet --allow-empty --cleanup=verbatim -S -F -
    printf 'Carriage returns\r\n\r\nand a body\r\n' | git commit --quiet --allow-empty --cleanup=verbatim -S -F -
    git tag -s v1 -m 'A tag'
    authorities >authorities.pem
    take_apart commit HEAD~2 plain
    take_apart commit HEAD crlf
    take_apart tag v1 tag
    git cat-file commit HEAD~1 >last && [ "$(tail -c 1 last)" = e ] || { echo 'Git added a newline' >&2; return 1; }
    take_apart commit HEAD~1 open
    truncate -s -1 open.payload # awk ends every line
    check 'cms accepts a signed commit' cms_verify plain.der plain.payload
    check 'cms accepts a commit without final newline' cms_verify open.der open.payload
    check 'cms accepts a commit with carriage returns' cms_verify crlf.der crlf.payload
    check 'cms accepts a signed tag' cms_verify tag.der tag.payload
    sed 's/^Plain$/Plane/' plain.payload >forged.payload
    check 'cms refuses another payload' refuses cms_verify plain.der forged.payload
    check "cms refuses another commit's signature" refuses cms_verify crlf.der plain.payload
    cd ..
}

stamp() {
    curl -sS --noproxy '*' -H 'Content-Type: application/timestamp-query' --data-binary "@$1" \
        "$STACK_URL/tsa/api/v1/timestamp" -o "$2"
}

# OpenSSL has a timestamp client and verifier of its own.
openssl_ts() {
    echo 'a signature' >stamped
    echo 'another' >other
    get /tsa/api/v1/timestamp/certchain chain.pem
    # The signer comes first, the root last.
    awk '/BEGIN/ { part++ } { print > (part == 1 ? "signer.pem" : "root.pem") }' chain.pem
    openssl ts -query -data stamped -sha256 -cert -out with.tsq
    openssl ts -query -data stamped -sha512 -no_nonce -out without.tsq
    stamp with.tsq with.tsr
    stamp without.tsq without.tsr
    check 'ts accepts a token with certificate and nonce' openssl ts -verify -queryfile with.tsq -in with.tsr -CAfile root.pem
    check 'ts accepts one without either' \
        openssl ts -verify -data stamped -in without.tsr -CAfile root.pem -untrusted signer.pem
    check 'ts refuses it for something else' refuses openssl ts -verify -data other -in with.tsr -CAfile root.pem
}

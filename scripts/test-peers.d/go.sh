# shellcheck shell=bash
# Go's own code for transparency logs, golang.org/x/mod/sumdb, in a small program (go/main.go says what it does).

setup_go() {
    have go golang-go
    go_env
    (cd "$PEERS/go" && go build -buildvcs=false -o "$WORK/go/logcheck" .)
    echo "$(go version), $(sed -n 's/^require //p' "$PEERS/go/go.mod")"
}

# Nothing of the caller's is read, and no other Go is fetched.
go_env() {
    export GOTOOLCHAIN=local GOWORK=off GOCACHE="$CACHE/go/build" GOMODCACHE="$CACHE/go/modules" GOFLAGS=-modcacherw
}

logcheck() { "$WORK/go/logcheck" "$@"; }

# More than two tiles of entries, and another certificate.
go_more() {
    logcheck add v1 "$STACK_URL/rekor" 600 >>v1
    logcheck add v2 "$STACK_URL/rekor2" 600 >>v2
    make_repository repository
    git -C repository commit --quiet --allow-empty -S -m 'One more certificate'
}

# A copy of a log in which one byte of a file is another.
go_broken() {
    rm -rf broken
    cp -r "$SANDBOX/sigstore/rekor-v2" broken
    printf '\377' | dd of="broken/$1" bs=1 seek=40 conv=notrunc status=none
}

go_logs() {
    check "$1, Rekor v2 over HTTP" logcheck tiles -seen seen-v2 "$STACK_URL/rekor2" rekor2.pem v2
    check "$1, Rekor v2's files" logcheck tiles -seen seen-v2 "$SANDBOX/sigstore/rekor-v2" rekor2.pem v2
    check "$1, Rekor v1's files" logcheck tiles -seen seen-v1 "$SANDBOX/sigstore/rekor-v1" rekor.pem v1
    check "$1, the CT log over HTTP" logcheck ct -seen seen-ct "$STACK_URL/ct" ct.pem
    check "$1, the CT log's files" logcheck tiles -seen seen-ct "$SANDBOX/sigstore/ct-log" ct.pem
}

other_go() {
    local before log file
    for log in rekor rekor2 ct; do log_key "$log" >"$log.pem"; done
    shopt -s nullglob
    logcheck entries "$BUNDLES"/*-v1.sigstore.json >v1
    logcheck entries "$BUNDLES"/*-v2.sigstore.json >v2
    logcheck add v1 "$STACK_URL/rekor" 1 >>v1
    logcheck add v2 "$STACK_URL/rekor2" 1 >>v2
    go_logs "sumdb proves what was acknowledged ($(wc -l <v1) of v1, $(wc -l <v2) of v2)"
    before=$(ls seen-v1 seen-v2 seen-ct | wc -l)
    go_more
    go_logs 'sumdb proves that larger trees extend the earlier ones'
    check 'these were other trees' [ "$(ls seen-v1 seen-v2 seen-ct | wc -l)" -ge $((before + 3)) ]
    printf '1 %064d\n' 1 >other
    echo 1000000 >beyond
    check 'sumdb refuses an entry that was not logged' refuses logcheck tiles "$STACK_URL/rekor2" rekor2.pem other
    check 'sumdb refuses an entry that is not there' refuses logcheck tiles "$STACK_URL/rekor2" rekor2.pem beyond
    check "sumdb refuses another log's key" refuses logcheck tiles "$STACK_URL/rekor2" rekor.pem
    for file in checkpoint tile/0/000 tile/entries/000; do
        go_broken "$file"
        check "sumdb refuses another byte in $file" refuses logcheck tiles broken rekor2.pem
    done
}

# shellcheck shell=bash
# Kills under load, judged by Go's code for transparency logs as well.

setup_crash() {
    have go golang-go || return 1
    (cd "$PEERS/go" && go build -o "$CACHE/crash/logcheck" .)
    go version
}

other_crash() { check 'whatever was acknowledged is there after every kill, says Go' crash; }

crash() {
    (cd "$PEERS/../.." && WAXSEAL_LOGCHECK="$CACHE/crash/logcheck" cargo test --locked --test integration durability -- --nocapture) \
        >crash.out 2>&1 || { cat crash.out; return 1; }
    grep "Go's sumdb, too" crash.out
}

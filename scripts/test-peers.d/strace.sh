# shellcheck shell=bash
# The order in which logs write, and every one of their calls failing: the tests that scripts/test skips without strace.

setup_strace() {
    have strace strace
    strace --version | head -n 1
}

other_strace() { check 'logs write in order, and lose nothing when a call fails' disk_faults; }

# A test that skips itself has shown nothing.
disk_faults() {
    (cd "$PEERS/../.." && cargo test --locked --test integration disk_faults -- --nocapture) >disk_faults.out 2>&1 || { cat disk_faults.out; return 1; }
    ! grep 'skipped:' disk_faults.out
}

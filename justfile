# Tasks of everyday work. `just` lists them.

_list:
    @just --list --unsorted

# Builds the release binary.
build:
    cargo build --release --locked -p bfe

# Runs the proxy on the default configuration with built-in backends.
demo:
    cargo run --release --locked -- --demo

# Runs all tests, or those that match: just test -p bfe_http chunked
test *args:
    cargo test --workspace --locked {{ args }}

# Formatting and lints, as CI wants them.
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --locked -- -D warnings

# Formats the code.
fmt:
    cargo fmt --all

# Compares with nginx and HAProxy under load: just bench --rounds 5 --markdown
bench *args: build
    tests/bench/run {{ args }}

# Measures all goals of docs/performance.md, in about a quarter of an hour.
bench-table *args: build
    tests/bench/table {{ args }}

# Compares the memory of idle connections.
bench-idle *args: build
    tests/bench/idle {{ args }}

# Plays recorded answers of the original program against the release binary: just golden ../shared/golden --only h2
golden folder *args: build
    python3 {{ folder }}/golden.py check --bin "${CARGO_TARGET_DIR:-target}/release/bfe" \
        --allow tests/golden/pending.txt --allow tests/golden/differences.txt {{ args }} {{ folder }}/*.json

# Licences, advisories and sources of all dependencies; needs cargo-deny.
deny:
    cargo deny --locked check

# Everything a change has to pass.
ci:
    .ci/run

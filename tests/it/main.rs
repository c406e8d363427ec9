//! Tests of behaviour, against a real Docker Engine. `make test` starts one and runs them.

mod check;

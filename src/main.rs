//! Arguments, configuration, `app::run`, exit code.

fn main() {}

//! Arguments, configuration, `app::run`, exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    tidewaiter::cli::main()
}

//! The `waxseal` program: arguments, clock and exit code. Everything else is in the library.

use std::io::{self, Write as _};
use std::panic::PanicHookInfo;
use std::process::ExitCode;

use waxseal::cli::Invocation;
use waxseal::command_error::CommandError;
use waxseal::{cli, commands, escape};

fn main() -> ExitCode {
    std::panic::set_hook(Box::new(|bug| report_bug(bug, EXIT_BUG)));
    let outcome = cli::parse(std::env::args_os()).map_err(CommandError::from).and_then(|invocation| {
        prepare_for_bugs(&invocation);
        #[expect(clippy::disallowed_methods, reason = "the program's clock is read here")]
        commands::run(&invocation, jiff::Timestamp::now())
    });
    ExitCode::from(outcome.unwrap_or_else(|error| {
        let _closed = error.print(&mut io::stderr().lock());
        error.kind().exit_code()
    }))
}

/// Git must never take a bug for a good answer.
fn prepare_for_bugs(invocation: &Invocation) {
    match invocation {
        // One request has a bug; the logins of the others stay.
        Invocation::Agent(_) => std::panic::set_hook(Box::new(say_bug)),
        Invocation::GitSign(_) => std::panic::set_hook(Box::new(|bug| report_bug(bug, EXIT_FAILED))),
        Invocation::GitVerify(request) => {
            let status_fd = request.status_fd;
            std::panic::set_hook(Box::new(move |bug| {
                commands::git_verify::report_failure(status_fd);
                report_bug(bug, EXIT_FAILED);
            }));
        }
        Invocation::Ci(_)
        | Invocation::Doctor(_)
        | Invocation::Evidence(_)
        | Invocation::Explain(_)
        | Invocation::FollowLogin(_)
        | Invocation::Hook(_)
        | Invocation::Man(_)
        | Invocation::LogIn(_)
        | Invocation::LogOut(_)
        | Invocation::OpenBrowser(_)
        | Invocation::Policy(_)
        | Invocation::Print(_)
        | Invocation::Serve(_)
        | Invocation::ServeCommand(_)
        | Invocation::Setup(_)
        | Invocation::Show(_)
        | Invocation::Trust(_)
        | Invocation::Verify(_)
        | Invocation::VerifyTag(_)
        | Invocation::Who(_)
        | Invocation::WhoAmI(_) => {}
    }
}

#[expect(clippy::exit, reason = "a panic hook cannot return a code, and an abort would leave a core dump with secrets")]
fn report_bug(bug: &PanicHookInfo<'_>, exit_code: i32) {
    say_bug(bug);
    std::process::exit(exit_code)
}

fn say_bug(bug: &PanicHookInfo<'_>) {
    let text = escape::terminal(bug.to_string());
    let _closed = writeln!(io::stderr().lock(), "waxseal: error: this is a bug in waxseal: {text}");
}

const EXIT_BUG: i32 = 70;
const EXIT_FAILED: i32 = 1;

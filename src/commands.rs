//! What each invocation does.

use jiff::Timestamp;

use crate::cli::Invocation;
use crate::command_error::CommandError;

pub mod agent;
mod agent_error;
pub mod ci;
mod claims;
mod configured;
pub mod doctor;
pub mod evidence;
pub mod explain;
mod facts;
mod failure;
mod findings;
pub mod follow_login;
pub mod git_sign;
pub mod git_verify;
mod hints;
pub mod hook;
pub mod identity_policy;
mod log_watch;
pub mod login;
pub mod logout;
pub mod man;
pub mod open_browser;
mod outside_evidence;
pub mod policy;
pub mod policy_source;
mod progress;
mod run;
pub mod serve;
pub mod setup;
pub mod show;
mod status_fd;
mod stdout;
pub mod trust;
mod trust_age;
pub mod verify;
pub mod verify_tag;
pub mod who;
pub mod whoami;

/// Runs one invocation and returns the program's exit code.
///
/// # Errors
/// [`CommandError`], which has an exit code of its own.
pub fn run(invocation: &Invocation, now: Timestamp) -> Result<u8, CommandError> {
    match invocation {
        Invocation::Agent(request) => agent::run(request).map(|()| 0),
        Invocation::Ci(ci) => ci::run(ci, now),
        Invocation::Doctor(request) => doctor::run(request, now),
        Invocation::Evidence(command) => evidence::run(command, now),
        Invocation::Explain(request) => explain::run(request, now),
        Invocation::FollowLogin(request) => follow_login::run(request).map(|()| 0),
        Invocation::GitSign(request) => git_sign::run(request, now).map(|()| 0),
        Invocation::GitVerify(request) => git_verify::run(request, now),
        Invocation::Hook(hook) => hook::run(hook, now),
        Invocation::Man(manual) => man::run(manual).map(|()| 0),
        Invocation::LogIn(request) => login::run(request, now).map(|()| 0),
        Invocation::LogOut(request) => logout::run(request).map(|()| 0),
        Invocation::Policy(command) => policy::run(command, now),
        Invocation::OpenBrowser(request) => open_browser::run(request).map(|()| 0),
        Invocation::Print(text) => stdout::print_to_reader(&format!("{}\n", text.trim_end())),
        Invocation::Setup(request) => setup::run(request),
        Invocation::Show(request) => show::run(request),
        Invocation::Trust(request) => trust::run(request, now),
        Invocation::Verify(request) => verify::run(request, now),
        Invocation::VerifyTag(request) => verify_tag::run(request, now),
        Invocation::Who(request) => who::run(request, now),
        Invocation::WhoAmI(request) => whoami::run(request, now).map(|()| 0),
        Invocation::Serve(request) => serve::run(request, now).map(|()| 0),
        Invocation::ServeCommand(request) => serve::command(request, now).map(|()| 0),
    }
}

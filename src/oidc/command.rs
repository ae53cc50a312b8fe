//! Programs that print an identity token: `waxseal.tokenCommand`, and the one of a CI system.
//!
//! Git owns our streams, so theirs are others: nothing to read, and what they write is a token or the reason why there is
//! none. They stay in our process group: Ctrl-C ends both.

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Command;
use zeroize::Zeroizing;

/// What the program `words` prints, without white space around it.
pub(super) async fn output(words: &[String], limit: Duration) -> Result<Zeroizing<String>, CommandProblem> {
    let Some((program, arguments)) = words.split_first() else {
        return Err(io::Error::from(io::ErrorKind::InvalidInput).into());
    };
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let not_started = |error| CommandProblem::NotStarted { program: program.clone(), error };
    let mut child = command.spawn().map_err(not_started)?;
    let (mut stdout, mut stderr) = (child.stdout.take(), child.stderr.take());
    // Room for all of it, so that no half of a token stays behind where the vector grew out of.
    let mut printed = Zeroizing::new(Vec::with_capacity(MAX_OUTPUT_BYTES + 1));
    let mut complaint = Vec::new();
    let work = async {
        let run = async {
            let mut reading = pin!(read(&mut stdout, &mut printed));
            let status = tokio::select! {
                read = &mut reading => {
                    read?;
                    return Ok::<_, CommandProblem>(child.wait().await?);
                }
                status = child.wait() => status?,
            };
            // What it leaves behind in the background may keep its stdout open for ever, and says nothing that counts.
            tokio::time::timeout(LAST_WORDS_TIME, reading).await.unwrap_or(Ok(()))?;
            Ok(status)
        };
        // And its stderr.
        let status = tokio::select! {
            biased;
            done = run => done?,
            never = drain_for_ever(&mut stderr, &mut complaint) => match never {},
        };
        if !status.success() {
            drop(tokio::time::timeout(LAST_WORDS_TIME, drain(&mut stderr, &mut complaint)).await);
            return Err(CommandProblem::Failed { status: status.to_string(), said: said(&complaint) });
        }
        let text = std::str::from_utf8(&printed).map_err(|_| CommandProblem::NotText)?;
        Ok(Zeroizing::new(text.trim().to_owned()))
    };
    tokio::time::timeout(limit, work).await.unwrap_or(Err(CommandProblem::TimedOut(limit)))
}

/// To the end, which must come in time; `bytes` has room for all that may come.
async fn read(stream: &mut Option<impl AsyncRead + Unpin>, bytes: &mut Vec<u8>) -> Result<(), CommandProblem> {
    let Some(stream) = stream else { return Ok(()) };
    while bytes.len() <= MAX_OUTPUT_BYTES {
        let room = MAX_OUTPUT_BYTES + 1 - bytes.len();
        let room = u64::try_from(room).unwrap_or_default();
        if (&mut *stream).take(room).read_buf(bytes).await? == 0 {
            return Ok(());
        }
    }
    Err(CommandProblem::TooLong)
}

/// Takes whatever comes, and keeps its beginning.
async fn drain(stream: &mut Option<impl AsyncRead + Unpin>, kept: &mut Vec<u8>) {
    let mut chunk = [0; 1024];
    let Some(stream) = stream else { return };
    while let Ok(read @ 1..) = stream.read(&mut chunk).await {
        let room = MAX_COMPLAINT_BYTES.saturating_sub(kept.len()).min(read);
        kept.extend_from_slice(chunk.get(..room).unwrap_or_default());
    }
}

async fn drain_for_ever(stream: &mut Option<impl AsyncRead + Unpin>, kept: &mut Vec<u8>) -> Infallible {
    drain(stream, kept).await;
    std::future::pending().await
}

/// The first line of a complaint.
fn said(complaint: &[u8]) -> String {
    let text = String::from_utf8_lossy(complaint);
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    if line.is_empty() { String::new() } else { format!(": \"{line}\"") }
}

/// A program gave no token.
#[derive(Debug, thiserror::Error)]
pub enum CommandProblem {
    /// It ended otherwise than with 0.
    #[error("it ended with {status}{said}")]
    Failed {
        /// How it ended.
        status: String,
        /// The first line of what it wrote to stderr, quoted; or nothing.
        said: String,
    },
    /// It could not be read from.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// There is no such program, or it is none.
    #[error("the program {program} cannot be started: {error}")]
    NotStarted {
        /// Which one.
        program: String,
        /// Why.
        error: io::Error,
    },
    /// Bytes that are no text.
    #[error("what it printed is not UTF-8")]
    NotText,
    /// It did not end.
    #[error("it did not end within {} s", .0.as_secs_f32())]
    TimedOut(Duration),
    /// More than any token has.
    #[error("it printed more than {MAX_OUTPUT_BYTES} bytes")]
    TooLong,
}

/// As long as an identity token may be, and a line break.
const MAX_OUTPUT_BYTES: usize = (64 << 10) + 2;
/// What was written before the end is there at once.
const LAST_WORDS_TIME: Duration = Duration::from_millis(200);
/// Enough for a sentence.
const MAX_COMPLAINT_BYTES: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    async fn run(script: &str) -> Result<String, String> {
        let words = ["sh", "-c", script].map(str::to_owned);
        match output(&words, Duration::from_millis(1500)).await {
            Ok(text) => Ok(text.to_string()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[tokio::test]
    async fn what_a_program_prints() {
        assert_eq!(run("echo; echo ' token '; echo noise >&2").await.unwrap(), "token");
        assert_eq!(run("cat; echo after").await.unwrap(), "after", "there is nothing to read");
        assert_eq!(run("echo no >&2; exit 3").await.unwrap_err(), "it ended with exit status: 3: \"no\"");
        assert_eq!(run("printf '\\377'").await.unwrap_err(), "what it printed is not UTF-8");
        assert_eq!(run("yes").await.unwrap_err(), "it printed more than 65538 bytes");
        assert_eq!(run("yes >&2 & echo t; sleep 0.1; kill $!").await.unwrap(), "t", "noise blocks nobody");
    }

    #[tokio::test]
    async fn no_program_is_waited_for_without_end() {
        assert_eq!(run("sleep 60").await.unwrap_err(), "it did not end within 1.5 s");
        // Whoever stays behind keeps stderr, and nobody waits for that.
        assert_eq!(run("sleep 60 >/dev/null & echo t; exec 1>&-").await.unwrap(), "t");
        // Or stdout, after the token or before it.
        assert_eq!(run("sleep 60 & echo t").await.unwrap(), "t");
        assert_eq!(run("sleep 60 & echo no >&2; exit 2").await.unwrap_err(), "it ended with exit status: 2: \"no\"");
        assert_eq!(run("yes & echo t").await.unwrap_err(), "it printed more than 65538 bytes");
        let error = output(&["/nowhere/program".to_owned()], Duration::from_secs(1)).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "the program /nowhere/program cannot be started: No such file or directory (os error 2)"
        );
    }
}

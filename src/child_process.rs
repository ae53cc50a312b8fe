//! A child process that is handed bytes and says something back, within a budget of bytes and of time. Which program that is,
//! and what it must not find around it, is for whoever starts it.

use std::io::{self, Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

/// What it may take.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// Of what it says; the rest is read and thrown away, so that it can end.
    pub bytes: u64,
    /// Its own time.
    pub time: Duration,
    /// When the time of the whole run is spent.
    pub deadline: Option<Instant>,
}

/// What it said, and how it ended.
#[derive(Debug)]
pub struct Output {
    /// On its standard output, as far as there was room.
    pub said: Vec<u8>,
    /// `None` where a signal ended it.
    pub exit_code: Option<i32>,
}

/// Starts it with `input` on its standard input, and waits until it ends. No longer than the budget has: then it is killed.
///
/// # Errors
/// [`ChildError`] names the program.
pub fn output(mut command: Command, input: Vec<u8>, budget: Budget) -> Result<Output, ChildError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let begun = Instant::now();
    let left = budget.deadline.map(|deadline| deadline.saturating_duration_since(begun));
    let time = left.map_or(budget.time, |left| left.min(budget.time));
    if time.is_zero() {
        return Err(ChildError::OutOfTime(program));
    }
    command.stdin(if input.is_empty() { Stdio::null() } else { Stdio::piped() }).stdout(Stdio::piped());
    let mut child = command.spawn().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => ChildError::NotFound(program.clone()),
        _ => ChildError::Start(program.clone(), error),
    })?;
    let said = talk(&mut child, input, budget.bytes);
    let ended = ended(&mut child, &said, begun, time);
    // Without one it has not ended, or nobody knows.
    if !matches!(ended, Ok(Some(_))) {
        child.kill().and_then(|()| child.wait()).map_err(|error| ChildError::Pipe(program.clone(), error))?;
    }
    match ended {
        Ok(Some(output)) => Ok(output),
        Ok(None) if time < budget.time => Err(ChildError::OutOfTime(program)),
        Ok(None) => Err(ChildError::TooSlow { program, time: budget.time }),
        Err(error) => Err(ChildError::Pipe(program, error)),
    }
}

/// Feeds and reads it, so that neither waits for the other.
fn talk(child: &mut Child, input: Vec<u8>, bytes: u64) -> Receiver<io::Result<Vec<u8>>> {
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    if let Some(mut stdin) = stdin {
        // Whoever ends early does not want to hear the rest.
        thread::spawn(move || stdin.write_all(&input));
    }
    let (send, receive) = channel();
    thread::spawn(move || {
        let mut said = Vec::new();
        let read = stdout.map_or(Ok(0), |mut stdout| {
            stdout.by_ref().take(bytes).read_to_end(&mut said)?;
            io::copy(&mut stdout, &mut io::sink())
        });
        // Nobody listens any more if it took too long.
        send.send(read.map(|_rest| said)).unwrap_or_default();
    });
    receive
}

/// What it said once it has ended; `None` where it has not within `time`.
fn ended(
    child: &mut Child,
    said: &Receiver<io::Result<Vec<u8>>>,
    begun: Instant,
    time: Duration,
) -> io::Result<Option<Output>> {
    let Ok(said) = said.recv_timeout(time) else { return Ok(None) };
    let said = said?;
    // It has nothing more to say, and most often has ended by now.
    let mut pause = SHORTEST_PAUSE;
    loop {
        match child.try_wait()? {
            Some(status) => return Ok(Some(Output { said, exit_code: status.code() })),
            None if begun.elapsed() >= time => return Ok(None),
            None => thread::sleep(pause),
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// It gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum ChildError {
    /// There is none.
    #[error("there is no program {0} in PATH")]
    NotFound(String),
    /// The time of the whole run is spent.
    #[error("there was no time left for {0}")]
    OutOfTime(String),
    /// What it says cannot be read, or it cannot be waited for.
    #[error("{0} cannot be listened to: {1}")]
    Pipe(String, io::Error),
    /// It cannot be started.
    #[error("{0} cannot be started: {1}")]
    Start(String, io::Error),
    /// It did not end in its own time.
    #[error("{program} has not answered within {} s", .time.as_secs_f32())]
    TooSlow {
        /// Its name.
        program: String,
        /// How long it was waited for.
        time: Duration,
    },
}

/// A merge takes some milliseconds in all.
const SHORTEST_PAUSE: Duration = Duration::from_micros(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests {
    use super::*;

    fn run(script: &str, input: &[u8], budget: Budget) -> Result<(Vec<u8>, Option<i32>), String> {
        let mut shell = Command::new("sh");
        shell.args(["-c", script]);
        let output = output(shell, input.to_vec(), budget);
        output.map(|output| (output.said, output.exit_code)).map_err(|error| error.to_string())
    }

    const BUDGET: Budget = Budget { bytes: 1 << 20, time: Duration::from_secs(30), deadline: None };

    #[test]
    fn it_is_fed_and_read_at_once() {
        // More than two pipes hold.
        let much = vec![b'x'; 1 << 19];
        assert_eq!(run("cat", &much, BUDGET), Ok((much.clone(), Some(0))));
        assert_eq!(run("exit 3", &much, BUDGET), Ok((Vec::new(), Some(3))));
        assert_eq!(run("cat", b"", BUDGET), Ok((Vec::new(), Some(0))));
        assert_eq!(run("kill -9 $$", b"", BUDGET), Ok((Vec::new(), None)));
        // There is room for some of it; it ends all the same.
        assert_eq!(run("cat; exit 4", &much, Budget { bytes: 3, ..BUDGET }), Ok((b"xxx".to_vec(), Some(4))));
    }

    #[test]
    fn it_is_not_waited_for_longer_than_there_is_time() {
        let begun = Instant::now();
        let short = Budget { time: Duration::from_secs(1), ..BUDGET };
        let soon = |millis| Some(begun + Duration::from_millis(millis));
        let no_time = || Err("there was no time left for sh".to_owned());
        for (script, budget, expected) in [
            ("exec sleep 60", short, Err("sh has not answered within 1 s".to_owned())),
            // It says that it has nothing more to say.
            ("exec sleep 60 >&-", short, Err("sh has not answered within 1 s".to_owned())),
            ("exec sleep 60", Budget { deadline: soon(2_500), ..BUDGET }, no_time()),
            ("exec true", Budget { deadline: soon(0), ..BUDGET }, no_time()),
        ] {
            assert_eq!(run(script, b"", budget), expected, "{script}");
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    }

    #[test]
    fn one_that_is_not_there_is_named() {
        let error = output(Command::new("waxseal-has-no-such-program"), Vec::new(), BUDGET).unwrap_err();
        assert_eq!(error.to_string(), "there is no program waxseal-has-no-such-program in PATH");
    }
}

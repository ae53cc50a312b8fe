//! The access log and the audit log: a line of JSON each, written by a thread of their own, so that no request waits for
//! a disk. Without room on it the server goes on; lines that are lost are counted, and told on stderr.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::escape;

/// Where a log goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogTarget {
    /// To the end of a file, which is opened again when the server is told to reload.
    File(PathBuf),
    /// To standard output.
    Stdout,
}

/// An open log. Lines of the same moment may come in another order than their times.
#[derive(Clone, Debug)]
pub struct LogWriter {
    queue: SyncSender<Message>,
    lost: Arc<AtomicU64>,
}

enum Message {
    /// With its line feed.
    Line(Vec<u8>),
    Reopen,
    /// Everything before it is written when the answer comes.
    Flush(SyncSender<()>),
}

impl LogWriter {
    /// Opens a log. `report` is told when it cannot be written, and when it can again.
    ///
    /// # Errors
    /// What the file system says.
    pub fn open(target: LogTarget, report: fn(&str)) -> io::Result<Self> {
        let (output, is_torn) = Output::open(&target)?;
        let (queue, waiting) = sync_channel(MAX_WAITING);
        let lost = Arc::new(AtomicU64::new(0));
        let writer = Writer { target, output, lost: Arc::clone(&lost), report, is_torn, reported: None };
        std::thread::Builder::new().name("log".to_owned()).spawn(move || writer.run(&waiting))?;
        Ok(Self { queue, lost })
    }

    /// Lines that could not be written since the start.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Whether both write to the same place.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.lost, &other.lost)
    }

    /// A line with the time and `kind`, then what `members` says.
    pub(super) fn write(&self, kind: &str, now: Timestamp, members: Vec<(&'static str, Value)>) {
        let line = escape::json_line(&Line { time: format!("{now:.3}"), kind, members });
        let sent = line.is_ok_and(|line| self.queue.try_send(Message::Line(line)).is_ok());
        if !sent {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Opens the file again, which was moved away perhaps. Waits behind the lines that wait.
    pub(super) fn reopen(&self) {
        // A thread that is gone has said so.
        drop(self.queue.send(Message::Reopen));
    }

    /// Waits until everything is written, but not for long.
    pub(super) fn flush(&self) {
        let (done, answer) = sync_channel(1);
        let mut message = Message::Flush(done);
        let start = Instant::now();
        while start.elapsed() < FLUSH {
            match self.queue.try_send(message) {
                Ok(()) => {
                    let _written = answer.recv_timeout(FLUSH);
                    return;
                }
                Err(TrySendError::Full(back)) => {
                    message = back;
                    std::thread::sleep(Duration::from_millis(10));
                }
                Err(TrySendError::Disconnected(_)) => return,
            }
        }
    }
}

/// A line, with its members in their order.
struct Line<'a> {
    time: String,
    kind: &'a str,
    members: Vec<(&'static str, Value)>,
}

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut line = serializer.serialize_map(None)?;
        line.serialize_entry("time", &self.time)?;
        line.serialize_entry("type", self.kind)?;
        for (name, value) in &self.members {
            line.serialize_entry(name, value)?;
        }
        line.end()
    }
}

struct Writer {
    target: LogTarget,
    output: Output,
    lost: Arc<AtomicU64>,
    report: fn(&str),
    /// Whether the last line that was written has no end.
    is_torn: bool,
    /// When it was said that lines are lost; `None` when none are.
    reported: Option<Instant>,
}

impl Writer {
    fn run(mut self, waiting: &Receiver<Message>) {
        while let Ok(first) = waiting.recv() {
            let (mut batch, mut lines) = (Vec::new(), 0);
            let mut next = Some(first);
            while let Some(message) = next {
                match message {
                    Message::Line(line) => {
                        batch.extend(line);
                        lines += 1;
                    }
                    Message::Reopen => {
                        self.put(&std::mem::take(&mut batch), std::mem::take(&mut lines));
                        self.reopen();
                    }
                    Message::Flush(done) => {
                        self.put(&std::mem::take(&mut batch), std::mem::take(&mut lines));
                        // Whoever asked may have waited long enough.
                        let _waits = done.send(());
                    }
                }
                next = if batch.len() < MAX_BATCH_BYTES { waiting.try_recv().ok() } else { None };
            }
            self.put(&batch, lines);
        }
    }

    fn put(&mut self, batch: &[u8], lines: u64) {
        if batch.is_empty() {
            return;
        }
        // A line that was cut off must not run into the next one.
        let mut rest = if self.is_torn { [b"\n", batch].concat() } else { batch.to_vec() };
        // Of the last line that was begun.
        let mut part = 0;
        let failed = loop {
            match self.output.write(&rest) {
                Ok(0) => break Some(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    let end = rest.drain(..written).rev().take_while(|byte| *byte != b'\n').count();
                    part = if end == written { part + end } else { end };
                    self.is_torn = part > 0;
                    if rest.is_empty() {
                        break self.output.flush().err();
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Some(error),
            }
        };
        match failed {
            None => {
                if self.reported.take().is_some() {
                    let lost = self.lost.load(Ordering::Relaxed);
                    (self.report)(&format!("{} is written again; {lost} lines are lost", self.name()));
                }
            }
            Some(error) => {
                // It is lost as a whole: half a line is no JSON.
                if part > 0 && self.output.take_back(part).is_ok() {
                    self.is_torn = false;
                }
                // Some of them may have been written: better one too many than a loss that nobody hears of.
                self.lost.fetch_add(lines, Ordering::Relaxed);
                if self.reported.is_none_or(|at| at.elapsed() > REPORT_INTERVAL) {
                    self.reported = Some(Instant::now());
                    (self.report)(&format!("{} cannot be written, and its lines are lost: {error}", self.name()));
                }
            }
        }
    }

    fn reopen(&mut self) {
        match Output::open(&self.target) {
            Ok((output, is_torn)) => {
                self.output = output;
                self.is_torn = is_torn;
            }
            Err(error) => (self.report)(&format!("{} cannot be opened again: {error}", self.name())),
        }
    }

    fn name(&self) -> String {
        match &self.target {
            LogTarget::File(path) => format!("the log \"{}\"", path.display()),
            LogTarget::Stdout => "the log on standard output".to_owned(),
        }
    }
}

enum Output {
    File(File),
    Stdout,
}

impl Output {
    /// The end of a log, and whether the last line there has none.
    fn open(target: &LogTarget) -> io::Result<(Self, bool)> {
        match target {
            LogTarget::File(path) => {
                let mut options = OpenOptions::new();
                options.append(true).create(true);
                #[cfg(unix)]
                std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
                let file = options.open(path)?;
                let found = file.metadata()?;
                // One that cannot be read may well be: an empty line does less harm than two in one.
                let is_torn = found.is_file() && found.len() > 0 && last_byte(path).map_or(true, |byte| byte != b'\n');
                Ok((Self::File(file), is_torn))
            }
            LogTarget::Stdout => Ok((Self::Stdout, false)),
        }
    }

    /// Removes the last `part` bytes, which were just written, unless someone else wrote behind them.
    fn take_back(&mut self, part: usize) -> io::Result<()> {
        let Self::File(file) = self else { return Err(io::ErrorKind::Unsupported.into()) };
        let end = file.stream_position()?;
        let begin = u64::try_from(part).ok().and_then(|part| end.checked_sub(part));
        match begin {
            Some(begin) if file.metadata()?.len() == end => file.set_len(begin),
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.write(bytes),
            Self::Stdout => io::stdout().lock().write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::File(file) => file.flush(),
            Self::Stdout => io::stdout().lock().flush(),
        }
    }
}

fn last_byte(path: &Path) -> io::Result<u8> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::End(-1))?;
    let mut byte = [0];
    file.read_exact(&mut byte)?;
    let [byte] = byte;
    Ok(byte)
}

/// Lines; some seconds under full load.
const MAX_WAITING: usize = 16_384;

const MAX_BATCH_BYTES: usize = 256 << 10;

const REPORT_INTERVAL: Duration = Duration::from_secs(60);

/// For the lines that wait when the server ends.
const FLUSH: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn line(name: &str) -> Vec<(&'static str, Value)> {
        vec![("name", json!(name))]
    }

    #[test]
    fn a_line_each_escaped_and_into_the_file_that_is_there_now() {
        let folder = tempfile::tempdir().unwrap();
        let (path, moved) = (folder.path().join("log"), folder.path().join("moved"));
        let log = LogWriter::open(LogTarget::File(path.clone()), |news| panic!("{news}")).unwrap();
        let now: Timestamp = "2026-11-26T01:02:03.0456Z".parse().unwrap();
        log.write("access", now, line("a\nb\u{202e}\u{9b}\"é"));
        log.flush();
        std::fs::rename(&path, &moved).unwrap();
        log.write("access", now, line("before"));
        log.reopen();
        log.write("audit", now, line("after"));
        log.flush();
        let time = "\"time\":\"2026-11-26T01:02:03.045Z\"";
        assert_eq!(
            std::fs::read_to_string(moved).unwrap(),
            format!(
                "{{{time},\"type\":\"access\",\"name\":\"a\\nb\\u202e\\u009b\\\"é\"}}\n\
                 {{{time},\"type\":\"access\",\"name\":\"before\"}}\n"
            )
        );
        assert_eq!(
            std::fs::read_to_string(path).unwrap(),
            format!("{{{time},\"type\":\"audit\",\"name\":\"after\"}}\n")
        );
        assert_eq!(log.lost(), 0);
    }

    #[test]
    fn a_line_without_an_end_stays_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let open = || LogWriter::open(LogTarget::File(path.clone()), |news| panic!("{news}")).unwrap();
        let put = |text: &[u8]| {
            OpenOptions::new().create(true).write(true).truncate(true).open(&path).unwrap().write_all(text).unwrap();
        };
        put(b"{\"time\":\"20");
        for name in ["a", "b"] {
            let log = open();
            log.write("access", Timestamp::UNIX_EPOCH, line(name));
            log.flush();
        }
        let log = open();
        put(b"whole\nhal");
        log.reopen();
        log.write("access", Timestamp::UNIX_EPOCH, line("c"));
        log.flush();
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!((lines.len(), &lines[..2]), (3, &["whole", "hal"][..]), "{text}");
        assert!(serde_json::from_str::<Value>(lines[2]).is_ok() && text.ends_with("}\n"), "{text}");
    }

    #[test]
    fn part_of_a_line_is_taken_back_unless_another_came_behind_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let (mut output, _) = Output::open(&LogTarget::File(path.clone())).unwrap();
        output.write_all(b"whole\nhal").unwrap();
        output.take_back(3).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"whole\n");
        output.write_all(b"hal").unwrap();
        let (mut other, is_torn) = Output::open(&LogTarget::File(path.clone())).unwrap();
        assert!(is_torn);
        other.write_all(b"f\n").unwrap();
        assert!(output.take_back(3).is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"whole\nhalf\n");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_counted_and_told_once() {
        static TOLD: AtomicU64 = AtomicU64::new(0);
        let report = |news: &str| {
            assert!(news.contains("No space left on device"), "{news}");
            TOLD.fetch_add(1, Ordering::Relaxed);
        };
        let log = LogWriter::open(LogTarget::File("/dev/full".into()), report).unwrap();
        for _ in 0..3 {
            log.write("access", Timestamp::UNIX_EPOCH, line("x"));
            log.flush();
        }
        assert_eq!((log.lost(), TOLD.load(Ordering::Relaxed)), (3, 1));
    }
}

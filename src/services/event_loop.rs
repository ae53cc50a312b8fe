//! What waits for the network.

use std::io;

use tokio::runtime::{Builder, Runtime};

/// An event loop in the thread that uses it. Its end waits for nobody: a name that is still being looked up, which no
/// deadline interrupts, would hold the end of the program.
#[derive(Debug)]
pub struct EventLoop(Option<Runtime>);

impl EventLoop {
    /// A new one.
    ///
    /// # Errors
    /// The system's, when it gives none.
    pub fn new() -> io::Result<Self> {
        Builder::new_current_thread().enable_all().build().map(|runtime| Self(Some(runtime)))
    }

    /// What `work` comes to.
    #[expect(clippy::expect_used, reason = "nothing but its end takes the runtime out")]
    pub fn run<T>(&self, work: impl Future<Output = T>) -> T {
        self.0.as_ref().expect("it has not ended").block_on(work)
    }
}

impl Drop for EventLoop {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn its_end_waits_for_no_lookup() {
        let (end, ended) = mpsc::channel::<()>();
        let began = Instant::now();
        let waits = EventLoop::new().unwrap();
        let elapsed = waits.run(async {
            let lookup = tokio::task::spawn_blocking(move || ended.recv_timeout(Duration::from_secs(60)));
            tokio::time::timeout(Duration::from_millis(10), lookup).await.is_err()
        });
        drop(waits);
        assert!(elapsed && began.elapsed() < Duration::from_secs(30));
        drop(end);
    }
}

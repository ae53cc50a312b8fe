//! Frames: a length as four big-endian bytes, then as many bytes.

use std::io;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::message::to_json;

/// Reads a message. `idle` is how long its first byte may take; the rest has to come at once.
pub(super) async fn read<M: DeserializeOwned>(
    stream: &mut (impl AsyncRead + Unpin),
    idle: Duration,
) -> Result<M, FrameError> {
    // It may hold tokens.
    let bytes = Zeroizing::new(read_bytes(stream, MAX_MESSAGE_BYTES, idle).await?);
    serde_json::from_slice(&bytes).map_err(|_| FrameError::Malformed)
}

/// Reads up to `max` bytes, of which only the length is known.
pub(super) async fn read_bytes(
    stream: &mut (impl AsyncRead + Unpin),
    max: usize,
    idle: Duration,
) -> Result<Vec<u8>, FrameError> {
    let mut first = [0];
    match timeout(idle, stream.read(&mut first)).await {
        Err(_) => return Err(FrameError::TooSlow),
        Ok(Ok(0)) => return Err(FrameError::Closed),
        Ok(read) => read.map_err(FrameError::Io)?,
    };
    timeout(FRAME_TIME, async {
        let mut rest = [0; 3];
        stream.read_exact(&mut rest).await?;
        let ([a], [b, c, d]) = (first, rest);
        let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
        if length > max {
            return Err(FrameError::TooLong(max));
        }
        // Messages are read into one piece of memory, which is wiped. Only what came is paid for in longer ones.
        let mut bytes = Vec::with_capacity(length.min(MAX_MESSAGE_BYTES));
        let wanted = u64::try_from(length).unwrap_or(u64::MAX);
        stream.take(wanted).read_to_end(&mut bytes).await?;
        if bytes.len() == length { Ok(bytes) } else { Err(FrameError::Closed) }
    })
    .await
    .unwrap_or(Err(FrameError::TooSlow))
}

/// Writes a message.
pub(super) async fn write(stream: &mut (impl AsyncWrite + Unpin), message: &impl Serialize) -> Result<(), FrameError> {
    let bytes = to_json(message).map_err(|_| FrameError::Malformed)?;
    write_bytes(stream, &bytes).await
}

/// Writes bytes of any kind.
pub(super) async fn write_bytes(stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> Result<(), FrameError> {
    let length = u32::try_from(bytes.len()).map_err(|_| FrameError::TooLong(MAX_PAYLOAD_BYTES))?;
    let written = timeout(FRAME_TIME, async {
        stream.write_all(&length.to_be_bytes()).await?;
        stream.write_all(bytes).await?;
        stream.flush().await
    });
    Ok(written.await.map_err(|_| FrameError::TooSlow)??)
}

/// What came is not what was agreed on.
#[derive(Debug, thiserror::Error)]
pub(super) enum FrameError {
    /// The other end went away.
    #[error("the connection was closed")]
    Closed,
    /// The system's answer.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Not a message of the protocol.
    #[error("a message that is none")]
    Malformed,
    /// More than is taken.
    #[error("a message of more than {0} bytes")]
    TooLong(usize),
    /// Its end did not come in time.
    #[error("a message whose end did not come in time")]
    TooSlow,
}

/// A trusted root has under 64 KiB, a token at most as many.
const MAX_MESSAGE_BYTES: usize = 1 << 20;
/// A commit object holds no files. What is longer than this is signed without the agent.
pub(super) const MAX_PAYLOAD_BYTES: usize = 16 << 20;
/// For a frame that has begun: it comes from this machine.
pub(super) const FRAME_TIME: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_millis(50);

    async fn read_from(mut bytes: &[u8]) -> Result<String, FrameError> {
        read(&mut bytes, SOON).await
    }

    #[tokio::test]
    async fn what_is_written_is_read() {
        let mut wire = Vec::new();
        write(&mut wire, &"hello").await.unwrap();
        assert_eq!(wire, b"\0\0\0\x07\"hello\"");
        assert_eq!(read_from(&wire).await.unwrap(), "hello");
        wire.pop();
        assert!(matches!(read_from(&wire).await, Err(FrameError::Closed)));
    }

    #[tokio::test]
    async fn nobody_is_waited_for_without_end() {
        let (mut here, there) = tokio::io::duplex(64);
        assert!(matches!(read::<String>(&mut here, SOON).await, Err(FrameError::TooSlow)));
        drop(there);
        assert!(matches!(read::<String>(&mut here, SOON).await, Err(FrameError::Closed)));
    }

    #[tokio::test]
    async fn lengths_are_believed_up_to_the_budget() {
        assert!(matches!(read_from(b"\xff\xff\xff\xff\"").await, Err(FrameError::TooLong(_))));
        assert!(matches!(read_from(b"\0\0\0\x01\"").await, Err(FrameError::Malformed)));
        assert!(matches!(read_from(b"\0\0\0\0").await, Err(FrameError::Malformed)));
        assert!(matches!(read_from(b"\0\0").await, Err(FrameError::Io(_))));
        let mut large = &[&[0, 0, 0, 200][..], &[7; 200]].concat()[..];
        assert_eq!(read_bytes(&mut large, 200, SOON).await.unwrap(), [7; 200]);
    }
}

//! C2SP tlog-tiles: the names of a log's static files.

/// One file. A name is read in one spelling only, so that each file has one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StaticPath {
    /// `checkpoint`
    Checkpoint,
    /// `tile/entries/N[.p/W]`
    Entries {
        /// N
        index: u64,
        /// W, or 256.
        width: u64,
    },
    /// `tile/L/N[.p/W]`
    Tile {
        /// L
        level: u8,
        /// N
        index: u64,
        /// W, or 256.
        width: u64,
    },
}

impl StaticPath {
    /// Reads the path below the log's base address, without a slash at its beginning.
    #[must_use]
    pub fn parse(path: &str) -> Option<Self> {
        if path == "checkpoint" {
            return Some(Self::Checkpoint);
        }
        let (level, rest) = path.strip_prefix("tile/")?.split_once('/')?;
        let (index, width) = match rest.split_once(".p/") {
            Some((index, width)) => (index, decimal(width).filter(|width| (1..FULL).contains(width))?),
            None => (rest, FULL),
        };
        let index = tile_index(index)?;
        if level == "entries" {
            return Some(Self::Entries { index, width });
        }
        let level = u8::try_from(decimal(level)?).ok().filter(|level| *level <= MAX_LEVEL)?;
        Some(Self::Tile { level, index, width })
    }

    /// Whether what it names never changes.
    #[must_use]
    pub fn is_immutable(self) -> bool {
        match self {
            Self::Checkpoint => false,
            Self::Entries { .. } | Self::Tile { .. } => true,
        }
    }
}

/// Groups of three digits, all but the last after an `x`, no more of them than the number needs.
fn tile_index(text: &str) -> Option<u64> {
    let mut index: u64 = 0;
    let mut groups = text.split('/').peekable();
    let mut is_first = true;
    while let Some(group) = groups.next() {
        let digits = if groups.peek().is_some() { group.strip_prefix('x')? } else { group };
        if digits.len() != 3 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        if is_first && digits == "000" && groups.peek().is_some() {
            return None;
        }
        is_first = false;
        index = index.checked_mul(1000)?.checked_add(digits.parse().ok()?)?;
    }
    Some(index)
}

fn decimal(text: &str) -> Option<u64> {
    text.parse().ok().filter(|number: &u64| number.to_string() == text)
}

const FULL: u64 = 256;

/// tlog-tiles: "an integer between 0 and 63".
const MAX_LEVEL: u8 = 63;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_spelling_a_file() {
        let tile = |level, index, width| Some(StaticPath::Tile { level, index, width });
        assert_eq!(StaticPath::parse("checkpoint"), Some(StaticPath::Checkpoint));
        assert_eq!(StaticPath::parse("tile/0/000"), tile(0, 0, 256));
        assert_eq!(StaticPath::parse("tile/1/x001/x234/067.p/5"), tile(1, 1_234_067, 5));
        let entries = Some(StaticPath::Entries { index: 256, width: 255 });
        assert_eq!(StaticPath::parse("tile/entries/256.p/255"), entries);
        for other in [
            "",
            "checkpoint/",
            "tile/0",
            "tile/0/",
            "tile/0/0",
            "tile/0/0000",
            "tile/0/x000/000",
            "tile/0/000/000",
            "tile/0/x001",
            "tile/0/x001/x002",
            "tile/00/000",
            "tile/64/000",
            "tile/-1/000",
            "tile/0/000.p/0",
            "tile/0/000.p/256",
            "tile/0/000.p/05",
            "tile/0/000.p/+5",
            "tile/0/000.p/",
            "tile/0/+00",
            "tile/entries/../../checkpoint",
            "tile/0/x999/x999/x999/x999/x999/x999/999",
        ] {
            assert_eq!(StaticPath::parse(other), None, "{other:?}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in ".{0,60}") {
            let _ = StaticPath::parse(&text);
            let _ = StaticPath::parse(&format!("tile/{text}"));
        }
    }
}

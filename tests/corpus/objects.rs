//! Reads a corpus: an index of tab-separated columns, and objects as `git cat-file --batch` prints them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use waxseal::git::ObjectKind;

pub(crate) struct Corpus {
    folder: PathBuf,
    rows: HashMap<String, Row>,
}

pub(crate) struct Row(HashMap<String, String>);

impl Corpus {
    /// `None`, said plainly, where the corpus is not beside the repository.
    pub(crate) fn open(name: &str) -> Option<Self> {
        let folder = folder(name);
        let Ok(index) = std::fs::read_to_string(folder.join("index.tsv")) else {
            println!("skipped: there is no corpus {name} beside the repository");
            return None;
        };
        let mut lines = index.lines();
        let columns: Vec<&str> = lines.next().unwrap().split('\t').collect();
        let rows = lines.map(|line| {
            let cells = columns.iter().map(ToString::to_string).zip(line.split('\t').map(ToOwned::to_owned)).collect();
            Row(cells)
        });
        let rows = rows.map(|row| (row.oid().to_owned(), row)).collect();
        Some(Self { folder, rows })
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.folder.canonicalize().unwrap().join(file)
    }

    pub(crate) fn read(&self, file: &str) -> Vec<u8> {
        std::fs::read(self.folder.join(file)).unwrap()
    }

    pub(crate) fn each(&self, batch: &str, mut object: impl FnMut(&Row, &[u8])) {
        let batch = self.read(batch);
        let mut rest = batch.as_slice();
        while !rest.is_empty() {
            let end = rest.iter().position(|byte| *byte == b'\n').unwrap();
            let head = std::str::from_utf8(&rest[..end]).unwrap();
            let [oid, _, size] = head.split(' ').collect::<Vec<_>>()[..] else { panic!("{head}") };
            let size: usize = size.parse().unwrap();
            object(&self.rows[oid], &rest[end + 1..end + 1 + size]);
            rest = &rest[end + 2 + size..];
        }
    }
}

/// Where the corpus of that name lies, if it is there.
pub(crate) fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus").join(name)
}

impl Row {
    pub(crate) fn oid(&self) -> &str {
        self.get("oid")
    }

    pub(crate) fn kind(&self) -> ObjectKind {
        if self.get("type") == "tag" { ObjectKind::Tag } else { ObjectKind::Commit }
    }

    pub(crate) fn get(&self, column: &str) -> &str {
        &self.0[column]
    }
}

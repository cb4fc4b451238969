//! What can go wrong with the file.

use std::path::PathBuf;

/// The file of records cannot be used. The operator's to mend; trying again without that is no use.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Its folder is missing and cannot be made.
    #[error("cannot make the folder of {path}: {source}; check the path and its owner")]
    Folder {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It cannot be opened, read or written.
    #[error(
        "cannot use {path} as the store: {source}; check that this user may write there and that it is a Tandem store"
    )]
    Database {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// A newer Tandem wrote it.
    #[error(
        "{path} has schema {found}, this Tandem knows up to {known}; run the newer version, or name another file"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: u32,
        /// Ours.
        known: u32,
    },
    /// The writing thread cannot be started. Worth another try.
    #[error("cannot start the store's thread: {0}")]
    Thread(std::io::Error),
}

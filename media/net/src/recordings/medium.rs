//! What holds the files: the disk, or what a test has in its place.

use std::fs::{self, File};
use std::io::{self, Seek, Write};
use std::path::Path;

/// Something files are on.
pub trait Disk: Send + Sync {
    /// Makes a file, and the folders above it; what was there is replaced.
    ///
    /// # Errors
    /// When the disk does not let it.
    fn create(&self, path: &Path) -> io::Result<Box<dyn Medium>>;
}

/// A file that is written.
pub trait Medium: Write + Seek + Send {
    /// Brings all that was written to the medium.
    ///
    /// # Errors
    /// When some of it could not be.
    fn sync(&mut self) -> io::Result<()>;
}

/// The system's own.
#[derive(Clone, Copy, Debug, Default)]
pub struct Files;

impl Disk for Files {
    fn create(&self, path: &Path) -> io::Result<Box<dyn Medium>> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        Ok(Box::new(File::create(path)?))
    }
}

impl Medium for File {
    fn sync(&mut self) -> io::Result<()> {
        self.sync_all()
    }
}

//! A file that cannot serve is refused at the start, with the reason.

use crate::support;

use std::time::Duration;

use rusqlite::Connection;
use tandem_store::{Store, StoreError};

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "").unwrap();
    let path = folder.path().join("file/calls.db");
    let error = Store::open(&path, "test", support::clock()).unwrap_err();
    assert!(matches!(error, StoreError::Folder { .. }), "{error}");
    assert!(error.to_string().contains("file/calls.db"), "{error}");
}

#[test]
fn a_folder_is_not_a_store() {
    let folder = tempfile::tempdir().unwrap();
    let error = Store::open(folder.path(), "test", support::clock()).unwrap_err();
    assert!(error.to_string().starts_with("cannot use "), "{error}");
}

#[test]
fn another_program_s_file_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("letter.txt");
    std::fs::write(&path, "Dear Sir or Madam, this is not a database but a letter.").unwrap();
    assert!(Store::open(&path, "test", support::clock()).is_err());
    assert!(std::fs::read_to_string(&path).unwrap().starts_with("Dear Sir"));
}

#[test]
fn a_newer_schema_is_refused_and_untouched() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("calls.db");
    assert_eq!(support::open(&path).close(Duration::ZERO).lost, 0);
    let connection = Connection::open(&path).unwrap();
    connection.execute("INSERT INTO migrations VALUES (99, '2030-01-01T00:00:00.000Z')", []).unwrap();
    let error = Store::open(&path, "test", support::clock()).unwrap_err();
    assert!(matches!(error, StoreError::Newer { found: 99, .. }), "{error}");
    let runs: i64 = connection.query_row("SELECT count(*) FROM runs", [], |row| row.get(0)).unwrap();
    assert_eq!(runs, 1);
}

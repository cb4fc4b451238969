//! The tables, and the steps from one version of them to the next.

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};

/// One step each, in order; a released step is never changed, only followed by another.
const MIGRATIONS: &[&str] = &[
    include_str!("schema/1.sql"),
    include_str!("schema/2.sql"),
    include_str!("schema/3.sql"),
    include_str!("schema/4.sql"),
    include_str!("schema/5.sql"),
];

/// The version this program writes.
pub(crate) const VERSION: u32 = MIGRATIONS.len() as u32;

/// The version of the file; 0 when it is new.
pub(crate) fn version(connection: &Connection) -> rusqlite::Result<u32> {
    let table: Option<String> = connection
        .query_row("SELECT name FROM sqlite_master WHERE name = 'migrations'", [], |row| row.get(0))
        .optional()?;
    match table {
        None => Ok(0),
        Some(_) => {
            connection.query_row("SELECT coalesce(max(version), 0) FROM migrations", [], |row| row.get(0))
        }
    }
}

/// Brings the file to [`VERSION`], each step whole or not at all.
pub(crate) fn migrate(connection: &mut Connection, date: &str) -> rusqlite::Result<()> {
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS migrations (version INTEGER PRIMARY KEY, applied TEXT NOT NULL) STRICT",
    )?;
    for (version, step) in (1..).zip(MIGRATIONS) {
        let transaction = Transaction::new(connection, TransactionBehavior::Immediate)?;
        let applied: u32 = transaction.query_row(
            "SELECT count(*) FROM migrations WHERE version = ?1",
            [version],
            |row| row.get(0),
        )?;
        if applied == 0 {
            transaction.execute_batch(step)?;
            transaction.execute("INSERT INTO migrations VALUES (?1, ?2)", (version, date))?;
        }
        transaction.commit()?;
    }
    Ok(())
}

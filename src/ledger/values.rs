//! How the types of the core stand in the tables: numbers and words, checked again when they are read.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef};
use rusqlite::{Row, ToSql};

use crate::core::api_key::ProcessGroup;
use crate::core::calendar::{Month, UtcMillis};
use crate::core::customer::{CustomerStatus, WalletAddress};
use crate::core::id::{ApiKeyId, ApiTokenId, CustomerId, Network, SealKeyId, SealPackageId, Service, SessionId};
use crate::core::money::Usd;
use crate::core::seal_key::registration::RegistrationState;
use crate::core::seal_key::{ObjectId, PackageAddress};
use crate::core::service_instance::ServiceState;
use crate::core::tier::Tier;
use crate::ledger::entry::Currency;

/// A word in a table that its column does not allow.
#[derive(Debug, thiserror::Error)]
#[error("unexpected value {0:?}")]
struct UnexpectedWord(String);

pub(in crate::ledger) fn word<T>(value: ValueRef<'_>, read: impl FnOnce(&str) -> Option<T>) -> FromSqlResult<T> {
    let text = value.as_str()?;
    read(text).ok_or_else(|| FromSqlError::other(UnexpectedWord(text.to_owned())))
}

impl ToSql for CustomerId {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.get().into())
    }
}

impl FromSql for CustomerId {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let number = u32::column_result(value)?;
        Self::new(number).ok_or(FromSqlError::OutOfRange(number.into()))
    }
}

impl ToSql for Service {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.number().into())
    }
}

impl FromSql for Service {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let number = u8::column_result(value)?;
        Self::from_number(number).ok_or(FromSqlError::OutOfRange(number.into()))
    }
}

impl ToSql for UtcMillis {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.into())
    }
}

impl FromSql for UtcMillis {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        i64::column_result(value).map(Self)
    }
}

impl ToSql for Usd {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.micros().into())
    }
}

impl FromSql for Usd {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        i64::column_result(value).map(Self::from_micros)
    }
}

impl ToSql for Month {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.to_string().into())
    }
}

impl FromSql for Month {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        word(value, |text| text.parse().ok())
    }
}

impl ToSql for CustomerStatus {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.name().into())
    }
}

impl FromSql for CustomerStatus {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        word(value, Self::from_name)
    }
}

macro_rules! texts {
    ($($name:ident),*) => {$(
        impl ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(self.as_str().into())
            }
        }

        impl FromSql for $name {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                word(value, |text| text.parse().ok())
            }
        }
    )*};
}

texts!(WalletAddress, SessionId, ApiTokenId, ApiKeyId, SealKeyId, SealPackageId, PackageAddress, ObjectId);

macro_rules! words {
    ($($name:ident),*) => {$(
        impl FromSql for $name {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                word(value, Self::from_name)
            }
        }
    )*};
}

words!(ServiceState, Tier, RegistrationState, Currency);

impl FromSql for Network {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let number = u8::column_result(value)?;
        Self::from_number(number).ok_or(FromSqlError::OutOfRange(number.into()))
    }
}

impl FromSql for ProcessGroup {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let number = u8::column_result(value)?;
        Self::new(number).ok_or(FromSqlError::OutOfRange(number.into()))
    }
}

/// For a text that was checked before it was written and can no longer be read.
pub(in crate::ledger) fn unreadable(error: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    FromSqlError::other(error).into()
}

/// A count that a column holds. SQLite's integers end at 2⁶³−1; what is larger is an error and not stored.
pub(in crate::ledger) struct Count(pub u64);

impl ToSql for Count {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let number = i64::try_from(self.0).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
        Ok(number.into())
    }
}

impl FromSql for Count {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let number = i64::column_result(value)?;
        u64::try_from(number).map(Self).map_err(|_| FromSqlError::OutOfRange(number))
    }
}

/// The columns of a row, one after the other. For rows that are read often: finding a column by its name takes longer
/// than reading it.
pub(in crate::ledger) struct Columns<'row, 'stmt> {
    row: &'row Row<'stmt>,
    next: usize,
}

impl<'row, 'stmt> Columns<'row, 'stmt> {
    pub(in crate::ledger) const fn of(row: &'row Row<'stmt>) -> Self {
        Self { row, next: 0 }
    }

    /// The next one.
    pub(in crate::ledger) fn next<T: FromSql>(&mut self) -> rusqlite::Result<T> {
        let value = self.row.get(self.next)?;
        self.next = self.next.saturating_add(1);
        Ok(value)
    }

    pub(in crate::ledger) fn count(&mut self) -> rusqlite::Result<u64> {
        self.next().map(|Count(number)| number)
    }

    pub(in crate::ledger) fn optional_count(&mut self) -> rusqlite::Result<Option<u64>> {
        self.next::<Option<Count>>().map(|found| found.map(|Count(number)| number))
    }
}

/// Enums that stand in the tables as words, with the words.
macro_rules! word_enums {
    ($($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $name {
            /// The word used in JSON and SQL.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }

            /// `None` for any other word.
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    $($word => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }

        impl rusqlite::ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
                Ok(self.name().into())
            }
        }

        impl rusqlite::types::FromSql for $name {
            fn column_result(value: rusqlite::types::ValueRef<'_>) -> rusqlite::types::FromSqlResult<Self> {
                $crate::ledger::values::word(value, Self::from_name)
            }
        }
    )*};
}

pub(in crate::ledger) use word_enums;

/// The counts of rows that may have none.
pub(in crate::ledger) fn optional_count(row: &rusqlite::Row<'_>, column: &str) -> rusqlite::Result<Option<u64>> {
    row.get::<_, Option<Count>>(column).map(|found| found.map(|Count(number)| number))
}

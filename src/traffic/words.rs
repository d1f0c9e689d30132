//! Methods, termination states, backends and servers as numbers: they repeat in almost every request, and a number
//! is appended and compressed several times faster than a text.

use duckdb::{Connection, params};
use hashbrown::HashMap;

use super::{Traffic, TrafficError, failed};

/// Stands for every word that has no number of its own.
const OTHER: u16 = 0;

/// Clients choose the method, so only these are told apart; HAProxy writes the last for what is not HTTP.
const METHODS: [&str; 11] =
    ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "PRI", "<BADREQ>"];

/// A number and its word.
pub(super) type Word = (u16, String);

/// The numbers of all words so far, and which of them the store does not have yet.
#[derive(Default)]
pub struct Words {
    numbers: HashMap<String, u16>,
    /// The greatest number that is taken.
    last: u16,
    fresh: Vec<Word>,
}

impl Words {
    /// A method's number; all that are not standard share one.
    pub(super) fn method_id(&mut self, method: &str) -> u16 {
        if METHODS.contains(&method) { self.id(method) } else { OTHER }
    }

    /// The word's number, a new one if need be. Words come from HAProxy's configuration, so they are few.
    pub(super) fn id(&mut self, word: &str) -> u16 {
        if let Some(number) = self.numbers.get(word) {
            return *number;
        }
        let Some(number) = self.last.checked_add(1) else { return OTHER };
        self.last = number;
        self.numbers.insert(word.to_owned(), number);
        self.fresh.push((number, word.to_owned()));
        number
    }

    /// The words that are new since the last call.
    pub(super) fn take_fresh(&mut self) -> Vec<Word> {
        std::mem::take(&mut self.fresh)
    }
}

impl Traffic {
    /// The words that the store knows, to start a [`super::Batch`] with.
    ///
    /// # Errors
    /// [`TrafficError`] if the store cannot be read.
    pub fn words(&self) -> Result<Words, TrafficError> {
        self.read(|connection| {
            let reading = failed("read words");
            let mut statement = connection.prepare("SELECT word, number FROM words").map_err(&reading)?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).map_err(&reading)?;
            let numbers: HashMap<String, u16> = rows.collect::<Result<_, _>>().map_err(&reading)?;
            let last = numbers.values().copied().max().unwrap_or(0);
            Ok(Words { numbers, last, fresh: Vec::new() })
        })
    }
}

pub(super) fn append(connection: &Connection, words: &[Word]) -> Result<(), TrafficError> {
    for (number, word) in words {
        connection.execute("INSERT INTO words VALUES (?, ?)", params![number, word]).map_err(failed("add a word"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_keeps_its_number_and_a_full_table_gives_the_number_of_others() {
        let mut words = Words::default();
        let (get, post) = (words.id("GET"), words.id("POST"));
        assert_ne!(get, post);
        assert_eq!(words.id("GET"), get);
        assert_eq!(words.take_fresh().len(), 2);
        assert!(words.take_fresh().is_empty());
        for number in 0..70_000 {
            words.id(&format!("M{number}"));
        }
        assert_eq!(words.id("one too many"), OTHER);
        assert_eq!(words.id("POST"), post);
        assert_eq!(words.take_fresh().len(), usize::from(u16::MAX) - 2);
    }

    #[test]
    fn a_method_that_a_client_made_up_takes_no_room() {
        let mut words = Words::default();
        assert_eq!(words.method_id("MADEUP"), OTHER);
        assert_ne!(words.method_id("PATCH"), OTHER);
        assert_eq!(words.take_fresh().len(), 1);
    }
}

//! Answers that go on for minutes: so many at once, of everybody and of one customer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::Problem;
use crate::core::error_code::Code;
use crate::core::id::CustomerId;

/// Who has one at this moment.
pub(super) struct Seats {
    most: usize,
    most_of_customer: usize,
    taken: Arc<Mutex<HashMap<CustomerId, usize>>>,
}

/// One of them, counted as long as it lives.
pub(super) struct Seat {
    customer: CustomerId,
    taken: Arc<Mutex<HashMap<CustomerId, usize>>>,
}

impl Seats {
    pub(super) fn new(most: usize, most_of_customer: usize) -> Self {
        Self { most, most_of_customer, taken: Arc::default() }
    }

    /// # Errors
    /// [`Code::TooManyWatchers`].
    pub(super) fn take(&self, customer: CustomerId) -> Result<Seat, Problem> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let (all, own) = (taken.values().sum::<usize>(), taken.get(&customer).copied().unwrap_or(0));
        if all >= self.most || own >= self.most_of_customer {
            return Err(Problem::of(Code::TooManyWatchers));
        }
        taken.insert(customer, own + 1);
        Ok(Seat { customer, taken: Arc::clone(&self.taken) })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let left = taken.get(&self.customer).copied().unwrap_or(0).saturating_sub(1);
        if left == 0 {
            taken.remove(&self.customer);
        } else {
            taken.insert(self.customer, left);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seats_are_bounded_for_all_and_for_each_and_free_again_afterwards() {
        let seats = Seats::new(3, 2);
        let customer = |number| CustomerId::new(number).unwrap();
        let first = seats.take(customer(1)).ok().unwrap();
        let _second = seats.take(customer(1)).ok().unwrap();
        assert!(seats.take(customer(1)).is_err(), "two of one customer");
        let _third = seats.take(customer(2)).ok().unwrap();
        assert!(seats.take(customer(3)).is_err(), "three of everybody");
        drop(first);
        assert!(seats.take(customer(1)).is_ok());
    }
}

//! What goes wrong between us and a chain, as a plan that a seed repeats.

use std::collections::VecDeque;

/// How one operation goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is not done.
    Drop,
    /// It is done, and the answer is lost.
    LoseAnswer,
    /// It is not answered for so many milliseconds, then done.
    Delay(u64),
    /// It is not answered, and done when so many milliseconds of the chain's time have passed, also if it was given up
    /// or repeated since.
    Late(u32),
}

/// How often what goes wrong, of a thousand operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FaultPlan {
    /// The same seed and the same operations, the same faults.
    pub seed: u64,
    pub drop_permille: u32,
    pub lose_answer_permille: u32,
    pub late_permille: u32,
    /// How late at most.
    pub late_up_to_ms: u32,
    /// Of pages of events: some are told twice.
    pub duplicate_permille: u32,
    /// Of pages of events: they are told in another order.
    pub reorder_permille: u32,
}

/// What goes wrong next.
#[derive(Debug, Default)]
pub(super) struct Faults {
    injected: VecDeque<Fault>,
    plan: Option<(FaultPlan, fastrand::Rng)>,
}

impl Faults {
    pub(super) fn inject(&mut self, faults: impl IntoIterator<Item = Fault>) {
        self.injected.extend(faults);
    }

    pub(super) fn set_plan(&mut self, plan: Option<FaultPlan>) {
        self.plan = plan.map(|plan| (plan, fastrand::Rng::with_seed(plan.seed)));
    }

    /// Of the next operation.
    pub(super) fn next(&mut self) -> Option<Fault> {
        if let Some(fault) = self.injected.pop_front() {
            return Some(fault);
        }
        let (plan, rng) = self.plan.as_mut()?;
        let dropped = plan.drop_permille;
        let lost = dropped.saturating_add(plan.lose_answer_permille);
        let late = lost.saturating_add(plan.late_permille);
        match rng.u32(0..1000) {
            roll if roll < dropped => Some(Fault::Drop),
            roll if roll < lost => Some(Fault::LoseAnswer),
            roll if roll < late => Some(Fault::Late(rng.u32(0..=plan.late_up_to_ms).max(1))),
            _ => None,
        }
    }

    pub(super) fn duplicates_events(&mut self) -> bool {
        self.plan.as_mut().is_some_and(|(plan, rng)| rng.u32(0..1000) < plan.duplicate_permille)
    }

    pub(super) fn reorders_events(&mut self) -> bool {
        self.plan.as_mut().is_some_and(|(plan, rng)| rng.u32(0..1000) < plan.reorder_permille)
    }

    pub(super) fn shuffle(&mut self, numbers: &mut [usize]) {
        if let Some((_, rng)) = &mut self.plan {
            rng.shuffle(numbers);
        }
    }
}

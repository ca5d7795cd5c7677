//! The series of a metric, found by their labels without a lock.
//!
//! Invariant: a series that was found is the one that is exposed. There are few sets of labels, because they come from fixed
//! sets; should there be more than slots, the family of the metric finds them, with a lock.

use std::hash::Hash;
use std::sync::OnceLock;

use prometheus_client::metrics::family::Family;

/// More sets of labels than a server usually sees.
const SLOTS: usize = 128;

/// One metric with all its series.
pub struct Series<L, M> {
    family: Family<L, M>,
    /// In the order in which they were first asked for, so that the frequent ones stand in front.
    slots: [OnceLock<(L, M)>; SLOTS],
}

impl<L: Clone + Hash + Eq, M: Clone + Default> Series<L, M> {
    /// Returns a metric without series.
    #[must_use]
    pub fn new(family: Family<L, M>) -> Self {
        Self { family, slots: [const { OnceLock::new() }; SLOTS] }
    }

    /// Passes the series with these labels to `update`. It is made if there is none.
    pub fn with(&self, labels: &L, update: impl FnOnce(&M)) {
        for slot in &self.slots {
            let (known, metric) = slot.get_or_init(|| (labels.clone(), self.family.get_or_create_owned(labels)));
            if known == labels {
                return update(metric);
            }
        }
        update(&self.family.get_or_create(labels));
    }

    /// Returns the series that were found first: all of them, unless there are more than slots.
    pub fn iter(&self) -> impl Iterator<Item = &M> {
        self.slots.iter().filter_map(OnceLock::get).map(|(_, metric)| metric)
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::metrics::counter::Counter;

    use super::*;

    #[test]
    fn each_set_of_labels_has_one_series_also_beyond_the_slots() {
        let family = Family::<Vec<(String, String)>, Counter>::default();
        let series = Series::new(family.clone());
        for round in 1..=3 {
            for number in 0..2 * SLOTS {
                series.with(&vec![("number".to_owned(), number.to_string())], |counter| {
                    assert_eq!(counter.inc() + 1, round);
                });
            }
        }
        for number in 0..2 * SLOTS {
            let exposed = family.get_or_create(&vec![("number".to_owned(), number.to_string())]).get();
            assert_eq!(exposed, 3);
        }
    }
}

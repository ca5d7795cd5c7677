//! When a login that is refused is tried again, and with which secret: somewhere a password is being changed.
//!
//! A password changes in two places, the server and the file that we read it from, in whichever order. In between a good
//! login is refused, and soon it will be good again: either the file has the new password by then, or the server has it.
//! A password that comes from the environment cannot change, and its refusal stands at once.
//!
//! Invariant: pure; the clock and the reading of secrets are the caller's. There is never more than one reader of the
//! secret, never more than one read in [`READ_INTERVAL`], and never more than one try in [`PROBE_INTERVAL`] with a secret
//! that was refused already. Nothing is waited for once [`PATIENCE`] has passed since the first refusal, until a login
//! works again.

use std::time::{Duration, Instant};

/// How long a login that worked may be refused before that is taken for lasting.
pub const PATIENCE: Duration = Duration::from_secs(2);

/// From one reading of the secret to the next, at least.
pub const READ_INTERVAL: Duration = Duration::from_millis(100);

/// From one try with a refused secret to the next, over all requests: a server may count them.
pub const PROBE_INTERVAL: Duration = Duration::from_millis(75);

/// From a request's refusal to its own next try with the same secret, at least.
const PAUSE: Duration = Duration::from_millis(50);

/// A secret by its number: each one that was read and differs from those that are known gets the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edition(pub u64);

/// Whether a secret can be another one when it is read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// It never changes.
    Fixed,
    /// It may.
    Readable,
}

/// What one request has tried so far.
#[derive(Debug, Default)]
pub struct Tries {
    refused: Vec<Edition>,
    first_refusal: Option<Instant>,
    last_refusal: Option<Instant>,
    /// How many logins had worked when this one was refused.
    successes: u64,
}

/// What a request whose login was refused does now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It tries again with this.
    Use(Edition),
    /// It reads the secret, and tells [`Rotation::was_read`].
    Read,
    /// It asks again at this moment, or when something has changed.
    Wait(Instant),
    /// It fails.
    GiveUp,
}

/// What a refusal is in the course of things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// The first one of a login that had worked.
    Begins,
    /// One more, or of a login that never worked.
    GoesOn,
}

/// The state of a login.
#[derive(Debug)]
pub struct Rotation {
    source: Source,
    /// What was read last.
    newest: Edition,
    /// What new requests use.
    current: Edition,
    /// What the server took last.
    worked: Option<Edition>,
    /// Since when what had worked is refused.
    refused_since: Option<Instant>,
    is_being_read: bool,
    read_at: Option<Instant>,
    next_probe: Option<Instant>,
    successes: u64,
}

impl Rotation {
    /// Begins with a secret that nobody has tried yet.
    #[must_use]
    pub fn new(first: Edition, source: Source) -> Self {
        Self {
            source,
            newest: first,
            current: first,
            worked: None,
            refused_since: None,
            is_being_read: false,
            read_at: None,
            next_probe: None,
            successes: 0,
        }
    }

    /// What a new request uses.
    #[must_use]
    pub fn current(&self) -> Edition {
        self.current
    }

    /// What may still be used; all others can be forgotten.
    #[must_use]
    pub fn is_known(&self, edition: Edition) -> bool {
        [Some(self.newest), Some(self.current), self.worked].contains(&Some(edition))
    }

    /// True if a success with this edition is no news.
    #[must_use]
    pub fn is_settled_on(&self, edition: Edition) -> bool {
        self.worked == Some(edition) && self.current == edition && self.refused_since.is_none()
    }

    /// The server took this. `true`: the end of refusals.
    pub fn accepted(&mut self, edition: Edition) -> bool {
        self.worked = Some(edition);
        self.current = edition;
        self.successes = self.successes.wrapping_add(1);
        self.next_probe = None;
        self.refused_since.take().is_some()
    }

    /// The server refused this.
    pub fn refused(&mut self, edition: Edition, tries: &mut Tries, now: Instant) -> Turn {
        tries.refused.push(edition);
        tries.first_refusal.get_or_insert(now);
        tries.last_refusal = Some(now);
        tries.successes = self.successes;
        // One that others have given up already says nothing of the one that took its place.
        if self.worked.is_some() && edition == self.current && self.refused_since.is_none() {
            self.refused_since = Some(now);
            self.next_probe = Some(now + PROBE_INTERVAL);
            return Turn::Begins;
        }
        Turn::GoesOn
    }

    /// What a request does after [`Rotation::refused`], and after each wait.
    pub fn next(&mut self, tries: &mut Tries, now: Instant) -> Step {
        let candidates = [Some(self.current), Some(self.newest), self.worked];
        if let Some(untried) = candidates.into_iter().flatten().find(|edition| !tries.refused.contains(edition)) {
            return Step::Use(untried);
        }
        // A secret that never changes is not being changed: what the server refuses now it will refuse.
        if self.source == Source::Fixed && self.successes == tries.successes {
            return Step::GiveUp;
        }
        let own_end = tries.first_refusal.map(|first| first + PATIENCE).filter(|end| now < *end);
        if self.is_being_read {
            // A file may lie where reading takes for ever.
            return own_end.map_or(Step::GiveUp, |end| Step::Wait(end.min(now + READ_INTERVAL)));
        }
        let read_due = self.read_due(now);
        if read_due.is_some_and(|due| due <= now) {
            self.is_being_read = true;
            self.read_at = Some(now);
            return Step::Read;
        }
        let Some(own_end) = own_end else { return Step::GiveUp };
        let end = self.refused_since.map(|since| since + PATIENCE).filter(|end| now < *end);
        let has_worked_since = self.successes != tries.successes;
        if end.is_none() && !has_worked_since {
            return Step::GiveUp;
        }
        let pause_end = tries.last_refusal.map_or(now, |last| last + PAUSE);
        let probe = self.next_probe.map_or(pause_end, |probe| probe.max(pause_end));
        let again_at = if has_worked_since { pause_end } else { probe };
        if again_at > now {
            let wake = [Some(again_at), read_due, end, Some(own_end)].into_iter().flatten().min();
            return Step::Wait(wake.unwrap_or(again_at));
        }
        if !has_worked_since {
            self.next_probe = Some(now + PROBE_INTERVAL);
        }
        tries.refused.clear();
        Step::Use(self.current)
    }

    /// The secret was read: another one, the same, or not at all.
    pub fn was_read(&mut self, found: Option<Edition>) {
        self.is_being_read = false;
        if let Some(edition) = found {
            self.take(edition);
        }
    }

    /// Takes a secret that somebody was told to use.
    pub fn replace(&mut self, edition: Edition, source: Source) {
        self.source = source;
        self.take(edition);
    }

    fn take(&mut self, edition: Edition) {
        if edition != self.newest {
            self.newest = edition;
            self.current = edition;
        }
    }

    fn read_due(&self, now: Instant) -> Option<Instant> {
        match self.source {
            Source::Fixed => None,
            Source::Readable => Some(self.read_at.map_or(now, |at| at + READ_INTERVAL)),
        }
    }
}

#[cfg(test)]
mod tests;

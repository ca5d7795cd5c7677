//! When a refused login is tried again, and with which secret: somewhere a password is being changed.
//!
//! A password changes in two places, the server and the file that we read it from, in whichever order. In between a good
//! login is refused, and soon it will be good again: either the file has the new password by then, or the server has it.
//! A password that comes from the environment cannot change, and its refusal is final at once.
//!
//! Invariant: pure; the clock and the reading of secrets are the caller's. There is never more than one reader of the
//! secret, never more than one read in [`LoginPolicy::read_interval`], and never more than one attempt in
//! [`LoginPolicy::probe_interval`] with a secret that was refused already. Nothing is waited for once
//! [`LoginPolicy::patience`] has passed since the first refusal, until a login works again.

use std::time::{Duration, Instant};

use crate::bucket::remote::product::LoginPolicy;

/// From a request's refusal to its own next attempt with the same secret, at least.
const PAUSE: Duration = Duration::from_millis(50);

/// From the first refusal of a login that worked to its next attempt, where refusals lock an account.
const SECOND_TRIAL: Duration = Duration::from_secs(1);

/// A secret by its number: each one that was read and differs from those that are known gets the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecretVersion(pub u64);

/// Whether a secret can be another one when it is read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// It never changes.
    Fixed,
    /// It may.
    Readable,
}

/// The attempts of one request so far.
#[derive(Debug, Default)]
pub struct Attempts {
    refused: Vec<SecretVersion>,
    first_refusal: Option<Instant>,
    last_refusal: Option<Instant>,
    /// How many logins had worked when this one was refused.
    successes: u64,
}

/// What a request whose login was refused does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It attempts again with this.
    Use(SecretVersion),
    /// It reads the secret, and calls [`Rotation::was_read`].
    Read,
    /// It asks again at this moment, or when something has changed.
    Wait(Instant),
    /// It fails.
    GiveUp,
}

/// Whether a request may send a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It may.
    Send,
    /// It may, as the only one that sends this secret: nobody knows whether it is accepted. [`Rotation::trial_ended`] is
    /// called after the attempt, whatever its outcome.
    SendOnTrial,
    /// It asks again when something has changed: another request finds out.
    Wait,
    /// It must not, as if it had been refused: sending it once more could lock the account.
    HeldBack,
}

/// Whether a refusal is the first of an episode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Episode {
    /// The first one of a login that had worked.
    Begins,
    /// One more, or of a login that never worked.
    GoesOn,
}

/// The state of a login.
#[derive(Debug)]
pub struct Rotation {
    policy: LoginPolicy,
    source: Source,
    /// What was read last.
    newest: SecretVersion,
    /// What new requests use.
    current: SecretVersion,
    /// What the server accepted last.
    worked: Option<SecretVersion>,
    /// Since when what had worked is refused.
    refused_since: Option<Instant>,
    is_being_read: bool,
    read_at: Option<Instant>,
    next_probe: Option<Instant>,
    successes: u64,
    /// The refusals in the window of the lockout, in their order.
    refusals: Vec<(SecretVersion, Instant)>,
    is_on_trial: bool,
}

impl Rotation {
    /// A login with a secret that was not tried yet.
    #[must_use]
    pub fn new(first: SecretVersion, source: Source, policy: LoginPolicy) -> Self {
        Self {
            policy,
            source,
            newest: first,
            current: first,
            worked: None,
            refused_since: None,
            is_being_read: false,
            read_at: None,
            next_probe: None,
            successes: 0,
            refusals: Vec::new(),
            is_on_trial: false,
        }
    }

    /// Whether a request may send this secret now.
    pub fn admit(&mut self, version: SecretVersion, now: Instant) -> Admission {
        if self.policy.lockout.is_none() || self.is_settled_on(version) {
            Admission::Send
        } else if self.is_held_back(version, now) {
            Admission::HeldBack
        } else if self.is_on_trial {
            Admission::Wait
        } else {
            self.is_on_trial = true;
            Admission::SendOnTrial
        }
    }

    /// Records that what was sent on trial was answered, or never will be.
    pub fn trial_ended(&mut self) {
        self.is_on_trial = false;
    }

    /// Records that a request did not send this, as if it had been refused.
    pub fn held_back(&self, version: SecretVersion, attempts: &mut Attempts, now: Instant) {
        attempts.refused.push(version);
        attempts.first_refusal.get_or_insert(now);
        attempts.last_refusal = Some(now);
        attempts.successes = self.successes;
    }

    fn is_held_back(&self, version: SecretVersion, now: Instant) -> bool {
        let Some(lockout) = self.policy.lockout else { return false };
        let recent = || self.refusals.iter().filter(|(_, at)| now <= *at + lockout.window);
        let all = recent().count() as u64;
        let own: Vec<Instant> = recent().filter(|(refused, _)| *refused == version).map(|(_, at)| *at).collect();
        match own.as_slice() {
            // One that was never refused may be the right one.
            [] => all > u64::from(lockout.resend_limit()),
            // A login that worked may have met a server that was starting.
            [last] if self.worked == Some(version) => {
                now < *last + SECOND_TRIAL || all >= u64::from(lockout.resend_limit())
            }
            [.., last] => now < *last + lockout.pause() || all >= u64::from(lockout.resend_limit()),
        }
    }

    /// What a new request uses.
    #[must_use]
    pub fn current(&self) -> SecretVersion {
        self.current
    }

    /// What may still be used; all others can be forgotten.
    #[must_use]
    pub fn is_known(&self, version: SecretVersion) -> bool {
        [Some(self.newest), Some(self.current), self.worked].contains(&Some(version))
    }

    /// True if a success with this version is no news.
    #[must_use]
    pub fn is_settled_on(&self, version: SecretVersion) -> bool {
        self.worked == Some(version) && self.current == version && self.refused_since.is_none()
    }

    /// Records that the server accepted this, in an answer to a request of `sent_at`, where that is known. True if that ends
    /// an episode of refusals. An answer that was on its way when the secret was refused says nothing any more.
    pub fn accepted(&mut self, version: SecretVersion, sent_at: Option<Instant>) -> bool {
        let is_late = |(held, refused_at): &(SecretVersion, Instant)| *held == version && sent_at < Some(*refused_at);
        if self.refusals.iter().any(is_late) {
            return false;
        }
        self.worked = Some(version);
        self.current = version;
        self.successes = self.successes.wrapping_add(1);
        self.next_probe = None;
        self.refused_since.take().is_some()
    }

    /// Records that the server refused this.
    pub fn refused(&mut self, version: SecretVersion, attempts: &mut Attempts, now: Instant) -> Episode {
        self.held_back(version, attempts, now);
        if let Some(lockout) = self.policy.lockout {
            self.refusals.retain(|(_, at)| now <= *at + lockout.window);
            self.refusals.push((version, now));
        }
        // One that others have given up already says nothing of the one that took its place.
        if self.worked.is_some() && version == self.current && self.refused_since.is_none() {
            self.refused_since = Some(now);
            self.next_probe = Some(now + self.policy.probe_interval);
            return Episode::Begins;
        }
        Episode::GoesOn
    }

    /// What a request does after [`Rotation::refused`], and after each wait.
    pub fn next(&mut self, attempts: &mut Attempts, now: Instant) -> Action {
        let candidates = [Some(self.current), Some(self.newest), self.worked];
        let is_untried =
            |version: &SecretVersion| !attempts.refused.contains(version) && !self.is_held_back(*version, now);
        if let Some(untried) = candidates.into_iter().flatten().find(is_untried) {
            return Action::Use(untried);
        }
        // A secret that never changes is not being changed: what the server refuses now it will refuse.
        if self.source == Source::Fixed && self.successes == attempts.successes {
            return Action::GiveUp;
        }
        let own_end = attempts.first_refusal.map(|first| first + self.policy.patience).filter(|end| now < *end);
        if self.is_being_read {
            // A file may lie where reading takes for ever.
            return own_end.map_or(Action::GiveUp, |end| Action::Wait(end.min(now + self.policy.read_interval)));
        }
        let read_due = self.read_due(now);
        if read_due.is_some_and(|due| due <= now) {
            self.is_being_read = true;
            self.read_at = Some(now);
            return Action::Read;
        }
        let Some(own_end) = own_end else { return Action::GiveUp };
        let end = self.refused_since.map(|since| since + self.policy.patience).filter(|end| now < *end);
        let has_worked_since = self.successes != attempts.successes;
        if end.is_none() && !has_worked_since {
            return Action::GiveUp;
        }
        let pause_end = attempts.last_refusal.map_or(now, |last| last + PAUSE);
        let probe = self.next_probe.map_or(pause_end, |probe| probe.max(pause_end));
        // One that is held back is waited for only as a file that may bring another.
        let is_held_back = self.is_held_back(self.current, now);
        let again_at = if has_worked_since { pause_end } else { probe };
        if again_at > now || is_held_back {
            let again_at = if is_held_back { own_end } else { again_at };
            let wake = [Some(again_at), read_due, end, Some(own_end)].into_iter().flatten().min();
            return Action::Wait(wake.unwrap_or(again_at));
        }
        if !has_worked_since {
            self.next_probe = Some(now + self.policy.probe_interval);
        }
        attempts.refused.clear();
        Action::Use(self.current)
    }

    /// Records that the secret was read: another one, the same, or not at all.
    pub fn was_read(&mut self, found: Option<SecretVersion>) {
        self.is_being_read = false;
        if let Some(version) = found {
            self.adopt(version);
        }
    }

    /// Replaces the secret by one that the settings name.
    pub fn replace(&mut self, version: SecretVersion, source: Source) {
        self.source = source;
        self.adopt(version);
    }

    fn adopt(&mut self, version: SecretVersion) {
        if version != self.newest {
            self.newest = version;
            self.current = version;
        }
    }

    fn read_due(&self, now: Instant) -> Option<Instant> {
        match self.source {
            Source::Fixed => None,
            Source::Readable => Some(self.read_at.map_or(now, |at| at + self.policy.read_interval)),
        }
    }
}

#[cfg(test)]
mod tests;

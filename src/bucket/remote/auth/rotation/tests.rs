//! Rotations played through, on a clock that stands still until it is moved.

use super::*;
use crate::clock;

const POLICY: LoginPolicy = LoginPolicy::FOLLOW_ROTATION;

const OLD: SecretVersion = SecretVersion(0);
const NEW: SecretVersion = SecretVersion(1);

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// A server, a file and some requests, in one play.
struct Play {
    rotation: Rotation,
    start: Instant,
    now: Instant,
    on_server: SecretVersion,
    in_file: SecretVersion,
    /// When each becomes the new one.
    server_at: Duration,
    file_at: Duration,
    reads: Vec<Duration>,
    asked: Vec<(Duration, SecretVersion)>,
}

impl Play {
    fn new(server_at: Duration, file_at: Duration) -> Self {
        let start = clock::now();
        let mut rotation = Rotation::new(OLD, Source::Readable, POLICY);
        assert!(!rotation.accepted(OLD, None));
        let (reads, asked) = (Vec::new(), Vec::new());
        Self { rotation, start, now: start, on_server: OLD, in_file: OLD, server_at, file_at, reads, asked }
    }

    fn advance_to(&mut self, moment: Instant) {
        self.now = moment;
        let passed = self.now - self.start;
        self.on_server = if passed >= self.server_at { NEW } else { OLD };
        self.in_file = if passed >= self.file_at { NEW } else { OLD };
    }

    /// One request from its beginning to its end; `true`: it was answered.
    fn request(&mut self) -> bool {
        let (mut used, mut attempts) = (self.rotation.current(), Attempts::default());
        loop {
            self.asked.push((self.now - self.start, used));
            if used == self.on_server {
                self.rotation.accepted(used, None);
                return true;
            }
            self.rotation.refused(used, &mut attempts, self.now);
            loop {
                match self.rotation.next(&mut attempts, self.now) {
                    Action::Use(version) => {
                        used = version;
                        break;
                    }
                    Action::Read => {
                        self.reads.push(self.now - self.start);
                        self.rotation.was_read(Some(self.in_file));
                    }
                    Action::Wait(until) => {
                        assert!(until > self.now, "a wait that does not wait");
                        self.advance_to(until);
                    }
                    Action::GiveUp => return false,
                }
            }
        }
    }
}

#[test]
fn the_file_first_and_then_the_server() {
    let mut play = Play::new(ms(500), ms(100));
    for at in (0..1000).step_by(10) {
        play.advance_to(play.start + ms(at));
        assert!(play.request(), "at {at} ms");
    }
    assert_eq!(play.reads, [ms(500)], "nobody reads while the old one works");
    assert_eq!(play.rotation.current(), NEW);
}

#[test]
fn the_server_first_and_then_the_file() {
    for delay in [50, 500, 1000, 1900] {
        let mut play = Play::new(ms(100), ms(100 + delay));
        play.advance_to(play.start + ms(100));
        assert!(play.request(), "the file is {delay} ms late");
        let waited = (play.now - play.start).saturating_sub(ms(100));
        assert!(waited <= ms(delay) + POLICY.read_interval, "{waited:?} for {delay} ms");
        assert!(play.reads.windows(2).all(|pair| pair[1] >= pair[0] + POLICY.read_interval), "{:?}", play.reads);
        assert!(play.rotation.is_settled_on(NEW));
        assert!(play.request() && play.now == play.start + ms(100) + waited, "the next one does not wait");
    }
}

#[test]
fn told_by_hup_before_the_server_knows_it_costs_one_more_try_and_no_failure() {
    let mut play = Play::new(ms(300), ms(0));
    play.rotation.replace(NEW, Source::Readable);
    assert!(play.request());
    assert_eq!(play.asked, [(ms(0), NEW), (ms(0), OLD)]);
    assert_eq!(play.now, play.start, "without a wait");
    assert!(play.request() && play.asked.len() == 3, "the one that works is used from then on");
    play.advance_to(play.start + ms(300));
    assert!(play.request());
    assert_eq!(play.asked[3..], [(ms(300), OLD), (ms(300), NEW)]);
}

#[test]
fn a_refusal_that_lasts_is_waited_for_once_and_then_not_any_more() {
    let never = ms(1_000_000);
    let mut play = Play::new(ms(0), never);
    play.advance_to(play.start);
    assert!(!play.request());
    let waited = play.now - play.start;
    assert!(waited >= ms(1900) && waited <= POLICY.patience, "{waited:?}");
    assert!(play.asked.len() <= 28, "a try every 75 ms at most: {}", play.asked.len());
    assert!(play.asked.len() >= 15, "and every 100 ms at least: {}", play.asked.len());

    for later in [0, 1, 40, 99, 5000, 60_000] {
        let at = play.start + waited + ms(later);
        play.advance_to(at);
        assert!(!play.request());
        assert_eq!(play.now, at, "without a wait, {later} ms later");
    }
    let reads = play.reads.len();
    play.advance_to(play.now + POLICY.read_interval);
    assert!(!play.request() && play.reads.len() == reads + 1, "the file is looked at all the same");

    play.file_at = ms(70_000);
    play.advance_to(play.start + ms(70_000));
    assert!(play.request(), "healed by the file, without a restart");
}

#[test]
fn a_login_that_never_worked_is_not_waited_for() {
    let now = clock::now();
    for (source, first) in [(Source::Fixed, Action::GiveUp), (Source::Readable, Action::Read)] {
        let mut rotation = Rotation::new(OLD, source, POLICY);
        let mut attempts = Attempts::default();
        assert_eq!(rotation.refused(OLD, &mut attempts, now), Episode::GoesOn);
        assert_eq!(rotation.next(&mut attempts, now), first);
        rotation.was_read(None);
        assert_eq!(rotation.next(&mut attempts, now), Action::GiveUp);
    }
}

#[test]
fn a_secret_that_cannot_change_is_not_waited_for() {
    let now = clock::now();
    let mut rotation = Rotation::new(OLD, Source::Fixed, POLICY);
    rotation.accepted(OLD, None);
    let mut attempts = Attempts::default();
    assert_eq!(rotation.refused(OLD, &mut attempts, now), Episode::Begins);
    assert_eq!(rotation.next(&mut attempts, now), Action::GiveUp);
    // Unless it was replaced meanwhile.
    rotation.replace(NEW, Source::Fixed);
    assert_eq!(rotation.next(&mut attempts, now), Action::Use(NEW));
}

#[test]
fn there_is_one_reader_and_one_prober_however_many_were_refused() {
    let now = clock::now();
    let mut rotation = Rotation::new(OLD, Source::Readable, POLICY);
    rotation.accepted(OLD, None);
    let mut all: Vec<Attempts> = (0..8).map(|_| Attempts::default()).collect();
    let episodes: Vec<Episode> = all.iter_mut().map(|attempts| rotation.refused(OLD, attempts, now)).collect();
    assert_eq!(episodes.iter().filter(|episode| **episode == Episode::Begins).count(), 1);
    let actions: Vec<Action> = all.iter_mut().map(|attempts| rotation.next(attempts, now)).collect();
    assert_eq!(actions[0], Action::Read);
    assert!(actions[1..].iter().all(|action| matches!(action, Action::Wait(_))), "{actions:?}");
    rotation.was_read(Some(OLD));

    let later = now + POLICY.probe_interval;
    let actions: Vec<Action> = all.iter_mut().map(|attempts| rotation.next(attempts, later)).collect();
    assert_eq!(actions[0], Action::Use(OLD));
    assert!(actions[1..].iter().all(|action| matches!(action, Action::Wait(_))), "{actions:?}");

    // It works again: the others need not wait for their turn to find out.
    assert!(rotation.accepted(OLD, None));
    assert!(all[1..].iter_mut().all(|attempts| rotation.next(attempts, later) == Action::Use(OLD)));
}

#[test]
fn those_that_waited_take_up_what_another_has_found() {
    let now = clock::now();
    let mut rotation = Rotation::new(OLD, Source::Readable, POLICY);
    rotation.accepted(OLD, None);
    let (mut reader, mut other) = (Attempts::default(), Attempts::default());
    rotation.refused(OLD, &mut reader, now);
    rotation.refused(OLD, &mut other, now);
    assert_eq!(rotation.next(&mut reader, now), Action::Read);
    assert!(matches!(rotation.next(&mut other, now), Action::Wait(_)));
    rotation.was_read(Some(NEW));
    assert_eq!(rotation.next(&mut other, now), Action::Use(NEW));
    assert!(rotation.is_known(OLD) && rotation.is_known(NEW));

    // A late answer to the old one does not begin anything.
    assert!(rotation.accepted(NEW, None));
    let mut late = Attempts::default();
    assert_eq!(rotation.refused(OLD, &mut late, now), Episode::GoesOn);
    assert_eq!(rotation.next(&mut late, now), Action::Use(NEW));
    assert!(rotation.is_settled_on(NEW) && !rotation.is_known(OLD));
}

/// Five refusals in 300 s lock an account.
const LOCKS: LoginPolicy = LoginPolicy::avoid_lockout(5, Duration::from_secs(300));

#[test]
fn a_server_that_locks_accounts_sees_too_few_refusals_to_do_so() {
    let start = clock::now();
    let mut rotation = Rotation::new(OLD, Source::Fixed, LOCKS);
    let mut sent = Vec::new();
    for second in 0..3600 {
        let now = start + Duration::from_secs(second);
        match rotation.admit(OLD, now) {
            Admission::SendOnTrial => {
                assert_eq!(rotation.admit(OLD, now), Admission::Wait, "one at a time");
                sent.push(second);
                let mut attempts = Attempts::default();
                rotation.refused(OLD, &mut attempts, now);
                rotation.trial_ended();
                assert_eq!(rotation.next(&mut attempts, now), Action::GiveUp);
            }
            admission => assert_eq!(admission, Admission::HeldBack),
        }
    }
    assert!(sent.windows(5).all(|five| five[4] - five[0] > 300), "{sent:?}");
    assert!(sent.len() > 30, "it heals once the server accepts the secret: {sent:?}");
    let now = start + Duration::from_secs(4200);
    assert_eq!(rotation.admit(OLD, now), Admission::SendOnTrial);
    rotation.accepted(OLD, Some(now));
    rotation.trial_ended();
    assert!((0..32).all(|_| rotation.admit(OLD, now) == Admission::Send), "a secret that is accepted is everybody's");
}

#[test]
fn a_refused_secret_is_replaced_by_the_next_one_of_the_file_at_once() {
    let now = clock::now();
    let mut rotation = Rotation::new(OLD, Source::Readable, LOCKS);
    rotation.accepted(OLD, None);
    let mut attempts = Attempts::default();
    assert_eq!(rotation.refused(OLD, &mut attempts, now), Episode::Begins);
    assert_eq!(rotation.next(&mut attempts, now), Action::Read);
    rotation.was_read(Some(OLD));
    // The file is looked at again and again, and the secret is not sent.
    let mut later = now;
    for _ in 0..5 {
        let Action::Wait(until) = rotation.next(&mut attempts, later) else { panic!("no wait") };
        assert!(until > later);
        later = until;
        assert_eq!(rotation.next(&mut attempts, later), Action::Read);
        rotation.was_read(Some(OLD));
    }
    // Another request that begins meanwhile does the same.
    let mut other = Attempts::default();
    assert_eq!(rotation.admit(OLD, later), Admission::HeldBack);
    rotation.held_back(OLD, &mut other, later);
    assert!(matches!(rotation.next(&mut other, later), Action::Wait(_)));
    rotation.was_read(Some(NEW));
    for attempts in [&mut attempts, &mut other] {
        assert_eq!(rotation.next(attempts, later), Action::Use(NEW));
    }
    assert_eq!((rotation.admit(NEW, later), rotation.admit(NEW, later)), (Admission::SendOnTrial, Admission::Wait));
}

#[test]
fn an_answer_that_was_on_its_way_at_the_refusal_does_not_undo_it() {
    let sent_at = clock::now();
    let refused_at = sent_at + ms(5);
    let mut rotation = Rotation::new(OLD, Source::Readable, LOCKS);
    rotation.accepted(OLD, Some(sent_at));
    rotation.refused(OLD, &mut Attempts::default(), refused_at);
    assert!(!rotation.accepted(OLD, Some(sent_at)));
    assert_eq!(rotation.admit(OLD, refused_at + ms(1)), Admission::HeldBack);
    assert!(rotation.accepted(OLD, Some(refused_at + ms(1))), "the server has taken the change back");
    assert_eq!(rotation.admit(OLD, refused_at + ms(2)), Admission::Send);
}

#[test]
fn the_refusals_of_all_secrets_together_stay_below_what_locks_an_account() {
    let start = clock::now();
    let mut rotation = Rotation::new(OLD, Source::Readable, LOCKS);
    rotation.accepted(OLD, Some(start));
    let mut sent = Vec::new();
    for second in 1..2000 {
        let now = start + Duration::from_secs(second);
        // Somebody writes one wrong password after the other into the file.
        if second % 20 == 0 && second < 400 {
            rotation.replace(SecretVersion(second), Source::Readable);
        }
        for version in [rotation.current(), OLD] {
            if matches!(rotation.admit(version, now), Admission::Send | Admission::SendOnTrial) {
                sent.push(second);
                rotation.refused(version, &mut Attempts::default(), now);
                rotation.trial_ended();
            }
        }
    }
    assert!(sent.windows(5).all(|five| five[4] - five[0] > 300), "{sent:?}");
    assert!(sent.len() > 15, "it heals once the server accepts one: {sent:?}");
}

#[test]
fn a_login_that_worked_gets_a_second_trial_after_a_second() {
    let now = clock::now();
    let mut rotation = Rotation::new(OLD, Source::Fixed, LOCKS);
    rotation.accepted(OLD, Some(now));
    rotation.refused(OLD, &mut Attempts::default(), now + ms(1));
    assert_eq!(rotation.admit(OLD, now + ms(900)), Admission::HeldBack);
    assert_eq!(rotation.admit(OLD, now + ms(1100)), Admission::SendOnTrial);
    assert!(rotation.accepted(OLD, Some(now + ms(1100))));
    rotation.trial_ended();
    assert_eq!(rotation.admit(OLD, now + ms(1200)), Admission::Send);
}

//! `check`: its steps one by one, and which of them fails for what.

use secrecy::SecretString;
use userprofiles::bucket::remote::check::NoProductSteps;
use userprofiles::bucket::report::{Outcome, Report, Step, Verdict};
use userprofiles::bucket::rest::check::run;

use crate::server::{Mood, ToyServer};
use crate::tls::Secured;
use crate::{Plan, assert_is_about_the_toy};

/// Checks the database of a plan.
fn check(plan: &Plan) -> (Verdict, Vec<Step>) {
    let mut steps = Vec::new();
    let mut print = |step: &Step| steps.push(step.clone());
    let mut report = Report::new(&mut print);
    run(&plan.cluster().unwrap(), &plan.nodes, &NoProductSteps, &mut report);
    let verdict = report.verdict();
    for step in &steps {
        assert_is_about_the_toy(&step.detail);
    }
    (verdict, steps)
}

/// Asserts that the steps up to `failed` passed or were not needed, that it failed with this in its detail, and that the
/// steps behind it were skipped.
fn assert_fails_at(plan: &Plan, failed: &str, part: &str) {
    let (verdict, steps) = check(plan);
    assert_eq!(verdict, Verdict::Failed, "{steps:?}");
    let place = steps.iter().position(|step| step.name == failed).expect("the step");
    assert!(steps[..place].iter().all(|step| step.outcome != Outcome::Failed), "{steps:?}");
    assert_eq!(steps[place].outcome, Outcome::Failed, "{steps:?}");
    assert!(steps[place].detail.contains(part), "no {part:?} in: {:?}", steps[place]);
    assert!(steps[place + 1..].iter().all(|step| step.outcome == Outcome::Skipped), "{steps:?}");
    assert_eq!(steps.last().map(|step| step.name), Some("read"), "{steps:?}");
}

#[test]
fn a_database_that_is_well_passes_each_step() {
    use Outcome::{Passed, Skipped};
    let (server, secured) = (ToyServer::start(1), Secured::start());
    for (plan, tls) in [(Plan::of(&server), Skipped), (secured.plan("own.pem"), Passed)] {
        let (verdict, steps) = check(&plan);
        assert_eq!(verdict, Verdict::Passed, "{steps:?}");
        let outcomes: Vec<_> = steps.iter().map(|step| (step.name, step.outcome)).collect();
        assert_eq!(outcomes, [("dns", Passed), ("tcp", Passed), ("tls", tls), ("login", Passed), ("read", Passed)]);
    }
    assert_eq!(server.documents().len(), 1, "it changes nothing");
}

#[test]
fn the_step_that_fails_says_what_to_do_and_those_behind_it_are_skipped() {
    let server = ToyServer::start(1);
    server.node(0).port.close();
    assert_fails_at(&Plan::of(&server), "tcp", "nobody listens at 127.0.0.1:");
    assert_fails_at(&Plan::of(&server), "tcp", "see that Toybase runs there");
    server.node(0).port.reopen();

    let mut plan = Plan::of(&server);
    plan.login.password = Some(SecretString::from("another"));
    assert_fails_at(&plan, "login", "set [toy] username and password_file");

    let secured = Secured::start();
    assert_fails_at(&secured.plan("other.pem"), "tls", "([toy] ca_file)");

    server.node(0).set_mood(Mood::Failing(403, usize::MAX));
    assert_fails_at(&Plan::of(&server), "read", "let the user of [toy] username read");
}

#[test]
fn a_name_that_nobody_knows_is_to_be_corrected_in_the_setting_of_the_hosts() {
    let server = ToyServer::start(1);
    let mut plan = Plan::of(&server);
    // No name of anybody (RFC 6761).
    plan.nodes[0].host = "toy.invalid".to_owned();
    assert_fails_at(&plan, "dns", "correct the host in [toy] urls");
}
